// Faults a user can mend. Each carries what is wrong, where (file:line:column), and what would be right; the command line prints it and
// exits with the code. Nothing else is printed for it.
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <string_view>

namespace vp {

enum class ExitCode : int {
  kGood = 0,
  kFailed = 1,        // a run failed, or a claim does anything but hold
  kUsage = 2,         // bad usage or configuration
  kInputOutput = 3,   // a file cannot be read or written, or does not hold what it should
  kInterrupted = 75,  // resumable
};

// What they mean, for `vpoint list exit_codes` and the documentation.
struct ExitMeaning {
  ExitCode code;
  std::string_view meaning;
};
inline constexpr std::array kExitMeanings = {
    ExitMeaning{ExitCode::kGood, "all is well; of `check`: every claim holds"},
    ExitMeaning{ExitCode::kFailed, "a run failed, a check failed, or a claim does anything but hold"},
    ExitMeaning{ExitCode::kUsage, "the command line or the experiment file is wrong"},
    ExitMeaning{ExitCode::kInputOutput, "a file cannot be read or written, or does not hold what it should"},
    ExitMeaning{ExitCode::kInterrupted, "interrupted, or runs are missing; the same command goes on"},
};

class UserError : public std::runtime_error {
 public:
  UserError(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

inline UserError usage_error(const std::string& message) { return UserError(ExitCode::kUsage, message); }
inline UserError io_error(const std::string& message) { return UserError(ExitCode::kInputOutput, message); }

}  // namespace vp
