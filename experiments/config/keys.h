// All keys there are, those of every task, cell and optimiser included. Thread-safety: constant after the first call, which any thread may
// make.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "experiments/config/setting.h"

namespace vp {

// Names are compared with each other only so far: the work of finding near ones grows with the square of their length.
inline constexpr std::size_t kMaxSuggestedBytes = 200;

bool is_known_key(std::string_view key);
bool is_integer_key(std::string_view key);
bool is_list_key(std::string_view key);       // of integers or of texts
bool is_text_list_key(std::string_view key);  // of texts, which integers are as well
// The key's default as TOML text; "unset" without one, and where it depends on the task, cell or optimiser.
std::string default_text(std::string_view key);
bool is_key_prefix(std::string_view prefix);  // "init.recurrent" of "init.recurrent.gain"

// "there is no key train.sed; did you mean train.seed?" A key of the right name in another section comes first, then what other libraries
// call so (synonyms.h), then near ones.
[[noreturn]] void fail_unknown_key(std::string_view key, const Origin& origin);

}  // namespace vp
