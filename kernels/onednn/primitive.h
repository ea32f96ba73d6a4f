// Primitives of oneDNN made once and run often, for the *_onednn.cpp files. Thread-safety: a Call belongs to one thread at a time.
#pragma once

#include <utility>
#include <vector>

#include "kernels/memory/aligned_buffer.h"
#include "kernels/onednn/shim.h"

namespace vp {

// Memory in a layout of oneDNN's that counts as ours (held_bytes).
class OwnMemory {
 public:
  OwnMemory(const dnnl::memory::desc& layout, const dnnl::engine& engine)
      : bytes_(static_cast<std::int64_t>(layout.get_size())), memory_(layout, engine, bytes_.data()) {}
  const dnnl::memory& get() const { return memory_; }

 private:
  AlignedBuffer<std::byte> bytes_;
  dnnl::memory memory_;
};

// A primitive with its argument list, executed through the C interface, because dnnl.hpp's execute() allocates a vector.
class Call {
 public:
  Call(const dnnl::engine& engine, dnnl::primitive primitive, const dnnl::memory::desc& scratchpad)
      : primitive_(std::move(primitive)), stream_(engine), scratchpad_(scratchpad, engine) {
    add(DNNL_ARG_SCRATCHPAD, scratchpad_.get());
  }
  void add(int what, const dnnl::memory& m) { args_.push_back({what, m.get()}); }
  void run() {
    const dnnl_status_t status = dnnl_primitive_execute(primitive_.get(), stream_.get(), static_cast<int>(args_.size()), args_.data());
    dnnl::error::wrap_c_api(status, "could not execute a primitive");
    stream_.wait();
  }

 private:
  dnnl::primitive primitive_;
  dnnl::stream stream_;
  OwnMemory scratchpad_;
  std::vector<dnnl_exec_arg_t> args_;
};

// The weights in one layout; the plain layout reads the caller's array in place.
class WeightsCopy {
 public:
  WeightsCopy(const dnnl::engine& engine, const dnnl::memory::desc& plain, const dnnl::memory::desc& layout)
      : layout_(layout), source_(plain, engine, nullptr), packed_(source_) {
    if (layout == plain) return;
    packed_ = own_.emplace_back(layout, engine).get();
    const dnnl::reorder::primitive_desc descriptor(engine, plain, engine, layout, shim::user_scratchpad());
    reorder_.emplace_back(engine, dnnl::reorder(descriptor), descriptor.scratchpad_desc());
    reorder_.back().add(DNNL_ARG_FROM, source_);
    reorder_.back().add(DNNL_ARG_TO, packed_);
  }
  void fill(const float* weights) {
    source_.set_data_handle(const_cast<float*>(weights));
    for (Call& reorder : reorder_) reorder.run();
  }
  const dnnl::memory::desc& layout() const { return layout_; }
  const dnnl::memory& packed() const { return packed_; }

 private:
  dnnl::memory::desc layout_;
  dnnl::memory source_;
  dnnl::memory packed_;
  std::vector<OwnMemory> own_;  // none or one: of packed_
  std::vector<Call> reorder_;   // none or one
};

// The weights of one tensor in every layout that some primitive wants them in.
class WeightsCopies {
 public:
  WeightsCopies(const dnnl::engine& engine, const dnnl::memory::desc& plain) : engine_(engine), plain_(plain) {}
  void fill(const float* weights) {
    source_ = weights;
    for (WeightsCopy& copy : copies_) copy.fill(weights);
  }
  // The memory that will hold the weights in this layout from the next fill() on, and does now if there was one.
  const dnnl::memory& in_layout(const dnnl::memory::desc& layout) {
    for (const WeightsCopy& copy : copies_)
      if (copy.layout() == layout) return copy.packed();
    copies_.emplace_back(engine_, plain_, layout);
    if (source_) copies_.back().fill(source_);
    return copies_.back().packed();
  }

 private:
  dnnl::engine engine_;
  dnnl::memory::desc plain_;
  std::vector<WeightsCopy> copies_;
  const float* source_ = nullptr;
};

}  // namespace vp
