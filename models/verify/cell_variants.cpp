#include "models/verify/cell_variants.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <utility>

#include "kernels/activation/custom_activation.h"

namespace vp {
namespace {

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
    if (!info.open_form.empty()) return;  // activations: activation_variants()
    const std::string now = value;
    for (const std::string_view choice : info.choices)
      if (choice != now && take()) note(info, value = choice);
  }
  void field(const FieldInfo&, std::int64_t&) override {}
  void field(const FieldInfo&, double&) override {}
  void field(const FieldInfo&, std::optional<double>&) override {}
  void field(const FieldInfo&, std::optional<std::int64_t>&) override {}
  void field(const FieldInfo&, IntegerList&) override {}
  void field(const FieldInfo&, TextList&) override {}
  const std::string& what() const { return what_; }  // "reset=before"; empty: there are no more than n choices

 private:
  bool take() { return left_-- == 0; }
  void note(const FieldInfo& info, std::string_view text) {
    what_ = std::string(info.key.substr(info.key.rfind('.') + 1)) + "=" + std::string(text);
  }
  std::size_t left_;
  std::string what_;
};

// Sets fields by their keys without the section.
class Choose final : public FieldVisitor {
 public:
  using Choices = std::vector<std::pair<std::string_view, std::string_view>>;
  explicit Choose(const Choices& choices) : choices_(choices) {}
  void field(const FieldInfo& info, bool& value) override {
    if (const auto* text = find(info)) value = *text == "true";
  }
  void field(const FieldInfo& info, std::string& value) override {
    if (const auto* text = find(info)) value = *text;
  }
  void field(const FieldInfo&, std::int64_t&) override {}
  void field(const FieldInfo&, double&) override {}
  void field(const FieldInfo&, std::optional<double>&) override {}
  void field(const FieldInfo&, std::optional<std::int64_t>&) override {}
  void field(const FieldInfo&, IntegerList&) override {}
  void field(const FieldInfo&, TextList&) override {}

 private:
  const std::string_view* find(const FieldInfo& info) const {
    for (const auto& [name, text] : choices_)
      if (info.key.substr(info.key.rfind('.') + 1) == name) return &text;
    return nullptr;
  }
  const Choices& choices_;
};

// Notes the fields that take an activation, and what they hold.
class ActivationFields final : public FieldVisitor {
 public:
  void field(const FieldInfo& info, std::string& value) override {
    if (!info.open_form.empty()) found.emplace_back(info.key.substr(info.key.rfind('.') + 1), value);
  }
  void field(const FieldInfo&, bool&) override {}
  void field(const FieldInfo&, std::int64_t&) override {}
  void field(const FieldInfo&, double&) override {}
  void field(const FieldInfo&, std::optional<double>&) override {}
  void field(const FieldInfo&, std::optional<std::int64_t>&) override {}
  void field(const FieldInfo&, IntegerList&) override {}
  void field(const FieldInfo&, TextList&) override {}
  std::vector<std::pair<std::string_view, std::string>> found;
};

CellVariant choose(const CellEntry& entry, const Choose::Choices& choices, std::string name, std::string row) {
  CellVariant variant{&entry, OptionsHandle(entry.make_options()), std::move(name), std::move(row), true};
  Choose choose(choices);
  variant.options.visit_fields(choose);
  return variant;
}

// A gate between 0 and 1, and two more that differ from it and from each other.
constexpr std::string_view kGate = "expr: (1+x/sqrt(1+x^2))/2", kCandidate = "softplus", kState = "elu";

void add_with_activations(std::vector<CellVariant>& variants) {
  const auto add = [&](std::string_view cell, Choose::Choices choices, const char* more) {
    for (const auto& choice :
         {std::pair("gate_activation", kGate), std::pair("candidate_activation", kCandidate), std::pair("state_activation", kState)})
      choices.emplace_back(choice);  // a cell that has no such field does not look
    const std::string name = std::string(cell) + " activations" + more;
    variants.push_back(choose(*find_cell(cell), choices, name, name));
  };
  add("lstm", {}, "");
  add("lstm", {{"variant", "coupled"}, {"peepholes", "true"}}, " coupled peepholes");
  add("gru", {}, "");
  add("gru", {{"reset", "before"}}, " reset=before");
  add("mgu", {}, "");
}

std::vector<CellVariant> all_activation_variants() {
  std::vector<CellVariant> variants;
  for (const CellEntry& entry : cells()) {
    ActivationFields fields;
    OptionsHandle(entry.make_options()).visit_fields(fields);
    for (const auto& [field, own] : fields.found)
      for (const Activation& f : checked_activations()) {
        const std::string row = std::string(entry.name) + " " + std::string(field);
        if (f.name != own) variants.push_back(choose(entry, {{field, f.name}}, row + "=" + std::string(f.name), row));
      }
  }
  return variants;
}

std::vector<CellVariant> all_variants() {
  std::vector<CellVariant> variants;
  for (const CellEntry& entry : cells()) {
    variants.push_back({&entry, OptionsHandle(entry.make_options()), std::string(entry.name), std::string(entry.name)});
    for (std::size_t n = 0;; ++n) {
      OtherChoice other(n);
      OptionsHandle options(entry.make_options());
      options.visit_fields(other);
      if (other.what().empty()) break;
      const std::string name = std::string(entry.name) + " " + other.what();
      variants.push_back({&entry, std::move(options), name, name});
    }
  }
  add_with_activations(variants);
  return variants;
}

}  // namespace

std::span<const CellVariant> cell_variants() {
  static const std::vector<CellVariant> kVariants = all_variants();
  return kVariants;
}

std::span<const CellVariant> activation_variants() {
  static const std::vector<CellVariant> kVariants = all_activation_variants();
  return kVariants;
}

std::vector<std::string> activations_of(OptionsHandle options) {
  ActivationFields fields;
  options.visit_fields(fields);
  std::vector<std::string> names;
  for (const auto& [field, name] : fields.found) names.push_back(name);
  return names;
}

const CellVariant& find_cell_variant(std::string_view name) {
  for (const auto& variants : {cell_variants(), activation_variants()})
    for (const CellVariant& variant : variants)
      if (variant.name == name) return variant;
  throw std::invalid_argument("[cell] no variant \"" + std::string(name) + "\"");
}

}  // namespace vp
