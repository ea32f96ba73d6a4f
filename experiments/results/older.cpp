// Tables of bundles of an older schema: the columns they had, and their rows in the columns of today.
#include <algorithm>
#include <array>

#include "experiments/results/tables.h"

namespace vp {
namespace {

// Behind run_id, as version 0.1.0 wrote them. They stand on disk: never changed.
struct OlderTable {
  std::string_view name, columns;
};
constexpr std::array kTablesOfSchema3 = {
    OlderTable{"runs",
               "outcome,updates_done,train_loss,validation_loss,validation_accuracy,test_loss,test_accuracy,gradient_slope,"
               "gradient_slope_low,gradient_slope_high,gradient_slope_final,max_gradient_norm,note"},
    OlderTable{"curves", "update,train_loss,validation_loss,validation_accuracy,test_loss,test_accuracy,gradient_norm,clipped,note"},
    OlderTable{"timesteps", "update,layer,t,log10_dh,log10_dh_typical,log10_dc,activation_mean,activation_std,saturated,note"},
    OlderTable{"layers", "update,layer,activation_mean,activation_std,saturated,log10_gradient,log10_weight_gradient,dead_units,note"},
    OlderTable{"timings", "phase,seconds,host,threads"},
    OlderTable{"spectra", "update,layer,sample,kind,t,index,value,standard_error,note"},
    OlderTable{"traces", "update,layer,sample,t,unit,quantity,value,note"},
    OlderTable{"metrics", "update,split,metric,class,value,note"},
};

std::vector<std::string_view> split_at_commas(std::string_view text) {
  std::vector<std::string_view> parts;
  for (std::size_t end = 0; end != std::string_view::npos;) {
    end = text.find(',');
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return parts;
}

// Fields of a line as they stand, quotation marks included.
std::vector<std::string_view> raw_fields(std::string_view row) {
  std::vector<std::string_view> fields;
  bool quoted = false;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= row.size(); ++i) {
    if (i < row.size() && row[i] == '"') quoted = !quoted;
    if (i < row.size() && (quoted || row[i] != ',')) continue;
    fields.push_back(row.substr(start, i - start));
    start = i + 1;
  }
  return fields;
}

}  // namespace

std::vector<std::string_view> stored_columns(std::string_view table, std::int64_t schema) {
  if (schema < kSchemaOfInputs) {
    const auto older = std::ranges::find(kTablesOfSchema3, table, &OlderTable::name);
    return older == kTablesOfSchema3.end() ? std::vector<std::string_view>() : split_at_commas(older->columns);
  }
  std::vector<std::string_view> names;
  for (const ColumnInfo& column : bundle_columns(table)) names.push_back(column.name);
  return names;
}

std::string upgraded_row(std::string_view row, std::span<const std::string_view> stored, std::span<const ColumnInfo> columns) {
  const std::vector<std::string_view> fields = raw_fields(row);
  std::string upgraded;
  for (const ColumnInfo& column : columns) {
    if (&column != &columns.front()) upgraded += ',';
    const auto at = static_cast<std::size_t>(std::ranges::find(stored, column.name) - stored.begin());
    if (at < fields.size()) upgraded += fields[at];
  }
  return upgraded;
}

}  // namespace vp
