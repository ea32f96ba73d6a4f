// What run.backend=auto stands for, on every instruction set this CPU has.
#include "kernels/default_backend.h"

#include <gtest/gtest.h>

#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "tests/kernels/simd_targets.h"

namespace vp::test {
namespace {

FusedShape lstm(std::int64_t hidden) { return {.cell = FusedCell::kLstm, .rows = 32, .inputs = 2, .hidden = hidden}; }

FusedShape gru(std::int64_t hidden) { return {.cell = FusedCell::kGru, .rows = 32, .inputs = 2, .hidden = hidden}; }

TEST(DefaultEngine, IsARuleOfWidthAndInstructionSet) {
  for (const std::string_view target : simd_target_names()) {
    const WithTarget forced(target);
    const bool avx512 = target.starts_with("AVX3"), fused = avx512 || target == "AVX2";
    EXPECT_EQ(default_engine(lstm(20)), fused ? "native" : "onednn") << target;
    EXPECT_EQ(default_engine(lstm(255)), fused ? "native" : "onednn") << target;
    EXPECT_EQ(default_engine(lstm(256)), fused && !avx512 ? "native" : "onednn") << target;
    for (const std::int64_t hidden : {20, 1000}) EXPECT_EQ(default_engine(gru(hidden)), fused ? "native" : "onednn") << target;
    EXPECT_EQ(default_engine(std::nullopt), "onednn") << target;
  }
}

TEST(DefaultEngine, NamesAnEngineThatExists) {
  for (const std::int64_t hidden : {1, 1024})
    EXPECT_EQ(make_backend<float>(default_engine(lstm(hidden)))->name(), default_engine(lstm(hidden)));
}

}  // namespace
}  // namespace vp::test
