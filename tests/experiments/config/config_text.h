// Loads experiments from text, and the messages of those that are refused. Thread-safety: none needed.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "experiments/config/config.h"
#include "tests/experiments/io/user_error.h"

namespace vp::test {

inline constexpr const char* kFile = "e.toml";

// Two lines; what follows starts on line 3.
inline constexpr const char* kHead = "name = \"e\"\ntask.name = \"adding\"\n";

inline Experiment load(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return load_experiment(text, kFile, overrides);
}
inline Experiment load_after_head(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return load(kHead + text, overrides);
}

inline std::string load_error(const std::string& text, const std::vector<std::string>& overrides = {}) {
  return user_error(ExitCode::kUsage, [&] { load(text, overrides); });
}

// A text that is refused: the message starts with `start` (the exact place and key) and holds all of `parts`.
struct Refusal {
  std::string text;  // after kHead
  std::string start;
  std::vector<std::string> parts = {};
  std::vector<std::string> overrides = {};
};

inline void expect_refused(const Refusal& refusal) {
  const std::string message = load_error(kHead + refusal.text, refusal.overrides);
  EXPECT_TRUE(message.starts_with(refusal.start))
      << "text: " << refusal.text << "\nmessage: " << message << "\nexpected: " << refusal.start;
  for (const std::string& part : refusal.parts) EXPECT_TRUE(has(message, {part}));
}

// The text of one field of a run.
inline std::string field(const Config& config, std::string_view key) {
  for (const auto& [name, text] : field_texts(config))
    if (name == key) return text;
  return "no field " + std::string(key);
}

// "0.5 7" for keys init.gain and train.seed, a text per run.
inline std::vector<std::string> fields(const Experiment& experiment, const std::vector<std::string>& keys) {
  std::vector<std::string> rows;
  for (const Config& run : experiment.runs) {
    std::string row;
    for (const std::string& key : keys) row += (row.empty() ? "" : " ") + field(run, key);
    rows.push_back(row);
  }
  return rows;
}

}  // namespace vp::test
