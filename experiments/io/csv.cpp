#include "experiments/io/csv.h"

#include <csv.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <new>
#include <set>
#include <stdexcept>
#include <system_error>

#include "experiments/io/problems.h"
#include "models/base/suggest.h"

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
  RowReader(const std::string& name, char separator, const Take& take) : name_(name), take_(take) {
    if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) != 0) throw std::bad_alloc();
    csv_set_delim(&parser_, static_cast<unsigned char>(separator));
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

// Files that are taken for CSV, by what they start with.
struct Signature {
  std::string_view bytes, what;
};
constexpr Signature kSignatures[] = {
    {"\xff\xfe", "UTF-16; save it as UTF-8"},
    {"\xfe\xff", "UTF-16; save it as UTF-8"},
    {"\x1f\x8b", "gzip; unpack it"},
    {"PK\x03\x04", "a zip archive, as .xlsx files are; unpack it, or save the sheet as CSV"},
    {"\xd0\xcf\x11\xe0", "a file of Excel; save the sheet as CSV"},
    {"BZh", "bzip2; unpack it"},
    {"\xfd"
     "7zXZ",
     "xz; unpack it"},
    {"\x28\xb5\x2f\xfd", "zstd; unpack it"},
    {"PAR1", "Parquet; write it as CSV"},
    {"\x89HDF", "HDF5; write it as CSV"},
    {"\x93NUMPY", "an array of NumPy; write it as CSV"},
};

void refuse_other_formats(std::string_view bytes, const std::string& name) {
  for (const Signature& signature : kSignatures)
    if (bytes.starts_with(signature.bytes)) throw io_error(fmt::format("{}:1: the file is {}", name, signature.what));
  const std::size_t nul = bytes.find('\0');
  if (nul == std::string_view::npos) return;
  const auto line = 1 + std::ranges::count(bytes.substr(0, nul), '\n');
  throw io_error(fmt::format("{}:{}: a NUL byte stands here: the file is binary, UTF-16 or damaged; save it as UTF-8 text", name, line));
}

// By the first line with anything in it; what stands in quotation marks does not count.
char detect_separator(std::string_view bytes) {
  std::string_view header;
  while (!bytes.empty() && header.find_first_not_of(" \t\r\n") == std::string_view::npos) header = take_line(bytes);
  constexpr std::string_view kSeparators = ",;\t";
  std::array<std::size_t, kSeparators.size()> counts{};
  bool quoted = false;
  for (const char c : header) {
    if (c == '"') quoted = !quoted;
    if (const auto which = kSeparators.find(c); which != std::string_view::npos && !quoted) ++counts[which];
  }
  return kSeparators[static_cast<std::size_t>(std::ranges::max_element(counts) - counts.begin())];
}

void check_header(const CsvDocument& document, std::int64_t line) {
  if (document.header[0].starts_with("sep="))
    throw io_error(
        fmt::format("{}:{}: this line is a note for Excel; remove it: the first line must name the columns", document.name, line));
  Problems problems(document.name);
  std::set<std::string_view> seen;
  for (std::size_t i = 0; i < document.header.size(); ++i) {
    const std::string& column = document.header[i];
    if (column.empty())
      problems.add(line, fmt::format("column {} has no name{}", i + 1,
                                     i > 0 ? ""
                                           : "; if it is the row names, write the file without: pandas's to_csv(index=False), R's "
                                             "row.names = FALSE"));
    else if (!seen.insert(column).second)
      problems.add(line, fmt::format("column {} stands twice in the header", quoted_text(column)));
  }
  problems.throw_if_any("The first line must name every column, each once.");
}

// Rows that are not as long as the header.
class RaggedRows {
 public:
  explicit RaggedRows(const std::string& name) : problems_(name) {}

  void add(const CsvRow& row, std::size_t columns) {
    problems_.add(row.line, fmt::format("the row has {} fields, the header {}", row.fields.size(), columns));
    all_longer_by_one_ = all_longer_by_one_ && row.fields.size() == columns + 1;
    any_longer_ = any_longer_ || row.fields.size() > columns;
  }
  void throw_if_any(char separator, bool all_rows) const {
    std::string remedy = "Every row must have one field per column; a field with a separator in it goes in quotation marks.";
    if (all_rows && all_longer_by_one_)
      remedy += " If the extra field is the row's name, as R's write.table writes it, leave it out with row.names = FALSE.";
    if (separator == ',' && any_longer_)
      remedy += " If numbers are written with decimal commas, write them with points, or separate fields with ; or tabs.";
    problems_.throw_if_any(remedy);
  }

 private:
  Problems problems_;
  bool all_longer_by_one_ = true, any_longer_ = false;
};

// What else may be wrong with a header that lacks a column.
std::string header_hint(const std::vector<std::string>& header) {
  if (std::ranges::all_of(header, [](const std::string& column) { return parse_number(column).has_value(); }))
    return "; the first line must name the columns, and it holds numbers";
  if (header.size() == 1) return "; fields are separated by , ; or a tab, and the first line has none of them";
  return "";
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
  throw io_error(fmt::format("{}: there is no column {}; the file has {}{}", name, quoted_text(column_name), list, header_hint(header)));
}

void stream_csv(std::string_view bytes, const std::string& name, char separator, const std::function<void(const CsvDocument&)>& on_header,
                const std::function<void(CsvRow)>& on_row) {
  refuse_other_formats(bytes, name);
  if (bytes.starts_with("\xef\xbb\xbf")) bytes.remove_prefix(3);
  if (separator == kDetectSeparator) separator = detect_separator(bytes);
  CsvDocument head{.name = name, .header = {}, .rows = {}};
  RaggedRows ragged(name);
  bool any_good = false;
  const auto take = [&](CsvRow row) {
    if (head.header.empty()) {
      head.header = std::move(row.fields);
      check_header(head, row.line);
      on_header(head);
    } else if (row.fields.size() != head.header.size()) {
      ragged.add(row, head.header.size());
    } else {
      any_good = true;
      on_row(std::move(row));
    }
  };
  RowReader(name, separator, take).read(bytes);
  if (head.header.empty()) throw io_error(fmt::format("{}:1: the file is empty; its first line must name the columns", name));
  ragged.throw_if_any(separator, !any_good);
}

CsvDocument parse_csv(std::string_view bytes, const std::string& name, char separator) {
  CsvDocument document;
  stream_csv(
      bytes, name, separator, [&](const CsvDocument& head) { document = head; },
      [&](CsvRow row) { document.rows.push_back(std::move(row)); });
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
