#include "experiments/tasks/task.h"

namespace vp {

// Each in its tasks_<name>.cpp.
TaskEntry adding_task();
TaskEntry adding_resets_task();
TaskEntry continual_reber_task();
TaskEntry copy_task();
TaskEntry csv_task();
TaskEntry csv_rows_task();
TaskEntry echo_task();
TaskEntry embedded_reber_task();
TaskEntry fashion_mnist_task();
TaskEntry multiplication_task();
TaskEntry negation_task();
TaskEntry parentheses_task();
TaskEntry parity_task();
TaskEntry reber_task();
TaskEntry reverse_task();
TaskEntry running_sum_task();
TaskEntry sentiment_task();
TaskEntry sine_task();
TaskEntry spirals_task();
TaskEntry temporal_order_task();
TaskEntry two_sequence_task();
TaskEntry wave_task();

std::span<const TaskEntry> tasks() {
  static const TaskEntry kTasks[] = {
      adding_task(),  adding_resets_task(),  continual_reber_task(), copy_task(),           csv_task(),       csv_rows_task(),
      echo_task(),    embedded_reber_task(), fashion_mnist_task(),   multiplication_task(), negation_task(),  parentheses_task(),
      parity_task(),  reber_task(),          reverse_task(),         running_sum_task(),    sentiment_task(), sine_task(),
      spirals_task(), temporal_order_task(), two_sequence_task(),    wave_task(),
  };
  return kTasks;
}

const TaskEntry* find_task(std::string_view name) {
  for (const TaskEntry& task : tasks())
    if (task.name == name) return &task;
  return nullptr;
}

}  // namespace vp
