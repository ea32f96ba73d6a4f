// Real English: sentences from product reviews, rated by people; is the rating positive? By default the 3,708 Amazon review snippets of
// Hutto & Gilbert 2014 (VADER), which scripts/data/sentiment.py fetches to results/data/amazon_reviews.csv; task.path: any CSV file with
// the columns id, rating and text. Ratings of 0 are left out.
//
// Words come one a step, as tokens for an embedding, cut off after task.max_length; words.h says what a word is. The vocabulary is made of
// the training sentences alone: words that occur there at least task.min_count times; the others are one token, "unknown" (1), 0 is
// padding. task.order shows the same words shuffled (one fixed order per sentence and seed) or as counts.
//
// Sentences of one review (ids 12_1, 12_2, ...) never straddle the sets: XXH3-64 of the part of the id before the first '_', as a share of
// 2^64, is below task.validation_share for validation, below that plus task.test_share for testing, else for training. So the sets are the
// same for every seed. At the defaults, of the default file: 2,583 sentences of 221 reviews to train on, 443 of 35 to validate on, 584 of
// 43 to test on, of which .594, .576 and .579 are positive (that is chance; two standard errors of an accuracy on the test set are .04); a
// vocabulary of 2,238; half of the sentences have at most 17 words, 5 % more than 40.
#include <xxhash.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <vector>

#include "experiments/io/files.h"
#include "experiments/tasks/split.h"
#include "experiments/tasks/text/rated_sentences.h"
#include "experiments/tasks/text/word_order.h"
#include "experiments/tasks/text/words.h"

namespace vp {
namespace {

constexpr const char* kDefaultPath = "results/data/amazon_reviews.csv";
constexpr std::uint64_t kLargestFile = std::uint64_t{256} << 20;  // bytes
constexpr std::int64_t kLargestVocabulary = 1'000'000;

struct SentimentOptions : OptionsOf<SentimentOptions> {
  std::int64_t max_length = 40, min_count = 2;
  std::string order{kInSequence};
  SplitShares shares{.validation = 0.1, .test = 0.2};

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.max_length", .description = "words after which a sentence is cut off", .minimum = 1, .maximum = 10000},
                  max_length);
    visitor.field({.key = "task.min_count",
                   .description = "how often a word must occur in the training sentences to be told from others",
                   .minimum = 1,
                   .maximum = 1e9},
                  min_count);
    visit_word_order(visitor, order);
    shares.visit_fields(visitor);
  }
};

Split split_of(const std::string& review, const SplitShares& shares) {
  const double place = static_cast<double>(XXH3_64bits(review.data(), review.size()) >> 11) * 0x1p-53;  // in [0, 1)
  return place < shares.validation ? Split::kValidation : place < shares.validation + shares.test ? Split::kTest : Split::kTrain;
}

class SentimentSource : public BatchSource {
 public:
  SentimentSource(const std::vector<RatedSentence>& sentences, const TaskContext& context, const std::string& path,
                  const SentimentOptions& options)
      : seed_(context.seed), options_(options) {
    const Vocabulary vocabulary = make_vocabulary(sentences);
    vocabulary_ = vocabulary.size();
    for (const RatedSentence& sentence : sentences)
      if (sentence.rating != 0) add(sentence, vocabulary);
    check_ratings(sentences, path);
    for (const Split split : {Split::kTrain, Split::kValidation, Split::kTest}) check_labels(split, path);
    if (vocabulary_ > kLargestVocabulary)
      throw usage_error(fmt::format("task.min_count: {} different words are too many; expected at most {}; raise task.min_count",
                                    vocabulary_, kLargestVocabulary));
  }

