// Rows of pointwise kernels. Each kernel is a struct that runs it and names its results, so that what is checked is what is timed.
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <vector>

#include "kernels/activation/custom_activation.h"
#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "kernels/bench/kernel_benchmark.h"
#include "kernels/memory/aligned_buffer.h"
#include "kernels/pointwise/losses.h"
#include "kernels/pointwise/pointwise_simd.h"
#include "kernels/verify/cases.h"
#include "kernels/verify/kernel_check.h"

namespace vp {
namespace {

// The arrays of one step, (B, H) or (B, 4 H), with the same values in every precision.
template <class T>
struct StepArrays {
  explicit StepArrays(PointwiseCase test)
      : rows(test.rows),
        hidden(test.hidden),
        gates(values(4 * n())),
        recurrent(values(3 * n())),
        dz(values(4 * n())),
        dr(values(3 * n())),
        c_prev(values(n())),
        tanh_c(values(n())),
        h(values(n())),
        dc(n()),
        c(n()),
        sums(values(hidden)),
        squares(rows),
        squares_dc(rows) {
    for (T& g : gates.span()) g = T(0.25) + T(0.25) * g;  // as behind a sigmoid and below 0.5: dc, fed back into itself, stays bounded
  }
  std::int64_t n() const { return rows * hidden; }
  static AlignedBuffer<T> values(std::int64_t n) {
    const AlignedBuffer<float> from = benchmark_values(n);
    AlignedBuffer<T> to(n);
    std::copy(from.span().begin(), from.span().end(), to.span().begin());
    return to;
  }
  std::int64_t rows, hidden;
  AlignedBuffer<T> gates, recurrent, dz, dr, c_prev, tanh_c, h, dc, c, sums;
  AlignedBuffer<double> squares, squares_dc;
};

// The first fault, if there is any.
std::string first_of(const std::vector<std::string>& faults) {
  for (const std::string& fault : faults)
    if (!fault.empty()) return fault;
  return "";
}

// run() on arrays a; compare(f, d) the results of float and double. `elements`: moved per row and unit, reads and writes.
// The pre-activations of rnn_forward are not restored between runs: z becomes a slope, which is an ordinary input again.
struct RnnForward {
  const Activation* f;
  static constexpr double kElements = 3;
  std::string name() const { return "rnn_forward/" + std::string(f->name); }
  template <class T>
  void run(const PointwiseKernels<T>& k, StepArrays<T>& a) const {
    k.rnn_forward(*f, a.n(), a.tanh_c.data(), a.h.data());
  }
  std::string compare(const StepArrays<float>& a, const StepArrays<double>& e) const {
    return first_of({mismatch("h", a.h.span(), e.h.span(), 16), mismatch("slope", a.tanh_c.span(), e.tanh_c.span(), 16)});
  }
};

struct RnnBackward {
  static constexpr double kElements = 3;
  std::string name() const { return "rnn_backward"; }
  template <class T>
  void run(const PointwiseKernels<T>& k, StepArrays<T>& a) const {
    k.rnn_backward(a.rows, a.hidden, a.tanh_c.data(), a.h.data(), a.dz.data(), a.squares.data());
  }
  std::string compare(const StepArrays<float>& a, const StepArrays<double>& e) const {
    return first_of({mismatch("dz", a.dz.span(), e.dz.span(), 4), mismatch("sum_squares", a.squares.span(), e.squares.span(), 8)});
  }
};

struct LstmForward {
  static constexpr double kElements = 12;
  std::string name() const { return "lstm_forward"; }
  template <class T>
  void run(const PointwiseKernels<T>& k, StepArrays<T>& a) const {
    k.lstm_forward(a.rows, a.hidden, a.gates.data(), a.c_prev.data(), a.c.data(), a.tanh_c.data(), a.h.data());
  }
  std::string compare(const StepArrays<float>& a, const StepArrays<double>& e) const {
    return first_of({mismatch("gates", a.gates.span(), e.gates.span(), 16), mismatch("c", a.c.span(), e.c.span(), 16),
                     mismatch("tanh_c", a.tanh_c.span(), e.tanh_c.span(), 16), mismatch("h", a.h.span(), e.h.span(), 16)});
  }
};

struct LstmBackward {
  static constexpr double kElements = 13;
  std::string name() const { return "lstm_backward"; }
  template <class T>
  void run(const PointwiseKernels<T>& k, StepArrays<T>& a) const {
    k.lstm_backward(a.rows, a.hidden, a.gates.data(), a.c_prev.data(), a.tanh_c.data(), a.h.data(), a.dc.data(), a.dz.data(),
                    a.squares.data(), a.squares_dc.data());
  }
  std::string compare(const StepArrays<float>& a, const StepArrays<double>& e) const {
    return first_of({mismatch("dz", a.dz.span(), e.dz.span(), 16), mismatch("dc", a.dc.span(), e.dc.span(), 16),
                     mismatch("sum_squares_dh", a.squares.span(), e.squares.span(), 16),
                     mismatch("sum_squares_dc", a.squares_dc.span(), e.squares_dc.span(), 16)});
  }
};

struct GruForward {
  static constexpr double kElements = 12;
  std::string name() const { return "gru_forward"; }
  template <class T>
  void run(const PointwiseKernels<T>& k, StepArrays<T>& a) const {
    k.gru_forward(a.rows, a.hidden, a.gates.data(), a.recurrent.data(), a.c_prev.data(), a.tanh_c.data(), a.h.data());
  }
  std::string compare(const StepArrays<float>& a, const StepArrays<double>& e) const {
    return first_of({mismatch("gates", a.gates.span(), e.gates.span(), 16), mismatch("recurrent_n", a.tanh_c.span(), e.tanh_c.span(), 16),
                     mismatch("h", a.h.span(), e.h.span(), 16)});
  }
};

struct GruBackward {
  static constexpr double kElements = 13;
  std::string name() const { return "gru_backward"; }
  template <class T>
  void run(const PointwiseKernels<T>& k, StepArrays<T>& a) const {
    k.gru_backward(a.rows, a.hidden, a.gates.data(), a.tanh_c.data(), a.c_prev.data(), a.h.data(), a.dc.data(), a.dz.data(), a.dr.data(),
                   a.squares.data());
  }
  std::string compare(const StepArrays<float>& a, const StepArrays<double>& e) const {
    return first_of({mismatch("dz", a.dz.span(), e.dz.span(), 16), mismatch("dr", a.dr.span(), e.dr.span(), 16),
                     mismatch("direct", a.dc.span(), e.dc.span(), 16), mismatch("sum_squares_dh", a.squares.span(), e.squares.span(), 16)});
  }
};

struct AddColumnSums {
  static constexpr double kElements = 1;
  std::string name() const { return "add_column_sums"; }
  template <class T>
  void run(const PointwiseKernels<T>& k, StepArrays<T>& a) const {
    k.add_column_sums(a.rows, a.hidden, a.h.data(), a.sums.data());
  }
  std::string compare(const StepArrays<float>& a, const StepArrays<double>& e) const {
    return mismatch("sums", a.sums.span(), e.sums.span(), 64);
  }
};

template <class Kernel>
std::string pointwise_fault(const Kernel& kernel, const std::string& backend, PointwiseCase test) {
  StepArrays<float> actual(test);
  StepArrays<double> expected(test);
  kernel.run(make_backend<float>(backend)->pointwise(), actual);
  kernel.run(make_backend<double>("reference")->pointwise(), expected);
  return kernel.compare(actual, expected);
}

template <class Kernel>
TimedCase pointwise_row(const std::string& backend, PointwiseCase test, const Kernel& kernel) {
  const std::string size = std::to_string(test.rows) + "x" + std::to_string(test.hidden);
  TimedCase row{.name = backend + "/" + kernel.name() + "/" + size,
                .bytes = 4 * Kernel::kElements * static_cast<double>(test.rows * test.hidden)};
  row.find_fault = [=] { return pointwise_fault(kernel, backend, test); };
  row.prepare = [=] {
    const auto arrays = std::make_shared<StepArrays<float>>(test);
    const std::shared_ptr<Backend<float>> engine = make_backend<float>(backend);
    return TimedBody{.run = [=] { kernel.run(engine->pointwise(), *arrays); }, .implementation = ""};
  };
  return row;
}

template <class T>
struct SoftmaxArrays {
  explicit SoftmaxArrays(LossCase test)
      : logits(StepArrays<T>::values(test.rows * test.classes)), dlogits(test.rows * test.classes), loss(test.rows), target(test.rows) {}
  void run(LossCase test) {
    softmax_cross_entropy(test.rows, test.classes, logits.data(), target.data(), T(1), dlogits.data(), loss.data());
  }
  AlignedBuffer<T> logits, dlogits;
  AlignedBuffer<double> loss;
  AlignedBuffer<std::int32_t> target;
};

TimedCase softmax_row(LossCase test) {
  const std::string size = std::to_string(test.rows) + "x" + std::to_string(test.classes);
  TimedCase row{.name = "losses/softmax_cross_entropy/" + size, .bytes = 2 * 4.0 * static_cast<double>(test.rows * test.classes)};
  row.find_fault = [=] {
    SoftmaxArrays<float> actual(test);
    SoftmaxArrays<double> expected(test);
    actual.run(test), expected.run(test);
    return first_of({mismatch("dlogits", std::as_const(actual.dlogits).span(), std::as_const(expected.dlogits).span(), 16),
                     mismatch("loss", std::as_const(actual.loss).span(), std::as_const(expected.loss).span(), 16)});
  };
  row.prepare = [=] {
    const auto arrays = std::make_shared<SoftmaxArrays<float>>(test);
    return TimedBody{.run = [=] { arrays->run(test); }, .implementation = ""};
  };
  return row;
}

TimedCase exp_row(std::int64_t n) {
  TimedCase row{.name = "simd/exp/" + std::to_string(n), .bytes = 2 * 4.0 * static_cast<double>(n)};
  row.find_fault = [=] {
    const AlignedBuffer<float> x = benchmark_values(n);
    AlignedBuffer<float> y(n);
    vector_exp(n, x.data(), y.data());
    std::vector<double> expected = as_doubles(x.span());
    for (double& v : expected) v = std::exp(v);
    return mismatch("exp", std::as_const(y).span(), expected, 2);
  };
  row.prepare = [=] {
    const auto x = std::make_shared<AlignedBuffer<float>>(benchmark_values(n)), y = std::make_shared<AlignedBuffer<float>>(n);
    return TimedBody{.run = [=] { vector_exp(n, x->data(), y->data()); }, .implementation = std::string(simd_target_name())};
  };
  return row;
}

}  // namespace

std::vector<TimedCase> pointwise_rows(const std::string& backend) {
  std::vector<TimedCase> rows;
  for (const PointwiseCase& test : kPointwiseCases) {
    if (!test.timed) continue;
    for (const Activation& f : checked_activations()) rows.push_back(pointwise_row(backend, test, RnnForward{&f}));
    rows.push_back(pointwise_row(backend, test, RnnBackward{}));
    rows.push_back(pointwise_row(backend, test, LstmForward{}));
    rows.push_back(pointwise_row(backend, test, LstmBackward{}));
    rows.push_back(pointwise_row(backend, test, GruForward{}));
    rows.push_back(pointwise_row(backend, test, GruBackward{}));
    rows.push_back(pointwise_row(backend, test, AddColumnSums{}));
  }
  return rows;
}

std::vector<TimedCase> other_kernel_rows() {
  std::vector<TimedCase> rows;
  for (const LossCase& test : kLossCases)
    if (test.timed) rows.push_back(softmax_row(test));
  rows.push_back(exp_row(4096));
  return rows;
}

}  // namespace vp
