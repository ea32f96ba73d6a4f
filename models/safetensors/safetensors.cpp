#include "models/safetensors/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <stdexcept>
#include <type_traits>

#include "models/safetensors/header.h"

namespace vp {

static_assert(std::endian::native == std::endian::little, "values are copied as they stand in the file");

namespace {

struct DTypeRow {
  DType dtype;
  std::string_view name;
  std::int64_t bits;
};

constexpr std::array<DTypeRow, 22> kDTypes = {{
    {DType::kBool, "BOOL", 8},
    {DType::kF4, "F4", 4},
    {DType::kF6E2M3, "F6_E2M3", 6},
    {DType::kF6E3M2, "F6_E3M2", 6},
    {DType::kU8, "U8", 8},
    {DType::kI8, "I8", 8},
    {DType::kF8E5M2, "F8_E5M2", 8},
    {DType::kF8E4M3, "F8_E4M3", 8},
    {DType::kF8E8M0, "F8_E8M0", 8},
    {DType::kF8E4M3Fnuz, "F8_E4M3FNUZ", 8},
    {DType::kF8E5M2Fnuz, "F8_E5M2FNUZ", 8},
    {DType::kI16, "I16", 16},
    {DType::kU16, "U16", 16},
    {DType::kF16, "F16", 16},
    {DType::kBF16, "BF16", 16},
    {DType::kI32, "I32", 32},
    {DType::kU32, "U32", 32},
    {DType::kF32, "F32", 32},
    {DType::kC64, "C64", 64},
    {DType::kF64, "F64", 64},
    {DType::kI64, "I64", 64},
    {DType::kU64, "U64", 64},
}};

const DTypeRow& row_of(DType dtype) { return *std::ranges::find(kDTypes, dtype, &DTypeRow::dtype); }

template <class T>
constexpr DType dtype_of();
template <>
constexpr DType dtype_of<float>() {
  return DType::kF32;
}
template <>
constexpr DType dtype_of<double>() {
  return DType::kF64;
}
template <>
constexpr DType dtype_of<std::int32_t>() {
  return DType::kI32;
}
template <>
constexpr DType dtype_of<std::int64_t>() {
  return DType::kI64;
}

// Through memcpy: the bytes may stand at any address.
template <class Stored, class T>
std::vector<T> copy_as(const TensorView& tensor) {
  std::vector<Stored> stored(tensor.data.size() / sizeof(Stored));
  if (!stored.empty()) std::memcpy(stored.data(), tensor.data.data(), tensor.data.size());
  if constexpr (std::is_same_v<Stored, T>)
    return stored;
  else
    return std::vector<T>(stored.begin(), stored.end());
}

[[noreturn]] void fail_dtype(const TensorView& tensor, const std::string& expected) {
  throw std::invalid_argument("tensor " + quoted_name(tensor.name) + ": dtype " + std::string(dtype_name(tensor.dtype)) + "; expected " +
                              expected);
}

// A JSON string; it throws where the text is not UTF-8.
std::string json_text(const std::string& text) {
  try {
    return nlohmann::json(text).dump();
  } catch (const nlohmann::json::exception&) {
    throw std::invalid_argument("[encode_safetensors] " + quoted_name(text) + ": expected UTF-8 text");
  }
}

void check_writable(std::span<const TensorView> tensors) {
  std::set<std::string_view> names;
  for (const TensorView& tensor : tensors) {
    const std::string place = "[encode_safetensors] tensor " + quoted_name(tensor.name) + ": ";
    if (tensor.name == kMetadataKey) throw std::invalid_argument(place + "the name is reserved for metadata");
    if (!names.insert(tensor.name).second) throw std::invalid_argument(place + "the name is given twice; every tensor needs its own");
    const auto bytes = byte_count(tensor.dtype, tensor.shape);
    if (!bytes || *bytes != static_cast<std::int64_t>(tensor.data.size()))
      throw std::invalid_argument(place + "shape " + shape_text(tensor.shape) + " of " + std::string(dtype_name(tensor.dtype)) +
                                  " has not the size of its " + std::to_string(tensor.data.size()) + " bytes");
  }
}

template <class Numbers>
std::string json_array(const Numbers& numbers) {
  std::string text;
  for (const std::int64_t number : numbers) text += (text.empty() ? "" : ",") + std::to_string(number);
  return "[" + text + "]";
}

std::string metadata_json(const std::map<std::string, std::string>& metadata) {
  std::string text;
  for (const auto& [key, value] : metadata) text += (text.empty() ? "" : ",") + json_text(key) + ":" + json_text(value);
  return json_text(std::string(kMetadataKey)) + ":{" + text + "}";
}

// As it stands in the file, padded with spaces.
std::string header_json(std::span<const TensorView* const> order, const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  if (!metadata.empty()) header += metadata_json(metadata);
  std::int64_t begin = 0;
  for (const TensorView* tensor : order) {
    const std::int64_t end = begin + static_cast<std::int64_t>(tensor->data.size());
    if (header.size() > 1) header += ',';
    header += json_text(tensor->name) + R"(:{"dtype":")" + std::string(dtype_name(tensor->dtype)) + R"(","shape":)" +
              json_array(tensor->shape) + R"(,"data_offsets":)" + json_array(std::array{begin, end}) + "}";
    begin = end;
  }
  header += '}';
  header.append((8 - header.size() % 8) % 8, ' ');
  if (header.size() > kMaxHeaderBytes)
    throw std::invalid_argument("[encode_safetensors] the header has " + std::to_string(header.size()) +
                                " bytes; the format allows 100000000: write fewer tensors or less metadata");
  return header;
}

}  // namespace

std::string_view dtype_name(DType dtype) { return row_of(dtype).name; }
std::int64_t dtype_bits(DType dtype) { return row_of(dtype).bits; }

const DType* find_dtype(std::string_view name) {
  const auto it = std::ranges::find(kDTypes, name, &DTypeRow::name);
  return it == kDTypes.end() ? nullptr : &it->dtype;
}

std::string dtype_names() {
  std::string names;
  for (const DTypeRow& row : kDTypes) names += (names.empty() ? "" : ", ") + std::string(row.name);
  return names;
}

std::optional<std::int64_t> byte_count(DType dtype, std::span<const std::int64_t> shape) {
  std::int64_t bits = dtype_bits(dtype);
  for (const std::int64_t size : shape)
    if (size < 0 || __builtin_mul_overflow(bits, size, &bits)) return std::nullopt;
  if (bits % 8 != 0) return std::nullopt;
  return bits / 8;
}

std::string quoted_name(std::string_view name) {
  constexpr std::size_t kLongest = 80;
  const std::string text = nlohmann::json(name.substr(0, kLongest)).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return name.size() > kLongest ? text + "..." : text;
}

std::int64_t TensorView::elements() const { return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>()); }

