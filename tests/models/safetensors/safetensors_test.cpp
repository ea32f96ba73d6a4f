// The file format: what is written reads back, what breaks a rule is refused by name, and no damage crashes the reader.
#include "models/safetensors/safetensors.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cstring>
#include <random>
#include <stdexcept>

namespace vp::test {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

// A file with this header, unpadded, and `size` bytes of data: 0, 1, 2, ...
Bytes file_of(const std::string& header, std::size_t size) {
  const auto length = std::bit_cast<std::array<std::byte, 8>>(static_cast<std::uint64_t>(header.size()));
  Bytes file(length.begin(), length.end());
  const Bytes text = bytes_of(header);
  file.insert(file.end(), text.begin(), text.end());
  for (std::size_t i = 0; i < size; ++i) file.push_back(static_cast<std::byte>(i));
  return file;
}

// Why a file is refused; empty if it is not.
std::string refusal(Bytes file) {
  try {
    Safetensors::parse(std::move(file));
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "";
}

::testing::AssertionResult refused(const std::string& header, std::size_t size, std::initializer_list<std::string_view> parts) {
  const std::string message = refusal(file_of(header, size));
  if (message.empty()) return ::testing::AssertionFailure() << "not refused: " << header;
  for (const std::string_view part : parts)
    if (message.find(part) == std::string::npos) return ::testing::AssertionFailure() << "no \"" << part << "\" in: " << message;
  return ::testing::AssertionSuccess();
}

const std::vector<float> kFloats = {1.5F, -2.0F, 0.0F, 3e-39F, 1e30F, -0.0F};
const std::vector<double> kDoubles = {1e-300, 2.0};
const std::vector<std::int64_t> kIntegers = {-5, std::int64_t{1} << 62, 7};
const std::vector<std::int32_t> kSmallIntegers = {-5, 9};

// Several dtypes, a scalar, an empty tensor, a name that JSON must escape, metadata.
Bytes sample_file() {
  const std::vector<TensorView> tensors = {
      tensor_view<float>("weight", {2, 3}, kFloats),
      tensor_view<std::int32_t>("odd \"name\"\n\xc3\xa9", {2}, kSmallIntegers),
      tensor_view<std::int64_t>("classes", {3, 1}, kIntegers),
      tensor_view<double>("scale", {}, std::span(kDoubles).first(1)),
      tensor_view<float>("none", {0, 5}, {}),
      {"bytes", DType::kU8, {3}, std::as_bytes(std::span(kIntegers)).first(3)},
  };
  return encode_safetensors(tensors, {{"format", "pt"}, {"note", "two\nlines \xe2\x82\xac"}});
}

std::uint64_t length_of(const Bytes& file) {
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), 8);
  return length;
}

TEST(Safetensors, WhatIsWrittenReadsBack) {
  const Safetensors file = Safetensors::parse(sample_file());
  ASSERT_EQ(file.tensors().size(), 6u);
  ASSERT_NE(file.find("weight"), nullptr);
  EXPECT_EQ(file.find("weight")->shape, (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(file.find("weight")->dtype, DType::kF32);
  const std::vector<float> floats = floating_values<float>(*file.find("weight"));
  ASSERT_EQ(floats.size(), 6u);
  EXPECT_EQ(std::memcmp(floats.data(), kFloats.data(), 24), 0);  // bit by bit: -0 and denormals too
  EXPECT_EQ(floating_values<double>(*file.find("weight")), std::vector<double>(kFloats.begin(), kFloats.end()));
  EXPECT_EQ(floating_values<double>(*file.find("scale")), std::vector<double>{1e-300});
  EXPECT_EQ(file.find("scale")->elements(), 1);
  EXPECT_EQ(file.find("none")->elements(), 0);
  EXPECT_TRUE(floating_values<float>(*file.find("none")).empty());
  EXPECT_EQ(integer_values(*file.find("classes")), kIntegers);
  EXPECT_EQ(integer_values(*file.find("odd \"name\"\n\xc3\xa9")), (std::vector<std::int64_t>{-5, 9}));
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}, {"note", "two\nlines \xe2\x82\xac"}}));
  EXPECT_EQ(file.find("weigh"), nullptr);
}

