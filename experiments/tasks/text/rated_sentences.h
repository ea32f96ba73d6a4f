// Sentences that people rated, from a CSV file with the columns id, rating and text, in any order. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/io/csv.h"

namespace vp {

struct RatedSentence {
  std::string review;  // the id up to its first '_': sentences of one review belong together
  double rating = 0;   // positive: praise
  std::vector<std::string> words;
};

// UserError(kInputOutput): a missing column, no rows, and every malformed row with its line: an empty or repeated id, a rating that is not
// a finite number, a text without words.
std::vector<RatedSentence> read_rated_sentences(const CsvDocument& document);

}  // namespace vp
