// Matrix products, packed weights and the room that products share: what an engine must do of linear algebra.
//
// Thread-safety: PackedWeights are shared: pack() by one thread while no run() is under way, then run() by any number of Products at once.
// A Product and a Scratch belong to one shard slot: one thread at a time.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "kernels/memory/aligned_buffer.h"

namespace vp {

// C (m, n) = A (m, k) B (k, n), plus C itself if `accumulate`, plus a bias (n) on every row if `bias`. Row-major, dense.
struct ProductShape {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  bool transpose_a = false;  // A is stored (k, m)
  bool transpose_b = false;  // B is stored (n, k), as PyTorch stores weights (out, in)
  bool accumulate = false;
  bool bias = false;  // not together with accumulate
  // Of weights: they meet these m rows once between two pack(), as in a feed-forward net, where an engine may find that packing does not
  // pay.
  bool used_once = false;

  bool operator==(const ProductShape&) const = default;
};

// The right-hand operand B of products, in whatever layout the engine likes best.
template <class T>
class PackedWeights {
 public:
  virtual ~PackedWeights() = default;
  // weights: (n, k) if the shape it was made for says transpose_b, else (k, n). The caller keeps `weights` alive and unchanged until the
  // next pack(): an engine may read them in place. Once per update.
  virtual void pack(const T* weights) = 0;
};

// Where products work, shared by those of one shard slot, which never run at once: one such place stays in the near cache, fifty would not
// (a fifth of the training step of an mlp of 30 layers).
template <class T>
class Scratch {
 public:
  void need(std::int64_t size) {  // at set-up
    if (size > buffer_.size()) buffer_ = AlignedBuffer<T>(size);
  }
  T* data() { return buffer_.data(); }
  std::int64_t size() const { return buffer_.size(); }

 private:
  AlignedBuffer<T> buffer_;
};

template <class T>
class Product {
 public:
  virtual ~Product() = default;
  // From now on it works in `scratch`, which outlives it, instead of room of its own.
  virtual void work_in(Scratch<T>& /*scratch*/) {}
  // Those of the product that comes after the next run(), or nullptr: they may be fetched into a nearer cache meanwhile.
  virtual void followed_by(const PackedWeights<T>* /*weights*/) {}
  // The same for values that will be changed after the next run(), or none.
  virtual void followed_by_change(std::span<const T> /*values*/) {}
  // b: the plain right-hand operand, or nullptr if the product was made with PackedWeights. bias: (n), or nullptr if the shape has none.
  virtual void run(const T* a, const T* b, const T* bias, T* c) = 0;
  // What the engine calls the code that runs, e.g. "brg:avx512_core"; "reference" for the oracle.
  virtual std::string implementation() const = 0;
};

// "(m=32, n=512, k=128, B transposed)", for messages.
std::string describe(const ProductShape& shape);
// Throws std::invalid_argument unless every size is at least 1 and not both accumulate and bias are asked for.
void check_product(const ProductShape& shape);
// Throws std::invalid_argument unless weights made for `made_for` can be the B of `shape`.
void check_weights(const ProductShape& shape, const ProductShape& made_for);

}  // namespace vp
