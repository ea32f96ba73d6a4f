#include "experiments/claims/filter.h"

#include "experiments/config/visit.h"
#include "experiments/io/csv.h"

namespace vp {

bool meets(std::string_view cell, const SettingValue& wanted) {
  if (const auto* text = std::get_if<std::string>(&wanted)) return cell == *text;
  if (const auto* flag = std::get_if<bool>(&wanted)) return cell == (*flag ? "true" : "false");
  if (const auto* list = std::get_if<IntegerList>(&wanted)) return cell == plain_text(*list);
  if (const auto* list = std::get_if<TextList>(&wanted)) return cell == plain_text(*list);
  const auto* integer = std::get_if<std::int64_t>(&wanted);
  return parse_number(cell) == (integer ? static_cast<double>(*integer) : std::get<double>(wanted));
}

std::string filter_text(const ClaimFilter& filter) {
  std::string text;
  for (const auto& [key, value] : filter) text += (text.empty() ? "" : ", ") + key + " = " + toml_text(value);
  return text.empty() ? "no filter" : text;
}

}  // namespace vp
