#include "models/verify/same_bits.h"

#include <bit>
#include <utility>

#include "kernels/backend_list.h"
#include "models/cells/cell_list.h"
#include "models/feed_forward/plan.h"
#include "models/optimizers/optimizers.h"
#include "models/training/batch_engine.h"
#include "models/training/trainer.h"
#include "models/verify/cell_variants.h"
#include "models/verify/model_cases.h"
#include "models/verify/random_source.h"

namespace vp {
namespace {

constexpr int kParameterUpdates = 3;

// What a report says, as numbers to compare: every column of every row, but not the clock's phase_seconds and wall_seconds, nor the
// checkpoint: parameters are compared on their own.
class BitWriter {
 public:
  std::vector<std::uint64_t> take() { return std::move(bits_); }

  void add(const RunReport& report) {
    report.summary.visit_columns(*this);
    report.visit_tables(*this);
  }
  void add(double value) { bits_.push_back(std::bit_cast<std::uint64_t>(value)); }

  // A visitor of tables, and of columns.
  template <class Row>
  void operator()(std::string_view, const std::vector<Row>& rows) {
    add(std::ssize(rows));
    for (const Row& row : rows) row.visit_columns(*this);
  }
  template <class T>
  void operator()(const Column&, const T& value) {
    add(value);
  }

 private:
  void add(std::int64_t value) { bits_.push_back(static_cast<std::uint64_t>(value)); }
  void add(std::string_view text) {
    add(std::ssize(text));
    for (const char c : text) add(std::int64_t{c});
  }
  template <class Value>
  void add(const std::optional<Value>& value) {
    add(std::int64_t{value.has_value()});
    if (value) add(*value);
  }