  SequenceShape shape() const override { return sentence_shape(options_.order, options_.max_length, vocabulary_); }
  std::uint64_t size(Split split) const override { return members_.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      const auto sentence = static_cast<std::size_t>(members_.at("sentiment", split, samples[r]));
      const auto words = std::span(words_).subspan(starts_[sentence], starts_[sentence + 1] - starts_[sentence]);
      if (options_.order == kBag)
        write_bag(words, vocabulary_, static_cast<std::int64_t>(r), out);
      else
        write_words(words, options_.max_length, static_cast<std::int64_t>(r), out);
      out.values[r] = is_positive_[sentence] ? 1.0f : 0.0f;
    }
  }

 private:
  Vocabulary make_vocabulary(const std::vector<RatedSentence>& sentences) const {
    std::map<std::string, std::int64_t> counts;
    for (const RatedSentence& sentence : sentences)
      if (sentence.rating != 0 && split_of(sentence.review, options_.shares) == Split::kTrain)
        for (std::size_t w = 0; w < shown(sentence); ++w) ++counts[sentence.words[w]];
    return Vocabulary(counts, options_.min_count);
  }

  std::size_t shown(const RatedSentence& sentence) const {
    return std::min(sentence.words.size(), static_cast<std::size_t>(options_.max_length));
  }

  void add(const RatedSentence& sentence, const Vocabulary& vocabulary) {
    const Split split = split_of(sentence.review, options_.shares);
    const std::uint64_t number = is_positive_.size();
    for (std::size_t w = 0; w < shown(sentence); ++w) words_.push_back(vocabulary.id(sentence.words[w]));
    if (options_.order == kShuffled) {
      RandomStream random = sample_stream(seed_, split, number);
      shuffle_words(std::span(words_).subspan(starts_.back()), random);
    }
    starts_.push_back(words_.size());
    is_positive_.push_back(sentence.rating > 0);
    members_.add(split, number);
  }

  // Ratings on another scale: 0 and 1, or stars.
  static void check_ratings(const std::vector<RatedSentence>& sentences, const std::string& path) {
    const auto neutral = std::ranges::count(sentences, 0.0, &RatedSentence::rating);
    const auto negative = std::ranges::count_if(sentences, [](const RatedSentence& sentence) { return sentence.rating < 0; });
    const auto positive = std::ssize(sentences) - neutral - negative;
    if (negative > 0 || positive == 0) return;
    throw usage_error(fmt::format(
        "{}: rating: the sign decides, and no rating is negative: {} are positive, {} are 0 and left out; {}", path, positive, neutral,
        neutral > 0 ? "if 0 means a negative sentence, write -1 there" : "subtract the middle of the scale from each"));
  }

  // A set that has both answers, or none at all where nothing was asked for.
  void check_labels(Split split, const std::string& path) const {
    constexpr std::string_view kNames[] = {"to train on", "to validate on", "to test on"};
    const double shares[] = {1, options_.shares.validation, options_.shares.test};
    const auto which = static_cast<std::size_t>(split);
    const auto& members = members_.of(split);
    if (members.empty() && shares[which] == 0) return;
    const auto positive = std::ranges::count_if(members, [this](std::uint64_t i) { return is_positive_[static_cast<std::size_t>(i)]; });
    if (positive > 0 && static_cast<std::size_t>(positive) < members.size()) return;
    throw usage_error(
        fmt::format("{}: of the sentences {} {} are positive and {} negative, both are needed; add sentences of more reviews, or "
                    "change task.validation_share and task.test_share",
                    path, kNames[which], positive, members.size() - static_cast<std::size_t>(positive)));
  }

  std::uint64_t seed_;
  SentimentOptions options_;
  std::int64_t vocabulary_ = 0;
  std::vector<std::int32_t> words_;        // of all sentences, one after the other
  std::vector<std::size_t> starts_ = {0};  // of sentence i in words_, and their end
  std::vector<bool> is_positive_;
  SplitMembers members_;
};

// A file that is not there yet has a way to get there.
std::vector<RatedSentence> read_file_of_sentences(const std::string& path) {
  try {
    return read_rated_sentences(parse_csv(read_unpacked(path, kLargestFile), path, kDetectSeparator));
  } catch (const UserError& error) {
    if (path != kDefaultPath || std::filesystem::exists(path)) throw;
    throw io_error(fmt::format("{}; run scripts/data/sentiment.py, which fetches the sentences, or set task.path", error.what()));
  }
}

std::shared_ptr<const BatchSource> make_sentiment(const TaskContext& context, const SentimentOptions& options) {
  refuse_step_targets(context, "sentiment");
  options.shares.check();
  static ReadOnce<std::vector<RatedSentence>> cache;
  const std::string path = context.path.empty() ? kDefaultPath : context.path;
  const auto sentences = cache.get(path, [&] { return read_file_of_sentences(path); });
  return std::make_shared<SentimentSource>(*sentences, context, path, options);
}

}  // namespace

TaskEntry sentiment_task() {
  return {
      .name = "sentiment",
      .description =
          "a sentence of a product review word by word; whether people rated it positive, at the end; scripts/data/sentiment.py fetches it "
          "(Hutto & Gilbert 2014), or task.path: a CSV file with id, rating, text",
      .step_targets = false,
      .make_options = make_options<SentimentOptions>,
      .make = [](const TaskContext& context, const Options& options) {
        return make_sentiment(context, options_as<SentimentOptions>(options));
      }};
}

}  // namespace vp
