// The reader: header length, JSON by events (a tree would keep the last of two equal names silently), then every tensor against the data.
#include <algorithm>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <stdexcept>

#include "models/safetensors/header.h"

namespace vp {
namespace {

constexpr std::size_t kLengthBytes = 8;

[[noreturn]] void fail(const std::string& place, const std::string& message) { throw std::invalid_argument(place + ": " + message); }
[[noreturn]] void fail_at_byte(std::uint64_t byte, const std::string& message) { fail("byte " + std::to_string(byte), message); }

struct Entry {
  std::string name;
  std::optional<DType> dtype;
  std::optional<std::vector<std::int64_t>> shape, offsets;
  std::int64_t begin = 0, end = 0;  // `offsets`, once these are known to be two

  std::string place() const { return "tensor " + quoted_name(name); }
  std::string offsets_text() const { return "[" + std::to_string(begin) + ", " + std::to_string(end) + "]"; }
};

struct Header {
  std::vector<Entry> entries;
  std::map<std::string, std::string> metadata;
};

// Takes the header's JSON event by event. What stands nowhere in a header is refused at its first event, so nesting is bounded by three.
class HeaderReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(Header& header) : header_(header) {}

  bool start_object(std::size_t) override {
    if (level_ == Level::kStart) return go(Level::kRoot);
    if (level_ != Level::kRoot) refuse("an object");
    if (key_ == kMetadataKey) return go(Level::kMetadata);
    header_.entries.push_back({.name = key_, .dtype = {}, .shape = {}, .offsets = {}});
    return go(Level::kTensor);
  }

  bool key(std::string& name) override {
    key_ = name;
    if (level_ == Level::kTensor && name != "dtype" && name != "shape" && name != "data_offsets")
      fail(entry().place(), "unknown key " + quoted_name(name) + "; expected dtype, shape and data_offsets");
    if (level_ == Level::kMetadata && header_.metadata.contains(name))
      fail(std::string(kMetadataKey), quoted_name(name) + " stands there twice; every key may once");
    if (level_ == Level::kRoot && !names_.insert(name).second)
      fail(place_of_key(), "the name stands there twice; every tensor needs its own");
    return true;
  }

  bool end_object() override {
    if (level_ == Level::kTensor) check_complete();
    return go(level_ == Level::kRoot ? Level::kEnd : Level::kRoot);
  }

  bool string(std::string& text) override {
    if (level_ == Level::kMetadata) {
      header_.metadata[key_] = text;
      return true;
    }
    if (level_ != Level::kTensor || key_ != "dtype") refuse("a text");
    const DType* dtype = find_dtype(text);
    if (dtype == nullptr) fail(entry().place(), "unknown dtype " + quoted_name(text) + "; known: " + dtype_names());
    if (entry().dtype) fail_twice();
    entry().dtype = *dtype;
    return true;
  }

  bool start_array(std::size_t) override {
    if (level_ != Level::kTensor || key_ == "dtype") refuse("a list");
    auto& list = key_ == "shape" ? entry().shape : entry().offsets;
    if (list) fail_twice();
    list.emplace();
    return go(Level::kNumbers);
  }

  bool end_array() override { return go(Level::kTensor); }

  bool number_unsigned(number_unsigned_t value) override {
    if (level_ != Level::kNumbers) refuse("a number");
    if (value > static_cast<number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) refuse("a number beyond 2^63 - 1");
    (key_ == "shape" ? entry().shape : entry().offsets)->push_back(static_cast<std::int64_t>(value));
    return true;
  }

  bool number_integer(number_integer_t) override { refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { refuse("a number that is not a whole number below 2^63"); }
  bool boolean(bool) override { refuse("true or false"); }
  bool null() override { refuse("null"); }
  bool binary(binary_t&) override { refuse("binary data"); }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail_at_byte(kLengthBytes + position - 1, "the header is not valid JSON (UTF-8) here; the file is damaged, get it again");
  }

 private:
  enum class Level : std::uint8_t { kStart, kRoot, kTensor, kNumbers, kMetadata, kEnd };

  bool go(Level level) {
    level_ = level;
    return true;
  }
  Entry& entry() { return header_.entries.back(); }
  std::string place_of_key() const { return key_ == kMetadataKey ? key_ : "tensor " + quoted_name(key_); }

  [[noreturn]] void fail_twice() { fail(entry().place(), key_ + " stands there twice; every key may once"); }

  // An event where the format has none of its kind.
  [[noreturn]] void refuse(const std::string& what) {
    if (level_ == Level::kRoot) fail(place_of_key(), "expected an object, got " + what);
    if (level_ == Level::kMetadata) fail(std::string(kMetadataKey), quoted_name(key_) + ": expected a text, got " + what);
    if (level_ == Level::kTensor)
      fail(entry().place(), key_ + (key_ == "dtype" ? ": expected a text, got " : ": expected a list, got ") + what);
    if (level_ == Level::kNumbers) fail(entry().place(), key_ + ": expected whole numbers from 0, got " + what);
    fail_at_byte(kLengthBytes, "expected an object, got " + what);
  }

