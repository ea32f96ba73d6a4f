// From a TOML file and command-line overrides to the list of runs.
//
// settings -> grid points -> checked Config, one per run. Every message names file:line:column (or "command line: argument"), what is
// wrong, and the nearest valid names. Thread-safety: pure functions of their arguments.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "experiments/config/claim.h"
#include "experiments/config/setting.h"
#include "models/spec/fields.h"
#include "models/spec/spec.h"

namespace vp {

// One run: a point of the grid.
struct Config {
  std::string task_name;
  std::string task_path;
  OptionsHandle task_options;
  RunSpec run;

  void visit_core_fields(FieldVisitor& v);  // task.name, task.path, model.*, init.*, train.*, probe.*, run.*
  void visit_fields(FieldVisitor& v);       // the core fields, then the options of the task, the cell and the optimiser
};

// (key, text) of every field in visit order; unset optionals have empty text. Numbers as format_number().
std::vector<std::pair<std::string, std::string>> field_texts(const Config& config);

// TOML text of the fields that differ from their defaults, one `key = value` a line, in visit order: what the run id is a hash of.
std::string canonical_text(const Config& config);
// "r" and 16 hexadecimal digits: XXH3-64 of canonical_text(). The letter keeps programs from reading ids as numbers (5e99739836822541).
std::string run_id(const Config& config);

// A point of the grid, and its id, made once; what it says cannot change. Wherever a Config is asked for, it is one.
class Run {
 public:
  Run(Config config) : config_(std::move(config)), id_(run_id(config_)) {}  // NOLINT: a configuration is a run
  operator const Config&() const { return config_; }                        // NOLINT: and a run is a configuration
  const Config* operator->() const { return &config_; }
  const std::string& id() const { return id_; }

 private:
  Config config_;
  std::string id_;
};

// What a user should know of the formulas in these runs: where the slope of one jumps, and what it is there. Each once.
std::vector<std::string> activation_notes(std::span<const Run> runs);

// A whole experiment file after overrides.
struct Experiment {
  std::string name;  // of the results directory; [a-z0-9_-], at most 64 characters
  std::string title;
  std::string description;
  std::vector<Run> runs;               // in grid order, equal points once
  std::vector<std::string> grid_keys;  // the keys that vary by an axis, in order of appearance
  std::vector<Claim> claims;
  std::vector<Change> changes;  // of the command line, and of the one that made the file if it is a config.toml
  std::string resolved_toml;    // config.toml of the results: the file's settings after overrides, every default written out
};

// `text` is the TOML, `name` its path for messages. overrides: "key=value", "key=a,b,c" (makes or replaces that axis), "train.seed=0..9" (a
// range); a value in brackets or quotes is one value. `[grid]` maps dotted keys to lists, the product is the sweep; `[[grid]]` may be
// repeated: the sweep is then the products one after the other, for arms that do not share their axes. Axes vary in file order, the last
// one fastest. Errors: UserError(kUsage): TOML syntax, unknown keys, wrong types, values out of range, empty axes, impossible combinations.
Experiment load_experiment(std::string_view text, const std::string& name, std::span<const std::string> overrides);

// All keys with description, default and choices, for `vpoint list` and the README; options of every task, cell and optimiser included.
struct FieldHelp {
  std::string key, type, default_text, description, belongs_to;  // belongs_to: "" (core) or e.g. "task adding"
};
std::vector<FieldHelp> all_fields();

}  // namespace vp
