// The forms of recurrence (model.form): where inputs come in, where outputs go out, and what happens to the state in between.
// Thread-safety: the list is constant.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "models/spec/batch_source.h"
#include "models/spec/spec.h"

namespace vp {

enum class Form : std::uint8_t { kManyToOne, kManyToMany, kStateful, kOneToMany, kSequenceToSequence };

struct FormEntry {
  std::string_view name;
  std::string_view description;
  Form form;
};

std::span<const FormEntry> forms();
Form form_of(const ModelSpec& model);
// Outputs come back as inputs.
inline bool feeds_back(Form form) { return form == Form::kOneToMany || form == Form::kSequenceToSequence; }

// Empty if the form and its options fit what the source gives; else what does not, and what would.
std::string check_form(const RunSpec& spec, const BatchSource& source);

}  // namespace vp