TEST(Safetensors, ViewsStayGoodWhenTheFileMoves) {
  Safetensors file = Safetensors::parse(sample_file());
  const std::byte* data = file.find("weight")->data.data();
  const Safetensors moved = std::move(file);
  EXPECT_EQ(moved.find("weight")->data.data(), data);
  EXPECT_EQ(floating_values<float>(*moved.find("weight")).at(1), -2.0F);
}

TEST(Safetensors, WriterAlignsDataAndTensors) {
  const Bytes bytes = sample_file();
  EXPECT_EQ(length_of(bytes) % 8, 0u);
  const Safetensors file = Safetensors::parse(bytes);
  std::int64_t bits = 64;
  for (const TensorView& tensor : file.tensors()) {
    EXPECT_LE(dtype_bits(tensor.dtype), bits) << tensor.name;
    bits = dtype_bits(tensor.dtype);
  }
  EXPECT_EQ(file.tensors()[0].name, "classes");  // of equal width, in the order given
  EXPECT_EQ(file.tensors()[1].name, "scale");
  EXPECT_EQ(bytes, sample_file());
}

TEST(Safetensors, NothingAtAllIsAFile) {
  const Bytes bytes = encode_safetensors({});
  EXPECT_EQ(bytes.size(), 16u);
  EXPECT_TRUE(Safetensors::parse(bytes).tensors().empty());
}

// Written by another hand: unpadded header, white space, keys in another order, tensors not in the order of their data.
TEST(Safetensors, ReadsHeadersOfOtherWriters) {
  const Safetensors file = Safetensors::parse(
      file_of("{ \"b\": {\"data_offsets\":[4,8], \"shape\":[1], \"dtype\":\"I32\"},\"\\u0061\" :{\"dtype\":\"BF16\",\"shape\":[2],"
              "\"data_offsets\":[0,4]} , \"e\":{\"dtype\":\"F8_E4M3\",\"shape\":[0],\"data_offsets\":[4,4]}}   ",
              8));
  ASSERT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.tensors()[0].name, "a");
  EXPECT_EQ(file.tensors()[0].dtype, DType::kBF16);
  EXPECT_EQ(file.tensors()[1].name, "e");
  EXPECT_EQ(integer_values(*file.find("b")), std::vector<std::int64_t>{0x07060504});
  EXPECT_THROW(floating_values<float>(*file.find("a")), std::invalid_argument);
  EXPECT_THROW(integer_values(*file.find("a")), std::invalid_argument);
}

TEST(Safetensors, ReadsValuesAtAnyAddress) {
  for (std::size_t padding = 0; padding < 8; ++padding) {
    const Safetensors file =
        Safetensors::parse(file_of("{\"x\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}" + std::string(padding, ' '), 8));
    EXPECT_EQ(std::bit_cast<std::uint64_t>(floating_values<double>(*file.find("x")).at(0)), 0x0706050403020100u);
  }
}

TEST(Safetensors, EveryDtypeOfTheFormatReads) {
  const std::vector<std::pair<std::string, int>> bits = {
      {"BOOL", 8}, {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},   {"F8_E5M2", 8}, {"F8_E4M3", 8},
      {"I16", 16}, {"F8_E8M0", 8}, {"U16", 16},    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F16", 16}, {"BF16", 16},   {"I32", 32},
      {"U32", 32}, {"F32", 32},    {"C64", 64},    {"F64", 64},        {"I64", 64},        {"U64", 64},
  };
  for (const auto& [name, width] : bits) {
    const auto file = [&, name = name](int bytes) {
      return file_of("{\"x\":{\"dtype\":\"" + name + "\",\"shape\":[4],\"data_offsets\":[0," + std::to_string(bytes) + "]}}",
                     static_cast<std::size_t>(bytes));
    };
    const int right = 4 * width / 8;
    for (const int bytes : {right - 1, right + 1}) EXPECT_NE(refusal(file(bytes)), "") << name;
    EXPECT_EQ(dtype_name(Safetensors::parse(file(right)).tensors()[0].dtype), name);
  }
}