std::string shape_text(std::span<const std::int64_t> shape) {
  constexpr std::size_t kShown = 8;  // a hostile header has room for millions
  std::string text;
  for (const std::int64_t size : shape.first(std::min(shape.size(), kShown))) text += (text.empty() ? "" : ", ") + std::to_string(size);
  if (shape.size() > kShown) text += ", ... " + std::to_string(shape.size()) + " dimensions";
  return "(" + text + ")";
}

template <class T>
TensorView tensor_view(std::string name, std::vector<std::int64_t> shape, std::span<const T> values) {
  const auto bytes = byte_count(dtype_of<T>(), shape);
  if (!bytes || *bytes != static_cast<std::int64_t>(values.size_bytes()))
    throw std::invalid_argument("[tensor_view] " + quoted_name(name) + ": expected the elements of shape " + shape_text(shape) + ", got " +
                                std::to_string(values.size()));
  return {std::move(name), dtype_of<T>(), std::move(shape), std::as_bytes(values)};
}
template TensorView tensor_view(std::string, std::vector<std::int64_t>, std::span<const float>);
template TensorView tensor_view(std::string, std::vector<std::int64_t>, std::span<const double>);
template TensorView tensor_view(std::string, std::vector<std::int64_t>, std::span<const std::int32_t>);
template TensorView tensor_view(std::string, std::vector<std::int64_t>, std::span<const std::int64_t>);

template <class T>
std::vector<T> floating_values(const TensorView& tensor) {
  if (tensor.dtype == DType::kF32) return copy_as<float, T>(tensor);
  if (tensor.dtype == DType::kF64) return copy_as<double, T>(tensor);
  fail_dtype(tensor, "F32 or F64");
}
template std::vector<float> floating_values(const TensorView&);
template std::vector<double> floating_values(const TensorView&);

std::vector<std::int64_t> integer_values(const TensorView& tensor) {
  if (tensor.dtype == DType::kI64) return copy_as<std::int64_t, std::int64_t>(tensor);
  if (tensor.dtype == DType::kI32) return copy_as<std::int32_t, std::int64_t>(tensor);
  fail_dtype(tensor, "I64 or I32");
}

std::vector<std::byte> encode_safetensors(std::span<const TensorView> tensors, const std::map<std::string, std::string>& metadata) {
  check_writable(tensors);
  std::vector<const TensorView*> order;
  for (const TensorView& tensor : tensors) order.push_back(&tensor);
  std::ranges::stable_sort(order, std::greater<>(), [](const TensorView* tensor) { return dtype_bits(tensor->dtype); });
  const std::string header = header_json(order, metadata);
  const std::uint64_t length = header.size();
  std::vector<std::byte> bytes(sizeof length + header.size());
  std::memcpy(bytes.data(), &length, sizeof length);
  std::memcpy(bytes.data() + sizeof length, header.data(), header.size());
  for (const TensorView* tensor : order) bytes.insert(bytes.end(), tensor->data.begin(), tensor->data.end());
  return bytes;
}

}  // namespace vp
