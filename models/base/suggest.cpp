#include "models/base/suggest.h"

#include <algorithm>
#include <utility>

namespace vp {
namespace {

// Insertions, deletions, substitutions and swaps of neighbours, each letter touched at most once (optimal string alignment).
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = std::exchange(last, row);
  }
  return last[b.size()];
}

// "a", "a or b", "a, b or c".
std::string joined(std::span<const std::string> names, std::string_view last_separator) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) text += i + 1 == names.size() ? last_separator : ", ";
    text += names[i];
  }
  return text;
}

}  // namespace

std::vector<std::string> nearest(std::string_view word, std::span<const std::string> candidates, std::size_t count) {
  std::vector<std::pair<std::size_t, const std::string*>> near;  // distance, candidate
  for (const std::string& candidate : candidates) {
    if (word.size() > 2 * candidate.size()) continue;  // further away than half its length, and maybe a very long word
    const std::size_t distance = edit_distance(word, candidate);
    if (2 * distance <= candidate.size()) near.emplace_back(distance, &candidate);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (const auto& [distance, candidate] : near) {
    if (names.size() == count) break;
    names.push_back(*candidate);
  }
  return names;
}

std::string suggestion(std::string_view word, std::span<const std::string> candidates) {
  const auto near = nearest(word, candidates);
  if (!near.empty()) return "; did you mean " + joined(near, " or ") + "?";
  if (candidates.empty()) return "";
  return "; known: " + joined(candidates, ", ");
}

}  // namespace vp
