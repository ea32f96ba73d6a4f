#include "kernels/verify/kernel_checks.h"

#include <array>
#include <cmath>
#include <functional>
#include <limits>

#include "kernels/activation/custom_activation.h"
#include "kernels/backend_list.h"
#include "kernels/pointwise/pointwise_simd.h"
#include "kernels/verify/fused_runs.h"
#include "kernels/verify/image_runs.h"
#include "kernels/verify/kernel_check.h"
#include "kernels/verify/kernel_runs.h"
#include "kernels/verify/loss_runs.h"
#include "kernels/verify/special_values.h"

namespace vp {
namespace {

constexpr std::array kOffsets = {0, 1, 3};  // elements past an aligned start
constexpr double kStepBound = 8;            // ULP of the activations, at most, and a few roundings more
constexpr double kLossBound = 1;            // computed in double, rounded once
// A huge element stands alone: it has no larger neighbour in whose rounding the conditioning of 1 - f, say, would be lost.
constexpr double kAlone = 8;
// One whole vector and a part of one on every instruction set, and panels that are not full.
constexpr PointwiseCase kSpecialStep{2, 35};
constexpr FusedCase kSpecialFused{3, 5, 35};
constexpr LossCase kSpecialLoss{3, 5};
constexpr std::array kSpecialProducts = {ProductShape{.m = 5, .n = 35, .k = 19}, ProductShape{.m = 3, .n = 2, .k = 7}};

using Expected = std::function<Arrays()>;

Finding compare_arrays(const Arrays& actual, const Arrays& expected, double bound) {
  Finding finding;
  if (actual.size() != expected.size()) return fault_finding("other results than the reference's");
  for (std::size_t i = 0; i < actual.size(); ++i) finding.add(compare(actual[i].first, actual[i].second, expected[i].second, bound));
  return finding;
}

std::string size_name(std::int64_t rows, std::int64_t hidden) { return std::to_string(rows) + "x" + std::to_string(hidden); }

// A pointwise kernel of one backend beside the reference; both get the same input. arrays: what special values are put into.
struct PointwiseKernel {
  std::string subject;
  std::function<Arrays(const PointwiseKernels<float>&, const StepInput&, std::size_t offset)> actual;
  std::function<Arrays(const PointwiseKernels<double>&, const StepInput&, std::size_t offset)> expected;
  InputArrays (StepInput::*arrays)();
  double huge = 1e30;  // special_values.h
};

// A formula squares, and the sine of a huge number is what its rounding makes of it.
double huge_for(const Activation& f) { return f.expression ? 30 : 1e30; }

std::vector<PointwiseKernel> pointwise_kernels(const std::string& backend) {
  std::vector<PointwiseKernel> kernels;
  for (const Activation& f : checked_activations())
    kernels.push_back({rnn_step_name(backend, f), [&f](const auto& k, const auto& in, auto offset) { return run_rnn(k, f, in, offset); },
                       [&f](const auto& k, const auto& in, auto offset) { return run_rnn(k, f, in, offset); }, &StepInput::of_rnn,
                       huge_for(f)});
  kernels.push_back({"lstm step on " + backend, run_lstm<float>, run_lstm<double>, &StepInput::of_lstm});
  kernels.push_back({"gru step on " + backend, run_gru<float>, run_gru<double>, &StepInput::of_gru});
  kernels.push_back({"column sums on " + backend, run_column_sums<float>, run_column_sums<double>, &StepInput::of_column_sums});
  for (const LstmVariantEntry& entry : kLstmVariants)
    for (const bool peepholes : {false, true}) {
      const auto run = [&v = entry.variant, peepholes](const auto& k, const auto& in, auto offset) {
        return run_lstm_variant(k, v, peepholes, in, offset);
      };
      kernels.push_back({"lstm step " + std::string(entry.name) + (peepholes ? " with peepholes on " : " on ") + backend, run, run,
                         peepholes ? &StepInput::of_peephole_lstm : &StepInput::of_lstm_variant});
    }
  kernels.push_back({"mgu step on " + backend, run_mgu<float>, run_mgu<double>, &StepInput::of_mgu});
  kernels.push_back({"layer norm on " + backend, run_norm<float>, run_norm<double>, &StepInput::of_norm});
  kernels.push_back({"column dots on " + backend, run_column_dots<float>, run_column_dots<double>, &StepInput::of_column_dots});
  return kernels;
}

Finding pointwise_finding(const std::string& backend, const PointwiseKernel& kernel, const PointwiseCase& test) {
  const StepInput in(test.rows, test.hidden, static_cast<std::uint32_t>(test.rows * 1000 + test.hidden));
  const Arrays expected = kernel.expected(make_backend<double>("reference")->pointwise(), in, 0);
  const auto engine = make_backend<float>(backend);
  const double lone = test.rows * test.hidden == 1 ? kAlone : 1;
  const double bound = std::max(lone * kStepBound, static_cast<double>(test.rows));  // a column sum has a rounding a row
  Finding finding;
  for (const int offset : kOffsets)
    finding.add(compare_arrays(kernel.actual(engine->pointwise(), in, static_cast<std::size_t>(offset)), expected, bound),
                "offset " + std::to_string(offset));
  return finding;
}

Finding special_step_finding(const std::string& backend, const PointwiseKernel& kernel) {
  StepInput in(kSpecialStep.rows, kSpecialStep.hidden, 5);
  const auto engine = make_backend<float>(backend);
  const auto oracle = make_backend<double>("reference");
  return special_value_finding((in.*kernel.arrays)(), [&] { return kernel.actual(engine->pointwise(), in, 1); },
                               [&] { return kernel.expected(oracle->pointwise(), in, 0); }, kAlone * kStepBound, kernel.huge);
}

Arrays product_arrays(const auto& c) { return {{"c", {c.begin(), c.end()}}}; }

Finding special_product_finding(const std::string& backend, const ProductCase& test) {
  ProductOperands in(test.shape);
  const auto engine = make_backend<float>(backend);
  const auto oracle = make_backend<double>("reference");
  return special_value_finding(
      in.arrays(test.shape), [&] { return product_arrays(multiply(*engine, test, in)); },
      [&] { return product_arrays(multiply(*oracle, {.shape = test.shape}, in)); }, product_bound(test.shape));
}

bool has_fused_steps(const std::string& backend) {
  return make_backend<float>(backend)->make_fused_weights({.cell = FusedCell::kLstm, .rows = 1, .inputs = 1, .hidden = 1}) != nullptr;
}

std::string fused_subject(const std::string& backend, const FusedInput& in) {
  const std::string cell = in.lstm() ? "lstm step" : in.gru() ? "gru step" : "rnn step " + std::string(in.shape.activation->name);
  return "fused " + cell + " on " + backend;
}

Finding fused_finding(const std::string& backend, const FusedInput& in) {
  return compare_arrays(run_fused(*make_backend<float>(backend), in), run_composed(*make_backend<double>("reference"), in),
                        fused_bound(in.shape));
}

Finding special_fused_finding(const std::string& backend, FusedInput in) {
  const auto engine = make_backend<float>(backend);
  const auto oracle = make_backend<double>("reference");
  return special_value_finding(
      in.arrays(), [&] { return run_fused(*engine, in); }, [&] { return run_composed(*oracle, in); }, kAlone * fused_bound(in.shape),
      in.shape.activation == nullptr ? 1e30 : huge_for(*in.shape.activation));
}

constexpr ConvolutionShape kSpecialConvolution{.rows = 2, .channels = 2, .height = 4, .width = 3, .filters = 3, .kernel = 2};
constexpr LayerNormShape kSpecialNorm{.rows = 2, .places = 2, .units = 5};

Finding convolution_finding(const std::string& backend, const ConvolutionShape& shape) {
  const ConvolutionInput in(shape);
  return compare_arrays(run_convolution(*make_backend<float>(backend), shape, in),
                        run_convolution(*make_backend<double>("reference"), shape, in), convolution_bound(shape));
}

Finding special_convolution_finding(const std::string& backend) {
  ConvolutionInput in(kSpecialConvolution);
  const auto engine = make_backend<float>(backend);
  const auto oracle = make_backend<double>("reference");
  return special_value_finding(
      in.arrays(), [&] { return run_convolution(*engine, kSpecialConvolution, in); },
      [&] { return run_convolution(*oracle, kSpecialConvolution, in); }, kAlone * convolution_bound(kSpecialConvolution), 1e15);
}

Finding pooling_finding(const std::string& backend, const PoolingShape& shape, bool special) {
  PoolingInput in(shape);
  const auto engine = make_backend<float>(backend);
  const auto oracle = make_backend<double>("reference");
  const Expected actual = [&] { return run_pooling(*engine, shape, in); }, expected = [&] { return run_pooling(*oracle, shape, in); };
  if (!special) return compare_arrays(actual(), expected(), kStepBound);
  // Which pixel a gradient goes to is a choice, not a number: dx is asked about dy alone, and y about x.
  const auto only = [](const char* name, const Expected& run) {
    return [=] {
      Arrays all = run();
      std::erase_if(all, [&](const auto& array) { return array.first != name; });
      return all;
    };
  };
  Finding finding = special_value_finding({{"x", &in.x}}, only("y", actual), only("y", expected), kAlone * kStepBound);
  finding.add(special_value_finding({{"dy", &in.dy}}, only("dx", actual), only("dx", expected), kAlone * kStepBound));
  return finding;
}

std::string pooling_subject(const std::string& backend, const PoolingShape& shape) {
  return (shape.average ? "average pooling on " : "max pooling on ") + backend;
}

void add_images(std::vector<Check>& checks, const std::string& backend) {
  for (const ConvolutionShape& shape : convolution_cases())
    checks.push_back({"kernel parity", {"convolution on " + backend}, backend + " convolution " + describe(shape), [=] {
                        return convolution_finding(backend, shape);
                      }});
  for (const PoolingShape& shape : pooling_cases())
    checks.push_back({"kernel parity",
                      {pooling_subject(backend, shape)},
                      pooling_subject(backend, shape) + " C=" + std::to_string(shape.channels) + " window " + std::to_string(shape.window),
                      [=] { return pooling_finding(backend, shape, false); }});
}

void add_special_images(std::vector<Check>& checks, const std::string& backend) {
  const std::string convolution = "convolution on " + backend;
  checks.push_back({"special values", {convolution}, convolution, [=] { return special_convolution_finding(backend); }});
  for (const bool average : {false, true}) {
    const PoolingShape shape{.rows = 2, .channels = 3, .height = 4, .width = 5, .window = 2, .average = average};
    const std::string subject = pooling_subject(backend, shape);
    checks.push_back({"special values", {subject}, subject, [=] { return pooling_finding(backend, shape, true); }});
  }
}

Finding layer_norm_finding(const LayerNormShape& shape, bool special) {
  LayerNormInput in(shape);
  const Expected actual = [&] { return run_layer_norm<float>(shape, in); }, expected = [&] { return run_layer_norm<double>(shape, in); };
  if (!special) return compare_arrays(actual(), expected(), kStepBound * std::sqrt(static_cast<double>(shape.rows)));
  // Deviations are squared; and 1 - x^2, say, is lost beside a huge element.
  return special_value_finding(in.arrays(), actual, expected, kAlone * kStepBound, 1e3);
}

std::string product_subject(const std::string& backend, const ProductCase& test) {
  return (test.packed ? "packed product on " : "product on ") + backend;
}

void add_products(std::vector<Check>& checks, const std::string& backend, std::span<const ProductCase> cases) {
  for (const ProductCase& test : cases)
    checks.push_back({"kernel parity", {product_subject(backend, test)}, backend + " " + case_name(test), [=] {
                        return product_finding(*make_backend<float>(backend), test);
                      }});
}

// A product's 24 ways: orientations, epilogues, packed or not.
std::vector<ProductCase> special_products() {
  std::vector<ProductCase> cases;
  for (ProductShape shape : kSpecialProducts)
    for (int variant = 0; variant < 24; ++variant) {
      shape.transpose_a = (variant & 1) != 0, shape.transpose_b = (variant & 2) != 0;
      shape.accumulate = variant / 8 == 1, shape.bias = variant / 8 == 2;
      cases.push_back({.shape = shape, .packed = (variant & 4) != 0});
    }
  return and_used_once(std::move(cases));
}

Finding loss_parity_finding(std::size_t i, const LossCase& test, bool special) {
  std::vector<float> logits = random_floats(test.rows * test.classes, 13, -5, 5);
  const Loss<float> in_float = losses<float>(test.rows, test.classes)[i];
  const Loss<double> in_double = losses<double>(test.rows, test.classes)[i];
  const Expected actual = [&] { return run_loss(in_float, test, logits); }, expected = [&] { return run_loss(in_double, test, logits); };
  if (!special) return compare_arrays(actual(), expected(), kLossBound);
  return special_value_finding({{"logits", &logits}}, actual, expected, kLossBound);
}

Finding special_loss_finding(std::size_t i) {
  Finding finding = loss_parity_finding(i, kSpecialLoss, true);
  finding.add(divergence_finding(i, kSpecialLoss));
  return finding;
}

}  // namespace

// Divergence is data: it must show in the row's loss, whatever the target, and in no other row's. No oracle is needed to see it.
Finding divergence_finding(std::size_t i, const LossCase& test) {
  const Loss<float> loss = losses<float>(test.rows, test.classes)[i];
  const float infinity = std::numeric_limits<float>::infinity();
  Finding finding;
  for (const float bad : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()})
    for (std::int64_t at = 0; at < test.rows * test.classes; ++at) {
      std::vector<float> logits = random_floats(test.rows * test.classes, 17);
      logits[static_cast<std::size_t>(at)] = bad;
      const std::vector<double> row_loss = run_loss(loss, test, logits).back().second;
      for (std::int64_t row = 0; row < test.rows; ++row) {
        ++finding.compared;
        if (std::isfinite(row_loss[static_cast<std::size_t>(row)]) == (row != at / test.classes)) continue;
        finding.add(fault_finding("logit " + std::to_string(at) + " = " + to_text(bad) + ": the loss of row " + std::to_string(row) +
                                  " is " + to_text(row_loss[static_cast<std::size_t>(row)])));
      }
    }
  return finding;
}

