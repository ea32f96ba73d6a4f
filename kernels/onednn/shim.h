// oneDNN 2.6 and 3.x behind one spelling. Included by *_onednn.cpp only. Thread-safety: pure functions.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <string>

namespace vp::shim {

// Primitive descriptor of P for the arguments of its operation, in oneDNN's order.
template <class P, class... Args>
typename P::primitive_desc make_descriptor(const dnnl::engine& engine, const dnnl::primitive_attr& attributes, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename P::primitive_desc(engine, args..., attributes);
#else
  return typename P::primitive_desc(typename P::desc(args...), attributes, engine);
#endif
}

// The same for a backward operation, which also wants its forward descriptor.
template <class P, class Forward, class... Args>
typename P::primitive_desc make_backward_descriptor(const dnnl::engine& engine, const dnnl::primitive_attr& attributes,
                                                    const Forward& forward, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename P::primitive_desc(engine, args..., forward, attributes);
#else
  return typename P::primitive_desc(typename P::desc(args...), attributes, engine, forward);
#endif
}

#if DNNL_VERSION_MAJOR >= 3
using PoolingForward = dnnl::pooling_forward;
using PoolingBackward = dnnl::pooling_backward;
#else
using PoolingForward = dnnl::pooling_v2_forward;
using PoolingBackward = dnnl::pooling_v2_backward;
#endif

// With the library's own scratchpad, two threads on one primitive gave wrong results in 139 to 2,999 of 3,000 calls (2.6.3).
inline dnnl::primitive_attr user_scratchpad() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

inline bool has_avx512() {
  const int isa = static_cast<int>(dnnl::get_effective_cpu_isa()), wanted = static_cast<int>(dnnl::cpu_isa::avx512_core);
  return (isa & wanted) == wanted;
}

// Names both versions know; one only a later version knows is given as its number.
inline std::string isa_name() {
  switch (const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
      return "sse41";
    case dnnl::cpu_isa::avx:
      return "avx";
    case dnnl::cpu_isa::avx2:
      return "avx2";
    case dnnl::cpu_isa::avx2_vnni:
      return "avx2_vnni";
    case dnnl::cpu_isa::avx512_core:
      return "avx512_core";
    case dnnl::cpu_isa::avx512_core_vnni:
      return "avx512_core_vnni";
    case dnnl::cpu_isa::avx512_core_bf16:
      return "avx512_core_bf16";
    case dnnl::cpu_isa::avx512_core_amx:
      return "avx512_core_amx";
    default:
      return "isa" + std::to_string(static_cast<int>(isa));
  }
}

}  // namespace vp::shim
