#include "experiments/csv_sequences.h"

#include <fmt/format.h>

#include <iterator>
#include <map>
#include <optional>
#include <unordered_map>

#include "experiments/problems.h"

namespace vp {
namespace {

struct Columns {
  std::size_t sequence, step, target;
  std::vector<std::size_t> inputs;
};

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
    problems_.add(line(row), field_fault(document_.header[column], field(row, column), reason));
  }

  void read_row(std::size_t row) {
    for (const std::size_t column : columns_.inputs)
      if (!parse_single(field(row, column))) complain(row, column, "is not a finite number in the range of single precision");
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
    data.targets.kind = options_.target_kind;
    for (const Sequence& sequence : sequences_) {
      const auto last = std::prev(sequence.rows.end());
      for (auto at = sequence.rows.begin(); at != sequence.rows.end(); ++at) {
        for (const std::size_t column : columns_.inputs) data.inputs.push_back(*parse_single(field(at->second, column)));
        if (every_step_ || at == last) data.targets.add(field(at->second, columns_.target));
      }
    }
    data.shape = {.steps = static_cast<std::int64_t>(sequences_.front().rows.size()),
                  .inputs = static_cast<std::int64_t>(columns_.inputs.size()),
                  .target_every_step = every_step_};
    data.targets.describe(data.shape, document_.name, options_.target);
    return data;
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
