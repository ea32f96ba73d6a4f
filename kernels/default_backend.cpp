#include "kernels/default_backend.h"

#include "kernels/pointwise/pointwise_simd.h"

namespace vp {

// Whole training steps, one thread, share of the FMA peak of the same run in per cent (median of 9, Zen 4, oneDNN 2.6.3; from
// results/reference/profile.csv and profile_avx2.csv):
//
//                             AVX-512          AVX2
//   cell   T, B, H, I         native  onednn   native  onednn
//   lstm   100, 64, 32, 32    66      53       59      49
//   lstm   100, 64, 64, 64    75      70       70      63
//   lstm   28, 128, 128, 28   81      74       69      61
//   lstm   100, 64, 128, 2    80      72       68      55
//   lstm   100, 64, 256, 256  80      82       69      51
//   lstm   100, 64, 512, 512  83      84       74      71
//   rnn    50, 20, 50, 6      57      41       49      32
//   rnn    100, 64, 128, 2    79      63       72      58
//
// So oneDNN stays where its products of 256 and more on AVX-512 outweigh what fusing saves. A GRU keeps its two sums apart, which costs a
// composed step more: there fusing pays at every width. Medians of 9, interleaved, on a busy Xeon, by processor time:
//
//   gru    100, 64, 32, 32    50      37       52      33
//   gru    100, 64, 64, 64    62      55       55      46
//   gru    100, 64, 128, 2    66      55       61      59
//   gru    100, 64, 256, 256  71      68       75      54
//   gru    50, 64, 512, 512   67      66       61      57
//
// Below AVX2 there is no FMA and nothing was measured.
std::string_view default_engine(const std::optional<FusedShape>& step) {
  if (!step) return "onednn";
  const std::string_view target = simd_target_name();
  if (target == "AVX2") return "native";
  if (target.starts_with("AVX3")) return step->hidden < 256 || step->cell == FusedCell::kGru ? "native" : "onednn";
  return "onednn";
}

// Whole training steps of dense layers, AVX-512, one thread, ms (least of 3, interleaved, on a busy Xeon):
//
//   L, B, H, I        native  onednn
//   3, 128, 128, 784  1.00    1.02
//   30, 128, 128, 784 7.5     9.3
//   4, 128, 512, 784  12.8    16.3
//   3, 64, 32, 8      0.039   0.051
//   30, 64, 256, 256  13.4    17.4
std::string_view default_dense_engine() {
  const std::string_view target = simd_target_name();
  return target == "AVX2" || target.starts_with("AVX3") ? "native" : "onednn";
}

}  // namespace vp