std::string rnn_step_name(const std::string& backend, const Activation& f) { return "rnn step " + std::string(f.name) + " on " + backend; }

std::vector<Check> kernel_parity_checks(const std::string& backend, std::span<const ProductCase> more) {
  std::vector<Check> checks;
  add_products(checks, backend, product_cases());
  add_products(checks, backend, more);
  for (const PointwiseKernel& kernel : pointwise_kernels(backend))
    for (const PointwiseCase& test : kPointwiseCases)
      checks.push_back({"kernel parity", {kernel.subject}, kernel.subject + " " + size_name(test.rows, test.hidden), [=] {
                          return pointwise_finding(backend, kernel, test);
                        }});
  add_images(checks, backend);
  if (!has_fused_steps(backend)) return checks;
  for (const FusedCase& size : fused_cases())
    for (const FusedInput& in : fused_inputs(size))
      checks.push_back(
          {"kernel parity", {fused_subject(backend, in)}, backend + " fused " + name_of(in), [=] { return fused_finding(backend, in); }});
  return checks;
}

std::vector<Check> special_value_checks(const std::string& backend) {
  std::vector<Check> checks;
  for (const ProductCase& test : special_products())
    checks.push_back({"special values", {product_subject(backend, test)}, backend + " " + case_name(test), [=] {
                        return special_product_finding(backend, test);
                      }});
  for (const PointwiseKernel& kernel : pointwise_kernels(backend))
    checks.push_back({"special values", {kernel.subject}, kernel.subject, [=] { return special_step_finding(backend, kernel); }});
  add_special_images(checks, backend);
  if (!has_fused_steps(backend)) return checks;
  for (const FusedInput& in : fused_inputs(kSpecialFused))
    checks.push_back({"special values", {fused_subject(backend, in)}, backend + " fused " + name_of(in), [=] {
                        return special_fused_finding(backend, in);
                      }});
  return checks;
}

