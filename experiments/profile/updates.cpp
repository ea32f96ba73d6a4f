#include "experiments/profile/updates.h"

#include <memory>
#include <string>

#include "kernels/verify/kernel_check.h"
#include "models/base/reduction.h"
#include "models/optimizers/optimizers.h"

namespace vp {
namespace {

constexpr std::int64_t kParameters = 1 << 16;  // 256 KiB an array, as of an LSTM with 128 units
constexpr double kRate = 1e-3;

// Arrays an optimiser reads and writes an element: the gradient, the parameter twice, and each of its running means twice.
double arrays_of(std::string_view optimizer) {
  if (optimizer == "sgd") return 3;
  return optimizer == "adam" ? 7 : 5;
}

// One optimiser with parameters and a gradient, in one precision.
template <class T>
struct Updates {
  Updates(std::unique_ptr<Optimizer<T>> o, std::int64_t n) : optimizer(std::move(o)), parameters(n), gradient(n) {
    const AlignedBuffer<float> values = benchmark_values(2 * n);
    for (std::int64_t i = 0; i < n; ++i) parameters[i] = values[i], gradient[i] = values[n + i];
  }
  void run() {
    optimizer->begin_update(++step);
    optimizer->apply(0, gradient.span(), T(0.5), parameters.data());
  }
  std::unique_ptr<Optimizer<T>> optimizer;
  AlignedBuffer<T> parameters, gradient;
  std::int64_t step = 0;
};

std::string optimizer_fault(const OptimizerEntry& entry) {
  const auto options = entry.make_options();
  Updates<float> actual(entry.make_float(kParameters, kRate, *options), kParameters);
  Updates<double> expected(entry.make_double(kParameters, kRate, *options), kParameters);
  for (int i = 0; i < 3; ++i) actual.run(), expected.run();
  return mismatch("parameters", std::as_const(actual.parameters).span(), std::as_const(expected.parameters).span(), 16);
}

TimedCase optimizer_row(const OptimizerEntry& entry) {
  const std::string name(entry.name);
  TimedCase row{.name = "optimizer/" + name + "/" + std::to_string(kParameters),
                .bytes = 4 * arrays_of(name) * static_cast<double>(kParameters)};
  row.find_fault = [&entry] { return optimizer_fault(entry); };
  row.prepare = [&entry] {
    const auto updates = std::make_shared<Updates<float>>(entry.make_float(kParameters, kRate, *entry.make_options()), kParameters);
    return TimedBody{.run = [updates] { updates->run(); }, .implementation = ""};
  };
  return row;
}

template <class T>
struct Reduction {
  explicit Reduction(std::int64_t count) : sums(static_cast<std::size_t>(count)) {
    const AlignedBuffer<float> values = benchmark_values(kParameters);
    for (auto& sum : sums) {
      sum = AlignedBuffer<T>(kParameters);
      std::copy(values.span().begin(), values.span().end(), sum.span().begin());
      parts.push_back(sum.data());
    }
  }
  void run() { pairwise_add<T>(parts, 0, kParameters); }
  std::vector<AlignedBuffer<T>> sums;
  std::vector<T*> parts;
};

// parts - 1 additions, each two reads and a write.
TimedCase reduction_row(std::int64_t parts) {
  TimedCase row{.name = "reduction/" + std::to_string(parts) + "x" + std::to_string(kParameters),
                .bytes = 12 * static_cast<double>(parts - 1) * static_cast<double>(kParameters)};
  row.find_fault = [=] {
    Reduction<float> actual(parts);
    Reduction<double> expected(parts);
    actual.run(), expected.run();
    return mismatch("sum", std::as_const(actual.sums[0]).span(), std::as_const(expected.sums[0]).span(), 4);
  };
  row.prepare = [=] {
    const auto reduction = std::make_shared<Reduction<float>>(parts);
    for (auto& sum : reduction->sums) sum.zero();  // sums of sums would leave the float range
    return TimedBody{.run = [reduction] { reduction->run(); }, .implementation = ""};
  };
  return row;
}

}  // namespace

std::vector<TimedCase> update_rows() {
  std::vector<TimedCase> rows;
  for (const OptimizerEntry& entry : optimizers()) rows.push_back(optimizer_row(entry));
  for (const std::int64_t parts : {2, 4}) rows.push_back(reduction_row(parts));
  return rows;
}

}  // namespace vp
