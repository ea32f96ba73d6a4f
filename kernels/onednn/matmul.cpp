// The "onednn" engine: matrix products by dnnl::matmul, pointwise steps by Highway.
//
// Sequential: a primitive is made and run under omp_set_num_threads(1). Everything a run() needs (primitive, memory handles, scratchpad,
// stream, argument list) is made once (primitive.h); run() sets pointers.
#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/backend/backend_factories.h"
#include "kernels/onednn/primitive.h"
#include "kernels/onednn/sequential_thread.h"
#include "kernels/pointwise/pointwise_simd.h"

extern "C" void omp_set_num_threads(
    int) noexcept;  // of GCC's libgomp, which Debian's oneDNN uses whatever compiler builds this: no <omp.h>

namespace vp {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

// Runs f; an error of oneDNN becomes one of ours that names the product.
template <class F>
auto guarded(const char* step, const ProductShape& shape, const F& f) {
  try {
    return f();
  } catch (const dnnl::error& e) {
    throw std::runtime_error("[product] onednn cannot " + std::string(step) + " for shape " + describe(shape) + ": " + e.what());
  }
}

memory::desc matrix(std::int64_t rows, std::int64_t cols, Tag tag) { return {{rows, cols}, memory::data_type::f32, tag}; }
// Rows and columns of a larger matrix that is stored row by row, or column by column.
memory::desc part(std::int64_t rows, std::int64_t cols, std::int64_t stride, bool transposed) {
  return {{rows, cols}, memory::data_type::f32, transposed ? memory::dims{1, stride} : memory::dims{stride, 1}};
}
memory::desc plain_weights(const ProductShape& s) { return part(s.k, s.n, s.transpose_b ? s.k : s.n, s.transpose_b); }

// of_k: of the product that this one is a piece of, where it is one.
dnnl::matmul::primitive_desc describe_matmul(const dnnl::engine& engine, const ProductShape& s, const memory::desc& weights,
                                             std::optional<std::int64_t> of_k = std::nullopt) {
  dnnl::primitive_attr attributes = shim::user_scratchpad();
  if (s.accumulate) {
    dnnl::post_ops ops;
    ops.append_sum(1.0f);
    attributes.set_post_ops(ops);
  }
  const memory::desc a = part(s.m, s.k, s.transpose_a ? s.m : of_k.value_or(s.k), s.transpose_a), c = matrix(s.m, s.n, Tag::ab);
  if (s.bias) return shim::make_descriptor<dnnl::matmul>(engine, attributes, a, weights, matrix(1, s.n, Tag::ab), c);
  return shim::make_descriptor<dnnl::matmul>(engine, attributes, a, weights, c);
}

// The layout for packed weights. On AVX2 `any` gains nothing, and row-major weights lose half where n is 1024 or 2048 (72 against
// 123 GFLOP/s, 64 x 1024 x 256), so they are kept transposed there: (n, k), which is how PyTorch stores them.
memory::desc preferred_weights(const dnnl::engine& engine, const ProductShape& typical) {
  if (!shim::has_avx512()) return matrix(typical.k, typical.n, Tag::ba);
  return describe_matmul(engine, typical, matrix(typical.k, typical.n, Tag::any)).weights_desc();
}

class OneDnnWeights final : public PackedWeights<float> {
 public:
  OneDnnWeights(const dnnl::engine& engine, const ProductShape& typical)
      : made_for_(typical), preferred_(preferred_weights(engine, typical)), copies_(engine, plain_weights(typical)) {}

  void pack(const float* weights) override {
    make_this_thread_sequential();
    plain_ = weights;
    guarded("pack weights", made_for_, [&] { copies_.fill(weights); });
  }

  const memory& in_layout(const memory::desc& layout) { return copies_.in_layout(layout); }
  const ProductShape& made_for() const { return made_for_; }
  const memory::desc& preferred() const { return preferred_; }
  const float* plain() const { return plain_; }

 private:
  ProductShape made_for_;
  const float* plain_ = nullptr;
  memory::desc preferred_;
  WeightsCopies copies_;
};

// With packed weights: in the preferred layout if oneDNN has optimised code for this m there, else in the layout it likes for this shape.
dnnl::matmul::primitive_desc choose_matmul(const dnnl::engine& engine, const ProductShape& shape, const OneDnnWeights* weights) {
  if (!weights) return describe_matmul(engine, shape, plain_weights(shape));
  try {
    auto descriptor = describe_matmul(engine, shape, weights->preferred());
    if (std::string_view(descriptor.impl_info_str()).substr(0, 3) != "ref") return descriptor;
  } catch (const dnnl::error&) {
    // This m has no code for that layout.
  }
  return describe_matmul(engine, shape, matrix(shape.k, shape.n, Tag::any));
}

// C gets the sum of one primitive over all of k, or over a piece of it.
class OneDnnPiece {
 public:
  OneDnnPiece(const dnnl::engine& engine, const ProductShape& shape, OneDnnWeights* weights)
      : OneDnnPiece(engine, shape, weights, choose_matmul(engine, shape, weights), 0, 0) {}
  // k from k0 on, `shape.k` of it, of the operands of `whole` where they stand.
  OneDnnPiece(const dnnl::engine& engine, const ProductShape& shape, const ProductShape& whole, std::int64_t k0)
      : OneDnnPiece(
            engine, shape, nullptr,
            describe_matmul(engine, shape, part(shape.k, whole.n, whole.transpose_b ? whole.k : whole.n, whole.transpose_b), whole.k),
            whole.transpose_a ? k0 * whole.m : k0, whole.transpose_b ? k0 : k0 * whole.n) {}

