// Looks at the errors a user would see. Thread-safety: none needed.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "experiments/io/error.h"

namespace vp::test {

// The message of the UserError that `call` throws; a test failure, and empty, if it throws none or one with another exit code.
template <class Call>
std::string user_error(ExitCode code, Call call) {
  try {
    call();
  } catch (const UserError& error) {
    EXPECT_EQ(static_cast<int>(error.code()), static_cast<int>(code)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no UserError was thrown";
  return "";
}

// Whether all parts stand in the text.
inline ::testing::AssertionResult has(const std::string& text, std::initializer_list<std::string_view> parts) {
  for (const std::string_view part : parts)
    if (text.find(part) == std::string::npos) return ::testing::AssertionFailure() << "no \"" << part << "\" in: " << text;
  return ::testing::AssertionSuccess();
}

}  // namespace vp::test
