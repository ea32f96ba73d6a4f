#include "experiments/io/idx.h"

#include <fmt/format.h>

#include <span>

#include "experiments/io/error.h"

namespace vp {
namespace {

constexpr std::uint32_t kImages = 0x00000803, kLabels = 0x00000801;  // unsigned bytes, three dimensions and one
constexpr std::size_t kWord = 4;

std::uint32_t big_endian(std::string_view word) {
  std::uint32_t value = 0;
  for (const char c : word.substr(0, kWord)) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

// Of bytes that do not begin as they should, with what to do.
std::string what_it_is(std::string_view bytes) {
  const std::uint32_t magic = big_endian(bytes), dimensions = magic & 0xff;
  if (magic == kImages) return "this is a file of images; check that no file has the name of another";
  if (magic == kLabels) return "this is a file of labels; check that no file has the name of another";
  if (bytes.starts_with("PK")) return "this is a zip archive; unpack it";
  if (bytes.starts_with("\x1f\x8b")) return "this is gzip in gzip; unpack it once";
  if (bytes.starts_with("<")) return "this is a web page; get the file itself";
  static constexpr std::string_view kTypes[] = {"unsigned bytes",  "signed bytes", "",       "16-bit integers",
                                                "32-bit integers", "floats",       "doubles"};
  const std::uint32_t type = (magic >> 8) - 8;
  if (dimensions > 0 && type < std::size(kTypes) && !kTypes[type].empty())
    return fmt::format("this is an IDX file of {}, dimensions {}; images are unsigned bytes in 3 dimensions, labels in 1", kTypes[type],
                       dimensions);
  return "this is no IDX file; get it again";
}

// Magic number and sizes; returns the data behind the header, which is exactly as long as the sizes say.
std::string_view read_header(std::string_view bytes, const std::string& name, std::uint32_t magic, std::span<std::uint32_t> sizes) {
  const std::size_t header = kWord * (1 + sizes.size());
  if (bytes.empty()) throw io_error(fmt::format("{}: the file is empty; get it again", name));
  if (bytes.size() >= kWord)
    if (const auto got = big_endian(bytes); got != magic)
      throw io_error(fmt::format("{}: expected an IDX file of {} (magic number {:08x}), got {:08x}: {}", name,
                                 magic == kImages ? "images" : "labels", magic, got, what_it_is(bytes)));
  if (bytes.size() < header)
    throw io_error(fmt::format("{}: expected an IDX header of {} bytes, got {} bytes; the file is truncated: get it again", name, header,
                               bytes.size()));
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
