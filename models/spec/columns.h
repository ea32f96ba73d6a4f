// How a row of a result file describes its columns: once, beside its members, as options do with visit_fields().
//
//   struct CurveRow {
//     std::int64_t update = 0;
//     template <class Visitor>
//     void visit_columns(Visitor& v) const {
//       v({.name = "update", .unit = "updates", .meaning = "...", .is_key = true}, update);
//     }
//   };
//
// From that come the bundle, the CSV file, datapackage.json, the dictionary and the comparison of two reports. A column's type is its
// member's: integer (std::int64_t), number (double) or string; an optional that is absent is an empty cell. Thread-safety: plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vp {

struct Column {
  std::string_view name;
  std::string_view unit = "";
  std::string_view meaning;
  bool is_key = false;   // tells the rows of a run apart
  bool is_note = false;  // text that also takes what cannot stand in the cells before it: column=inf, -inf or nan
};

inline std::string_view column_type(std::int64_t) { return "integer"; }
inline std::string_view column_type(double) { return "number"; }
inline std::string_view column_type(std::string_view) { return "string"; }
template <class T>
std::string_view column_type(const std::optional<T>&) {
  return column_type(T{});
}

}  // namespace vp
