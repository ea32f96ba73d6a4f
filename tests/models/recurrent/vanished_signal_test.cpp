// Parameter gradients of signals that have vanished: right where they are normal numbers, zero and counted below, and made without
// denormals, which cost tens of cycles each.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "kernels/backend_list.h"
#include "models/cells/cell_list.h"
#include "models/recurrent/scaled_sums.h"
#include "models/recurrent/sequence_layout.h"
#include "models/recurrent/sequence_model.h"
#include "models/verify/cell_variants.h"
#include "models/verify/model_checks.h"
#include "models/verify/random_source.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

RunSpec spec_of_cell(const CellVariant& cell, const std::string& backend) {
  RunSpec spec;
  spec.model = {.cell = std::string(cell.entry->name), .layers = 2, .hidden = 24};
  spec.cell_options = cell.options;
  spec.engine.backend = backend;
  return spec;
}

// The gradients of the first of two recurrent layers, whose signal is scaled down by the gains of the readout and of W_ih.
template <class T>
std::vector<T> first_gradients(const CellVariant& cell, const std::string& backend, double readout, double input, std::int64_t& lost) {
  RunSpec spec = spec_of_cell(cell, backend);
  spec.init.readout.gain = readout;
  spec.init.input.gain = input;
  const RandomSource source({.steps = 40, .inputs = 3, .outputs = 4});
  SequenceModel<T> model(spec, source.shape(), 5);
  model.pack_all();
  SequenceShard<T> shard(model, 5);
  run_shard(shard, source);
  lost = shard.layer(0).lost_in_scaling();
  return {shard.gradient(), shard.gradient() + model.layout().find("rnn.weight_ih_l1").offset};
}

// 1e-34 is 2^-113: a row that got its size back before it is multiplied would lose all but some bits of its smaller elements.
TEST(VanishedSignal, GradientsNearTheEndOfTheFloatRangeAreAsExactAsOthers) {
  for (const CellVariant& cell : cell_variants()) {
    std::int64_t lost = 0, ignored = 0;
    const std::vector<double> exact = first_gradients<double>(cell, "reference", 1e-34, 1, ignored);
    for (const char* backend : {"reference", "onednn", "native"}) {
      const std::vector<float> gradient = first_gradients<float>(cell, backend, 1e-34, 1, lost);
      double largest = 0;
      for (const double g : exact) largest = std::max(largest, std::abs(g));
      for (std::size_t i = 0; i < exact.size(); ++i)
        ASSERT_TRUE(near(gradient[i], exact[i], 4096 * std::numeric_limits<float>::epsilon() * largest + 5 * 0x1p-126))
            << cell.name << " " << backend << " element " << i;
    }
  }
}

TEST(VanishedSignal, GradientsBelowTheRangeAreZeroAndCounted) {
  for (const CellVariant& cell : cell_variants()) {
    std::int64_t lost = 0, none = 0;
    for (const float g : first_gradients<float>(cell, "native", 1e-30, 1e-30, lost)) ASSERT_EQ(g, 0) << cell.name;
    EXPECT_GT(lost, 0) << cell.name;
    first_gradients<double>(cell, "reference", 1e-30, 1e-30, none);
    EXPECT_EQ(none, 0) << cell.name;
  }
}

TEST(ScaledSums, SumsAreMadeInUnitsNearTheRowsAndBroughtBackOnce) {
  RecurrentTensors tensors;
  std::int64_t offset = 64;
  for (Tensor* tensor : {&tensors.weight_ih, &tensors.weight_hh, &tensors.bias_ih, &tensors.bias_hh}) {
    tensor->rows = 2, tensor->offset = offset;
    offset += 16;
  }
  const auto backend = make_backend<float>("reference");
  const PointwiseKernels<float>& kernels = backend->pointwise();
  std::vector<float> gradients(256);
  ScaledSums<float> sums(tensors);
  sums.begin();
  EXPECT_EQ(sums.prepare(-32, kernels, gradients.data()), 0);
  EXPECT_EQ(sums.unit(), 0);
  EXPECT_EQ(sums.data(gradients.data()), gradients.data());
  EXPECT_EQ(sums.prepare(kNoSignal, kernels, gradients.data()), 0);
  EXPECT_EQ(sums.unit(), 0);
  EXPECT_EQ(sums.prepare(-33, kernels, gradients.data()), 0);
  EXPECT_EQ(sums.unit(), -33);
  const auto add = [&](const Tensor& at, float x) { sums.data(gradients.data())[at.offset] += x; };
  add(sums.tensors().weight_hh, 3);
  EXPECT_EQ(sums.prepare(-65, kernels, gradients.data()), 0) << "near enough: the same sums go on";
  EXPECT_EQ(sums.unit(), -33);
  add(sums.tensors().weight_hh, 4);
  EXPECT_EQ(sums.prepare(-120, kernels, gradients.data()), 0);
  EXPECT_EQ(gradients[80], std::ldexp(7.0f, -33));
  add(sums.tensors().bias_ih, 0x1p-7f);
  add(sums.tensors().bias_hh, 0x1p-6f);
  EXPECT_EQ(sums.finish(kernels, gradients.data()), 1) << "2^-127 is no normal number";
  EXPECT_EQ(gradients[96], 0);
  EXPECT_EQ(gradients[112], 0x1p-126f);
  EXPECT_EQ(sums.finish(kernels, gradients.data()), 0) << "nothing is added twice";
  EXPECT_EQ(gradients[80], std::ldexp(7.0f, -33));
}

#if defined(__x86_64__)
constexpr std::int64_t kRows = 32;
constexpr unsigned kDenormalOperand = 0x2;  // MXCSR: an operand was a denormal since the flag was cleared

bool meets_denormals(const RunSpec& spec, std::int64_t steps) {
  const RandomSource source({.steps = steps, .inputs = 2, .outputs = 3});
  SequenceModel<float> model(spec, source.shape(), kRows);
  model.pack_all();
  SequenceShard<float> shard(model, kRows);
  _mm_setcsr(_mm_getcsr() & ~0x3fU);
  run_shard(shard, source);
  return (_mm_getcsr() & kDenormalOperand) != 0;
}

// At the default initialisation, in shards of the default size.
TEST(VanishedSignal, NoProductMeetsADenormal) {
  for (const CellVariant& cell : cell_variants()) {
    if (cell.name != cell.entry->name) continue;
    for (const char* backend : {"onednn", "native"})
      for (const std::int64_t steps : {50, 200, 300, 1000})
        EXPECT_FALSE(meets_denormals(spec_of_cell(cell, backend), steps)) << cell.name << " " << backend << " " << steps << " steps";
  }
}
#endif

}  // namespace
}  // namespace vp::test
