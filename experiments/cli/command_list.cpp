// `vpoint list`: everything that can be chosen, straight from the lists that the program chooses from.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <system_error>

#include "experiments/cli/commands.h"
#include "experiments/config/claim_config.h"
#include "experiments/io/error.h"
#include "experiments/io/files.h"
#include "experiments/results/tables.h"
#include "experiments/tasks/task.h"
#include "kernels/activation/custom_activation.h"
#include "models/base/suggest.h"
#include "models/cells/cell_list.h"
#include "models/model_kinds.h"
#include "models/optimizers/optimizers.h"
#include "models/parameters/initializers.h"
#include "models/probes/probe_list.h"
#include "models/recurrent/forms.h"

namespace vp {
namespace {

namespace fs = std::filesystem;

struct Item {
  std::string name, description;
};

template <class Entries>
std::vector<Item> described(const Entries& entries) {
  std::vector<Item> items;
  for (const auto& entry : entries) items.push_back({std::string(entry.name), std::string(entry.description)});
  return items;
}

std::string function_names() {
  std::string names;
  for (const ExpressionFunction& f : expression_functions()) names += (names.empty() ? "" : ", ") + std::string(f.name);
  return names;
}

std::vector<Item> list_activations() {
  std::vector<Item> items;
  for (const Activation& a : activations())
    items.push_back(
        {std::string(a.name), fmt::format("{}; largest slope {:.4g}; within {} ULP", a.formula, a.max_slope, a.value_bound_ulp)});
  items.push_back({"expr: FORMULA",
                   fmt::format("your own, of x, numbers, + - * / ^ and {0}; e.g. \"expr: x*tanh(log(1+exp(x)))\"; it must be finite and "
                               "differentiable on [-{1}, {1}], but for kinks of abs, relu, max and min",
                               function_names(), kCheckedRange)});
  for (const ExpressionFunction& f : expression_functions())
    if (!f.meaning.empty()) items.push_back({fmt::format("function {}", f.name), std::string(f.meaning)});
  return items;
}

std::vector<Item> list_keys() {
  std::vector<Item> items;
  for (const FieldHelp& f : all_fields()) {
    const std::string owner = f.belongs_to.empty() ? "" : " (" + f.belongs_to + ")";
    items.push_back(
        {f.key, fmt::format("{}, default {}: {}{}", f.type, f.default_text.empty() ? "unset" : f.default_text, f.description, owner)});
  }
  return items;
}

std::vector<Item> list_claims() {
  std::vector<Item> items;
  for (const ClaimKey& key : claim_keys()) items.push_back({key.name, key.description});
  return items;
}

// The catalog below the working directory, the installed one beside this program, or that of the clone it was built in.
fs::path catalog_folder() {
  std::error_code ignored;
  const fs::path program = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  const fs::path beside[] = {"experiments/catalog", program / "../share/vanishing-point/catalog", program / "../../experiments/catalog"};
  for (const fs::path& folder : beside)
    if (fs::is_directory(folder, ignored)) return folder.lexically_normal();
  return {};
}

std::vector<Item> list_experiments() {
  const fs::path catalog = catalog_folder();
  std::vector<Item> items;
  if (catalog.empty()) return items;
  for (const auto& entry : fs::directory_iterator(catalog))
    if (entry.path().extension() == ".toml")
      items.push_back({entry.path().string(), load_experiment(read_file(entry.path()), entry.path().string(), {}).title});
  std::ranges::sort(items, {}, &Item::name);
  return items;
}

std::vector<Item> list_columns() {
  std::vector<Item> items;
  for (const ColumnInfo& c : result_columns())
    items.push_back({fmt::format("{}.{}", c.table, c.name),
                     fmt::format("{}{}: {}", c.type, c.unit.empty() ? "" : fmt::format(", {}", c.unit), c.description)});
  return items;
}

std::vector<Item> list_exit_codes() {
  std::vector<Item> items;
  for (const ExitMeaning& e : kExitMeanings) items.push_back({std::to_string(static_cast<int>(e.code)), std::string(e.meaning)});
  return items;
}

std::vector<Item> list_environment() {
  return {{"VPOINT_PYTHON", "the Python that draws the report, in place of the first one that has pandas and plotly"},
          {"TMPDIR", "where the report's script stands while it runs; default /tmp"},
          {"SLURM_CPUS_PER_TASK", "no more threads than that are used by default"},
          {"NO_COLOR", "set to anything: no colours"},
          {"COLUMNS", "width of the terminal, where it does not say it itself"}};
}

struct List {
  std::string name;
  std::vector<Item> (*items)();
};

const std::array<List, 14>& lists() {
  static const std::array<List, 14> all = {{
      {"models", [] { return described(model_kinds()); }},
      {"cells", [] { return described(cells()); }},
      {"forms", [] { return described(forms()); }},
      {"activations", list_activations},
      {"inits", [] { return described(initializers()); }},
      {"optimizers", [] { return described(optimizers()); }},
      {"probes", [] { return described(probes()); }},
      {"tasks", [] { return described(tasks()); }},
      {"experiments", list_experiments},
      {"keys", list_keys},
      {"claims", list_claims},
      {"columns", list_columns},
      {"exit_codes", list_exit_codes},
      {"environment", list_environment},
  }};
  return all;
}

}  // namespace

std::vector<std::string> list_names() {
  std::vector<std::string> names;
  for (const List& list : lists()) names.push_back(list.name);
  return names;
}

ExitCode print_list(const std::string& what, bool json) {
  const auto list = std::ranges::find(lists(), what, &List::name);
  if (list == lists().end()) throw usage_error(fmt::format("list: no list \"{}\"{}", what, suggestion(what, list_names())));
  const std::vector<Item> items = list->items();
  if (json) {
    auto out = nlohmann::ordered_json::array();
    for (const Item& item : items) out.push_back({{"name", item.name}, {"description", item.description}});
    fmt::print("{}\n", out.dump(2));
    return ExitCode::kGood;
  }
  std::size_t width = 0;
  for (const Item& item : items) width = std::max(width, item.name.size());
  for (const Item& item : items) fmt::print("{:{}}  {}\n", item.name, width, item.description);
  return ExitCode::kGood;
}

}  // namespace vp