std::string tensor_json(const std::string& name, const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

TEST(Safetensors, RefusesTensorsThatDoNotFitTheirData) {
  const auto one = [](const std::string& dtype, const std::string& shape, const std::string& offsets) {
    return "{" + tensor_json("w", dtype, shape, offsets) + "}";
  };
  EXPECT_EQ(refusal(file_of(one("F32", "[2]", "[0,8]"), 8)), "");
  EXPECT_TRUE(refused(one("F32", "[3]", "[0,8]"), 8, {"tensor \"w\"", "F32 of shape (3) has 12 bytes", "[0, 8] hold 8"}));
  EXPECT_TRUE(refused(one("F64", "[2]", "[0,8]"), 8, {"tensor \"w\"", "F64 of shape (2) has 16 bytes"}));
  EXPECT_TRUE(refused(one("F33", "[2]", "[0,8]"), 8, {"tensor \"w\"", "unknown dtype \"F33\"", "F32, "}));
  EXPECT_TRUE(refused(one("F32", "[2]", "[0,16]"), 8, {"tensor \"w\"", "[0, 16]", "beyond", "8 bytes of data"}));
  EXPECT_TRUE(refused(one("F32", "[2]", "[8,0]"), 8, {"tensor \"w\"", "[8, 0]", "end lies before the begin"}));
  EXPECT_TRUE(refused(one("F32", "[2]", "[9223372036854775800,9223372036854775807]"), 8, {"tensor \"w\"", "beyond"}));
  EXPECT_TRUE(refused(one("F32", "[4611686018427387904,2]", "[0,8]"), 8, {"tensor \"w\"", "overflows"}));
  EXPECT_TRUE(refused(one("F32", "[2305843009213693952,8]", "[0,0]"), 0, {"tensor \"w\"", "overflows"}));  // 2^66 bytes: 0 if it wrapped
  EXPECT_TRUE(refused(one("F32", "[18446744073709551616]", "[0,8]"), 8, {"tensor \"w\"", "shape", "whole number"}));
  EXPECT_TRUE(refused(one("F32", "[9223372036854775808]", "[0,8]"), 8, {"tensor \"w\"", "shape", "2^63"}));
  EXPECT_TRUE(refused(one("F32", "[-2]", "[0,8]"), 8, {"tensor \"w\"", "shape", "negative"}));
  EXPECT_TRUE(refused(one("F32", "[2.0]", "[0,8]"), 8, {"tensor \"w\"", "shape", "whole number"}));
  EXPECT_TRUE(refused(one("F32", "[[2]]", "[0,8]"), 8, {"tensor \"w\"", "shape", "a list"}));
  EXPECT_TRUE(refused(one("F32", "2", "[0,8]"), 8, {"tensor \"w\"", "shape", "expected a list"}));
  EXPECT_TRUE(refused(one("F32", "null", "[0,8]"), 8, {"tensor \"w\"", "shape", "null"}));
  EXPECT_TRUE(refused(one("F32", "[2]", "[0,8,8]"), 8, {"tensor \"w\"", "data_offsets", "expected 2 numbers", "got 3"}));
  std::string many = "[2";
  for (int i = 0; i < 100'000; ++i) many += ",1";
  EXPECT_TRUE(refused(one("F32", many + "]", "[0,4]"), 4, {"F32 of shape (2, 1, 1, 1, 1, 1, 1, 1, ... 100001 dimensions) has 8 bytes"}));
  EXPECT_TRUE(refused(one("F4", "[3]", "[0,1]"), 1, {"tensor \"w\"", "whole bytes"}));
}

TEST(Safetensors, RefusesOverlapHolesAndUnalignedOffsets) {
  const auto two = [](const std::string& a, const std::string& b) {
    return "{" + tensor_json("a", "F32", "[2]", a) + "," + tensor_json("b", "F32", "[2]", b) + "}";
  };
  EXPECT_EQ(refusal(file_of(two("[8,16]", "[0,8]"), 16)), "");
  EXPECT_TRUE(refused(two("[0,8]", "[4,12]"), 12, {"tensor \"b\"", "[4, 12] overlap", "tensor \"a\", [0, 8]"}));
  EXPECT_TRUE(refused(two("[0,8]", "[0,8]"), 8, {"tensor \"b\"", "overlap"}));
  EXPECT_TRUE(refused(two("[0,8]", "[12,20]"), 20, {"tensor \"b\"", "[12, 20]", "4 bytes", "no holes"}));
  EXPECT_TRUE(refused(two("[4,12]", "[12,20]"), 20, {"tensor \"a\"", "4 bytes", "no holes"}));
  EXPECT_TRUE(refused(two("[0,8]", "[8,16]"), 17, {"the last 1 of 17 bytes"}));
  EXPECT_TRUE(refused(two("[0,8]", "[8,16]"), 15, {"tensor \"b\"", "beyond"}));
  EXPECT_TRUE(refused("{" + tensor_json("a", "U8", "[3]", "[0,3]") + "," + tensor_json("b", "F32", "[1]", "[3,7]") + "}", 7,
                      {"tensor \"b\"", "[3, 7]", "unaligned", "multiple of 4"}));
}

TEST(Safetensors, RefusesDuplicateNamesAndKeys) {
  const std::string w = tensor_json("w", "F32", "[1]", "[0,4]");
  EXPECT_TRUE(refused("{" + w + "," + w + "}", 4, {"tensor \"w\"", "twice"}));
  EXPECT_TRUE(refused("{" + w + "," + tensor_json("\\u0077", "F32", "[0]", "[0,0]") + "}", 4, {"tensor \"w\"", "twice"}));
  EXPECT_TRUE(refused("{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4, {"dtype", "twice"}));
  EXPECT_TRUE(refused("{\"w\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4, {"shape", "twice"}));
  EXPECT_TRUE(refused("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}," + w + "}", 4, {"__metadata__", "\"k\"", "twice"}));
  EXPECT_TRUE(refused("{\"__metadata__\":{},\"__metadata__\":{}," + w + "}", 4, {"__metadata__", "twice"}));
}

TEST(Safetensors, RefusesWhatIsNoHeader) {
  EXPECT_TRUE(refused("", 0, {"byte 8", "begin with {"}));
  EXPECT_TRUE(refused(" {}", 0, {"byte 8", "begin with {"}));
  EXPECT_TRUE(refused("[]", 0, {"byte 8", "begin with {"}));
  EXPECT_TRUE(refused("{\"a\":3}", 0, {"tensor \"a\"", "expected an object, got a number"}));
  EXPECT_TRUE(refused("{\"a\":[]}", 0, {"tensor \"a\"", "expected an object, got a list"}));
  EXPECT_TRUE(refused("{\"a\":{}}", 0, {"tensor \"a\"", "has no dtype"}));
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":\"F32\",\"shape\":[0]}}", 0, {"tensor \"a\"", "has no data_offsets"}));
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":7}}", 0, {"tensor \"a\"", "dtype: expected a text"}));
  EXPECT_TRUE(refused("{\"a\":{\"dtypes\":\"F32\"}}", 0, {"tensor \"a\"", "unknown key \"dtypes\""}));
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":{\"x\":1}}}", 0, {"tensor \"a\"", "got an object"}));
  EXPECT_TRUE(refused("{\"__metadata__\":{\"k\":1}}", 0, {"__metadata__", "\"k\"", "expected a text, got a number"}));
  EXPECT_TRUE(refused("{\"__metadata__\":null}", 0, {"__metadata__", "expected an object, got null"}));
  EXPECT_TRUE(refused("{\"a\":{\"dtype\":\"F32\",}", 0, {"byte 28", "JSON"}));
  EXPECT_TRUE(refused("{} {}", 0, {"byte 11", "JSON"}));
  EXPECT_TRUE(refused("{}" + std::string(3, '\0'), 0, {"byte 10", "zero byte"}));
  EXPECT_TRUE(refused("{\"\xff\":{}}", 0, {"byte 10", "JSON"}));
  EXPECT_TRUE(refused("{\"\x1b[2J\":3}", 0, {"JSON"}));
  EXPECT_TRUE(refused("{\"\\u001b[2J\":3}", 0, {"tensor \"\\u001b[2J\""}));  // no control character reaches the terminal
  EXPECT_TRUE(refused("{\"" + std::string(5000, 'n') + "\":3}", 0, {"nnn\"..."}));
  EXPECT_LT(refusal(file_of("{\"" + std::string(5000, 'n') + "\":3}", 0)).size(), 200u);
  EXPECT_TRUE(refused("{\"a\":" + std::string(1'000'000, '['), 0, {"tensor \"a\""}));
  EXPECT_TRUE(refused("{\"a\":{\"shape\":" + std::string(1'000'000, '['), 0, {"tensor \"a\""}));
}

