// Is a training the same, bit by bit, on any number of threads? Thread-safety: one thread; it makes pools of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/verify/finding.h"
#include "models/spec/batch_source.h"
#include "models/spec/report.h"
#include "models/spec/spec.h"

namespace vp {

// A training of some milliseconds with everything in it: two layers, a last shard that is not full, clipping, evaluations, probes.
RunSpec small_training(const std::string& cell, const std::string& optimizer = "adam");

// The same of an mlp or cnn, with layer norm, dropout and shortcuts.
RunSpec small_feed_forward(const std::string& kind);

// All that a report says, bit by bit: every member of every row but what the clock says.
std::vector<std::uint64_t> bits_of(const RunReport& report);

// The report of the training and the parameters after some updates, on each number of threads against the first.
Finding same_bits_finding(const RunSpec& spec, const BatchSource& source, std::span<const int> threads);

// Every cell and every feed-forward kind on every backend in f32, and in f64.
std::vector<Check> same_bits_checks(const std::vector<int>& threads);

}  // namespace vp
