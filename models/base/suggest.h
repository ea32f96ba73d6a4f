// "Did you mean ...?" for misspelt names. Pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace vp {

// At most `count` candidates nearest to `word` by Damerau-Levenshtein distance, best first; those further away than half their length are
// left out.
std::vector<std::string> nearest(std::string_view word, std::span<const std::string> candidates, std::size_t count = 3);

// "; did you mean a, b or c?" from nearest(), or, if nothing is near, "; known: " and all of them.
std::string suggestion(std::string_view word, std::span<const std::string> candidates);

}  // namespace vp
