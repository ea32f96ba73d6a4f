#include "experiments/tasks/files/label_map.h"

#include <algorithm>
#include <set>

#include "experiments/io/csv.h"

namespace vp {
namespace {

constexpr std::size_t kMostClasses = 65536;  // a readout for more is a slip of the column, not a plan
constexpr std::size_t kShownNames = 10;

std::string quoted_list(std::span<const std::string> names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShownNames); ++i) text += (i == 0 ? "" : ", ") + quoted_text(names[i]);
  return text + (names.size() > kShownNames ? fmt::format(" and {} more", names.size() - kShownNames) : "");
}

std::string fault_at(std::string_view column, const std::string& text, std::string_view reason) {
  return fmt::format("{}: {} {}", column, text.empty() ? "an empty field" : quoted_text(text), reason);
}

// Why a text can be no label.
std::string_view text_fault(const std::string& text) {
  if (text.empty()) return "is not a label";
  if (!is_plain_text(text)) return "is not a label: it holds control characters, or is not UTF-8; save the file as UTF-8";
  return "";
}

void check_list(const TextList& fixed) {
  if (fixed.size() < 2 || fixed.size() > kMostClasses)
    throw usage_error(fmt::format("task.classes: expected 2 to {} labels, got {}", kMostClasses, fixed.size()));
  std::set<std::string> seen;
  for (const std::string& label : fixed) {
    const auto number = parse_whole_number(label);
    if (!seen.insert(number ? std::to_string(*number) : label).second)
      throw usage_error(fmt::format("task.classes: {} stands there twice; name each class once", quoted_text(label)));
  }
}

// A list of whole numbers in their shortest form, any other as it stands.
TextList names_of(const TextList& fixed) {
  TextList names;
  for (const std::string& label : fixed) {
    const auto number = parse_whole_number(label);
    if (!number) return fixed;
    names.push_back(std::to_string(*number));
  }
  return names;
}

// Bytes of the UTF-8 sequence at the front of a text that is not empty; 0 if there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool surrogate = lead == 0xed && byte(1) > 0x9f, beyond = lead == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

// The sets that a class occurs in, as bits in the order of Split, in words.
std::string sets_text(unsigned sets) {
  constexpr std::string_view kTexts[] = {"no set",
                                         "the training set only",
                                         "the validation set only",
                                         "",
                                         "the test set only",
                                         "",
                                         "validation and test set, but not in the training set"};
  return std::string(kTexts[sets]);
}

}  // namespace

void visit_classes(FieldVisitor& visitor, TextList& classes) {
  visitor.field({.key = "task.classes", .description = "labels in the order of their classes; unset: all that occur, in order"}, classes);
}

LabelMap Labels::map(const TextList& fixed, const std::string& file, std::string_view column, Problems& problems) const {
  if (!fixed.empty()) return map_to(fixed, column, problems);
  for (std::size_t i = 0; i < texts_.size(); ++i)
    if (const auto fault = text_fault(*texts_[i]); !fault.empty()) problems.add_at(places_[i], fault_at(column, *texts_[i], fault));
  LabelMap map = map_in_order(are_whole_numbers(column, problems));
  if (map.names.size() > kMostClasses)
    throw io_error(fmt::format("{}: {}: {} different labels are too many, expected at most {}; check the column, or set task.target_kind",
                               file, column, map.names.size(), kMostClasses));
  if (map.names.size() == 1 && problems.empty())
    throw io_error(fmt::format("{}: {}: every label is {}, there is nothing to tell apart; check the column, or set task.target_kind", file,
                               column, quoted_text(map.names[0])));
  return map;
}

// Among numbers, well written or not, all must be whole; a single text makes texts of them all.
bool Labels::are_whole_numbers(std::string_view column, Problems& problems) const {
  const auto is_number = [](const std::string* text) { return parse_number(*text).has_value(); };
  const auto is_meant_as_number = [](const std::string* text) { return looks_like_number(*text); };
  if (std::ranges::none_of(texts_, is_number) || !std::ranges::all_of(texts_, is_meant_as_number)) return false;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (texts_[i]->empty() || parse_whole_number(*texts_[i])) continue;
    problems.add_at(
        places_[i],
        fault_at(column, *texts_[i],
                 is_number(texts_[i]) ? "is not a class: expected a whole number; to predict values, set task.target_kind = \"values\""
                                      : "is not a class: the other labels are numbers; correct it, or list all labels in task.classes"));
  }
  return true;
}

LabelMap Labels::map_in_order(bool numbers) const {
  LabelMap map;
  std::map<std::int64_t, std::vector<std::size_t>> by_value;
  std::map<std::string, std::vector<std::size_t>> by_text;
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (numbers)
      by_value[parse_whole_number(*texts_[i]).value_or(0)].push_back(i);
    else
      by_text[*texts_[i]].push_back(i);
  }
  map.class_of.resize(texts_.size());
  const auto add = [&](const std::string& name, const std::vector<std::size_t>& labels) {
    for (const std::size_t label : labels) map.class_of[label] = static_cast<std::int32_t>(map.names.size());
    map.names.push_back(name);
  };
  for (const auto& [value, labels] : by_value) add(std::to_string(value), labels);
  for (const auto& [text, labels] : by_text) add(text, labels);
  return map;
}

LabelMap Labels::map_to(const TextList& fixed, std::string_view column, Problems& problems) const {
  check_list(fixed);
  LabelMap map{.names = names_of(fixed), .class_of = std::vector<std::int32_t>(texts_.size())};
  std::map<std::string, std::int32_t, std::less<>> by_text;
  std::map<std::int64_t, std::int32_t> by_value;
  for (std::size_t c = 0; c < fixed.size(); ++c) {
    by_text[fixed[c]] = static_cast<std::int32_t>(c);
    if (const auto value = parse_whole_number(fixed[c])) by_value[*value] = static_cast<std::int32_t>(c);
  }
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    const auto value = parse_whole_number(*texts_[i]);
    if (const auto text = by_text.find(*texts_[i]); text != by_text.end())
      map.class_of[i] = text->second;
    else if (const auto number = value ? by_value.find(*value) : by_value.end(); number != by_value.end())
      map.class_of[i] = number->second;
    else
      problems.add_at(places_[i], fault_at(column, *texts_[i], fmt::format("is not among task.classes: {}", quoted_list(fixed))));
  }
  return map;
}

std::vector<std::string> class_notes(std::span<const std::string> names, const ClassCounts& counts) {
  constexpr unsigned kTrain = 1;
  std::map<unsigned, TextList> by_sets;
  unsigned all = 0;
  for (std::size_t c = 0; c < names.size(); ++c) {
    unsigned sets = 0;
    for (std::size_t split = 0; split < counts.size(); ++split) sets |= counts[split][c] > 0 ? 1u << split : 0u;
    all |= sets;
    by_sets[sets].push_back(names[c]);
  }
  std::vector<std::string> notes;
  for (const auto& [sets, classes] : by_sets) {
    const bool is_trained = (sets & kTrain) != 0, is_elsewhere = sets != kTrain;
    if (is_trained && (is_elsewhere || all == kTrain)) continue;
    const bool one = classes.size() == 1;
    notes.push_back(fmt::format("{} in {}: {}", one ? "a class occurs" : fmt::format("{} classes occur", classes.size()), sets_text(sets),
                                quoted_list(classes)));
  }
  return notes;
}

bool is_plain_text(std::string_view text) {
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text.front());
    const std::size_t length = byte < 0x20 || byte == 0x7f ? 0 : sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace vp