  // b: nullptr where the weights were packed.
  void run(const float* a, const float* b, const float* bias, float* c) {
    a_.set_data_handle(const_cast<float*>(a + a_offset_));
    if (b) b_.set_data_handle(const_cast<float*>(b + b_offset_));
    if (has_bias_) bias_.set_data_handle(const_cast<float*>(bias));
    c_.set_data_handle(c);
    call_.run();
  }
  const std::string& implementation() const { return implementation_; }

 private:
  OneDnnPiece(const dnnl::engine& engine, const ProductShape& shape, OneDnnWeights* packed, const dnnl::matmul::primitive_desc& descriptor,
              std::int64_t a_offset, std::int64_t b_offset)
      : has_bias_(shape.bias),
        a_offset_(a_offset),
        b_offset_(b_offset),
        implementation_(descriptor.impl_info_str()),
        a_(descriptor.src_desc(), engine, nullptr),
        b_(packed ? packed->in_layout(descriptor.weights_desc()) : memory(descriptor.weights_desc(), engine, nullptr)),
        c_(descriptor.dst_desc(), engine, nullptr),
        call_(engine, dnnl::matmul(descriptor), descriptor.scratchpad_desc()) {
    call_.add(DNNL_ARG_SRC, a_);
    call_.add(DNNL_ARG_WEIGHTS, b_);
    call_.add(DNNL_ARG_DST, c_);
    if (!has_bias_) return;
    bias_ = memory(matrix(1, shape.n, Tag::ab), engine, nullptr);
    call_.add(DNNL_ARG_BIAS, bias_);
  }

  bool has_bias_;
  std::int64_t a_offset_, b_offset_;
  std::string implementation_;
  memory a_, b_, c_, bias_;
  Call call_;
};

// A long chain of additions gathers rounding: outputs of readouts of a thousand units came out five to ten times less exact than PyTorch's.
// Where C is narrow, as there, k is summed in chunks, of about as many elements as there are chunks: errors (root mean square, in 2^-24 of
// a sum of positive terms) 1.3 instead of 4.1 for k = 968, 1.7 instead of 5.3 for k = 2312.
std::int64_t narrow_chunk(std::int64_t k) {
  constexpr std::int64_t kLeast = 64;
  std::int64_t chunk = kLeast;
  while (chunk * chunk < k) chunk += kLeast;
  return chunk;
}

class OneDnnProduct final : public Product<float> {
 public:
  OneDnnProduct(const dnnl::engine& engine, const ProductShape& shape, OneDnnWeights* weights) : shape_(shape), weights_(weights) {
    const std::int64_t chunk = narrow_chunk(shape.k);
    if (shape.n >= kNarrow || shape.k <= chunk) {
      pieces_.emplace_back(engine, shape, weights);
      return;
    }
    in_place_ = true;
    for (std::int64_t k0 = 0; k0 < shape.k; k0 += chunk) {
      ProductShape piece = shape;
      piece.k = std::min(chunk, shape.k - k0);
      if (k0 > 0) piece.accumulate = true, piece.bias = false;
      pieces_.emplace_back(engine, piece, shape, k0);
    }
  }

  void run(const float* a, const float* b, const float* bias, float* c) override {
    if (weights_) b = in_place_ ? weights_->plain() : nullptr;
    guarded("run", shape_, [&] {
      for (OneDnnPiece& piece : pieces_) piece.run(a, b, bias, c);
    });
  }
  std::string implementation() const override { return pieces_.front().implementation(); }

 private:
  ProductShape shape_;
  const OneDnnWeights* weights_;  // nullptr: B is given to run()
  bool in_place_ = false;         // the weights are read where they stand
  std::vector<OneDnnPiece> pieces_;
};

class OneDnnBackend final : public Backend<float> {
 public:
  std::string_view name() const override { return "onednn"; }
  const PointwiseKernels<float>& pointwise() const override { return simd_pointwise(); }

  std::unique_ptr<PackedWeights<float>> make_weights(const ProductShape& typical) override {
    check_product(typical);
    make_this_thread_sequential();
    return guarded("make weights", typical, [&] { return std::make_unique<OneDnnWeights>(engine_, typical); });
  }

  std::unique_ptr<Product<float>> make_product(const ProductShape& shape, PackedWeights<float>* weights) override {
    check_product(shape);
    make_this_thread_sequential();
    auto* const own = static_cast<OneDnnWeights*>(weights);  // the only kind make_weights gives
    if (own) check_weights(shape, own->made_for());
    return guarded("make a product", shape, [&] { return std::make_unique<OneDnnProduct>(engine_, shape, own); });
  }

  std::unique_ptr<ConvolutionWeights<float>> make_convolution_weights(const ConvolutionShape& shape) override {
    return make_onednn_convolution_weights(shape);
  }
  std::unique_ptr<Convolution<float>> make_convolution(const ConvolutionShape& shape, ConvolutionWeights<float>& weights) override {
    return make_onednn_convolution(*this, shape, weights);
  }
  std::unique_ptr<Pooling<float>> make_pooling(const PoolingShape& shape) override {
    return shape.average ? make_onednn_average_pooling(shape) : make_max_pooling<float>(shape);
  }

 private:
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
};

}  // namespace

void make_this_thread_sequential() {
  static thread_local bool done = false;
  if (done) return;
  omp_set_num_threads(1);  // belongs to the calling thread: neither setenv nor a call in main reaches the others
  done = true;
}

std::unique_ptr<Backend<float>> make_onednn_backend() {
  make_this_thread_sequential();
  return std::make_unique<OneDnnBackend>();
}

std::string onednn_isa_name() { return shim::isa_name(); }

std::string onednn_version() {
  const dnnl_version_t* const v = dnnl_version();
  return std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch);
}

}  // namespace vp
