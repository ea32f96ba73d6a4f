// The safetensors file format as bytes <-> tensors (https://huggingface.co/docs/safetensors, "Format"); no files are opened here.
//
//   8 bytes            N, the header's length, little-endian
//   N bytes            header: a JSON object {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...}, UTF-8, may end
//   in
//                      spaces; "__metadata__" maps texts to texts
//   the rest           data: the tensors row by row, little-endian, back to back; offsets count from here
//
// Thread-safety: a Safetensors is constant once parsed; the functions are pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vp {

// All the format knows, so that a valid file reads whatever it holds; values can be had of kF32, kF64, kI32 and kI64.
enum class DType : std::uint8_t {
  kBool,
  kF4,
  kF6E2M3,
  kF6E3M2,
  kU8,
  kI8,
  kF8E5M2,
  kF8E4M3,
  kF8E8M0,
  kF8E4M3Fnuz,
  kF8E5M2Fnuz,
  kI16,
  kU16,
  kF16,
  kBF16,
  kI32,
  kU32,
  kF32,
  kC64,
  kF64,
  kI64,
  kU64
};
std::string_view dtype_name(DType dtype);  // as it stands in a file: F32
std::int64_t dtype_bits(DType dtype);      // of one element

// A tensor whose bytes belong to somebody else: to a Safetensors, or to who writes one.
struct TensorView {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;  // row-major, last dimension fastest; empty: a scalar
  std::span<const std::byte> data;  // may stand at any address: read it with the functions below, never through a cast

  std::int64_t elements() const;
};

std::string shape_text(std::span<const std::int64_t> shape);  // (2, 3)

// A view of the caller's array; std::invalid_argument if it has not the elements of `shape`. T: float, double, int32_t, int64_t.
template <class T>
TensorView tensor_view(std::string name, std::vector<std::int64_t> shape, std::span<const T> values);

// The elements of an F32 or F64 tensor, rounded to T (float, double); std::invalid_argument for another dtype.
template <class T>
std::vector<T> floating_values(const TensorView& tensor);
// The elements of an I64 or I32 tensor; std::invalid_argument for another dtype.
std::vector<std::int64_t> integer_values(const TensorView& tensor);

// A parsed file; owns its bytes.
class Safetensors {
 public:
  // Enforces every rule of the format: a header that fits, UTF-8 JSON without duplicate names, known dtypes, byte counts that equal shape
  // times element size, data covered without overlap or hole. Beyond that, offsets must be multiples of the element size, as today's
  // writers leave them, and a tensor has no other keys than the three. Throws std::invalid_argument whose message names the place
  // (byte of the file, or tensor), the fault and what would be right; the caller puts the file's name before it.
  static Safetensors parse(std::vector<std::byte> bytes);

  Safetensors(Safetensors&&) = default;  // views stay good
  Safetensors& operator=(Safetensors&&) = default;
  Safetensors(const Safetensors&) = delete;
  Safetensors& operator=(const Safetensors&) = delete;

  std::span<const TensorView> tensors() const { return tensors_; }  // in the order of their data
  const TensorView* find(std::string_view name) const;              // nullptr if there is none
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  Safetensors() = default;
  std::vector<std::byte> bytes_;
  std::vector<TensorView> tensors_;
  std::map<std::string, std::string> metadata_;
  std::map<std::string, std::size_t, std::less<>> places_;  // name -> index in tensors_
};

// The bytes of a file: wide elements first, otherwise in the order given, so that every tensor is aligned; data start at a multiple of 8.
// A pure function of its arguments. std::invalid_argument for a duplicate or reserved name, text that is not UTF-8, a byte count that does
// not fit the shape, or a header over the format's 100 MB.
std::vector<std::byte> encode_safetensors(std::span<const TensorView> tensors, const std::map<std::string, std::string>& metadata = {});

}  // namespace vp