std::vector<Check> loss_checks() {
  std::vector<Check> checks;
  const std::size_t count = losses<float>(1, 1).size();
  for (std::size_t i = 0; i < count; ++i) {
    const std::string subject = "loss " + losses<float>(1, 1)[i].name;
    for (const LossCase& test : kLossCases)
      checks.push_back({"kernel parity", {subject}, subject + " " + size_name(test.rows, test.classes), [=] {
                          return loss_parity_finding(i, test, false);
                        }});
    checks.push_back({"special values", {subject}, subject, [=] { return special_loss_finding(i); }});
  }
  return checks;
}

std::vector<Check> layer_norm_checks() {
  std::vector<Check> checks;
  const std::string subject = "layer norm";
  for (const LayerNormShape& shape : {LayerNormShape{1, 1, 3}, {3, 1, 17}, {2, 9, 5}, {32, 1, 128}})
    checks.push_back({"kernel parity", {subject}, subject + " " + size_name(shape.rows * shape.places, shape.units), [=] {
                        return layer_norm_finding(shape, false);
                      }});
  checks.push_back({"special values", {subject}, subject, [] { return layer_norm_finding(kSpecialNorm, true); }});
  return checks;
}

std::vector<Check> activation_checks(std::uint32_t stride) {
  std::vector<Check> checks;
  for (const auto list : {activations(), expression_function_activations()})
    for (const Activation& f : list)
      checks.push_back({"activations", {std::string(f.name)}, std::string(f.name), [&f, stride] {
                          return activation_finding(f, simd_pointwise(), stride);
                        }});
  checks.push_back({"activations", {"exp"}, "exp", [stride] { return exp_finding(stride); }});
  return checks;
}

}  // namespace vp
