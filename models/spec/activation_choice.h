// model.activation and its like: a name from the table, or a formula of the user's, and what to say about one. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "models/spec/fields.h"

namespace vp {

// A field that takes the name of an activation, or "expr: FORMULA".
FieldInfo activation_field(std::string_view key, std::string_view description);

// nullopt: does not start with "expr:". Empty: a formula that can be trained with. Else why not: place, nearest valid name, and the part of
// the formula with a mark below the place.
std::optional<std::string> custom_activation_problem(std::string_view text);

// "expr: x*sigmoid(x)" for swish: how a function that other libraries have is written here; empty if it is not known.
std::string formula_of_activation(std::string_view name);

// Where the slope of a formula jumps and what it is there, for the user to see; empty: nowhere, or no formula.
std::string kinks_note(std::string_view activation);

}  // namespace vp
