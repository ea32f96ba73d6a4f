#include "experiments/csv_targets.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "experiments/problems.h"

namespace vp {
namespace {

constexpr std::int64_t kLargestClass = 65535;  // a readout for more is a slip of the column, not a plan

}  // namespace

std::size_t find_column(const CsvDocument& document, const std::string& name, std::string_view option) {
  try {
    return document.column(name);
  } catch (const UserError& error) {
    throw UserError(error.code(), fmt::format("{}; set {} to the right one", error.what(), option));
  }
}

std::optional<float> parse_single(std::string_view field) {
  const auto number = parse_number(field);
  if (!number || !std::isfinite(static_cast<float>(*number))) return std::nullopt;
  return static_cast<float>(*number);
}

std::optional<std::string_view> target_fault(std::string_view kind, std::string_view field) {
  if (kind == kClassTarget) {
    const auto whole = parse_whole_number(field);
    if (!whole || *whole < 0) return "is not a class: expected a whole number from 0";
    if (*whole > kLargestClass) return "is not a class: expected at most 65535";
    return std::nullopt;
  }
  const auto number = parse_number(field);
  if (kind == kBinaryTarget && (!number || (*number != 0 && *number != 1))) return "is not 0 or 1";
  if (!parse_single(field)) return "is not a finite number in the range of single precision";
  return std::nullopt;
}

std::string field_fault(std::string_view column, std::string_view field, std::string_view reason) {
  return fmt::format("{}: {} {}", column, field.empty() ? "an empty field" : quoted_text(field), reason);
}

void TargetColumn::add(std::string_view field) {
  const double target = *parse_number(field);
  if (kind == kClassTarget)
    classes.push_back(static_cast<std::int32_t>(target));
  else
    values.push_back(static_cast<float>(target));
}

void TargetColumn::describe(SequenceShape& shape, const std::string& file, const std::string& column) const {
  shape.outputs = 1;
  shape.target = kind == kBinaryTarget ? TargetKind::kBinary : TargetKind::kValues;
  if (kind != kClassTarget) return;
  shape.target = TargetKind::kClasses;
  shape.outputs = 1 + *std::max_element(classes.begin(), classes.end());
  if (shape.outputs < 2)
    throw io_error(
        fmt::format("{}: {}: every class is 0, there is nothing to tell apart; check the column, or set task.target_kind", file, column));
}

}  // namespace vp
