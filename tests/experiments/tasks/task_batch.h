// Makes tasks by name and options as text, and looks at what they fill. Thread-safety: none needed.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "experiments/tasks/task.h"
#include "tests/compare.h"

namespace vp::test {

using OptionTexts = std::map<std::string, std::string>;

// Sets fields from text; a key that no field has is an error, so that a test cannot set nothing.
class OptionSetter : public FieldVisitor {
 public:
  explicit OptionSetter(OptionTexts texts) : texts_(std::move(texts)) {}
  ~OptionSetter() override = default;
  void field(const FieldInfo& info, bool& value) override {
    take(info, [&](const std::string& text) { value = text == "true"; });
  }
  void field(const FieldInfo& info, std::int64_t& value) override {
    take(info, [&](const std::string& text) { value = std::stoll(text); });
  }
  void field(const FieldInfo& info, double& value) override {
    take(info, [&](const std::string& text) { value = std::stod(text); });
  }
  void field(const FieldInfo& info, std::string& value) override {
    take(info, [&](const std::string& text) { value = text; });
  }
  void field(const FieldInfo& info, std::optional<double>& value) override {
    take(info, [&](const std::string& text) { value = std::stod(text); });
  }
  void field(const FieldInfo& info, std::optional<std::int64_t>& value) override {
    take(info, [&](const std::string& text) { value = std::stoll(text); });
  }
  void field(const FieldInfo&, IntegerList&) override {}  // no task has one
  void field(const FieldInfo& info, TextList& value) override {
    take(info, [&](const std::string& text) {  // "a,b"
      std::istringstream stream(text);
      value.clear();
      for (std::string element; std::getline(stream, element, ',');) value.push_back(element);
    });
  }
  const OptionTexts& left() const { return texts_; }

 private:
  template <class Set>
  void take(const FieldInfo& info, Set set) {
    const auto found = texts_.find(std::string(info.key));
    if (found == texts_.end()) return;
    set(found->second);
    texts_.erase(found);
  }
  OptionTexts texts_;
};

inline std::shared_ptr<const BatchSource> make_task(std::string_view name, const TaskContext& context, const OptionTexts& texts = {}) {
  const TaskEntry* task = find_task(name);
  if (task == nullptr) throw std::invalid_argument("no such task");
  const auto options = task->make_options();
  OptionSetter setter(texts);
  options->visit_fields(setter);
  if (!setter.left().empty()) throw std::invalid_argument("no such option: " + setter.left().begin()->first);
  return task->make(context, *options);
}

// What fill() wrote. Arrays that the task has no use for stay empty.
struct Batch {
  SequenceShape shape;
  std::int64_t rows = 0;
  std::vector<float> inputs;          // (T, rows, I)
  std::vector<std::int32_t> tokens;   // (T, rows)
  std::vector<std::int32_t> lengths;  // (rows)
  std::vector<std::int32_t> classes;  // (rows) or (T, rows)
  std::vector<float> values;          // (rows, C) or (T, rows, C)

  float input(std::int64_t t, std::int64_t row, std::int64_t i) const {
    return inputs.at(static_cast<std::size_t>((t * rows + row) * shape.inputs + i));
  }
  std::int32_t token(std::int64_t t, std::int64_t row) const { return tokens.at(static_cast<std::size_t>(t * rows + row)); }
  std::int64_t length(std::int64_t row) const { return shape.variable_length ? lengths.at(static_cast<std::size_t>(row)) : shape.steps; }
  std::int32_t label(std::int64_t t, std::int64_t row) const { return classes.at(static_cast<std::size_t>(target_row(t, row))); }
  float value(std::int64_t t, std::int64_t row, std::int64_t c) const {
    return values.at(static_cast<std::size_t>(target_row(t, row) * shape.outputs + c));
  }
  // Length, all inputs and targets of one row: bit for bit what makes up the sample.
  std::vector<float> sample(std::int64_t row) const {
    std::vector<float> all;
    if (shape.variable_length) all.push_back(static_cast<float>(length(row)));
    for (std::int64_t t = 0; t < shape.steps; ++t)
      for (std::int64_t i = 0; i < shape.inputs; ++i)
        all.push_back(shape.vocabulary > 0 ? static_cast<float>(token(t, row)) : input(t, row, i));
    for (std::int64_t t = 0; t < (shape.target_every_step ? shape.steps : 1); ++t) {
      const bool labelled = shape.target == TargetKind::kClasses;
      for (std::int64_t c = 0; c < (labelled ? 1 : shape.outputs); ++c)
        all.push_back(labelled ? static_cast<float>(label(t, row)) : value(t, row, c));
    }
    return all;
  }