  std::vector<std::uint64_t> bits_;
};

std::unique_ptr<Optimizer<float>> make_optimizer(const OptimizerEntry& entry, const RunSpec& spec, std::int64_t size, float) {
  return entry.make_float(size, spec.train.learning_rate, spec.optimizer_options.get());
}
std::unique_ptr<Optimizer<double>> make_optimizer(const OptimizerEntry& entry, const RunSpec& spec, std::int64_t size, double) {
  return entry.make_double(size, spec.train.learning_rate, spec.optimizer_options.get());
}

// The parameters after some updates, without the trainer around them. Made at once where that can be; the trainer, which clips here, does
// not.
template <class T>
void append_parameters(BitWriter& bits, const RunSpec& spec, const BatchSource& source, ThreadPool& pool) {
  BatchEngine<T> engine(spec, source, pool);
  const std::int64_t size = engine.model().layout().size;
  const auto optimizer = make_optimizer(*find_optimizer(spec.train.optimizer), spec, size, T{});
  for (int update = 0; update < kParameterUpdates; ++update) {
    engine.pack();
    optimizer->begin_update(update + 1);
    if (engine.can_run_and_update()) {
      engine.run_and_update(update, *optimizer);
    } else {
      engine.run(update, LossAt::kTask);
      engine.update(*optimizer, 1);
    }
  }
  for (std::int64_t i = 0; i < size; ++i) bits.add(static_cast<double>(engine.model().parameters()[i]));
}

std::vector<std::uint64_t> bits_on(const RunSpec& spec, const BatchSource& source, int threads) {
  ThreadPool pool(threads);
  Unwatched nobody;
  RunSpec saving = spec;
  saving.train.save_predictions = true;
  BitWriter bits;
  bits.add(train(saving, source, pool, nobody));
  if (spec.engine.precision == "f64")
    append_parameters<double>(bits, spec, source, pool);
  else
    append_parameters<float>(bits, spec, source, pool);
  return bits.take();
}

Check same_bits_check(const RunSpec& small, const std::string& name, const std::string& backend, const std::string& precision,
                      const std::vector<int>& threads) {
  const auto run = [=] {
    const RandomSource source({.steps = 11, .inputs = 3, .outputs = 4}, 50, 101);
    RunSpec spec = small;
    spec.engine.backend = backend, spec.engine.precision = precision;
    return same_bits_finding(spec, source, threads);
  };
  const std::string subject = name + " on " + backend + " " + precision;
  return {.topic = "same bits", .subjects = {subject}, .name = subject, .run = run, .alone = true};
}

Check same_bits_check_of_kind(const std::string& kind, const std::string& backend, const std::string& precision,
                              const std::vector<int>& threads) {
  const auto run = [=] {
    const RandomSource source({.steps = 8, .inputs = 14, .outputs = 4, .image_channels = 2, .image_height = 8, .image_width = 7}, 50, 101);
    RunSpec spec = small_feed_forward(kind);
    spec.engine.backend = backend, spec.engine.precision = precision;
    return same_bits_finding(spec, source, threads);
  };
  const std::string subject = kind + " on " + backend + " " + precision;
  return {.topic = "same bits", .subjects = {subject}, .name = subject, .run = run, .alone = true};
}

}  // namespace

RunSpec small_feed_forward(const std::string& kind) {
  RunSpec spec = small_training("rnn");
  spec.model = {.kind = kind, .layers = 3, .hidden = 20, .activation = "relu"};
  spec.cell_options = {};
  spec.probe = {};
  MlpOptions mlp;
  mlp.residual = true, mlp.common = {.layer_norm = true, .dropout = 0.2};
  CnnOptions cnn;
  cnn.channels = {5, 8}, cnn.common = mlp.common;
  spec.kind_options = kind == "mlp" ? OptionsHandle(mlp.clone()) : OptionsHandle(cnn.clone());
  return spec;
}

RunSpec small_training(const std::string& cell, const std::string& optimizer) {
  RunSpec spec;
  const CellVariant& variant = find_cell_variant(cell);
  spec.model = {.cell = std::string(variant.entry->name), .layers = 2, .hidden = 20};
  spec.cell_options = variant.options;
  spec.train = {.optimizer = optimizer, .learning_rate = 0.01, .batch = 37, .shard_rows = 8, .updates = 6, .evaluate_every = 2};
  spec.train.clip_norm = 0.5;
  spec.probe = {.spectra = true, .traces = 10};
  spec.optimizer_options = OptionsHandle(find_optimizer(optimizer)->make_options());
  return spec;
}

std::vector<std::uint64_t> bits_of(const RunReport& report) {
  BitWriter bits;
  bits.add(report);
  return bits.take();
}

Finding same_bits_finding(const RunSpec& spec, const BatchSource& source, std::span<const int> threads) {
  const std::vector<std::uint64_t> expected = bits_on(spec, source, threads.front());
  Finding finding{.compared = static_cast<std::int64_t>(expected.size())};
  for (const int count : threads) {
    const std::vector<std::uint64_t> bits = bits_on(spec, source, count);  // the first count as well: twice the same
    std::size_t differ = bits.size() == expected.size() ? 0 : 1;
    for (std::size_t i = 0; i < std::min(bits.size(), expected.size()); ++i) differ += bits[i] != expected[i];
    finding.compared += static_cast<std::int64_t>(bits.size());
    if (differ == 0) continue;
    finding.add(fault_finding(std::to_string(differ) + " of " + std::to_string(bits.size()) + " numbers differ between " +
                              std::to_string(threads.front()) + " and " + std::to_string(count) + " threads"));
  }
  return finding;
}

// Every form once, on the default engine.
Check form_bits_check(const ModelCase& c, const std::vector<int>& threads) {
  const auto run = [=] {
    RunSpec spec = small_training(c.cell);
    set_form(c, spec.model);
    SequenceShape shape = shape_of(c, 3, 4);
    if (shape.streams > 0) shape.streams = spec.train.batch;
    const bool streams = shape.streams > 0;
    return same_bits_finding(spec, RandomSource(shape, streams ? 2 * spec.train.batch : 50, streams ? 0 : 101), threads);
  };
  std::vector<std::string> subjects = form_subjects(c);
  std::string name = c.cell;
  for (std::string& subject : subjects) name += ", " + subject, subject += " on " + c.cell;
  return {.topic = "same bits", .subjects = subjects, .name = name, .run = run, .alone = true};
}

std::vector<Check> same_bits_checks(const std::vector<int>& threads) {
  std::vector<Check> checks;
  for (const CellVariant& cell : cell_variants()) {
    for (const std::string_view backend : backend_names())
      checks.push_back(same_bits_check(small_training(cell.name), cell.name, std::string(backend), "f32", threads));
    checks.push_back(same_bits_check(small_training(cell.name), cell.name, "auto", "f64", threads));
  }
  for (const ModelCase& c : form_cases())
    if (c.cell == "lstm" && c.layers == 2 && c.steps == 7) checks.push_back(form_bits_check(c, threads));
  RunSpec orthogonal = small_training("lstm");
  orthogonal.init.recurrent.scheme = "orthogonal", orthogonal.train.recurrence = "orthogonal";
  for (const char* precision : {"f32", "f64"}) checks.push_back(same_bits_check(orthogonal, "orthogonal lstm", "auto", precision, threads));
  for (const std::string kind : {"mlp", "cnn"}) {
    for (const std::string_view backend : backend_names())
      checks.push_back(same_bits_check_of_kind(kind, std::string(backend), "f32", threads));
    checks.push_back(same_bits_check_of_kind(kind, "auto", "f64", threads));
  }
  return checks;
}

}  // namespace vp
