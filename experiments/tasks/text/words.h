// English text as words, and words as token ids. Thread-safety: pure functions; a Vocabulary is constant once made.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace vp {

// Words in lower case: letters, digits, apostrophes within a word ("don't"), and every byte above 127, so that letters of other alphabets
// stay together (their case is kept). Any other visible character is a word of its own; spaces and control characters separate.
std::vector<std::string> split_words(std::string_view text);

// Ids of the words that occur at least `least` times, the most frequent first, equally frequent ones by their bytes.
class Vocabulary {
 public:
  static constexpr std::int32_t kUnknown = 1;  // every other word; 0 is the padding

  Vocabulary() = default;
  Vocabulary(const std::map<std::string, std::int64_t>& counts, std::int64_t least);
  std::int64_t size() const { return static_cast<std::int64_t>(ids_.size()) + 2; }  // padding and unknown with them
  std::int32_t id(const std::string& word) const;

 private:
  std::map<std::string, std::int32_t> ids_;
};

}  // namespace vp
