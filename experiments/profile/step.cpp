#include "experiments/profile/step.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <system_error>

#include "experiments/io/error.h"
#include "kernels/activation/activations.h"
#include "models/base/suggest.h"
#include "models/cells/cell_list.h"
#include "models/spec/activation_choice.h"
#include "models/verify/cell_variants.h"

namespace vp {
namespace {

constexpr std::int64_t kLargest = 1 << 20;

const std::array<StepShape, 12> kGoals = {{
    {.cell = "lstm", .steps = 100, .rows = 64, .hidden = 32, .inputs = 32},
    {.cell = "lstm", .steps = 100, .rows = 64, .hidden = 64, .inputs = 64},
    {.cell = "lstm", .steps = 28, .rows = 128, .hidden = 128, .inputs = 28},
    {.cell = "lstm", .steps = 100, .rows = 64, .hidden = 128, .inputs = 2},
    {.cell = "lstm", .steps = 100, .rows = 64, .hidden = 256, .inputs = 256},
    {.cell = "lstm", .steps = 100, .rows = 64, .hidden = 512, .inputs = 512},
    {.cell = "rnn", .steps = 50, .rows = 20, .hidden = 50, .inputs = 6},
    {.cell = "rnn", .steps = 100, .rows = 64, .hidden = 128, .inputs = 2},
    {.cell = "gru", .steps = 100, .rows = 64, .hidden = 128, .inputs = 2},
    {.cell = "mlp", .steps = 1, .rows = 64, .hidden = 256, .inputs = 256, .layers = 30},
    {.cell = "cnn", .steps = 1, .rows = 64, .hidden = 8, .inputs = 28, .activation = "relu"},
    {.cell = "dense", .steps = 1, .rows = 64, .hidden = 256, .inputs = 256},
}};

constexpr std::array<std::string_view, 3> kWithoutTime = {"mlp", "cnn", "dense"};

bool has_time(const StepShape& s) { return std::ranges::find(kWithoutTime, s.cell) == kWithoutTime.end(); }

std::vector<std::string> names_of_cells() {
  std::vector<std::string> names;
  for (const CellVariant& cell : cell_variants()) names.push_back(cell.name);
  for (const std::string_view name : kWithoutTime) names.emplace_back(name);
  return names;
}

[[noreturn]] void fail(const std::string& text, const std::string& what) {
  throw usage_error(fmt::format("--step {}: {}; expected, for example, lstm:T=100,B=64,H=128,I=2", text, what));
}

std::int64_t parse_size(const std::string& text, std::string_view key, std::string_view value) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size() || number < 1 || number > kLargest)
    fail(text, fmt::format("{}={}: expected a whole number from 1 to {}", key, value, kLargest));
  return number;
}

void set_activation(StepShape& shape, const std::string& text, std::string_view value) {
  std::vector<std::string> names;
  for (const Activation& f : activations()) names.emplace_back(f.name);
  if (const auto problem = custom_activation_problem(value)) {
    if (!problem->empty()) fail(text, *problem);
  } else if (find_activation(value) == nullptr) {
    fail(text, fmt::format("no activation \"{}\"{}", value, suggestion(value, names)));
  }
  shape.activation = value;
}

void set_key(StepShape& shape, const std::string& text, std::string_view pair) {
  const std::array<std::pair<std::string_view, std::int64_t*>, 7> sizes = {{{"T", &shape.steps},
                                                                            {"B", &shape.rows},
                                                                            {"H", &shape.hidden},
                                                                            {"I", &shape.inputs},
                                                                            {"C", &shape.outputs},
                                                                            {"L", &shape.layers},
                                                                            {"shard_rows", &shape.shard_rows}}};
  const std::size_t equals = pair.find('=');
  const std::string_view key = pair.substr(0, equals);
  const auto size = std::ranges::find(sizes, key, &std::pair<std::string_view, std::int64_t*>::first);
  if (size == sizes.end() && key != "activation") {
    const std::vector<std::string> known = {"T", "B", "H", "I", "C", "L", "shard_rows", "activation"};
    fail(text, fmt::format("no key \"{}\"{}", key, suggestion(key, known)));
  }
  if (equals == std::string_view::npos) fail(text, fmt::format("{} has no value", key));
  const std::string_view value = pair.substr(equals + 1);
  if (key == "activation") return set_activation(shape, text, value);
  *size->second = parse_size(text, key, value);
}

// Up to the next comma outside of brackets: a formula may have its own.
std::size_t next_comma(std::string_view text) {
  int depth = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')') --depth;
    if (text[i] == ',' && depth <= 0) return i;
  }
  return text.size();
}

