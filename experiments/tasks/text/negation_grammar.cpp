#include "experiments/tasks/text/negation_grammar.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

namespace vp {
namespace {

constexpr std::string_view kThings[] = {"film", "book",   "hotel", "meal", "phone", "concert",
                                        "room", "coffee", "game",  "trip", "car",   "play"};
constexpr std::string_view kPraise[] = {"good",   "great",     "pleasant", "brilliant", "lovely",
                                        "clever", "excellent", "charming", "fresh",     "fine"};
constexpr std::string_view kBlame[] = {"bad", "awful", "poor", "boring", "terrible", "dull", "dreadful", "weak", "ugly", "stale"};

// + is the judgement that is meant, - the one that is denied, * the thing, ~ room for a remark about it.
constexpr std::string_view kFrames[] = {
    "the * ~ was not - but +",
    "the * ~ was + , not -",
    "the * ~ was + and not -",
    "not - but + was the * ~",
    "the * ~ was never - , it was +",
    "the * ~ could have been - but was +",
    "nobody found the * ~ - , we all found it +",
    "the * ~ was + rather than -",
    "the * ~ was anything but - , it was +",
};
constexpr std::string_view kRemarks[] = {"we saw last week", "in the old town", "with the long name", "they told us about", "of the day"};
constexpr std::string_view kOpenings[] = {"to be honest ,",          "in our opinion ,", "on the whole ,",
                                          "as far as we remember ,", "well ,",           "when we came back we all agreed :"};
constexpr std::string_view kEndings[] = {"for us", "on that day", ", we think", "for people like us", ", as we said before"};

// Of a frame: what is no word.
constexpr std::int32_t kMeant = -1, kDenied = -2, kThing = -3, kRemark = -4;

using Words = std::vector<std::int32_t>;

// All texts as ids.
class Grammar {
 public:
  Grammar() {
    vocabulary_.emplace_back("<padding>");
    for (const auto& [texts, ids] :
         std::initializer_list<std::pair<std::span<const std::string_view>, std::vector<Words>*>>{{kThings, &things},
                                                                                                  {kPraise, &praise},
                                                                                                  {kBlame, &blame},
                                                                                                  {kFrames, &frames},
                                                                                                  {kRemarks, &remarks},
                                                                                                  {kOpenings, &openings},
                                                                                                  {kEndings, &endings}})
      for (const std::string_view text : texts) ids->push_back(read(text));
  }
  std::span<const std::string> vocabulary() const { return vocabulary_; }

  std::vector<Words> things, praise, blame, frames, remarks, openings, endings;

 private:
  Words read(std::string_view text) {
    Words words;
    while (!text.empty()) {
      const std::size_t end = std::min(text.find(' '), text.size());
      words.push_back(id(text.substr(0, end)));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
  }

  std::int32_t id(std::string_view word) {
    constexpr std::string_view kMarks = "+-*~";
    if (word.size() == 1 && kMarks.find(word) != std::string_view::npos) return -1 - static_cast<std::int32_t>(kMarks.find(word));
    const auto found = std::ranges::find(vocabulary_, word);
    const auto place = static_cast<std::int32_t>(found - vocabulary_.begin());
    if (found == vocabulary_.end()) vocabulary_.emplace_back(word);
    return place;
  }

  std::vector<std::string> vocabulary_;
};

const Grammar& grammar() {
  static const Grammar kGrammar;
  return kGrammar;
}

const Words& choose(const std::vector<Words>& from, RandomStream& random) {
  return from[static_cast<std::size_t>(random.below(from.size()))];
}

// One in two times a text that leaves the sentence at most `longest` tokens long; else nothing.
std::span<const std::int32_t> maybe(const std::vector<Words>& from, RandomStream& random, std::int64_t longest, std::int64_t& length) {
  if (random.below(2) == 0) return {};
  const Words& words = choose(from, random);
  const auto size = static_cast<std::int64_t>(words.size());
  if (length + size > longest) return {};
  length += size;
  return words;
}

}  // namespace

NegationSentence draw_negation(RandomStream& random, std::int64_t longest) {
  const Grammar& g = grammar();
  NegationSentence sentence;
  sentence.is_praise = random.below(2) == 1;
  const Words &frame = choose(g.frames, random), &thing = choose(g.things, random);
  const Words &good = choose(g.praise, random), &bad = choose(g.blame, random);
  auto length = static_cast<std::int64_t>(frame.size()) - 1;  // the remark may be missing
  const auto opening = maybe(g.openings, random, longest, length), remark = maybe(g.remarks, random, longest, length),
             ending = maybe(g.endings, random, longest, length);
  const auto add = [&](std::span<const std::int32_t> words) {
    for (const std::int32_t word : words) sentence.words[static_cast<std::size_t>(sentence.length++)] = word;
  };
  add(opening);
  for (const std::int32_t& word : frame) {
    if (word == kMeant || word == kDenied)
      add((word == kMeant) == sentence.is_praise ? good : bad);
    else
      add(word == kThing ? std::span<const std::int32_t>(thing) : word == kRemark ? remark : std::span(&word, 1));
  }
  add(ending);
  return sentence;
}

std::span<const std::string> negation_vocabulary() { return grammar().vocabulary(); }

}  // namespace vp
