#include "experiments/csv_rows.h"

#include <fmt/format.h>

#include <utility>

#include "experiments/problems.h"

namespace vp {
namespace {

class RowsReader {
 public:
  RowsReader(const std::string& name, const std::string& label_column, const std::string& target_kind)
      : label_column_(label_column), problems_(name) {
    data_.targets.kind = target_kind;
  }

  void read_header(const CsvDocument& head) {
    header_ = head.header;
    label_ = find_column(head, label_column_, "task.label_column");
    data_.features = static_cast<std::int64_t>(header_.size()) - 1;
    if (data_.features == 0)
      throw io_error(fmt::format("{}: there is no input column; add at least one beside {}", head.name, quoted_text(label_column_)));
  }

  void read_row(const CsvRow& row) {
    ++data_.count;
    for (std::size_t i = 0; i < row.fields.size(); ++i) {
      const std::string& field = row.fields[i];
      if (i == label_)
        read_label(row.line, field);
      else if (const auto number = parse_single(field))
        data_.inputs.push_back(*number);
      else
        problems_.add(row.line, field_fault(header_[i], field, "is not a finite number in the range of single precision"));
    }
  }

  RowData finish(const std::string& name) {
    if (data_.count == 0) throw io_error(fmt::format("{}: there are no rows below the header; add some", name));
    problems_.throw_if_any("Mend these rows and run again.");
    return std::move(data_);
  }

 private:
  void read_label(std::int64_t line, std::string_view field) {
    if (const auto fault = target_fault(data_.targets.kind, field))
      problems_.add(line, field_fault(label_column_, field, *fault));
    else
      data_.targets.add(field);
  }

  std::string label_column_;
  Problems problems_;
  std::vector<std::string> header_;
  std::size_t label_ = 0;
  RowData data_;
};

}  // namespace

RowData read_rows(std::string_view bytes, const std::string& name, const std::string& label_column, const std::string& target_kind) {
  RowsReader reader(name, label_column, target_kind);
  stream_csv(bytes, name, [&](const CsvDocument& head) { reader.read_header(head); }, [&](const CsvRow& row) { reader.read_row(row); });
  return reader.finish(name);
}

}  // namespace vp
