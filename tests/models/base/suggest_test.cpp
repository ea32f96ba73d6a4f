#include "models/base/suggest.h"

#include <gtest/gtest.h>

namespace vp {
namespace {

using Names = std::vector<std::string>;

TEST(Suggest, NearestComeFirstAndTiesKeepTheirOrder) {
  const Names known = {"momentum", "rmsprop", "adam", "adan"};
  EXPECT_EQ(nearest("adma", known), (Names{"adam", "adan"}));  // a swap of neighbours is one edit; "adan" is two away
  EXPECT_EQ(nearest("adax", known), (Names{"adam", "adan"}));
  EXPECT_EQ(nearest("rmsprob", known), Names{"rmsprop"});
  EXPECT_EQ(nearest("", known), Names{});
}

TEST(Suggest, SwapsInsertionsDeletionsAndSubstitutionsCountOne) {
  for (const auto* word : {"tahn", "tan", "tanhh", "tonh"}) EXPECT_EQ(nearest(word, Names{"xxxx", "relu", "tanh"}), Names{"tanh"}) << word;
  EXPECT_EQ(nearest("ba", Names{"ab"}), Names{"ab"});  // by two substitutions it would be too far
}

TEST(Suggest, WhatIsFurtherThanHalfItsLengthIsLeftOut) {
  EXPECT_EQ(nearest("abxx", Names{"abcd"}), Names{"abcd"});
  EXPECT_EQ(nearest("axxx", Names{"abcd"}), Names{});
  EXPECT_EQ(nearest(std::string(1000000, 'a'), Names{"abcd"}), Names{});
}

TEST(Suggest, GivesAtMostTheCount) {
  const Names known = {"a1", "a2", "a3", "a4"};
  EXPECT_EQ(nearest("a", known), (Names{"a1", "a2", "a3"}));
  EXPECT_EQ(nearest("a", known, 1), Names{"a1"});
}

TEST(Suggest, SaysItInWords) {
  EXPECT_EQ(suggestion("a", Names{"a1"}), "; did you mean a1?");
  EXPECT_EQ(suggestion("a", Names{"a1", "a2"}), "; did you mean a1 or a2?");
  EXPECT_EQ(suggestion("a", Names{"a1", "a2", "a3"}), "; did you mean a1, a2 or a3?");
  EXPECT_EQ(suggestion("zzz", Names{"tanh", "relu"}), "; known: tanh, relu");
  EXPECT_EQ(suggestion("zzz", Names{}), "");
}

}  // namespace
}  // namespace vp
