// How a task shows a sentence: as it stands, with its words in random order, or as the counts of its words (task.order). The three hold the
// same words, so that what a net gains from the first over the others is what it makes of their order. Thread-safety: pure functions.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "experiments/tasks/task_support.h"

namespace vp {

inline constexpr std::string_view kInSequence = "sequence", kShuffled = "shuffled", kBag = "bag";
inline constexpr std::int32_t kPaddingToken = 0;  // no word has it

inline void visit_word_order(FieldVisitor& visitor, std::string& order) {
  visitor.field({.key = "task.order",
                 .description = "words one a step as they stand, or in random order, or all as one step of counts, an input per word",
                 .choices = {kInSequence, kShuffled, kBag}},
                order);
}

// Yes or no at the end of at most `longest` words of a vocabulary (padding with it): tokens with lengths, or T = 1 with I = vocabulary.
inline SequenceShape sentence_shape(const std::string& order, std::int64_t longest, std::int64_t vocabulary) {
  if (order == kBag) return {.steps = 1, .inputs = vocabulary, .outputs = 1, .target = TargetKind::kBinary};
  return {.steps = longest, .inputs = 1, .outputs = 1, .target = TargetKind::kBinary, .vocabulary = vocabulary, .variable_length = true};
}

// Words in random order, every order equally likely (Fisher and Yates).
inline void shuffle_words(std::span<std::int32_t> words, RandomStream& random) {
  for (std::size_t n = words.size(); n > 1; --n) std::swap(words[n - 1], words[static_cast<std::size_t>(random.below(n))]);
}

// Row r of the tokens and lengths: `words`, then padding up to `longest` steps.
inline void write_words(std::span<const std::int32_t> words, std::int64_t longest, std::int64_t r, const SampleRows& out) {
  const auto length = static_cast<std::int64_t>(words.size());
  out.lengths[r] = static_cast<std::int32_t>(length);
  for (std::int64_t t = 0; t < longest; ++t) out.tokens[t * out.rows + r] = t < length ? words[static_cast<std::size_t>(t)] : kPaddingToken;
}

// Row r of the inputs (1, B, vocabulary): how often each word occurs.
inline void write_bag(std::span<const std::int32_t> words, std::int64_t vocabulary, std::int64_t r, const SampleRows& out) {
  float* counts = out.inputs + r * vocabulary;
  std::fill_n(counts, vocabulary, 0.0f);
  for (const std::int32_t word : words) counts[word] += 1;
}

}  // namespace vp
