// The result directory: one bundle per finished run, merged into tidy CSV files.
//
//   DIR/runs/<run_id>.run   a bundle: plain text, checksummed, written whole or not at all
//   DIR/checkpoints/<run_id>.safetensors   its final parameters, with train.save_checkpoint; stands there before the bundle does
//   DIR/*.csv, manifest.json, datapackage.json, config.toml
//
// Thread-safety: write_bundle() may be called from many threads for different runs; the rest by one thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/config/config.h"
#include "experiments/io/csv.h"
#include "experiments/io/input_files.h"
#include "experiments/results/provenance.h"
#include "models/spec/report.h"

namespace vp {

// A finished run as it stands on disk: for every table the rows of this run, as CSV text without header, without the run_id column.
struct Bundle {
  std::string run_id;
  std::string configuration;  // canonical_text()
  Provenance provenance;
  Outcome outcome = Outcome::kFailed;
  std::map<std::string, std::string> tables;  // "runs" (the columns from outcome on) and the others of run_tables()
};

Bundle make_bundle(const Config& config, const Provenance& provenance, const RunReport& report, std::string_view host,
                   std::int64_t threads);
std::string encode_bundle(const Bundle& bundle);
// UserError(kInputOutput) with name and reason if it is damaged: checksum, truncation, text that is no bundle. UserError(kUsage) for a
// sound bundle of another schema: nobody's data are damaged, but this program cannot read them. Of an older schema: ids get their letter,
// columns that it did not have are empty.
Bundle decode_bundle(std::string_view bytes, const std::string& name);

// Where the file of a run stands or will stand; a run of an older schema keeps the name that has no letter in front.
std::filesystem::path bundle_path(const std::filesystem::path& directory, std::string_view run_id);
std::filesystem::path checkpoint_path(const std::filesystem::path& directory, std::string_view run_id);

// What is there of an experiment.
struct Inventory {
  std::vector<std::string> finished;         // run ids with a sound bundle, in grid order
  std::vector<std::string> missing;          // in grid order
  std::vector<std::string> failed;           // those of `finished` with outcome failed; done again by the next run
  std::vector<std::string> damaged;          // file names, set aside as <name>.damaged
  std::vector<std::string> foreign;          // run ids of bundles that are not in this grid
  std::vector<std::string> stale;            // those of `finished` that were made from other data than stand in their input files now
  std::string stale_because;                 // what differs for the first of them
  std::vector<std::string> older;            // those of `finished` whose bundle has an older schema
  std::map<Outcome, std::int64_t> outcomes;  // how many of `finished` ended in each; all four are there
  std::vector<InputFile> inputs;             // of all of `finished`, each content once
};
// "3 completed, 1 solved, 2 diverged, 0 failed".
std::string outcomes_text(const Inventory& inventory);
// What is not known of bundles of an older schema, for a warning; empty if there are none.
std::string older_note(std::size_t count);

// Reads every bundle of the grid. Damaged ones are renamed aside, reported through `warn`, and missing. Bundles of another build, ISA or
// libraries, and those made from another content of an input file than stands there now: UserError(kUsage) naming them and the two ways on
// (--fresh, --allow-mixed), unless `allow_mixed`; the resolved backend may differ between runs, and an input file may be gone. A run whose
// checkpoint was removed is missing as well.
Inventory take_inventory(const std::filesystem::path& directory, const Experiment& experiment, const Provenance& provenance,
                         bool allow_mixed, void (*warn)(const std::string&));

// Writes runs.csv, curves.csv, the other tables and datapackage.json from the bundles that are there, in grid order.
// `allow_mixed` adds build, isa, libraries, backend and inputs as columns of runs.csv; without it, bundles that differ in the first three,
// or were made from different contents of an input file, are refused as above. Returns the number of runs merged. Rows stream from bundle
// to file: memory holds one bundle. Files change only when all could be written. `warn` hears of bundles of an older schema, once.
std::int64_t merge_results(const std::filesystem::path& directory, const Experiment& experiment, bool allow_mixed,
                           void (*warn)(const std::string&) = nullptr);

// Makes the directory and writes manifest.json and config.toml into it. A directory that already holds results must be of the same
// experiment: the same name in its manifest, and every bundle a point of this grid (a grid may grow); else UserError(kUsage) with the
// remedy (--out, --fresh), and nothing is changed. So is a directory where files of these names are not this program's. Other files may be
// there and stay. `fresh` first removes this experiment's bundles, their checkpoints and the merged files, nothing else. `implementations`:
// what the engines call the code that runs, and `inputs`, for the manifest. Without `fresh`, take_inventory() comes first: what it refuses
// must not change the manifest.
void prepare_directory(const std::filesystem::path& directory, const Experiment& experiment, const Provenance& provenance,
                       std::int64_t threads, bool fresh, std::span<const std::string> implementations = {},
                       std::span<const InputFile> inputs = {});
// manifest.json anew. Implementations that the manifest of the same build and instruction set names already stay in it.
void write_manifest(const std::filesystem::path& directory, const Experiment& experiment, const Provenance& provenance,
                    std::int64_t threads, std::span<const std::string> implementations, std::span<const InputFile> inputs);

}  // namespace vp
