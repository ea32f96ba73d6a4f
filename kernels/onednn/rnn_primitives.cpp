// Gate order of oneDNN's LSTM is i, f, g (its c~), o: ours; of its GRU z, r, n: our first two the other way round. Its format ldgoi is (G,
// H, I) of one layer and direction: PyTorch's (G*H, I).
#include "kernels/onednn/rnn_primitives.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/backend/backend.h"
#include "kernels/onednn/sequential_thread.h"
#include "kernels/onednn/shim.h"

namespace vp {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;
using Arguments = std::unordered_map<int, memory>;

constexpr auto kForward = dnnl::prop_kind::forward_training;
constexpr auto kBackward = dnnl::prop_kind::backward;
constexpr auto kDirection = dnnl::rnn_direction::unidirectional_left2right;

memory::desc array(const memory::dims& dims, Tag tag) { return {dims, memory::data_type::f32, tag}; }

template <class P, class Hint, class... Args>
typename P::primitive_desc make_backward(const dnnl::engine& engine, const Hint& hint, const Args&... args) {
#if DNNL_VERSION_MAJOR >= 3
  return typename P::primitive_desc(engine, args..., hint, shim::user_scratchpad());
#else
  return typename P::primitive_desc(typename P::desc(args...), shim::user_scratchpad(), engine, hint);
#endif
}

// What differs between the cells: how their descriptors are asked for. Absent arrays (none) are zero; but the initial state is given
// though it is zero too: without it, 2.6.3 gets every gradient of the recurrent weights wrong.
struct Lstm {
  using Forward = dnnl::lstm_forward;
  using Backward = dnnl::lstm_backward;
  static constexpr std::int64_t kGates = 4, kBiases = 4;
  static constexpr bool kSwapped = false;
  memory::desc x, state, w_layer, w_iter, bias, h, none;
  Forward::primitive_desc forward(const dnnl::engine& engine) const {
    return shim::make_descriptor<Forward>(engine, shim::user_scratchpad(), kForward, kDirection, x, state, state, w_layer, w_iter, bias, h,
                                          none, none);
  }
  Backward::primitive_desc backward(const dnnl::engine& engine, const Forward::primitive_desc& hint) const {
    return make_backward<Backward>(engine, hint, kBackward, kDirection, x, state, state, w_layer, w_iter, bias, h, none, none, x, state,
                                   state, w_layer, w_iter, bias, h, none, none);
  }
};

struct Rnn {
  using Forward = dnnl::vanilla_rnn_forward;
  using Backward = dnnl::vanilla_rnn_backward;
  static constexpr std::int64_t kGates = 1, kBiases = 1;
  static constexpr bool kSwapped = false;
  memory::desc x, state, w_layer, w_iter, bias, h, none;
  dnnl::algorithm activation = dnnl::algorithm::eltwise_tanh;
  Forward::primitive_desc forward(const dnnl::engine& engine) const {
    return shim::make_descriptor<Forward>(engine, shim::user_scratchpad(), kForward, activation, kDirection, x, state, w_layer, w_iter,
                                          bias, h, none);
  }
  Backward::primitive_desc backward(const dnnl::engine& engine, const Forward::primitive_desc& hint) const {
    return make_backward<Backward>(engine, hint, kBackward, activation, kDirection, x, state, w_layer, w_iter, bias, h, none, x, state,
                                   w_layer, w_iter, bias, h, none);
  }
};

// "Linear before reset": PyTorch's form. Biases z, r, n of the input, n of the recurrence.
struct Gru {
  using Forward = dnnl::lbr_gru_forward;
  using Backward = dnnl::lbr_gru_backward;
  static constexpr std::int64_t kGates = 3, kBiases = 4;
  static constexpr bool kSwapped = true;  // the first two gates
  memory::desc x, state, w_layer, w_iter, bias, h, none;
  Forward::primitive_desc forward(const dnnl::engine& engine) const {
    return shim::make_descriptor<Forward>(engine, shim::user_scratchpad(), kForward, kDirection, x, state, w_layer, w_iter, bias, h, none);
  }
  Backward::primitive_desc backward(const dnnl::engine& engine, const Forward::primitive_desc& hint) const {
    return make_backward<Backward>(engine, hint, kBackward, kDirection, x, state, w_layer, w_iter, bias, h, none, x, state, w_layer, w_iter,
                                   bias, h, none);
  }
};

template <class C>
class Primitive final : public RnnPrimitive {
 public:
  Primitive(C cell, const RnnPrimitiveShape& s) : s_(s) {
    const memory::dims layer = {1, 1, s.inputs, C::kGates, s.hidden}, iter = {1, 1, s.hidden, C::kGates, s.hidden};
    plain_layer_ = array(layer, Tag::ldgoi), plain_iter_ = array(iter, Tag::ldgoi);
    cell.x = array({s.steps, s.rows, s.inputs}, Tag::tnc), cell.h = array({s.steps, s.rows, s.hidden}, Tag::tnc);
    cell.state = array({1, 1, s.rows, s.hidden}, Tag::ldnc);
    cell.w_layer = array(layer, Tag::any), cell.w_iter = array(iter, Tag::any), cell.bias = array({1, 1, C::kBiases, s.hidden}, Tag::ldgo);
    const auto forward = cell.forward(engine_);
    const auto backward = cell.backward(engine_, forward);
    implementation_ = std::string(forward.impl_info_str()) + " / " + backward.impl_info_str();
    fill_arguments(cell, forward, backward);
    forward_ = typename C::Forward(forward), backward_ = typename C::Backward(backward);
  }

