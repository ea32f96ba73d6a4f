#include "experiments/task.h"

namespace vp {

// Each in its tasks_<name>.cpp.
TaskEntry adding_task();
TaskEntry copy_task();
TaskEntry csv_task();
TaskEntry fashion_mnist_task();
TaskEntry multiplication_task();
TaskEntry parentheses_task();
TaskEntry parity_task();
TaskEntry reverse_task();
TaskEntry temporal_order_task();
TaskEntry two_sequence_task();
TaskEntry wave_task();

std::span<const TaskEntry> tasks() {
  static const TaskEntry kTasks[] = {
      adding_task(), copy_task(),           csv_task(),          fashion_mnist_task(), multiplication_task(), parentheses_task(),
      parity_task(), reverse_task(),        temporal_order_task(), two_sequence_task(), wave_task(),
  };
  return kTasks;
}

const TaskEntry* find_task(std::string_view name) {
  for (const TaskEntry& task : tasks())
    if (task.name == name) return &task;
  return nullptr;
}

}  // namespace vp
