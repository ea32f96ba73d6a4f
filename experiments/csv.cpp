#include "experiments/csv.h"

#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <set>
#include <stdexcept>

#include "experiments/problems.h"
#include "models/suggest.h"

namespace vp {
namespace {

// One physical line with its end (LF, CRLF or CR) taken off the front of `rest`.
std::string_view take_line(std::string_view& rest) {
  auto end = rest.find_first_of("\r\n");
  end = end == std::string_view::npos ? rest.size() : end + (rest.substr(end, 2) == "\r\n" ? 2 : 1);
  const auto line = rest.substr(0, end);
  rest.remove_prefix(end);
  return line;
}

// libcsv reports fields and rows, but no places: it is fed one physical line at a time, and the line is counted here.
class RowReader {
 public:
  using Take = std::function<void(CsvRow)>;
  RowReader(const std::string& name, const Take& take) : name_(name), take_(take) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc();
  }
  ~RowReader() { csv_free(&parser_); }
  RowReader(const RowReader&) = delete;
  RowReader& operator=(const RowReader&) = delete;

  void read(std::string_view bytes) {
    while (!bytes.empty()) {
      feed(take_line(bytes));
      hand_over();
    }
    if (csv_fini(&parser_, on_field, on_row, this) != 0)
      throw io_error(fmt::format("{}:{}: a quotation mark is opened in this row and never closed; close it", name_, row_.line));
    hand_over();
  }

 private:
  void feed(std::string_view line) {
    ++line_;
    if (!in_row_ && line.find_first_not_of(" \t\r\n") != std::string_view::npos) {
      in_row_ = true;
      row_.line = line_;
    }
    if (csv_parse(&parser_, line.data(), line.size(), on_field, on_row, this) == line.size()) return;
    if (csv_error(&parser_) != CSV_EPARSE) throw std::bad_alloc();
    throw io_error(fmt::format(
        "{}:{}: a quotation mark stands inside a field; put the whole field in quotation marks and double those within it", name_, line_));
  }

  // Outside of libcsv: no exception should cross it.
  void hand_over() {
    for (CsvRow& row : rows_) take_(std::move(row));
    rows_.clear();
  }

  static void on_field(void* field, std::size_t size, void* self) {
    static_cast<RowReader*>(self)->row_.fields.emplace_back(static_cast<const char*>(field), size);
  }
  static void on_row(int, void* self) {
    auto& reader = *static_cast<RowReader*>(self);
    reader.rows_.push_back(std::move(reader.row_));
    reader.row_ = {};
    reader.in_row_ = false;
  }

  const std::string& name_;
  const Take& take_;
  csv_parser parser_;
  std::vector<CsvRow> rows_;  // complete, not yet handed over
  CsvRow row_;
  std::int64_t line_ = 0;
  bool in_row_ = false;
};

void check_header(const CsvDocument& document, std::int64_t line) {
  Problems problems(document.name);
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < document.header.size(); ++i) {
    const std::string& column = document.header[i];
    if (column.empty())
      problems.add(line, fmt::format("column {} has no name", i + 1));
    else if (!seen.insert(column).second)
      problems.add(line, fmt::format("column {} stands twice in the header", quoted_text(column)));
  }
  problems.throw_if_any("The first line must name every column, each once.");
}

}  // namespace

std::size_t CsvDocument::column(std::string_view column_name) const {
  const auto found = std::find(header.begin(), header.end(), column_name);
  if (found != header.end()) return static_cast<std::size_t>(found - header.begin());
  constexpr std::size_t kShown = 20;
  auto names = nearest(column_name, header, kShown);
  for (const std::string& other : header)
    if (names.size() < kShown && std::find(names.begin(), names.end(), other) == names.end()) names.push_back(other);
  std::string list;
  for (const std::string& other : names) list += (list.empty() ? "" : ", ") + quoted_text(other);
  if (header.size() > kShown) list += fmt::format(" and {} more", header.size() - kShown);
  throw io_error(fmt::format("{}: there is no column {}; the file has {}", name, quoted_text(column_name), list));
}

void stream_csv(std::string_view bytes, const std::string& name, const std::function<void(const CsvDocument&)>& on_header,
                const std::function<void(CsvRow)>& on_row) {
  if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff"))
    throw io_error(fmt::format("{}:1: the file is UTF-16; save it as UTF-8", name));
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  CsvDocument head{.name = name, .header = {}, .rows = {}};
  Problems ragged(name);
  const auto take = [&](CsvRow row) {
    if (head.header.empty()) {
      head.header = std::move(row.fields);
      check_header(head, row.line);
      on_header(head);
    } else if (row.fields.size() != head.header.size()) {
      ragged.add(row.line, fmt::format("the row has {} fields, the header {}", row.fields.size(), head.header.size()));
    } else {
      on_row(std::move(row));
    }
  };
  RowReader(name, take).read(bytes);
  if (head.header.empty()) throw io_error(fmt::format("{}:1: the file is empty; its first line must name the columns", name));
  ragged.throw_if_any("Every row must have one field per column; a field with a comma in it goes in quotation marks.");
}

CsvDocument parse_csv(std::string_view bytes, const std::string& name) {
  CsvDocument document;
  stream_csv(
      bytes, name, [&](const CsvDocument& head) { document = head; }, [&](CsvRow row) { document.rows.push_back(std::move(row)); });
  return document;
}

void append_csv_field(std::string& out, std::string_view field) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t'; };
  const bool trimmed_by_readers = !field.empty() && (is_space(field.front()) || is_space(field.back()));  // parse_csv is one of them
  if (field.find_first_of(",\"\r\n") == std::string_view::npos && !trimmed_by_readers) {
    out += field;
    return;
  }
  out += '"';
  for (const char c : field) out.append(c == '"' ? 2 : 1, c);
  out += '"';
}

}  // namespace vp
