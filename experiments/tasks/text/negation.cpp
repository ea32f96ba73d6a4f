// Sentences where word order decides: one word of praise and one of blame, one meant and one denied; is the sentence praise? The words come
// one a step, as tokens for an embedding, and the answer, yes or no, is asked for at the end of the sentence.
//
// "the film was not good but bad" is blame, "the film was not bad but good" praise. For every sentence the one with its two judgements
// exchanged has the same words and the other answer, and is equally likely: from the words alone (task.order = "bag", or "shuffled", the
// words of each sentence in random order) nobody can be right more than half of the time. Sentences differ in what they judge, in how they
// deny (before or after, nine frames) and in up to three phrases that mean nothing, so that they have between 7 and task.max_length tokens;
// punctuation marks are tokens too. Token 0 is padding.
#include "experiments/tasks/text/negation_grammar.h"
#include "experiments/tasks/text/word_order.h"

namespace vp {
namespace {

struct NegationOptions : OptionsOf<NegationOptions> {
  std::int64_t max_length = 24;
  std::string order{kInSequence};
  SampleCounts samples;

  void visit_fields(FieldVisitor& visitor) override {
    visitor.field({.key = "task.max_length",
                   .description = "tokens of the longest sentence",
                   .minimum = static_cast<double>(kShortestLimit),
                   .maximum = static_cast<double>(kLongestNegation)},
                  max_length);
    visit_word_order(visitor, order);
    samples.visit_fields(visitor);
  }
};

class NegationSource : public BatchSource {
 public:
  NegationSource(std::uint64_t seed, const NegationOptions& options)
      : seed_(seed), options_(options), vocabulary_(static_cast<std::int64_t>(negation_vocabulary().size())) {}

  SequenceShape shape() const override { return sentence_shape(options_.order, options_.max_length, vocabulary_); }
  std::uint64_t size(Split split) const override { return options_.samples.size(split); }

  void fill(Split split, std::span<const std::uint64_t> samples, const SampleRows& out) const override {
    for (std::size_t r = 0; r < samples.size(); ++r) {
      check_sample("negation", samples[r], size(split));
      RandomStream random = sample_stream(seed_, split, samples[r]);
      NegationSentence sentence = draw_negation(random, options_.max_length);
      const auto words = std::span(sentence.words).first(static_cast<std::size_t>(sentence.length));
      if (options_.order == kShuffled) shuffle_words(words, random);
      if (options_.order == kBag)
        write_bag(words, vocabulary_, static_cast<std::int64_t>(r), out);
      else
        write_words(words, options_.max_length, static_cast<std::int64_t>(r), out);
      out.values[r] = sentence.is_praise ? 1.0f : 0.0f;
    }
  }

 private:
  std::uint64_t seed_;
  NegationOptions options_;
  std::int64_t vocabulary_;
};

}  // namespace

TaskEntry negation_task() {
  return {.name = "negation",
          .description = "a sentence word by word, such as \"the film was not good but bad\"; whether it is praise, at the end; generated",
          .step_targets = false,
          .make_options = make_options<NegationOptions>,
          .make = [](const TaskContext& context, const Options& options) -> std::shared_ptr<const BatchSource> {
            refuse_path(context, "negation");
            refuse_step_targets(context, "negation");
            return std::make_shared<NegationSource>(context.seed, options_as<NegationOptions>(options));
          }};
}

}  // namespace vp
