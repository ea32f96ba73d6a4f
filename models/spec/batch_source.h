// Where a trainer gets its samples from. Tasks (experiments/) implement it; models know nothing else of them.
//
// Thread-safety: fill() is const and called by many threads at once.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace vp {

enum class Split : std::uint8_t { kTrain, kValidation, kTest };
enum class TargetKind : std::uint8_t { kClasses, kBinary, kValues };  // softmax, sigmoid, linear readouts

struct SequenceShape {
  std::int64_t steps = 0;    // T
  std::int64_t inputs = 0;   // I
  std::int64_t outputs = 0;  // C
  TargetKind target = TargetKind::kClasses;
  bool target_every_step = false;  // targets are (T, B, ...), else (B, ...) and belong to the last step
  double correct_within = 0;       // kValues: a row counts as correct if every |output - target| is below this; 0: there is no accuracy
  std::int64_t vocabulary = 0;     // > 0: inputs are token ids 0 .. vocabulary-1, one a step (I = 1), for an embedding
  bool variable_length = false;    // rows have lengths of their own, 1 to T; steps behind a row's end are padding and count nowhere
  // > 0: the inputs of all steps, one behind the other, are an image (image_height, image_width, image_channels).
  std::int64_t image_channels = 0, image_height = 0, image_width = 0;
  std::int64_t streams = 0;  // > 0: sample i is window i / streams of stream i % streams and goes on where the window before ended
  // > 0: inputs stand at the first source_steps steps alone; behind them a net lives on its outputs. With target_every_step (one_to_many;
  // source_steps = 1) targets are (T, B, ...), else (sequence_to_sequence) they belong to the steps behind: (T - source_steps, B, ...).
  std::int64_t source_steps = 0;
};

inline std::int64_t input_steps(const SequenceShape& shape) { return shape.source_steps > 0 ? shape.source_steps : shape.steps; }

// Steps that have a target, the last so many.
inline std::int64_t target_steps(const SequenceShape& shape) {
  if (shape.target_every_step) return shape.steps;
  return shape.source_steps > 0 ? shape.steps - shape.source_steps : 1;
}

// The rows of one shard, to be filled.
struct SampleRows {
  std::int64_t rows = 0;            // B of this shard
  float* inputs = nullptr;          // (T, rows, I), T the steps that have an input; not where there are tokens
  std::int32_t* tokens = nullptr;   // (T, rows), likewise; vocabulary > 0 only
  std::int32_t* lengths = nullptr;  // (rows); variable_length only. What is written behind a row's end counts nowhere
  std::int32_t* classes = nullptr;  // (rows) or (T, rows), T the steps that have a target; kClasses only
  float* values = nullptr;          // (rows, C) or (T, rows, C), likewise; kBinary and kValues
  // In place of inputs and values where a run computes in double and the source has its numbers in double (in_double).
  double* inputs_f64 = nullptr;
  double* values_f64 = nullptr;
};

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  virtual SequenceShape shape() const = 0;
  // Number of samples of a split. 0 for kTrain means endless: sample i exists for every i. 0 for the others: there is none.
  virtual std::uint64_t size(Split split) const = 0;
  // Writes samples[r] into row r of every array it is given. What a sample holds depends on the task, its seed, the split and the index
  // alone.
  virtual void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const = 0;
  // Whether fill() writes inputs_f64 and values_f64 as well. A source that does not gives every number in single precision.
  virtual bool in_double() const { return false; }

  // Of tasks whose classes are read from data: what each class 0 .. C-1 is called there, and how many targets of a split it has. Else
  // empty.
  virtual std::span<const std::string> class_names() const { return {}; }
  virtual std::vector<std::int64_t> class_counts(Split) const { return {}; }
  // What names a sample in its data (predictions.csv): a row, or an id that the data give; by default the index.
  virtual std::string sample_id(Split, std::uint64_t index) const { return std::to_string(index); }
  // What a user should know of the data and their split, each a sentence: a class that is never trained on, a set that came out empty.
  virtual std::vector<std::string> notes() const { return {}; }
};

}  // namespace vp
