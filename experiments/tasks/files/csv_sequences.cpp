#include "experiments/tasks/files/csv_sequences.h"

#include <iterator>
#include <map>
#include <optional>
#include <unordered_map>

#include "experiments/io/files.h"
#include "experiments/tasks/files/csv_columns.h"

namespace vp {
namespace {

struct Places {
  std::size_t sequence, step, target;
  std::optional<std::size_t> group;
  std::vector<std::size_t> inputs;
};

struct Sequence {
  std::string id;
  std::map<std::int64_t, std::size_t> rows;  // step -> row of the document
};

// Reads one file after the other; every fault in them is reported with its line.
template <class T>
class SequenceReader {
 public:
  SequenceReader(const std::string& path, const SequenceColumns& columns, const DataOptions& options, bool every_step)
      : columns_(columns),
        options_(options),
        every_step_(every_step),
        inputs_(options),
        targets_(columns.target_kind, columns.target, options.classes),
        path_(path) {}

  void read_file(const std::string& path, std::size_t file) {
    document_ = parse_csv(read_unpacked(path), path, options_.separator_byte());
    find_places();
    if (document_.rows.empty()) throw io_error(fmt::format("{}: there are no rows below the header; add some", document_.name));
    sequences_.clear(), numbers_.clear();
    check_rows();
    Problems problems(document_.name);
    for (const Sequence& sequence : sequences_) check_steps(sequence, problems);
    for (const Sequence& sequence : sequences_) check_targets(sequence, problems);
    for (const Sequence& sequence : sequences_) append(sequence, problems);
    problems.throw_if_any("Mend these sequences and run again.");
    data_.samples.counts[file] = std::ssize(sequences_);
  }

  SequenceData<T> finish() {
    Problems problems(path_);
    data_.samples.targets = targets_.finish(path_, problems);
    problems.throw_if_any("Mend these labels and run again.");
    data_.shape = {.steps = longest_, .inputs = std::ssize(inputs_.names()), .target_every_step = every_step_};
    data_.shape.variable_length = shortest_ < longest_;
    data_.samples.targets.describe(data_.shape);
    return std::move(data_);
  }

 private:
  const std::string& field(std::size_t row, std::size_t column) const { return document_.rows[row].fields[column]; }
  std::int64_t line(std::size_t row) const { return document_.rows[row].line; }

  void find_places() {
    places_ = {.sequence = find_column(document_, columns_.sequence, "task.sequence_column"),
               .step = find_column(document_, columns_.step, "task.step_column"),
               .target = find_column(document_, columns_.target, "task.target_column")};
    std::vector<std::size_t> others = {places_.step, places_.sequence};
    if (!options_.group_column.empty())
      others.insert(others.begin(), places_.group.emplace(find_column(document_, options_.group_column, "task.group_column")));
    places_.inputs = inputs_.find(document_, places_.target, others);
  }

  std::string complaint(std::size_t row, std::size_t column, std::string_view reason) const {
    return field_fault(document_.header[column], field(row, column), reason);
  }

  void check_rows() {
    Problems problems(document_.name);
    InputFaults faults(inputs_.names());
    for (std::size_t row = 0; row < document_.rows.size(); ++row) check_row(row, faults, problems);
    faults.report(document_.name, problems);
    problems.throw_if_any("Mend these rows and run again.");
  }

  void check_row(std::size_t row, InputFaults& faults, Problems& problems) {
    faults.add_row();
    for (std::size_t i = 0; i < places_.inputs.size(); ++i) {
      const std::string& text = field(row, places_.inputs[i]);
      if (!parse_as<T>(text)) faults.add(i, line(row), text, parse_fault<T>(text));
    }
    const std::string& target = field(row, places_.target);
    if (!target.empty())
      if (const auto fault = targets_.fault(target)) problems.add(line(row), complaint(row, places_.target, *fault));
    if (places_.group && field(row, *places_.group).empty()) problems.add(line(row), complaint(row, *places_.group, "names no group"));
    place_row(row, problems);
  }

