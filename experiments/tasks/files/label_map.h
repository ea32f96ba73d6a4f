// The labels of a data set, any whole numbers or any texts, and the classes 0 .. C-1 that they stand for.
//
// If every label is a whole number (3, +3 and 3.0 are one label), classes are in the order of their values, else in that of the bytes of
// their texts. The labels of all splits count, so that a class is the same in each. task.classes fixes the classes and their order.
// Thread-safety: a Labels belongs to one thread, the rest are pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/io/problems.h"
#include "models/spec/fields.h"

namespace vp {

void visit_classes(FieldVisitor& visitor, TextList& classes);  // task.classes

struct LabelMap {
  TextList names;                      // of class c: the label, whole numbers in the shortest form
  std::vector<std::int32_t> class_of;  // the class of label i, as Labels::add() numbered it
};

// Labels as they are read.
class Labels {
 public:
  Labels() = default;
  Labels(Labels&&) = default;
  Labels(const Labels&) = delete;  // texts_ would point into the other
  Labels& operator=(const Labels&) = delete;

  // The number of a label: its place in the order of first appearance. place(): where it stands ("file.csv:3"), asked for if it is new.
  template <class Place>
  std::int32_t add(std::string_view text, const Place& place) {
    const auto found = numbers_.find(text);
    if (found != numbers_.end()) return found->second;
    const auto number = static_cast<std::int32_t>(numbers_.size());
    texts_.push_back(&numbers_.emplace(text, number).first->first);
    places_.push_back(place());
    return number;
  }

  // `column` names them in messages; `fixed`: task.classes, or empty. A label that is none is added to `problems`: one that is not in the
  // list, a number that is not whole among numbers, an empty field, control characters. UserError(kUsage) for a list of fewer than two
  // classes or with one twice; UserError(kInputOutput), naming `file`, if all labels are the same, or there are more than 65,536.
  LabelMap map(const TextList& fixed, const std::string& file, std::string_view column, Problems& problems) const;

 private:
  bool are_whole_numbers(std::string_view column, Problems& problems) const;
  LabelMap map_in_order(bool numbers) const;
  LabelMap map_to(const TextList& fixed, std::string_view column, Problems& problems) const;

  std::map<std::string, std::int32_t, std::less<>> numbers_;  // by text
  std::vector<const std::string*> texts_;                     // by number: keys of numbers_
  std::vector<std::string> places_;                           // by number: where it stood first
};

// Labels per class and split, in the order of Split.
using ClassCounts = std::array<std::vector<std::int64_t>, 3>;

// Sentences on classes that are not in the training set, or there alone although there are other sets.
std::vector<std::string> class_notes(std::span<const std::string> names, const ClassCounts& counts);

// Whether a text is UTF-8 without control characters, as what goes into result files must be.
bool is_plain_text(std::string_view text);

}  // namespace vp
