// The native engine's vector code, compiled once per instruction set, and the table of each.
#include "kernels/native/native_kernels.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/native/native_kernels.cpp"
#include "hwy/foreach_target.h"  // before highway.h
#include "hwy/highway.h"
#include "kernels/native/fused-inl.h"
#include "kernels/native/product-inl.h"

HWY_BEFORE_NAMESPACE();
namespace vp::HWY_NAMESPACE {

const native::Kernels& native_kernels() {
  static const native::Kernels kTable = {
      .lanes = kLanes,
      .panel = kPanel,
      .name = hwy::TargetName(HWY_TARGET),
      .product_workspace = product_workspace,
      .pack_product = pack_product,
      .run_product = run_product,
      .in_place_workspace = in_place_workspace,
      .run_in_place = run_in_place,
      .pack_forward = pack_forward,
      .chunk_workspace = chunk_workspace,
      .rnn_forward = fused_rnn_forward,
      .lstm_forward = fused_lstm_forward,
      .gru_forward = fused_gru_forward,
      .rnn_backward = fused_rnn_backward,
      .lstm_backward = fused_lstm_backward,
      .gru_backward = fused_gru_backward,
  };
  return kTable;
}

}  // namespace vp::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace vp {

HWY_EXPORT(native_kernels);

const native::Kernels& native::kernels() { return HWY_DYNAMIC_DISPATCH(native_kernels)(); }

}  // namespace vp
#endif  // HWY_ONCE
