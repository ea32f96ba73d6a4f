// The columns of a user's CSV files: which are inputs, and what is wrong with their fields. Thread-safety: an object belongs to one thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/io/csv.h"
#include "experiments/io/problems.h"
#include "experiments/tasks/files/data_options.h"

namespace vp {

// Index of a column; UserError(kInputOutput) names the file, its columns and `option`, which names the column, if there is none.
std::size_t find_column(const CsvDocument& document, const std::string& name, std::string_view option);

// "target: "abc" reason" for a field of a column, as messages show it.
std::string field_fault(std::string_view column, std::string_view field, std::string_view reason);

// The columns that are inputs. The first file settles which they are; others must have the same, in any order.
class InputColumns {
 public:
  explicit InputColumns(const DataOptions& options) : options_(options) {}

  // Places of the inputs in the header of a file, in their order. `target`: never an input; `others`: columns with another meaning, which
  // are inputs only where task.inputs names them. UserError(kInputOutput): no input, a name that is none, a column too many or too few.
  std::vector<std::size_t> find(const CsvDocument& document, std::size_t target, const std::vector<std::size_t>& others);
  const TextList& names() const { return names_; }

 private:
  void settle(const CsvDocument& document, std::size_t target, const std::vector<std::size_t>& others);
  void check_same(const CsvDocument& document, std::size_t target, const std::vector<std::size_t>& others) const;

  const DataOptions& options_;
  TextList names_;
  std::string first_file_;
};

// A finite number in the range of T.
template <class T>
std::optional<T> parse_as(std::string_view field);
// Why there is none.
template <class T>
std::string parse_fault(std::string_view field);

// What is wrong with the inputs of one file. A column without a single number is one fault, not one for each row.
class InputFaults {
 public:
  explicit InputFaults(std::vector<std::string> columns) : columns_(std::move(columns)), faults_(columns_.size()) {}

  void add_row() { ++rows_; }
  void add(std::size_t input, std::int64_t line, std::string_view field, std::string_view reason);
  // Adds them to `problems`, in the order of the lines.
  void report(const std::string& file, Problems& problems) const;

 private:
  struct Fault {
    std::int64_t line;
    std::string text, reason;
  };
  struct ColumnFaults {
    std::int64_t count = 0;
    std::vector<Fault> first;  // at most Problems::kShown
  };
  std::vector<std::string> columns_;
  std::vector<ColumnFaults> faults_;  // by input
  std::int64_t rows_ = 0;
};

// Groups as they are read (task.group_column): by number, in order of first appearance.
class Groups {
 public:
  // The number of a group that a file names on a line; a group that is in the file of another set as well is added to `problems`.
  std::int32_t add(std::string_view name, const std::string& file, std::int64_t line, Problems& problems);

 private:
  struct Group {
    std::int32_t number;
    std::string file;
  };
  std::map<std::string, Group, std::less<>> groups_;
};

}  // namespace vp
