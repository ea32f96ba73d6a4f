#include "kernels/default_engine.h"

#include "kernels/pointwise_simd.h"

namespace vp {

// Whole training steps, one thread, share of the FMA peak of the same run in per cent (Zen 4, oneDNN 2.6.3; `vpoint profile`,
// results/reference):
//
//                             AVX-512          AVX2
//   cell   T, B, H, I         native  onednn   native  onednn
//   lstm   100, 64, 32, 32    70      63       63      52
//   lstm   100, 64, 64, 64    79      73       73      61
//   lstm   28, 128, 128, 28   84      78       72      61
//   lstm   100, 64, 128, 2    83      72       74      57
//   lstm   100, 64, 256, 256  82      88       76      51
//   lstm   100, 64, 512, 512  85      87       80      76
//   rnn    50, 20, 50, 6      58      41       50      34
//   rnn    100, 64, 128, 2    82      74       77      62
//
// So oneDNN stays where its products of 256 and more on AVX-512 outweigh what fusing saves. Below AVX2 there is no FMA and nothing was
// measured.
std::string_view default_engine(const std::optional<FusedShape>& step) {
  if (!step) return "onednn";
  const std::string_view target = simd_target_name();
  if (target == "AVX2") return "native";
  if (target.starts_with("AVX3")) return step->hidden < 256 ? "native" : "onednn";
  return "onednn";
}

}  // namespace vp
