#include "experiments/tasks/text/words.h"

#include <algorithm>
#include <utility>

namespace vp {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c & 0x80) != 0; }
bool is_gap(char c) { return (c >= 0 && c <= ' ') || c == 0x7f; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  bool in_word = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const bool is_inner_apostrophe = c == '\'' && in_word && i + 1 < text.size() && is_letter(text[i + 1]);
    const bool continues = is_letter(c) || is_inner_apostrophe;
    if (!is_gap(c)) {
      if (!continues || !in_word) words.emplace_back();
      words.back() += lower(c);
    }
    in_word = continues;
  }
  return words;
}

Vocabulary::Vocabulary(const std::map<std::string, std::int64_t>& counts, std::int64_t least) {
  std::vector<std::pair<std::int64_t, std::string>> order;  // negative counts: sorts as ids shall
  for (const auto& [word, count] : counts)
    if (count >= least) order.emplace_back(-count, word);
  std::sort(order.begin(), order.end());
  for (const auto& [count, word] : order) ids_.emplace(word, static_cast<std::int32_t>(size()));
}

std::int32_t Vocabulary::id(const std::string& word) const {
  const auto found = ids_.find(word);
  return found == ids_.end() ? kUnknown : found->second;
}

}  // namespace vp
