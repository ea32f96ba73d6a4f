#include "models/cell_list.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <vector>

namespace vp {
namespace {

std::unique_ptr<Options> no_options() { return std::make_unique<NoOptions>(); }

constexpr std::array<std::string_view, 1> kRnnGates = {""};
constexpr std::array<std::string_view, 4> kLstmGates = {"input_gate", "forget_gate", "", "output_gate"};

constexpr std::array<std::string_view, 3> kGruGates = {"reset_gate", "update_gate", ""};

constexpr std::array<std::string_view, 2> kMguGates = {"forget_gate", ""};

const std::array<CellEntry, 4> kCells = {{
    {"rnn", "h = f(W_ih x + b + W_hh h), f = model.activation (Elman 1990)", 1, false, true, kRnnGates, make_rnn_options,
     make_rnn_cell<float>, make_rnn_cell<double>},
    {"lstm", "c = f*c + i*g, h = o*tanh(c); i, f, o sigmoid gates (Hochreiter & Schmidhuber 1997; Gers 2000)", 4, true, false, kLstmGates,
     make_lstm_options, make_lstm_cell<float>, make_lstm_cell<double>},
    {"gru", "h = (1 - z)*n + z*h, n = tanh(W_in x + b_in + r*(W_hn h + b_hn)); r, z sigmoid gates (Cho et al. 2014, in PyTorch's form)", 3,
     false, false, kGruGates, make_gru_options, make_gru_cell<float>, make_gru_cell<double>},
    {"mgu", "h = (1 - f)*h + f*n, n = tanh(W_n x + U_n (f*h) + b), f a sigmoid gate: minimal gated unit (Zhou et al. 2016)", 2, false,
     false, kMguGates, no_options, make_mgu_cell<float>, make_mgu_cell<double>},
}};

// Sets the n-th of all other choices there are.
class OtherChoice final : public FieldVisitor {
 public:
  explicit OtherChoice(std::size_t n) : left_(n) {}
  void field(const FieldInfo& info, bool& value) override {
    if (!take()) return;
    value = !value;
    note(info, value ? "true" : "false");
  }
  void field(const FieldInfo& info, std::string& value) override {
    const std::string now = value;
    for (const std::string_view choice : info.choices)
      if (choice != now && take()) note(info, value = choice);
  }
  void field(const FieldInfo&, std::int64_t&) override {}
  void field(const FieldInfo&, double&) override {}
  void field(const FieldInfo&, std::optional<double>&) override {}
  void field(const FieldInfo&, std::optional<std::int64_t>&) override {}
  void field(const FieldInfo&, IntegerList&) override {}
  const std::string& what() const { return what_; }  // "reset=before"; empty: there are no more than n choices

 private:
  bool take() { return left_-- == 0; }
  void note(const FieldInfo& info, std::string_view text) {
    what_ = std::string(info.key.substr(info.key.rfind('.') + 1)) + "=" + std::string(text);
  }
  std::size_t left_;
  std::string what_;
};

std::vector<CellVariant> all_variants() {
  std::vector<CellVariant> variants;
  for (const CellEntry& entry : kCells) {
    variants.push_back({&entry, OptionsHandle(entry.make_options()), std::string(entry.name)});
    for (std::size_t n = 0;; ++n) {
      OtherChoice other(n);
      OptionsHandle options(entry.make_options());
      options.visit_fields(other);
      if (other.what().empty()) break;
      variants.push_back({&entry, std::move(options), std::string(entry.name) + " " + other.what()});
    }
  }
  return variants;
}

}  // namespace

std::span<const CellVariant> cell_variants() {
  static const std::vector<CellVariant> kVariants = all_variants();
  return kVariants;
}

const CellVariant& find_cell_variant(std::string_view name) {
  for (const CellVariant& variant : cell_variants())
    if (variant.name == name) return variant;
  throw std::invalid_argument("[cell] no variant \"" + std::string(name) + "\"");
}

std::span<const CellEntry> cells() { return kCells; }

const CellEntry* find_cell(std::string_view name) {
  const auto it = std::ranges::find(kCells, name, &CellEntry::name);
  return it == kCells.end() ? nullptr : &*it;
}

}  // namespace vp
