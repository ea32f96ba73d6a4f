// `vpoint profile --compare OLD.json`: this run's times against those of an earlier one, with a test of whether the difference is more than
// noise. Thread-safety: pure functions.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace vp {

// Seconds of every repetition, by row.
using RowSamples = std::map<std::string, std::vector<double>>;

// Samples of a file that --benchmark_out wrote; error rows, aggregates and the machine's own rows are left out. `name` stands in messages.
// UserError(kInputOutput) for what is not such a file.
RowSamples read_samples(const std::string& json, const std::string& name);

// Two-sided p of the Mann-Whitney U test: the chance of ranks at least this uneven if both samples come from one distribution. Exact
// without ties up to 20 values a side, else the normal approximation with corrections for ties and continuity. Nothing if a sample is
// empty.
std::optional<double> mann_whitney(std::span<const double> a, std::span<const double> b);

double median(std::vector<double> values);  // REQUIRES: not empty

// A line per row: medians, now/old, p, and a verdict at p < 0.01. Rows of one run only are named at the end.
std::string comparison_table(const RowSamples& old_run, const RowSamples& new_run);

}  // namespace vp