  void pack(const float* weight_ih, const float* weight_hh, const float* bias) override {
    const float* const layer = in_order(weight_ih, s_.inputs, layer_in_order_);
    const float* const iter = in_order(weight_hh, s_.hidden, iter_in_order_);
    reorder(layer, plain_layer_, forward_args_.at(DNNL_ARG_WEIGHTS_LAYER));
    reorder(iter, plain_iter_, forward_args_.at(DNNL_ARG_WEIGHTS_ITER));
    reorder(layer, plain_layer_, backward_args_.at(DNNL_ARG_WEIGHTS_LAYER));
    reorder(iter, plain_iter_, backward_args_.at(DNNL_ARG_WEIGHTS_ITER));
    float* const to = floats(forward_args_.at(DNNL_ARG_BIAS));
    std::copy_n(bias, C::kBiases * s_.hidden, to);
    swap_gates(to, 1);
  }

  void run(const float* x, const float* dh_last) override {
    x_.set_data_handle(const_cast<float*>(x));
    float* const dh = floats(backward_args_.at(DNNL_ARG_DIFF_DST_LAYER));  // zero but for the last step
    std::copy_n(dh_last, s_.rows * s_.hidden, dh + (s_.steps - 1) * s_.rows * s_.hidden);
    for (const int what : {DNNL_ARG_DIFF_WEIGHTS_LAYER, DNNL_ARG_DIFF_WEIGHTS_ITER, DNNL_ARG_DIFF_BIAS})
      zero(backward_args_.at(what));  // it adds to them
    forward_.execute(stream_, forward_args_);
    backward_.execute(stream_, backward_args_);
    stream_.wait();
  }

  std::span<const float> last_hidden() const override {
    const std::int64_t n = s_.rows * s_.hidden;
    return {floats(forward_args_.at(DNNL_ARG_DST_LAYER)) + (s_.steps - 1) * n, static_cast<std::size_t>(n)};
  }

  void copy_gradients(float* weight_ih, float* weight_hh, float* bias) override {
    unpack(backward_args_.at(DNNL_ARG_DIFF_WEIGHTS_LAYER), plain_layer_, weight_ih);
    unpack(backward_args_.at(DNNL_ARG_DIFF_WEIGHTS_ITER), plain_iter_, weight_hh);
    std::copy_n(floats(backward_args_.at(DNNL_ARG_DIFF_BIAS)), C::kBiases * s_.hidden, bias);
    swap_gates(weight_ih, s_.inputs), swap_gates(weight_hh, s_.hidden), swap_gates(bias, 1);
  }

  std::string implementation() const override { return implementation_; }

 private:
  static float* floats(const memory& m) { return static_cast<float*>(m.get_data_handle()); }
  static void zero(const memory& m) { std::memset(m.get_data_handle(), 0, m.get_desc().get_size()); }
  memory fresh(const memory::desc& what) const {
    memory m(what, engine_);
    zero(m);
    return m;
  }