TEST(Safetensors, RefusesHeaderLengthsThatCannotBe) {
  const auto with_length = [](std::uint64_t length) {
    Bytes file = sample_file();
    std::memcpy(file.data(), &length, 8);
    return refusal(file);
  };
  EXPECT_TRUE(with_length(std::uint64_t{1} << 63).starts_with("byte 0: a header of 9223372036854775808 bytes"));
  EXPECT_TRUE(with_length(~std::uint64_t{0}).starts_with("byte 0: a header of 18446744073709551615 bytes"));
  EXPECT_TRUE(with_length(100'000'001).starts_with("byte 0: "));
  EXPECT_NE(with_length(100'000'000).find("ends within its header"), std::string::npos);
  EXPECT_NE(with_length(sample_file().size() - 7).find("ends within its header"), std::string::npos);
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const Bytes whole = sample_file();
  ASSERT_GT(whole.size(), 384u);
  for (std::size_t size = 0; size < whole.size(); ++size)  // at every byte, 64-byte boundaries among them
    EXPECT_NE(refusal(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))), "") << size;
}

// A refusal or a valid read; what is read lies within the file.
TEST(Safetensors, SurvivesRandomByteFlipsInTheHeader) {
  const Bytes whole = sample_file();
  const std::size_t header = 8 + length_of(whole);
  int read = 0, refused_count = 0;
  for (unsigned seed = 0; seed < 10'000; ++seed) {
    std::mt19937 random(seed);
    Bytes flipped = whole;
    for (unsigned flips = 1 + random() % 3; flips > 0; --flips) flipped[random() % header] ^= static_cast<std::byte>(1 + random() % 255);
    try {
      const Safetensors file = Safetensors::parse(flipped);
      unsigned sum = 0;
      for (const TensorView& tensor : file.tensors())
        for (const std::byte b : tensor.data) sum += static_cast<unsigned>(b);
      EXPECT_GT(sum, 0u) << "seed " << seed;
      ++read;
    } catch (const std::invalid_argument& error) {
      EXPECT_GT(std::string_view(error.what()).size(), 10u) << "seed " << seed;
      ++refused_count;
    }
  }
  EXPECT_GT(read, 100);  // flips within names and metadata are none of the format's business
  EXPECT_GT(refused_count, 1000);
}

