// CSV in and out: RFC 4180 through libcsv (strict), numbers as numbers.h reads and writes them.
// Thread-safety: pure functions of bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/io/numbers.h"

namespace vp {

struct CsvRow {
  std::int64_t line = 0;  // physical line the row starts on, 1-based
  std::vector<std::string> fields;
};

struct CsvDocument {
  std::string name;  // for messages
  std::vector<std::string> header;
  std::vector<CsvRow> rows;

  // Index of a column; throws UserError(kInputOutput) naming the file and the columns it has (nearest first) if there is none.
  std::size_t column(std::string_view column_name) const;
};

inline constexpr char kDetectSeparator =
    '\0';  // of ',', ';' and tab the one that stands most often in the header line; of equals the first

// A byte-order mark is skipped, CRLF and LF are alike, blank lines are skipped. UserError(kInputOutput) with name:line: for bytes that are
// no UTF-8 text (UTF-16, an archive, NUL), an open quote, stray quotes, no header, a duplicate or empty column name, and for ragged rows
// (every one of them is listed, the first 20 in full, then a count).
CsvDocument parse_csv(std::string_view bytes, const std::string& name, char separator = ',');

// The same for files that are too large to be held as text: the header goes to `on_header` (a document without rows), then every row to
// `on_row` as it is read. Ragged rows are left out, and listed at the end; so what was made of the others counts only if this returns.
void stream_csv(std::string_view bytes, const std::string& name, char separator, const std::function<void(const CsvDocument&)>& on_header,
                const std::function<void(CsvRow)>& on_row);

// Appends a field, quoted only where RFC 4180 asks for it.
void append_csv_field(std::string& out, std::string_view field);

}  // namespace vp
