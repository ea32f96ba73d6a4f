#include "models/verify/cell_variants.h"

#include <cstddef>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>

#include "kernels/activation/custom_activation.h"

namespace vp {
namespace {

// Sets the n-th of all other choices there are; "reset=before", or empty: there are no more than n.
std::string set_other_choice(OptionsHandle& options, std::size_t n) {
  std::string what;
  const auto take = [&n] { return n-- == 0; };
  const auto note = [&](const FieldInfo& info, std::string_view text) { what.append(short_key(info)).append("=").append(text); };
  for_each_field(options, [&](const FieldInfo& info, auto& value) {
    using Value = std::remove_reference_t<decltype(value)>;
    if constexpr (std::is_same_v<Value, bool>) {
      if (!take()) return;
      value = !value;
      note(info, value ? "true" : "false");
    } else if constexpr (std::is_same_v<Value, std::string>) {
      if (!info.open_form.empty()) return;  // activations: activation_variants()
      const std::string now = value;
      for (const std::string_view choice : info.choices)
        if (choice != now && take()) note(info, value = choice);
    }
  });
  return what;
}

// The fields that take an activation, and what they hold.
std::vector<std::pair<std::string_view, std::string>> activation_fields(OptionsHandle& options) {
  std::vector<std::pair<std::string_view, std::string>> found;
  for_each_field(options, [&](const FieldInfo& info, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>)
      if (!info.open_form.empty()) found.emplace_back(short_key(info), value);
  });
  return found;
}

CellVariant choose(const CellEntry& entry, const Choices& choices, std::string name, std::string row) {
  CellVariant variant{&entry, OptionsHandle(entry.make_options()), std::move(name), std::move(row), true};
  set_choices(variant.options, choices);
  return variant;
}

// A gate between 0 and 1, and two more that differ from it and from each other.
constexpr std::string_view kGate = "expr: (1+x/sqrt(1+x^2))/2", kCandidate = "softplus", kState = "elu";

void add_with_activations(std::vector<CellVariant>& variants) {
  const auto add = [&](std::string_view cell, Choices choices, const char* more) {
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
    OptionsHandle options(entry.make_options());
    for (const auto& [field, own] : activation_fields(options))
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
      OptionsHandle options(entry.make_options());
      const std::string other = set_other_choice(options, n);
      if (other.empty()) break;
      const std::string name = std::string(entry.name) + " " + other;
      variants.push_back({&entry, std::move(options), name, name});
    }
  }
  add_with_activations(variants);
  return variants;
}

}  // namespace

void set_choices(OptionsHandle& options, const Choices& choices) {
  for_each_field(options, [&](const FieldInfo& info, auto& value) {
    using Value = std::remove_reference_t<decltype(value)>;
    for (const auto& [key, text] : choices) {
      if (short_key(info) != key) continue;
      if constexpr (std::is_same_v<Value, bool>) value = text == "true";
      if constexpr (std::is_same_v<Value, std::string>) value = text;
    }
  });
}

std::span<const CellVariant> cell_variants() {
  static const std::vector<CellVariant> kVariants = all_variants();
  return kVariants;
}

std::span<const CellVariant> activation_variants() {
  static const std::vector<CellVariant> kVariants = all_activation_variants();
  return kVariants;
}

std::vector<std::string> activations_of(OptionsHandle options) {
  std::vector<std::string> names;
  for (const auto& [field, name] : activation_fields(options)) names.push_back(name);
  return names;
}

const CellVariant& find_cell_variant(std::string_view name) {
  for (const auto& variants : {cell_variants(), activation_variants()})
    for (const CellVariant& variant : variants)
      if (variant.name == name) return variant;
  throw std::invalid_argument("[cell] no variant \"" + std::string(name) + "\"");
}

}  // namespace vp
