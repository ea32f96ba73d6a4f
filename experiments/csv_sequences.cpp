#include "experiments/csv_sequences.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <optional>
#include <unordered_map>

#include "experiments/problems.h"

namespace vp {
namespace {

constexpr std::int64_t kLargestClass = 65535;  // a readout for more is a slip of the column, not a plan

struct Columns {
  std::size_t sequence, step, target;
  std::vector<std::size_t> inputs;
};

std::size_t find_column(const CsvDocument& document, const std::string& name, std::string_view option) {
  try {
    return document.column(name);
  } catch (const UserError& error) {
    throw UserError(error.code(), fmt::format("{}; set {} to the right one", error.what(), option));
  }
}

Columns find_columns(const CsvDocument& document, const SequenceColumns& options) {
  Columns columns{find_column(document, options.sequence, "task.sequence_column"),
                  find_column(document, options.step, "task.step_column"),
                  find_column(document, options.target, "task.target_column"),
                  {}};
  for (std::size_t i = 0; i < document.header.size(); ++i)
    if (i != columns.sequence && i != columns.step && i != columns.target) columns.inputs.push_back(i);
  if (columns.inputs.empty())
    throw io_error(fmt::format("{}: there is no input column; add at least one beside {}, {} and {}", document.name,
                               quoted_text(options.sequence), quoted_text(options.step), quoted_text(options.target)));
  return columns;
}

// A whole number, also written 3.0: pandas writes whole numbers so where a column has gaps.
std::optional<std::int64_t> parse_whole_number(std::string_view field) {
  if (const auto integer = parse_integer(field)) return integer;
  const auto number = parse_number(field);
  if (!number || *number != std::floor(*number) || std::abs(*number) > 0x1p53) return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

// Why a target is refused; nullopt if it is good.
std::optional<std::string_view> target_fault(std::string_view kind, std::string_view field) {
  if (kind == kClassTarget) {
    const auto whole = parse_whole_number(field);
    if (!whole || *whole < 0) return "is not a class: expected a whole number from 0";
    if (*whole > kLargestClass) return "is not a class: expected at most 65535";
    return std::nullopt;
  }
  const auto number = parse_number(field);
  if (kind == kBinaryTarget && (!number || (*number != 0 && *number != 1))) return "is not 0 or 1";
  if (!number || !std::isfinite(static_cast<float>(*number))) return "is not a finite number in the range of single precision";
  return std::nullopt;
}

struct Sequence {
  std::string id;
  std::map<std::int64_t, std::size_t> rows;  // step -> row of the document
};

// Reads one document; every fault in it is reported with its line.
class SequenceReader {
 public:
  SequenceReader(const CsvDocument& document, const SequenceColumns& options, bool every_step)
      : document_(document),
        options_(options),
        columns_(find_columns(document, options)),
        every_step_(every_step),
        problems_(document.name) {}

  SequenceData read() {
    if (document_.rows.empty()) throw io_error(fmt::format("{}: there are no rows below the header; add some", document_.name));
    for (std::size_t row = 0; row < document_.rows.size(); ++row) read_row(row);
    problems_.throw_if_any("Mend these rows and run again.");
    for (const Sequence& sequence : sequences_) check_steps(sequence);
    if (problems_.empty()) check_lengths();
    for (const Sequence& sequence : sequences_) check_targets(sequence);
    problems_.throw_if_any("Mend these sequences and run again.");
    return assemble();
  }

 private:
  const std::string& field(std::size_t row, std::size_t column) const { return document_.rows[row].fields[column]; }
  std::int64_t line(std::size_t row) const { return document_.rows[row].line; }
  std::int64_t line(const Sequence& sequence) const { return line(sequence.rows.begin()->second); }

  void complain(std::size_t row, std::size_t column, std::string_view reason) {
    const std::string& text = field(row, column);
    problems_.add(line(row),
                  fmt::format("{}: {} {}", document_.header[column], text.empty() ? "an empty field" : quoted_text(text), reason));
  }

  void read_row(std::size_t row) {
    for (const std::size_t column : columns_.inputs) {
      const auto number = parse_number(field(row, column));
      if (!number || !std::isfinite(static_cast<float>(*number)))
        complain(row, column, "is not a finite number in the range of single precision");
    }
    const std::string& target = field(row, columns_.target);
    if (!target.empty())
      if (const auto fault = target_fault(options_.target_kind, target)) complain(row, columns_.target, *fault);
    place_row(row);
  }

  // Into its sequence, at its step.
  void place_row(std::size_t row) {
    const std::string& id = field(row, columns_.sequence);
    const auto step = parse_whole_number(field(row, columns_.step));
    if (id.empty()) complain(row, columns_.sequence, "names no sequence");
    if (!step) complain(row, columns_.step, "is not a whole number");
    if (id.empty() || !step) return;
    const auto [place, is_new] = places_.try_emplace(id, sequences_.size());
    if (is_new) sequences_.push_back({id, {}});
    const auto [earlier, is_first] = sequences_[place->second].rows.try_emplace(*step, row);
    if (!is_first)
      problems_.add(line(row),
                    fmt::format("step {} of sequence {} stands already on line {}", *step, quoted_text(id), line(earlier->second)));
  }

  void check_steps(const Sequence& sequence) {
    auto next = sequence.rows.begin();
    for (auto last = next++; next != sequence.rows.end(); last = next++) {
      const std::int64_t from = last->first + 1, to = next->first - 1;
      if (from > to) continue;
      const std::string gap = from == to ? fmt::format("step {} is", from) : fmt::format("steps {} to {} are", from, to);
      problems_.add(line(next->second),
                    fmt::format("sequence {}: {} missing before this row's step {}", quoted_text(sequence.id), gap, next->first));
    }
  }

  void check_lengths() {
    const Sequence& first = sequences_.front();
    for (const Sequence& other : sequences_) {
      if (other.rows.size() == first.rows.size()) continue;
      problems_.add(line(other),
                    fmt::format("sequence {} has {} steps, but sequence {} of line {} has {}; all sequences must be equally long",
                                quoted_text(other.id), other.rows.size(), quoted_text(first.id), line(first), first.rows.size()));
      return;  // one pair is enough: the others follow from it
    }
  }

  void check_targets(const Sequence& sequence) {
    const auto last = std::prev(sequence.rows.end());
    for (auto at = every_step_ ? sequence.rows.begin() : last; at != sequence.rows.end(); ++at)
      if (field(at->second, columns_.target).empty())
        complain(
            at->second, columns_.target,
            every_step_ ? "where model.form = \"many_to_many\" needs a target at every step" : "at the last step, which needs the target");
  }

  SequenceData assemble() const {
    SequenceData data;
    data.count = static_cast<std::int64_t>(sequences_.size());
    for (const Sequence& sequence : sequences_) {
      const auto last = std::prev(sequence.rows.end());
      for (auto at = sequence.rows.begin(); at != sequence.rows.end(); ++at) {
        for (const std::size_t column : columns_.inputs)
          data.inputs.push_back(static_cast<float>(*parse_number(field(at->second, column))));
        if (every_step_ || at == last) add_target(*parse_number(field(at->second, columns_.target)), data);
      }
    }
    data.shape = make_shape(data);
    return data;
  }

  void add_target(double target, SequenceData& data) const {
    if (options_.target_kind == kClassTarget)
      data.classes.push_back(static_cast<std::int32_t>(target));
    else
      data.values.push_back(static_cast<float>(target));
  }

  SequenceShape make_shape(const SequenceData& data) const {
    SequenceShape shape{.steps = static_cast<std::int64_t>(sequences_.front().rows.size()),
                        .inputs = static_cast<std::int64_t>(columns_.inputs.size()),
                        .outputs = 1,
                        .target = options_.target_kind == kBinaryTarget ? TargetKind::kBinary : TargetKind::kValues,
                        .target_every_step = every_step_};
    if (options_.target_kind != kClassTarget) return shape;
    shape.target = TargetKind::kClasses;
    shape.outputs = 1 + *std::max_element(data.classes.begin(), data.classes.end());
    if (shape.outputs < 2)
      throw io_error(fmt::format("{}: {}: every class is 0, there is nothing to tell apart; check the column, or set task.target_kind",
                                 document_.name, options_.target));
    return shape;
  }

  const CsvDocument& document_;
  const SequenceColumns& options_;
  const Columns columns_;
  const bool every_step_;
  Problems problems_;
  std::vector<Sequence> sequences_;                      // in order of first appearance
  std::unordered_map<std::string, std::size_t> places_;  // id -> index in sequences_
};

}  // namespace

SequenceData read_sequences(const CsvDocument& document, const SequenceColumns& columns, bool target_every_step) {
  return SequenceReader(document, columns, target_every_step).read();
}

}  // namespace vp