  // Into its sequence, at its step.
  void place_row(std::size_t row, Problems& problems) {
    const std::string& id = field(row, places_.sequence);
    const auto step = parse_whole_number(field(row, places_.step));
    const bool is_name = !id.empty() && is_plain_text(id);
    if (!is_name) problems.add(line(row), complaint(row, places_.sequence, id.empty() ? "names no sequence" : "is no name in UTF-8"));
    if (!step) problems.add(line(row), complaint(row, places_.step, "is not a whole number"));
    if (!is_name || !step) return;
    const auto [place, is_new] = numbers_.try_emplace(id, sequences_.size());
    if (is_new) sequences_.push_back({id, {}});
    const auto [earlier, is_first] = sequences_[place->second].rows.try_emplace(*step, row);
    if (!is_first)
      problems.add(line(row),
                   fmt::format("step {} of sequence {} stands already on line {}", *step, quoted_text(id), line(earlier->second)));
  }

  void check_steps(const Sequence& sequence, Problems& problems) const {
    auto next = sequence.rows.begin();
    for (auto last = next++; next != sequence.rows.end(); last = next++) {
      const std::int64_t from = last->first + 1, to = next->first - 1;
      if (from > to) continue;
      const std::string gap = from == to ? fmt::format("step {} is", from) : fmt::format("steps {} to {} are", from, to);
      problems.add(line(next->second),
                   fmt::format("sequence {}: {} missing before this row's step {}", quoted_text(sequence.id), gap, next->first));
    }
  }

  void check_targets(const Sequence& sequence, Problems& problems) const {
    const auto last = std::prev(sequence.rows.end());
    for (auto at = every_step_ ? sequence.rows.begin() : last; at != sequence.rows.end(); ++at)
      if (field(at->second, places_.target).empty())
        problems.add(line(at->second), complaint(at->second, places_.target,
                                                 every_step_ ? "where model.form = \"many_to_many\" needs a target at every step"
                                                             : "at the last step, which needs the target"));
  }

  // Behind those that there are, unless something is wrong.
  void append(const Sequence& sequence, Problems& problems) {
    if (places_.group) append_group(sequence, problems);
    if (!problems.empty()) return;
    const auto last = std::prev(sequence.rows.end());
    for (auto at = sequence.rows.begin(); at != sequence.rows.end(); ++at) {
      for (const std::size_t column : places_.inputs) data_.inputs.push_back(*parse_as<T>(field(at->second, column)));
      if (every_step_ || at == last) targets_.add(field(at->second, places_.target), document_.name, line(at->second));
    }
    const auto length = std::ssize(sequence.rows);
    data_.starts.push_back(data_.starts.back() + length);
    data_.samples.target_starts.push_back(data_.samples.target_starts.back() + (every_step_ ? length : 1));
    data_.samples.ids.push_back(sequence.id);
    shortest_ = longest_ == 0 ? length : std::min(shortest_, length);
    longest_ = std::max(longest_, length);
  }

  void append_group(const Sequence& sequence, Problems& problems) {
    const std::size_t first = sequence.rows.begin()->second;
    const std::string& name = field(first, *places_.group);
    for (const auto& [step, row] : sequence.rows)
      if (field(row, *places_.group) != name)
        problems.add(line(row), complaint(row, *places_.group,
                                          fmt::format("is another group than {} of line {}, and both are of sequence {}", quoted_text(name),
                                                      line(first), quoted_text(sequence.id))));
    data_.samples.groups.push_back(groups_.add(name, document_.name, line(first), problems));
  }

  const SequenceColumns& columns_;
  const DataOptions& options_;
  const bool every_step_;
  InputColumns inputs_;
  TargetReader<T> targets_;
  Groups groups_;
  std::string path_;
  SequenceData<T> data_;
  std::int64_t shortest_ = 0, longest_ = 0;
  // Of the file in hand:
  CsvDocument document_;
  Places places_{};
  std::vector<Sequence> sequences_;                       // in order of first appearance
  std::unordered_map<std::string, std::size_t> numbers_;  // id -> index in sequences_
};

}  // namespace

template <class T>
SequenceData<T> read_sequences(const std::string& path, const SequenceColumns& columns, const DataOptions& options,
                               bool target_every_step) {
  SequenceReader<T> reader(path, columns, options, target_every_step);
  const auto paths = options.paths(path);
  for (std::size_t file = 0; file < paths.size(); ++file)
    if (!paths[file].empty()) reader.read_file(paths[file], file);
  return reader.finish();
}
template SequenceData<float> read_sequences(const std::string&, const SequenceColumns&, const DataOptions&, bool);
template SequenceData<double> read_sequences(const std::string&, const SequenceColumns&, const DataOptions&, bool);

}  // namespace vp
