// Bundles to CSV files, in grid order: one pass, one bundle in memory at a time.
#include <algorithm>
#include <memory>
#include <optional>

#include "experiments/io/file_writer.h"
#include "experiments/io/files.h"
#include "experiments/results/tables.h"

namespace vp {
namespace {

// Every line of `rows` with `prefix` in front.
void append_rows(FileWriter& file, const std::string& prefix, std::string_view rows) {
  while (!rows.empty()) {
    const std::size_t end = rows.find('\n') + 1;
    file.append(prefix);
    file.append(rows.substr(0, end));
    rows.remove_prefix(end);
  }
}

std::string key_cells(const Config& config, std::span<const KeyColumn> keys) {
  const auto texts = field_texts(config);
  std::map<std::string_view, std::string_view> by_key(texts.begin(), texts.end());
  std::string cells;
  for (const KeyColumn& key : keys) append_csv_field(cells, by_key[key.key]), cells += ',';
  return cells;
}

std::string provenance_cells(const Provenance& p) {
  std::string cells;
  for (const std::string& value : {p.build, p.isa, p.libraries, p.backend, inputs_text(p.inputs)})
    append_csv_field(cells, value), cells += ',';
  return cells;
}

// The merged files of one directory while they are written.
class Merger {
 public:
  Merger(const std::filesystem::path& directory, const Experiment& experiment, bool mixed)
      : directory_(directory), mixed_(mixed), keys_(key_columns(experiment)) {
    for (const std::string& table : run_tables()) {
      files_.push_back(std::make_unique<FileWriter>(directory / (table + ".csv")));
      files_.back()->append(header_line(table, keys_, mixed));
    }
  }

  void add(const Config& config, const Bundle& bundle, const std::filesystem::path& path) {
    check_build(bundle.provenance, path);
    if (bundle.outcome != Outcome::kFailed) check_inputs(config, bundle.provenance, path);
    for (std::size_t i = 0; i < run_tables().size(); ++i) {
      std::string prefix = bundle.run_id + ',';
      if (run_tables()[i] == "runs") prefix += key_cells(config, keys_) + (mixed_ ? provenance_cells(bundle.provenance) : "");
      append_rows(*files_[i], prefix, bundle.tables.at(run_tables()[i]));
    }
  }

  void commit() {
    if (!mixed_ && !other_builds_.empty()) throw mixed_builds(directory_, other_builds_, difference_);
    if (!mixed_ && !other_inputs_.empty()) throw mixed_inputs(directory_, other_inputs_, input_difference_);
    for (const auto& file : files_) file->finish();
    for (const auto& file : files_) file->commit();
  }

 private:
  // All bundles are held against the first.
  void check_build(const Provenance& provenance, const std::filesystem::path& path) {
    if (!first_) first_ = provenance;
    const std::string difference = provenance_difference(provenance, *first_);
    if (difference.empty()) return;
    if (other_builds_.empty()) difference_ = difference;
    other_builds_.push_back(path.filename().string());
  }

  void check_inputs(const Config& config, const Provenance& provenance, const std::filesystem::path& path) {
    if (provenance.schema < kSchemaOfInputs) return;  // nothing is known of them
    const std::string difference = inputs_seen_.add(config, provenance.inputs);
    if (difference.empty()) return;
    if (other_inputs_.empty()) input_difference_ = difference;
    other_inputs_.push_back(path.filename().string());
  }

  const std::filesystem::path& directory_;
  const bool mixed_;
  const std::vector<KeyColumn> keys_;
  std::vector<std::unique_ptr<FileWriter>> files_;  // as run_tables()
  std::optional<Provenance> first_;
  InputsSeen inputs_seen_;
  std::vector<std::string> other_builds_, other_inputs_;
  std::string difference_, input_difference_;
};

}  // namespace

std::int64_t merge_results(const std::filesystem::path& directory, const Experiment& experiment, bool allow_mixed,
                           void (*warn)(const std::string&)) {
  Merger merger(directory, experiment, allow_mixed);
  std::int64_t merged = 0;
  std::size_t older = 0;
  for (const Run& run : experiment.runs) {
    const std::filesystem::path path = bundle_path(directory, run.id());
    if (!std::filesystem::exists(path)) continue;
    const Bundle bundle = decode_bundle(read_file(path), path.string());
    if (bundle.run_id != run.id()) throw io_error(path.string() + ": holds another run than its name says");
    older += bundle.provenance.schema < kSchemaOfInputs;
    merger.add(run, bundle, path);
    ++merged;
  }
  merger.commit();
  write_file(directory / "datapackage.json", data_package(experiment, allow_mixed));
  if (warn != nullptr && older > 0) warn(older_note(older));
  return merged;
}

}  // namespace vp
