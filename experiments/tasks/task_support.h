// What several tasks need: options they share, checks of their context, and data that is read once per process.
// Thread-safety: ReadOnce may be asked by many threads at once; the rest are pure functions.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>

#include "experiments/io/error.h"
#include "experiments/io/input_files.h"
#include "experiments/tasks/task.h"
#include "models/spec/sample_stream.h"

namespace vp {

// Sizes of the finite sets of a task whose samples are generated; its training set is endless.
struct SampleCounts {
  std::int64_t validation = 1000;
  std::int64_t test = 2560;  // Hochreiter & Schmidhuber 1997 test on 2,560 sequences

  void visit_fields(FieldVisitor& visitor) {
    visitor.field({.key = "task.validation_samples", .description = "sequences to validate on", .minimum = 1, .maximum = 1e9}, validation);
    visitor.field({.key = "task.test_samples", .description = "sequences to test on", .minimum = 1, .maximum = 1e9}, test);
  }
  // With streams (SequenceShape) samples are windows: rounded up, so that every stream has as many.
  std::uint64_t size(Split split, std::int64_t streams = 0) const {
    if (split == Split::kTrain) return 0;  // endless
    const std::int64_t samples = split == Split::kValidation ? validation : test;
    return static_cast<std::uint64_t>(streams == 0 ? samples : (samples + streams - 1) / streams * streams);
  }
};

// The forms many_to_many and stateful have a target at every step.
inline bool has_step_targets(const TaskContext& context) { return context.target_every_step || context.streams > 0; }

// How the steps of samples are numbered where the random numbers of a step depend on its number alone, so that any window of an endless
// stream can be made without the windows before it. Step t of a sample is step first + t of its sequence or stream.
struct StepNumbers {
  std::uint64_t first;         // steps of the sequence or stream before the sample
  std::uint64_t base, stride;  // step n draws from number base + n stride

  RandomStream random(std::uint64_t seed, Split split, std::uint64_t n) const { return sample_stream(seed, split, base + n * stride); }
};

// With streams (SequenceShape): window sample / streams of stream sample % streams, `steps` long. Without: a sequence of its own, of which
// `before` steps are not shown.
inline StepNumbers step_numbers(std::uint64_t sample, std::int64_t streams, std::int64_t steps, std::int64_t before = 0) {
  const auto count = static_cast<std::uint64_t>(streams), shown = static_cast<std::uint64_t>(steps);
  if (streams > 0) return {.first = sample / count * shown, .base = sample % count, .stride = count};
  const auto hidden = static_cast<std::uint64_t>(before);
  return {.first = hidden, .base = sample * (shown + hidden), .stride = 1};
}

// Uniform in [0, n), n >= 1.
inline std::int64_t draw(RandomStream& random, std::int64_t n) {
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(n)));
}

// to (width): 1 at `index`, else 0.
inline void write_one_hot(float* to, std::int64_t width, std::int64_t index) {
  std::fill_n(to, width, 0.0f);
  to[index] = 1;
}

// For tasks that read no file.
inline void refuse_path(const TaskContext& context, std::string_view task) {
  if (!context.path.empty()) throw usage_error(fmt::format("task.path: the task {} reads no file; remove task.path", task));
}

// For tasks with one target per sequence.
inline void refuse_step_targets(const TaskContext& context, std::string_view task) {
  if (!context.target_every_step) return;
  std::string able;
  for (const TaskEntry& entry : tasks())
    if (entry.step_targets) able += fmt::format("{}{}", able.empty() ? "" : ", ", entry.name);
  throw usage_error(
      fmt::format("model.form: many_to_many needs a target at every step, the task {} has one per sequence; take model.form = "
                  "\"many_to_one\", or a task with targets at every step: {}",
                  task, able));
}

// For tasks that ask at every step and have no single answer at the end.
inline void require_step_targets(const TaskContext& context, std::string_view task) {
  if (has_step_targets(context)) return;
  throw usage_error(fmt::format("model.form: the task {} has a target at every step; set model.form = \"many_to_many\"", task));
}

// For fill(): a sample that does not exist is a mistake of the caller. size 0: endless.
inline void check_sample(std::string_view task, std::uint64_t sample, std::uint64_t size) {
  if (size != 0 && sample >= size) throw std::out_of_range(fmt::format("[{}] sample: expected below {}, got {}", task, size, sample));
}

// Values that are loaded at most once per key and then kept as long as the process lives, so that the runs of a sweep share one copy.
template <class Value>
class ReadOnce {
 public:
  // A load that throws leaves nothing behind. Other keys wait meanwhile. The files that were read for the value are inputs of every run
  // that asks for it.
  std::shared_ptr<const Value> get(const std::string& key, const std::function<Value()>& load) {
    const std::lock_guard lock(mutex_);
    Kept& kept = values_[key];
    if (!kept.value) {
      const InputRecorder recorder;
      kept.value = std::make_shared<const Value>(load());
      kept.inputs = recorder.files();
    }
    note_inputs(kept.inputs);
    return kept.value;
  }

 private:
  struct Kept {
    std::shared_ptr<const Value> value;
    std::vector<InputFile> inputs;
  };
  std::mutex mutex_;
  std::map<std::string, Kept> values_;
};

}  // namespace vp
