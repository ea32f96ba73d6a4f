#include "experiments/idx.h"

#include <fmt/format.h>

#include <span>

#include "experiments/error.h"

namespace vp {
namespace {

constexpr std::uint32_t kImages = 0x00000803, kLabels = 0x00000801;  // unsigned bytes, three dimensions and one
constexpr std::size_t kWord = 4;

std::uint32_t big_endian(std::string_view word) {
  std::uint32_t value = 0;
  for (const char c : word.substr(0, kWord)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// Magic number and sizes; returns the data behind the header, which is exactly as long as the sizes say.
std::string_view read_header(std::string_view bytes, const std::string& name, std::uint32_t magic, std::span<std::uint32_t> sizes) {
  const std::size_t header = kWord * (1 + sizes.size());
  if (bytes.size() < header)
    throw io_error(fmt::format("{}: expected an IDX header of {} bytes, got {} bytes; get the file again", name, header, bytes.size()));
  if (const auto got = big_endian(bytes); got != magic)
    throw io_error(fmt::format("{}: expected an IDX file of {} (magic number {:08x}), got {:08x}; check that it is the right file", name,
                               magic == kImages ? "images" : "labels", magic, got));
  // Three sizes of 32 bits do not overflow 128.
  __extension__ unsigned __int128 expected = 1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    sizes[i] = big_endian(bytes.substr(kWord * (1 + i)));
    if (sizes[i] == 0)
      throw io_error(fmt::format("{}: the header says that there is nothing in it (a size of 0); get the file again", name));
    expected *= sizes[i];
  }
  const auto data = bytes.substr(header);
  if (data.size() != expected) {
    std::string product;
    for (const auto size : sizes) product += fmt::format("{}{}", product.empty() ? "" : " x ", size);
    throw io_error(fmt::format("{}: the header promises {} bytes of data, got {}; the file is {}: get it again", name, product, data.size(),
                               data.size() < expected ? "truncated" : "too long"));
  }
  return data;
}

}  // namespace

IdxImages parse_idx_images(std::string_view bytes, const std::string& name) {
  std::uint32_t sizes[3];
  const auto pixels = read_header(bytes, name, kImages, sizes);
  return {sizes[0], sizes[1], sizes[2], pixels};
}

std::string_view parse_idx_labels(std::string_view bytes, const std::string& name, int classes) {
  std::uint32_t sizes[1];
  const auto labels = read_header(bytes, name, kLabels, sizes);
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (const int label = static_cast<unsigned char>(labels[i]); label >= classes)
      throw io_error(fmt::format("{}: label {} is {}, expected at most {}; check the file", name, i, label, classes - 1));
  return labels;
}

}  // namespace vp
