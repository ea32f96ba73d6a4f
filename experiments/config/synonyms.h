// What other libraries call a configuration key: "lr" for train.learning_rate. Thread-safety: the list is constant.
#pragma once

#include <span>
#include <string_view>

namespace vp {

struct KeySynonyms {
  std::string_view names;   // last parts of keys, in lower case, between spaces
  std::string_view key;     // here; empty: there is none
  std::string_view remark;  // what is different here; may be empty
};
std::span<const KeySynonyms> key_synonyms();

// For the last part of a key that does not exist, "lr" or "batchSize"; nullptr if nobody calls anything so.
const KeySynonyms* find_synonym(std::string_view name);

}  // namespace vp
