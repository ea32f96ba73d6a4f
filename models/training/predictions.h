// What a model answers to each sample of a split, beside the truth: what predictions.csv holds.
//
//   classes     one row: the class with the largest output, and its probability
//   yes or no   a row for each label (output = its number): 1 or 0, and the probability of that answer
//   values      a row for each output: the output itself
//
// Where targets belong to steps, the same for each step of the sample that has one. Thread-safety: pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/model/shard.h"
#include "models/spec/batch_source.h"
#include "models/spec/report.h"

namespace vp {

inline constexpr std::int64_t kMostPredictionRows = 10'000'000;  // of a run, which is held as text in memory

// Rows of a split, at the most (samples may be shorter).
double most_prediction_rows(const SequenceShape& shape, std::uint64_t samples);

// Appends the rows of the samples that `shard` holds in its leading rows, after score().
template <class T>
void append_predictions(const Model<T>& model, ModelShard<T>& shard, const BatchSource& source, Split split,
                        std::span<const std::uint64_t> samples, std::vector<PredictionRow>& rows);

}  // namespace vp