void check_complete(const StepShape& shape, const std::string& text) {
  if (shape.steps == 0 || shape.rows == 0 || shape.hidden == 0 || shape.inputs == 0)
    fail(text, "T, B, H and I are needed (mlp, cnn and dense: B, H and I)");
  const CellEntry* cell = find_cell(shape.cell);
  const bool any_activation = cell != nullptr ? cell->takes_any_activation : shape.cell != "dense";
  if (shape.activation != "tanh" && !any_activation) fail(text, fmt::format("{} takes no activation", shape.cell));
  if (!has_time(shape) && shape.steps != 1) fail(text, shape.cell + " has no T");
  if (shape.cell != "mlp" && shape.layers != 1) fail(text, shape.cell + " has no L");
  if (shape.cell == "cnn" && shape.inputs < 4) fail(text, "cnn: I is the side of the images, at least 4");
}

struct Sizes {
  double gates, units_passed, t, b, h, i;  // units_passed: (B, H) arrays beside h, gates and dz, times the passes over them
};

// Pixels of a side behind a pooling of 2 x 2.
double half_of(double side) { return std::floor(side / 2); }

Sizes sizes_of(const StepShape& s) {
  const CellEntry* cell = find_cell(s.cell);
  const double gates = cell != nullptr ? static_cast<double>(cell->gates) : 1;
  return {.gates = gates,
          .units_passed = s.cell == "gru"                           ? 2 * gates + 4
                          : cell != nullptr && cell->has_cell_state ? 4
                                                                    : 0,
          .t = static_cast<double>(s.steps),
          .b = static_cast<double>(s.rows),
          .h = static_cast<double>(s.hidden),
          .i = static_cast<double>(s.inputs)};
}

}  // namespace

StepShape parse_step(const std::string& text) {
  const std::size_t colon = text.find(':');
  const std::vector<std::string> known = names_of_cells();
  StepShape shape{.cell = text.substr(0, colon)};
  if (std::ranges::find(known, shape.cell) == known.end())
    fail(text, fmt::format("no cell \"{}\"{}", shape.cell, suggestion(shape.cell, known)));
  if (has_time(shape)) {
    const CellVariant& variant = find_cell_variant(shape.cell);
    shape.cell = variant.entry->name;
    if (variant.name != shape.cell) shape.variant = variant.name;
  } else {
    shape.steps = 1;
  }
  std::string_view rest = colon == std::string::npos ? std::string_view() : std::string_view(text).substr(colon + 1);
  while (!rest.empty()) {
    const std::size_t comma = next_comma(rest);
    set_key(shape, text, rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  check_complete(shape, text);
  return shape;
}

std::string step_name(const StepShape& s) {
  std::string name = fmt::format("step/{}/", s.variant.empty() ? s.cell : s.variant);
  std::ranges::replace(name, ' ', '_');
  if (has_time(s)) name += fmt::format("T{}", s.steps);
  if (s.cell == "mlp") name += fmt::format("L{}", s.layers);
  name += fmt::format("B{}H{}I{}", s.rows, s.hidden, s.inputs);
  const StepShape defaults;
  if (s.activation != defaults.activation) name += "_" + s.activation;
  if (s.outputs != defaults.outputs) name += fmt::format("_C{}", s.outputs);
  if (s.shard_rows != defaults.shard_rows) name += fmt::format("_shard{}", s.shard_rows);
  return name;
}

std::span<const StepShape> goal_shapes() { return kGoals; }

double step_flops(const StepShape& shape) {
  const auto [g, units, t, b, h, i] = sizes_of(shape);
  const double layers = static_cast<double>(shape.layers);
  if (shape.cell == "mlp") return 2 * b * h * (2 * (i + (layers - 1) * h) + (layers - 1) * h);
  if (shape.cell == "cnn") return 2 * 9 * b * (2 * i * i * h + 3 * half_of(i) * half_of(i) * h * 2 * h);
  if (shape.cell == "dense") return 3 * 2 * b * h * i;
  return 2 * g * h * b * (t * (i + h) + (t - 1) * h + t * (i + h));
}

double step_bytes(const StepShape& shape) {
  const auto [g, units, t, b, h, i] = sizes_of(shape);
  const double parts = 3 * static_cast<double>((shape.rows + shape.shard_rows - 1) / shape.shard_rows) + 3;
  const double layers = static_cast<double>(shape.layers), pixels = half_of(i) * half_of(i);
  if (shape.cell == "mlp") return 4 * (b * (2 * i + 6 * h * layers) + h * (i + (layers - 1) * h + layers) * parts);
  if (shape.cell == "cnn") return 4 * (b * (2 * i * i + 6 * h * (i * i + 2 * pixels)) + 9 * h * (1 + 2 * h) * parts);
  const double weights = g * h * (i + h + 2), shards = static_cast<double>((shape.rows + shape.shard_rows - 1) / shape.shard_rows);
  return 4 * (t * b * (2 * i + (4 * g + 2 + units) * h) + weights * (3 * shards + 3));
}

}  // namespace vp
