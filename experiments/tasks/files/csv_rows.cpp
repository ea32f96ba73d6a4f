#include "experiments/tasks/files/csv_rows.h"

#include <optional>
#include <unordered_map>

#include "experiments/io/files.h"
#include "experiments/tasks/files/csv_columns.h"

namespace vp {
namespace {

template <class T>
class RowsReader {
 public:
  RowsReader(const std::string& path, const RowColumns& columns, const DataOptions& options)
      : columns_(columns),
        options_(options),
        inputs_(options),
        targets_(columns.target_kind, columns.label, options.classes),
        problems_(path) {}

  void read_file(const std::string& path, std::size_t file) {
    file_ = path;
    lines_.clear();
    const std::string bytes = read_unpacked(path);
    std::int64_t& rows = data_.samples.counts[file];
    stream_csv(
        bytes, path, options_.separator_byte(), [&](const CsvDocument& head) { read_header(head); },
        [&](const CsvRow& row) {
          ++rows;
          read_row(row);
        });
    if (rows == 0) throw io_error(fmt::format("{}: there are no rows below the header; add some", path));
    faults_->report(path, problems_);
  }

  RowData<T> finish(const std::string& path) {
    data_.samples.targets = targets_.finish(path, problems_);
    problems_.throw_if_any("Mend these rows and run again.");
    data_.features = std::ssize(inputs_.names());
    return std::move(data_);
  }

 private:
  void read_header(const CsvDocument& head) {
    label_ = find_column(head, columns_.label, "task.label_column");
    id_ = optional_column(head, columns_.id, "task.id_column");
    group_ = optional_column(head, options_.group_column, "task.group_column");
    std::vector<std::size_t> others;
    for (const auto& column : {id_, group_})
      if (column) others.push_back(*column);
    places_ = inputs_.find(head, label_, others);
    faults_.emplace(inputs_.names());
  }

  static std::optional<std::size_t> optional_column(const CsvDocument& head, const std::string& name, std::string_view option) {
    return name.empty() ? std::nullopt : std::optional(find_column(head, name, option));
  }

  void read_row(const CsvRow& row) {
    faults_->add_row();
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const std::string& field = row.fields[places_[i]];
      if (const auto number = parse_as<T>(field))
        data_.inputs.push_back(*number);
      else
        faults_->add(i, row.line, field, parse_fault<T>(field));
    }
    read_label(row.line, row.fields[label_]);
    data_.samples.target_starts.push_back(std::ssize(data_.samples.target_starts));
    if (id_) read_id(row.line, row.fields[*id_]);
    if (group_) read_group(row.line, row.fields[*group_]);
  }

  void complain(std::int64_t line, const std::string& reason) { problems_.add_at(fmt::format("{}:{}", file_, line), reason); }

  void read_label(std::int64_t line, const std::string& field) {
    if (const auto fault = targets_.fault(field))
      complain(line, field_fault(columns_.label, field, *fault));
    else
      targets_.add(field, file_, line);
  }

  void read_id(std::int64_t line, const std::string& field) {
    if (field.empty() || !is_plain_text(field)) complain(line, field_fault(columns_.id, field, "is no name of a sample in UTF-8"));
    const auto [earlier, is_new] = lines_.try_emplace(field, line);
    if (!is_new) complain(line, field_fault(columns_.id, field, fmt::format("stands already on line {}", earlier->second)));
    data_.samples.ids.push_back(field);
  }

  void read_group(std::int64_t line, const std::string& field) {
    if (field.empty()) complain(line, field_fault(options_.group_column, field, "names no group"));
    data_.samples.groups.push_back(groups_.add(field, file_, line, problems_));
  }

  const RowColumns& columns_;
  const DataOptions& options_;
  InputColumns inputs_;
  TargetReader<T> targets_;
  Groups groups_;
  Problems problems_;
  RowData<T> data_;
  // Of the file in hand:
  std::string file_;
  std::size_t label_ = 0;
  std::optional<std::size_t> id_, group_;
  std::vector<std::size_t> places_;  // of the inputs
  std::optional<InputFaults> faults_;
  std::unordered_map<std::string, std::int64_t> lines_;  // by id
};

}  // namespace

template <class T>
RowData<T> read_rows(const std::string& path, const RowColumns& columns, const DataOptions& options) {
  RowsReader<T> reader(path, columns, options);
  const auto paths = options.paths(path);
  for (std::size_t file = 0; file < paths.size(); ++file)
    if (!paths[file].empty()) reader.read_file(paths[file], file);
  return reader.finish(path);
}
template RowData<float> read_rows(const std::string&, const RowColumns&, const DataOptions&);
template RowData<double> read_rows(const std::string&, const RowColumns&, const DataOptions&);

}  // namespace vp