  void check_complete() {
    const Entry& e = entry();
    const char* missing = !e.dtype ? "dtype" : !e.shape ? "shape" : !e.offsets ? "data_offsets" : nullptr;
    if (missing != nullptr) fail(e.place(), std::string("has no ") + missing + "; expected dtype, shape and data_offsets");
    if (e.offsets->size() != 2)
      fail(e.place(), "data_offsets: expected 2 numbers, begin and end, got " + std::to_string(e.offsets->size()));
    entry().begin = (*e.offsets)[0], entry().end = (*e.offsets)[1];
  }

  Header& header_;
  std::set<std::string> names_;
  Level level_ = Level::kStart;
  std::string key_;
};

std::uint64_t header_length(std::span<const std::byte> bytes) {
  if (bytes.size() < kLengthBytes)
    fail_at_byte(bytes.size(), "the file ends within the 8 bytes of the header's length; it is truncated or no safetensors file");
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes)
    fail_at_byte(0, "a header of " + std::to_string(length) + " bytes; the format allows " + std::to_string(kMaxHeaderBytes) +
                        ": not a safetensors file (torch.save writes another format; safetensors.torch.save_file writes this one)");
  if (length > bytes.size() - kLengthBytes)
    fail_at_byte(bytes.size(),
                 "the file ends within its header, which has " + std::to_string(length) + " bytes from byte 8 on; it is truncated");
  return length;
}

Header read_header(std::span<const std::byte> text) {
  if (text.empty() || text.front() != std::byte{'{'}) fail_at_byte(kLengthBytes, "the header must begin with {; no safetensors file");
  const auto nul = std::ranges::find(text, std::byte{0});  // the JSON library takes it for the end of the text
  if (nul != text.end())
    fail_at_byte(kLengthBytes + static_cast<std::uint64_t>(nul - text.begin()),
                 "the header is not valid JSON: a zero byte; the file is damaged");
  Header header;
  HeaderReader reader(header);
  const char* begin = reinterpret_cast<const char*>(text.data());
  nlohmann::json::sax_parse(begin, begin + text.size(), &reader);
  return header;
}

// Of one tensor alone: its place within `size` bytes of data, and its byte count.
void check_entry(const Entry& e, std::int64_t size) {
  const std::string offsets = "data_offsets " + e.offsets_text();
  if (e.begin > e.end) fail(e.place(), offsets + ": the end lies before the begin");
  if (e.end > size)
    fail(e.place(), offsets + " go beyond the file's " + std::to_string(size) + " bytes of data; it is truncated or damaged");
  const std::int64_t held = e.end - e.begin, bits = dtype_bits(*e.dtype);
  const std::string what = std::string(dtype_name(*e.dtype)) + " of shape " + shape_text(*e.shape);
  const auto bytes = byte_count(*e.dtype, *e.shape);
  if (!bytes) fail(e.place(), what + " has no size that fits: it overflows, or does not fill whole bytes");
  if (*bytes != held) fail(e.place(), what + " has " + std::to_string(*bytes) + " bytes, but " + offsets + " hold " + std::to_string(held));
  if (bits >= 8 && e.begin % (bits / 8) != 0)
    fail(e.place(), offsets + ": unaligned, expected a begin that is a multiple of " + std::to_string(bits / 8) +
                        "; write the file again with a current safetensors library");
}

// The entries, sorted by place, must cover `size` bytes of data without overlap and hole.
void check_cover(std::span<const Entry> entries, std::int64_t size) {
  std::int64_t covered = 0;
  const Entry* last = nullptr;
  for (const Entry& e : entries) {
    if (e.begin < covered)
      fail(e.place(), "data_offsets " + e.offsets_text() + " overlap those of " + last->place() + ", " + last->offsets_text());
    if (e.begin > covered)
      fail(e.place(), "data_offsets " + e.offsets_text() + ": the " + std::to_string(e.begin - covered) +
                          " bytes of data before it belong to no tensor; the format allows no holes");
    covered = e.end, last = &e;
  }
  if (covered != size)
    fail("data", "the last " + std::to_string(size - covered) + " of " + std::to_string(size) +
                     " bytes belong to no tensor; the file is damaged, or something was added to it");
}

}  // namespace

Safetensors Safetensors::parse(std::vector<std::byte> bytes) {
  Safetensors file;
  file.bytes_ = std::move(bytes);
  const std::span<const std::byte> all(file.bytes_);
  const std::uint64_t length = header_length(all);
  Header header = read_header(all.subspan(kLengthBytes, length));
  const auto data = all.subspan(kLengthBytes + length);
  const auto size = static_cast<std::int64_t>(data.size());
  for (const Entry& e : header.entries) check_entry(e, size);
  std::ranges::stable_sort(header.entries, {}, [](const Entry& e) { return std::pair(e.begin, e.end); });
  check_cover(header.entries, size);
  for (Entry& e : header.entries) {
    const auto part = data.subspan(static_cast<std::size_t>(e.begin), static_cast<std::size_t>(e.end - e.begin));
    file.places_.emplace(e.name, file.tensors_.size());
    file.tensors_.push_back({std::move(e.name), *e.dtype, std::move(*e.shape), part});
  }
  file.metadata_ = std::move(header.metadata);
  return file;
}

const TensorView* Safetensors::find(std::string_view name) const {
  const auto it = places_.find(name);
  return it == places_.end() ? nullptr : &tensors_[it->second];
}

}  // namespace vp
