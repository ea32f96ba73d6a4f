// What the command line changed of an experiment file: kept in config.toml, so that it can be said beside the verdicts. Thread-safety: pure
// functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "experiments/config/document.h"
#include "experiments/config/toml.h"

namespace vp {

// Compares the settings and axes of a document after overrides with those as written. A change that the document holds already, of an
// earlier command line, keeps what it was compared with; one that is taken back is no change.
void record_changes(const Document& written, Document& document);

// [[override]] tables of config.toml, and back. Errors: UserError(kUsage) for keys that do not belong there.
std::vector<Change> parse_changes(std::span<const TomlSection> sections);
std::string changes_toml(std::span<const Change> changes);

// "changed on the command line: train.updates = 100 instead of 430", or empty. Seeds are replicates: other ones, and more of them, are no
// change of what a claim was written for; fewer are.
std::string changes_note(std::span<const Change> changes);

}  // namespace vp
