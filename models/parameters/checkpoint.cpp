#include "models/parameters/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>

#include "models/base/suggest.h"
#include "models/safetensors/header.h"

namespace vp {
namespace {

constexpr std::size_t kShown = 12;  // faults, and tensors of the model, in one message

std::string list_text(std::span<const std::string> items, std::string_view separator) {
  std::string text;
  for (std::size_t i = 0; i < std::min(items.size(), kShown); ++i) text.append(i == 0 ? "" : separator).append(items[i]);
  if (items.size() > kShown) text.append(separator).append("... and " + std::to_string(items.size() - kShown) + " more");
  return text;
}

std::string described(const Tensor& tensor) { return tensor.name + " " + shape_text(tensor_shape(tensor)); }

// What is wrong with the tensor `found` (nullptr: it is not there) as `wanted`; empty if nothing is.
std::string fault_of(const Tensor& wanted, const TensorView* found) {
  if (found == nullptr) return wanted.name + " is missing";
  if (found->dtype != DType::kF32 && found->dtype != DType::kF64)
    return wanted.name + ": expected dtype F32 or F64, got " + std::string(dtype_name(found->dtype));
  const std::vector<std::int64_t> shape = tensor_shape(wanted);
  if (found->shape != shape) return wanted.name + ": expected shape " + shape_text(shape) + ", got " + shape_text(found->shape);
  return "";
}

// What stands in the file and is neither of the model nor one of the others.
std::vector<std::string> unexpected(const Safetensors& file, const ParameterLayout& layout, std::span<const std::string_view> others) {
  std::vector<std::string> known(others.begin(), others.end());
  for (const Tensor* tensor : layout.tensors()) known.push_back(tensor->name);
  std::ranges::sort(known);
  std::vector<std::string> faults;
  for (const TensorView& tensor : file.tensors()) {
    if (std::ranges::binary_search(known, tensor.name)) continue;
    // Enough are shown by then, and each costs a comparison with every name.
    const auto near = faults.size() < kShown ? nearest(tensor.name, known, 1) : std::vector<std::string>();
    faults.push_back(quoted_name(tensor.name) + " is unexpected" + (near.empty() ? "" : " (did you mean " + near[0] + "?)"));
  }
  return faults;
}

// The values of a tensor without a fault; a fault is added if one is lost in T's range.
template <class T>
std::vector<T> values_of(const TensorView& tensor, std::vector<std::string>& faults) {
  std::vector<T> values = floating_values<T>(tensor);
  if (std::is_same_v<T, double> || tensor.dtype == DType::kF32) return values;
  const std::vector<double> stored = floating_values<double>(tensor);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i]) || !std::isfinite(stored[i])) continue;
    faults.push_back(tensor.name + ": element " + std::to_string(i) + " is beyond the range of single precision; use run.precision = f64");
    break;
  }
  return values;
}

}  // namespace

std::vector<std::int64_t> tensor_shape(const Tensor& tensor) {
  if (!tensor.dims.empty()) return tensor.dims;
  return tensor.is_bias ? std::vector{tensor.rows} : std::vector{tensor.rows, tensor.cols};
}

template <class T>
std::vector<TensorView> parameter_views(const ParameterLayout& layout, const T* flat, const std::string& prefix) {
  std::vector<TensorView> views;
  for (const Tensor* tensor : layout.tensors())
    views.push_back(tensor_view(prefix + tensor->name, tensor_shape(*tensor),
                                std::span<const T>(flat + tensor->offset, static_cast<std::size_t>(tensor->size()))));
  return views;
}
template std::vector<TensorView> parameter_views(const ParameterLayout&, const float*, const std::string&);
template std::vector<TensorView> parameter_views(const ParameterLayout&, const double*, const std::string&);

template <class T>
void load_parameters(const Safetensors& file, const ParameterLayout& layout, T* flat, std::span<const std::string_view> others) {
  std::vector<std::string> faults, model;
  std::vector<std::vector<T>> values;
  for (const Tensor* tensor : layout.tensors()) {
    model.push_back(described(*tensor));
    const TensorView* found = file.find(tensor->name);
    const std::string fault = fault_of(*tensor, found);
    if (fault.empty())
      values.push_back(values_of<T>(*found, faults));
    else
      faults.push_back(fault);
  }
  for (std::string& fault : unexpected(file, layout, others)) faults.push_back(std::move(fault));
  if (!faults.empty())
    throw std::invalid_argument("does not fit the model: " + list_text(faults, "; ") + ". The model has " + list_text(model, ", ") +
                                ", each F32 or F64");
  for (std::size_t i = 0; const Tensor* tensor : layout.tensors()) std::ranges::copy(values[i++], flat + tensor->offset);
}
template void load_parameters(const Safetensors&, const ParameterLayout&, float*, std::span<const std::string_view>);
template void load_parameters(const Safetensors&, const ParameterLayout&, double*, std::span<const std::string_view>);

}  // namespace vp
