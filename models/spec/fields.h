// The one way settings describe themselves: each option struct has visit_fields(FieldVisitor&), one line per field.
//
// Parser, defaults, help, CSV header, canonical text and hash are visitors. To add a field: one member and one visit line.
// Thread-safety: none needed; visitors run while a configuration is read.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace vp {

using IntegerList = std::vector<std::int64_t>;  // a value that is a list: [300, 100]
using TextList = std::vector<std::string>;      // ["x", "y"]

// What a field is called and may hold. Numbers are checked against [minimum, maximum] (open ends: exclusive_minimum), strings against
// choices.
struct FieldInfo {
  std::string_view key;          // dotted, e.g. "train.learning_rate"
  std::string_view description;  // one line, with unit
  double minimum = -std::numeric_limits<double>::infinity();
  double maximum = std::numeric_limits<double>::infinity();
  bool exclusive_minimum = false;
  std::vector<std::string_view> choices = {};  // empty: any text
  // Text of a form of its own that stands beside the choices, as help shows it, and what is wrong with a text: nullopt: not of this form.
  std::string_view open_form = {};
  std::optional<std::string> (*open_problem)(std::string_view text) = nullptr;
  // For a message: how a text that is none of the choices is written in this form; empty if nobody knows.
  std::string (*open_text_of)(std::string_view text) = nullptr;
};

class FieldVisitor {
 public:
  virtual ~FieldVisitor() = default;
  virtual void field(const FieldInfo& info, bool& value) = 0;
  virtual void field(const FieldInfo& info, std::int64_t& value) = 0;
  virtual void field(const FieldInfo& info, double& value) = 0;
  virtual void field(const FieldInfo& info, std::string& value) = 0;
  virtual void field(const FieldInfo& info, std::optional<double>& value) = 0;        // unset: absent
  virtual void field(const FieldInfo& info, std::optional<std::int64_t>& value) = 0;  // unset: absent
  virtual void field(const FieldInfo& info, IntegerList& value) = 0;                  // each element in the range
  virtual void field(const FieldInfo& info, TextList& value) = 0;
};

// Calls f(info, value) for a field of any type: what a visitor that has one rule for many types is made from.
template <class F>
class FieldFunction final : public FieldVisitor {
 public:
  explicit FieldFunction(F& f) : f_(f) {}
  void field(const FieldInfo& info, bool& value) override { f_(info, value); }
  void field(const FieldInfo& info, std::int64_t& value) override { f_(info, value); }
  void field(const FieldInfo& info, double& value) override { f_(info, value); }
  void field(const FieldInfo& info, std::string& value) override { f_(info, value); }
  void field(const FieldInfo& info, std::optional<double>& value) override { f_(info, value); }
  void field(const FieldInfo& info, std::optional<std::int64_t>& value) override { f_(info, value); }
  void field(const FieldInfo& info, IntegerList& value) override { f_(info, value); }
  void field(const FieldInfo& info, TextList& value) override { f_(info, value); }

 private:
  F& f_;
};

template <class Visitable, class F>
void for_each_field(Visitable& fields, F f) {
  FieldFunction<F> visitor(f);
  fields.visit_fields(visitor);
}

// "reset" of model.reset.
inline std::string_view short_key(const FieldInfo& info) { return info.key.substr(info.key.rfind('.') + 1); }

// A setting that goes without effect, or has no meaning, beside the others.
struct Misfit {
  std::string_view key;
  std::string message;
};

// What a task, a cell or an optimiser brings of its own. Value semantics through clone().
struct Options {
  virtual ~Options() = default;
  virtual void visit_fields(FieldVisitor& visitor) = 0;
  virtual std::optional<Misfit> misfit() const { return std::nullopt; }  // the first there is among these options
  virtual std::unique_ptr<Options> clone() const = 0;
};

// struct AddingOptions : OptionsOf<AddingOptions> { ...; void visit_fields(FieldVisitor&) override; };
template <class Derived>
struct OptionsOf : Options {
  std::unique_ptr<Options> clone() const override { return std::make_unique<Derived>(static_cast<const Derived&>(*this)); }
};

struct NoOptions : OptionsOf<NoOptions> {
  void visit_fields(FieldVisitor&) override {}
};

// What the entry of a list makes its options with.
template <class Own>
std::unique_ptr<Options> make_options() {
  return std::make_unique<Own>();
}

// The options as what they were made as; its defaults where there are none, as in a RunSpec made in code.
template <class Own>
Own options_as(const Options& options) {
  const auto* own = dynamic_cast<const Own*>(&options);
  return own == nullptr ? Own{} : *own;
}

// A copyable owner of Options.
class OptionsHandle {
 public:
  OptionsHandle() : options_(std::make_unique<NoOptions>()) {}
  explicit OptionsHandle(std::unique_ptr<Options> options) : options_(std::move(options)) {}
  OptionsHandle(const OptionsHandle& other) : options_(other.options_->clone()) {}
  OptionsHandle(OptionsHandle&&) noexcept = default;
  OptionsHandle& operator=(OptionsHandle other) noexcept {
    options_ = std::move(other.options_);
    return *this;
  }
  void visit_fields(FieldVisitor& visitor) { options_->visit_fields(visitor); }
  const Options& get() const { return *options_; }

 private:
  std::unique_ptr<Options> options_;
};

}  // namespace vp
