// Which updates something is done at: before the first, after the last, and every so many between. Thread-safety: one thread.
#pragma once

#include <cstdint>

namespace vp {

class Schedule {
 public:
  explicit Schedule(std::int64_t updates) : updates_(updates) {}

  void begin(std::int64_t update) { update_ = update, last_ = update == updates_; }
  void end_early() { last_ = true; }  // the update under way turns out to be the last
  std::int64_t update() const { return update_; }
  bool is_first() const { return update_ == 0; }
  bool is_last() const { return last_; }
  // every: 0: at the first and the last only.
  bool is_due(std::int64_t every) const { return is_first() || is_last() || (every > 0 && update_ % every == 0); }
  // How often that is in a run that does not end early, at the most.
  std::int64_t times(std::int64_t every) const { return 2 + (every > 0 ? updates_ / every : 0); }

 private:
  std::int64_t updates_, update_ = 0;
  bool last_ = false;
};

}  // namespace vp
