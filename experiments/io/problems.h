// Collects what is wrong in one file, so that a user mends all of it in one go: every problem is counted, the first twenty are shown.
// Also how text from a file is shown in a message. Thread-safety: a Problems belongs to one thread.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "experiments/io/error.h"

namespace vp {

class Problems {
 public:
  static constexpr std::int64_t kShown = 20;
  explicit Problems(std::string name) : name_(std::move(name)) {}

  void add(std::int64_t line, std::string_view reason) { add_at(fmt::format("{}:{}", name_, line), reason); }
  // At a place of another file, or of one without lines.
  void add_at(std::string_view place, std::string_view reason) {
    if (++count_ <= kShown) text_ += fmt::format("{}: {}\n", place, reason);
  }
  void add_unlisted(std::int64_t count) { count_ += count; }  // of which kShown others were added
  bool empty() const { return count_ == 0; }

  // UserError(kInputOutput) with the list and `remedy`, unless the list is empty.
  void throw_if_any(std::string_view remedy) const {
    if (count_ == 0) return;
    const std::string more = count_ > kShown ? fmt::format("... and {} more ({} in all)\n", count_ - kShown, count_) : "";
    throw io_error(text_ + more + std::string(remedy));
  }

 private:
  std::string name_;
  std::string text_;
  std::int64_t count_ = 0;
};

// In quotation marks, control characters as \xNN (a binary file must not write to the terminal), at most 40 bytes of it.
inline std::string quoted_text(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string out = "\"";
  for (const char c : text.substr(0, kLongest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + (text.size() > kLongest ? "...\"" : "\"");
}

}  // namespace vp