TEST(SafetensorsWriter, RefusesWhatCouldNotBeReadBack) {
  const auto encode = [](const std::vector<TensorView>& tensors, const std::map<std::string, std::string>& metadata = {}) {
    try {
      encode_safetensors(tensors, metadata);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const TensorView a = tensor_view<float>("a", {6}, kFloats);
  EXPECT_EQ(encode({a}), "");
  EXPECT_NE(encode({a, a}).find("given twice"), std::string::npos);
  EXPECT_NE(encode({{"__metadata__", DType::kF32, {6}, a.data}}).find("reserved"), std::string::npos);
  EXPECT_NE(encode({{"b", DType::kF32, {5}, a.data}}).find("(5)"), std::string::npos);
  EXPECT_NE(encode({{"b", DType::kF32, {-6}, a.data}}).find("(-6)"), std::string::npos);
  EXPECT_NE(encode({{"\xff", DType::kF32, {6}, a.data}}).find("UTF-8"), std::string::npos);
  EXPECT_NE(encode({a}, {{"k", "\xff"}}).find("UTF-8"), std::string::npos);
  EXPECT_NE(encode({}, {{"k", std::string(100'000'001, ' ')}}).find("100000000"), std::string::npos);
  EXPECT_THROW(tensor_view<float>("b", {7}, kFloats), std::invalid_argument);
}

}  // namespace
}  // namespace vp::test