  // The only target of a sequence stands at t = 0.
  std::int64_t target_row(std::int64_t t, std::int64_t row) const { return t * rows + row; }
};

template <class T>
T* data_or_null(std::vector<T>& array) {
  return array.empty() ? nullptr : array.data();
}

// Every array starts as garbage, so that what is not written shows.
inline Batch fill(const BatchSource& source, Split split, const std::vector<std::uint64_t>& samples) {
  Batch batch{.shape = source.shape(), .rows = static_cast<std::int64_t>(samples.size())};
  const auto steps = static_cast<std::size_t>(batch.shape.steps * batch.rows);
  const auto targets = static_cast<std::size_t>(batch.rows * (batch.shape.target_every_step ? batch.shape.steps : 1));
  if (batch.shape.vocabulary > 0)
    batch.tokens.assign(steps, -99);
  else
    batch.inputs.assign(steps * static_cast<std::size_t>(batch.shape.inputs), -99.0f);
  if (batch.shape.variable_length) batch.lengths.assign(samples.size(), -99);
  if (batch.shape.target == TargetKind::kClasses)
    batch.classes.assign(targets, -99);
  else
    batch.values.assign(targets * static_cast<std::size_t>(batch.shape.outputs), -99.0f);
  source.fill(split, samples,
              {.rows = batch.rows,
               .inputs = data_or_null(batch.inputs),
               .tokens = data_or_null(batch.tokens),
               .lengths = data_or_null(batch.lengths),
               .classes = data_or_null(batch.classes),
               .values = data_or_null(batch.values)});
  return batch;
}

// Steps whose marker, the second input, is 1, in order.
inline std::vector<std::int64_t> marked_steps(const Batch& batch, std::int64_t row) {
  std::vector<std::int64_t> marked;
  for (std::int64_t t = 0; t < batch.shape.steps; ++t)
    if (batch.input(t, row, 1) > 0.5f) marked.push_back(t);
  return marked;
}

// The input that is 1 at step t; -1 unless exactly one is and the others are 0.
inline std::int64_t symbol_at(const Batch& batch, std::int64_t t, std::int64_t row) {
  std::int64_t symbol = 0;
  while (symbol < batch.shape.inputs - 1 && batch.input(t, row, symbol) < 0.5f) ++symbol;
  for (std::int64_t i = 0; i < batch.shape.inputs; ++i)
    if (!near(batch.input(t, row, i), i == symbol ? 1 : 0, 0)) return -1;
  return symbol;
}

// Equal numbers, element by element.
inline ::testing::AssertionResult same(const std::vector<float>& actual, const std::vector<float>& expected) {
  return close(std::span<const float>(actual), std::span<const float>(expected), {.c = 0});
}

inline ::testing::AssertionResult same_doubles(const std::vector<double>& actual, const std::vector<double>& expected) {
  return close(std::span<const double>(actual), std::span<const double>(expected), {.c = 0});
}

inline std::vector<std::uint64_t> first_samples(std::uint64_t count) {
  std::vector<std::uint64_t> samples(count);
  for (std::uint64_t i = 0; i < count; ++i) samples[i] = i;
  return samples;
}

}  // namespace vp::test
