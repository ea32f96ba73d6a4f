#include "experiments/io/idx.h"

#include <gtest/gtest.h>

#include "tests/experiments/io/idx_bytes.h"
#include "tests/experiments/io/user_error.h"

namespace vp {
namespace {

using test::has;
using test::idx;
using test::idx_images;
using test::idx_labels;

std::string images_message(const std::string& bytes) {
  return test::user_error(ExitCode::kInputOutput, [&] { parse_idx_images(bytes, "i.idx"); });
}
std::string labels_message(const std::string& bytes, int classes = 256) {
  return test::user_error(ExitCode::kInputOutput, [&] { parse_idx_labels(bytes, "l.idx", classes); });
}

TEST(Idx, ReadsSizesAndBytes) {
  const std::string bytes = idx_images(2, 1, 3, std::string_view("\x00\x01\x02\xfd\xfe\xff", 6));
  const IdxImages images = parse_idx_images(bytes, "i.idx");
  EXPECT_EQ(images.count, 2);
  EXPECT_EQ(images.rows, 1);
  EXPECT_EQ(images.cols, 3);
  EXPECT_EQ(images.pixels, std::string_view("\x00\x01\x02\xfd\xfe\xff", 6));
  const std::string labels = idx_labels(3, "\x09\x01\x05");
  EXPECT_EQ(parse_idx_labels(labels, "l.idx", 10), "\x09\x01\x05");
}

TEST(Idx, BigSizesAreReadBigEndian) {
  const std::string bytes = idx_images(1, 300, 257, std::string(300 * 257, 'x'));
  EXPECT_EQ(parse_idx_images(bytes, "i.idx").rows, 300);
  EXPECT_EQ(parse_idx_images(bytes, "i.idx").cols, 257);
}

TEST(Idx, RefusesTruncationAtEveryByteAndBytesTooMany) {
  const std::string bytes = idx_images(2, 2, 2, "12345678");
  EXPECT_TRUE(has(images_message(""), {"i.idx", "is empty"}));
  for (std::size_t size = 1; size < 16; ++size)
    EXPECT_TRUE(has(images_message(bytes.substr(0, size)), {"i.idx", "header of 16 bytes", "got " + std::to_string(size)}));
  for (std::size_t size = 16; size < bytes.size(); ++size)
    EXPECT_TRUE(has(images_message(bytes.substr(0, size)), {"i.idx", "2 x 2 x 2 bytes", "got " + std::to_string(size - 16), "truncated"}));
  EXPECT_TRUE(has(images_message(bytes + "9"), {"got 9", "too long"}));
  EXPECT_TRUE(has(labels_message(idx_labels(3, "12")), {"l.idx", "promises 3 bytes", "got 2"}));
}

TEST(Idx, RefusesTheWrongKindOfFile) {
  EXPECT_TRUE(has(images_message(idx_labels(20, std::string(20, '1'))), {"i.idx", "images", "00000803", "00000801", "a file of labels"}));
  EXPECT_TRUE(has(labels_message(idx_images(1, 2, 2, "1234")), {"l.idx", "labels", "00000801", "00000803", "a file of images"}));
  EXPECT_TRUE(has(images_message(std::string(100, 'x')), {"78787878", "no IDX file"}));
  EXPECT_TRUE(has(images_message("PK\x03\x04 and so on, a zip"), {"zip archive", "unpack"}));
  EXPECT_TRUE(has(images_message("<!DOCTYPE html><html></html>"), {"web page"}));
  EXPECT_TRUE(has(labels_message(idx(0x0c02, {3, 8}, std::string(96, 'x'))), {"32-bit integers", "2"}));  // QMNIST's
}

TEST(Idx, RefusesEmptySets) {
  EXPECT_TRUE(has(images_message(idx_images(0, 28, 28, "")), {"nothing in it"}));
  EXPECT_TRUE(has(images_message(idx_images(5, 28, 0, "")), {"nothing in it"}));
  EXPECT_TRUE(has(labels_message(idx_labels(0, "")), {"nothing in it"}));
}

// 2^32-1 images of 2^31 x 2^31 pixels and such: the product must not wrap to the size that is there.
TEST(Idx, HostileCountsDoNotOverflow) {
  const std::uint32_t all = 0xffffffff, half = 0x80000000;
  EXPECT_TRUE(has(images_message(idx_images(all, all, all, "1234")), {"4294967295 x 4294967295 x 4294967295", "truncated"}));
  EXPECT_TRUE(has(images_message(idx_images(4, half, half, "")), {"truncated"}));  // 2^64: zero in 64 bits
  EXPECT_TRUE(has(images_message(idx_images(half, 2, 1, "")), {"truncated"}));     // 2^32: zero in 32 bits
}

TEST(Idx, RefusesALabelOutOfRange) {
  const std::string labels = idx_labels(3, std::string_view("\x00\x0a\x01", 3));
  EXPECT_TRUE(has(labels_message(labels, 10), {"l.idx", "label 1 is 10", "at most 9"}));
  EXPECT_EQ(parse_idx_labels(labels, "l.idx", 11).size(), 3u);
}

}  // namespace
}  // namespace vp