  template <class ForwardDescriptor, class BackwardDescriptor>
  void fill_arguments(const C& cell, const ForwardDescriptor& forward, const BackwardDescriptor& backward) {
    x_ = memory(cell.x, engine_, nullptr);
    forward_args_ = {{DNNL_ARG_SRC_LAYER, x_},
                     {DNNL_ARG_SRC_ITER, fresh(cell.state)},
                     {DNNL_ARG_SRC_ITER_C, fresh(cell.state)},  // an RNN ignores it
                     {DNNL_ARG_WEIGHTS_LAYER, fresh(forward.weights_layer_desc())},
                     {DNNL_ARG_WEIGHTS_ITER, fresh(forward.weights_iter_desc())},
                     {DNNL_ARG_BIAS, fresh(cell.bias)},
                     {DNNL_ARG_DST_LAYER, fresh(cell.h)},
                     {DNNL_ARG_WORKSPACE, fresh(forward.workspace_desc())},
                     {DNNL_ARG_SCRATCHPAD, fresh(forward.scratchpad_desc())}};
    backward_args_ = forward_args_;
    backward_args_[DNNL_ARG_WEIGHTS_LAYER] = fresh(backward.weights_layer_desc());
    backward_args_[DNNL_ARG_WEIGHTS_ITER] = fresh(backward.weights_iter_desc());
    backward_args_[DNNL_ARG_SCRATCHPAD] = fresh(backward.scratchpad_desc());
    backward_args_[DNNL_ARG_DIFF_SRC_LAYER] = fresh(cell.x);
    backward_args_[DNNL_ARG_DIFF_SRC_ITER] = fresh(cell.state), backward_args_[DNNL_ARG_DIFF_SRC_ITER_C] = fresh(cell.state);
    backward_args_[DNNL_ARG_DIFF_DST_LAYER] = fresh(cell.h);
    backward_args_[DNNL_ARG_DIFF_WEIGHTS_LAYER] = fresh(backward.diff_weights_layer_desc());
    backward_args_[DNNL_ARG_DIFF_WEIGHTS_ITER] = fresh(backward.diff_weights_iter_desc());
    backward_args_[DNNL_ARG_DIFF_BIAS] = fresh(cell.bias);
  }

  void reorder(const float* from, const memory::desc& plain, memory& to) {
    memory source(plain, engine_, const_cast<float*>(from));
    dnnl::reorder(source, to).execute(stream_, source, to);
    stream_.wait();
  }
  void unpack(memory& from, const memory::desc& plain, float* to) {
    memory target(plain, engine_, to);
    dnnl::reorder(from, target).execute(stream_, from, target);
    stream_.wait();
  }

  // Blocks of H rows of `cols` elements each.
  void swap_gates(float* blocks, std::int64_t cols) const {
    const std::int64_t block = s_.hidden * cols;
    if (C::kSwapped) std::swap_ranges(blocks, blocks + block, blocks + block);
  }
  const float* in_order(const float* weights, std::int64_t cols, std::vector<float>& copy) const {
    if (!C::kSwapped) return weights;
    copy.assign(weights, weights + C::kGates * s_.hidden * cols);
    swap_gates(copy.data(), cols);
    return copy.data();
  }

  RnnPrimitiveShape s_;
  std::vector<float> layer_in_order_, iter_in_order_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::string implementation_;
  memory::desc plain_layer_, plain_iter_;
  memory x_;
  Arguments forward_args_, backward_args_;
  dnnl::primitive forward_, backward_;
};

// undef: not one of the three.
dnnl::algorithm algorithm_of(const Activation& activation) {
  if (activation.name == "tanh") return dnnl::algorithm::eltwise_tanh;
  if (activation.name == "relu") return dnnl::algorithm::eltwise_relu;
  return activation.name == "sigmoid" ? dnnl::algorithm::eltwise_logistic : dnnl::algorithm::undef;
}

}  // namespace

bool has_rnn_primitive(std::string_view cell, const Activation& activation) {
  return cell == "lstm" || cell == "gru" || (cell == "rnn" && algorithm_of(activation) != dnnl::algorithm::undef);
}

std::unique_ptr<RnnPrimitive> make_rnn_primitive(const RnnPrimitiveShape& shape) {
  make_this_thread_sequential();
  if (shape.cell == "lstm") return std::make_unique<Primitive<Lstm>>(Lstm{}, shape);
  if (shape.cell == "gru") return std::make_unique<Primitive<Gru>>(Gru{}, shape);
  Rnn cell;
  cell.activation = algorithm_of(*shape.activation);
  return std::make_unique<Primitive<Rnn>>(cell, shape);
}

bool limit_onednn_to_avx2() { return dnnl::set_max_cpu_isa(dnnl::cpu_isa::avx2) == dnnl::status::success; }

}  // namespace vp
