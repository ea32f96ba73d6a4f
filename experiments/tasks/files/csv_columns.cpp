#include "experiments/tasks/files/csv_columns.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <type_traits>

#include "experiments/io/quoted_text.h"

namespace vp {
namespace {

bool stands_in(const std::vector<std::string>& names, const std::string& name) { return std::ranges::find(names, name) != names.end(); }

}  // namespace

std::size_t find_column(const CsvDocument& document, const std::string& name, std::string_view option) {
  try {
    return document.column(name);
  } catch (const UserError& error) {
    throw UserError(error.code(), fmt::format("{}; set {} to the right one", error.what(), option));
  }
}

std::string field_fault(std::string_view column, std::string_view field, std::string_view reason) {
  return fmt::format("{}: {} {}", column, field.empty() ? "an empty field" : quoted_text(field), reason);
}

std::vector<std::size_t> InputColumns::find(const CsvDocument& document, std::size_t target, const std::vector<std::size_t>& others) {
  if (names_.empty())
    settle(document, target, others);
  else
    check_same(document, target, others);
  std::vector<std::size_t> places;
  for (const std::string& name : names_) places.push_back(document.column(name));
  return places;
}

void InputColumns::settle(const CsvDocument& document, std::size_t target, const std::vector<std::size_t>& others) {
  const auto check = [&](const std::string& name, std::string_view key, bool has_meaning) {
    if (has_meaning)
      throw usage_error(
          fmt::format("{}: {} is a column with another meaning in {}; take it off the list", key, quoted_text(name), document.name));
  };
  std::vector<std::size_t> taken = others;
  taken.push_back(target);
  for (const std::string& name : options_.inputs) check(name, "task.inputs", find_column(document, name, "task.inputs") == target);
  for (const std::string& name : options_.ignore) {
    const std::size_t place = find_column(document, name, "task.ignore");
    check(name, "task.ignore", std::ranges::find(taken, place) != taken.end());
    taken.push_back(place);
  }
  first_file_ = document.name;
  names_ = options_.inputs;
  for (std::size_t i = 0; options_.inputs.empty() && i < document.header.size(); ++i)
    if (std::ranges::find(taken, i) == taken.end()) names_.push_back(document.header[i]);
  if (!names_.empty()) return;
  std::string list = quoted_text(document.header[target]);
  for (const std::size_t other : others) list = quoted_text(document.header[other]) + ", " + list;
  throw io_error(fmt::format("{}: there is no input column; add at least one beside {}", document.name, list));
}

void InputColumns::check_same(const CsvDocument& document, std::size_t target, const std::vector<std::size_t>& others) const {
  for (const std::string& name : names_)
    if (!stands_in(document.header, name))
      throw io_error(fmt::format("{}: there is no column {}, which {} has as an input; the files must have the same inputs", document.name,
                                 quoted_text(name), first_file_));
  if (!options_.inputs.empty()) return;
  for (std::size_t i = 0; i < document.header.size(); ++i) {
    const std::string& name = document.header[i];
    const bool has_meaning = i == target || std::ranges::find(others, i) != others.end();
    if (!has_meaning && !stands_in(names_, name) && !stands_in(options_.ignore, name))
      throw io_error(fmt::format("{}: the column {} is none of {}; remove it, or name the inputs in task.inputs", document.name,
                                 quoted_text(name), first_file_));
  }
}

template <class T>
std::optional<T> parse_as(std::string_view field) {
  const auto number = parse_number(field);
  if (!number || !std::isfinite(static_cast<T>(*number))) return std::nullopt;
  return static_cast<T>(*number);
}
template std::optional<float> parse_as(std::string_view);
template std::optional<double> parse_as(std::string_view);

template <class T>
std::string parse_fault(std::string_view field) {
  if (std::is_same_v<T, float> && parse_number(field))
    return "is not a finite number in the range of single precision; run.precision = \"f64\" has a larger one";
  return number_fault(field);
}
template std::string parse_fault<float>(std::string_view);
template std::string parse_fault<double>(std::string_view);

void InputFaults::add(std::size_t input, std::int64_t line, std::string_view field, std::string_view reason) {
  ColumnFaults& column = faults_[input];
  if (++column.count <= Problems::kShown) column.first.push_back({line, std::string(field), std::string(reason)});
}

void InputFaults::report(const std::string& file, Problems& problems) const {
  std::vector<std::tuple<std::int64_t, std::size_t, std::string>> lines;
  std::int64_t others = 0;  // beyond those that are kept
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const ColumnFaults& column = faults_[i];
    const bool is_whole = column.count == rows_ && rows_ > 1;
    if (column.count == 0) continue;
    const std::size_t first = lines.size();
    for (const Fault& fault : column.first) lines.emplace_back(fault.line, i, field_fault(columns_[i], fault.text, fault.reason));
    if (is_whole) lines.resize(first + 1);
    std::string& text = std::get<std::string>(lines[first]);
    if (is_whole) text += ", and no field of this column is";
    if (!looks_like_number(column.first[0].text))
      text += fmt::format("; a column that is no input is left out with task.ignore = [{}]", toml_text(columns_[i]));
    if (!is_whole) others += column.count - std::ssize(column.first);
  }
  std::ranges::sort(lines);
  for (const auto& [line, input, text] : lines) problems.add_at(fmt::format("{}:{}", file, line), text);
  problems.add_unlisted(others);
}

std::int32_t Groups::add(std::string_view name, const std::string& file, std::int64_t line, Problems& problems) {
  if (const auto found = groups_.find(name); found != groups_.end()) {
    Group& group = found->second;
    if (group.file != file) {
      problems.add_at(
          fmt::format("{}:{}", file, line),
          fmt::format("the group {} is in {} as well; a group belongs in one set (task.group_column)", quoted_text(name), group.file));
      group.file = file;
    }
    return group.number;
  }
  const auto number = static_cast<std::int32_t>(groups_.size());
  groups_.emplace(name, Group{number, file});
  return number;
}

}  // namespace vp
