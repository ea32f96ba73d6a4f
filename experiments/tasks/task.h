// The tasks a model can be trained on. To add one: one file synthetic/<name>.cpp, text/<name>.cpp or files/<name>.cpp with its Options and
// `TaskEntry <name>_task()`, and its line in task_list.cpp.
//
// Thread-safety: the list is constant; make() may be slow (it may read files) and returns a source that is safe to share.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "models/spec/batch_source.h"
#include "models/spec/fields.h"

namespace vp {

// What every task is given.
struct TaskContext {
  std::string path;                // task.path; empty: the task's own default place
  std::uint64_t seed = 0;          // of the data: train.seed
  bool target_every_step = false;  // model.form = "many_to_many": a target is needed at every step, not only at the last
  std::int64_t streams = 0;        // model.form = "stateful": train.batch sequences that go on from window to window
  bool in_double = false;          // run.precision = "f64": numbers that are read are kept in double (BatchSource::in_double)
};

struct TaskEntry {
  std::string_view name;
  std::string_view description;  // one line: inputs, target, source
  bool step_targets;             // it can give a target at every step
  std::unique_ptr<Options> (*make_options)();
  // Throws UserError: kUsage for impossible options (path given where none is read), kInputOutput for files that are missing or malformed.
  // Sources of the same context and options may share what they read; it is read once per process.
  std::shared_ptr<const BatchSource> (*make)(const TaskContext& context, const Options& options);
};

std::span<const TaskEntry> tasks();
const TaskEntry* find_task(std::string_view name);  // nullptr if there is none

}  // namespace vp
