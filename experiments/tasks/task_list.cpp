#include "experiments/tasks/task.h"

namespace vp {

// The list. Each stands in its own file, in synthetic/, text/ or files/, as `TaskEntry <name>_task()`.
// clang-format off
#define VP_TASKS(each) \
  each(adding)          \
  each(adding_resets)   \
  each(continual_reber) \
  each(copy)            \
  each(csv)             \
  each(csv_rows)        \
  each(echo)            \
  each(embedded_reber)  \
  each(fashion_mnist)   \
  each(multiplication)  \
  each(negation)        \
  each(parentheses)     \
  each(parity)          \
  each(reber)           \
  each(reverse)         \
  each(running_sum)     \
  each(sentiment)       \
  each(sine)            \
  each(spirals)         \
  each(temporal_order)  \
  each(two_sequence)    \
  each(wave)
// clang-format on

#define VP_DECLARE(name) TaskEntry name##_task();
VP_TASKS(VP_DECLARE)
#undef VP_DECLARE

std::span<const TaskEntry> tasks() {
#define VP_ENTRY(name) name##_task(),
  static const TaskEntry kTasks[] = {VP_TASKS(VP_ENTRY)};
#undef VP_ENTRY
  return kTasks;
}

const TaskEntry* find_task(std::string_view name) {
  for (const TaskEntry& task : tasks())
    if (task.name == name) return &task;
  return nullptr;
}

}  // namespace vp
