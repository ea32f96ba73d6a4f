#include "experiments/verify/verify.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

#include "experiments/machine/build_info.h"
#include "experiments/machine/library_versions.h"
#include "experiments/machine/processors.h"
#include "kernels/backend/backend.h"
#include "kernels/backend_list.h"
#include "kernels/verify/image_runs.h"
#include "kernels/verify/kernel_check.h"
#include "kernels/verify/kernel_checks.h"
#include "models/base/parallel.h"
#include "models/base/random.h"
#include "models/verify/model_checks.h"
#include "models/verify/same_bits.h"

namespace vp {
namespace {

constexpr std::array kTopics = {
    VerifyTopic{"gradients", "backward in double equals central differences of the loss", "2e-8 (1 + largest gradient)"},
    VerifyTopic{"model parity", "loss, logits and gradients in float equal the double reference, odd sizes",
                "16 eps sqrt(H T layers + I) of the largest of the tensor, or of 5 % of the largest of all"},
    VerifyTopic{"kernel parity", "each kernel in float equals the double reference",
                "products and convolutions 4 eps sqrt(terms), steps 8 eps, fused steps 8 eps sqrt(terms), losses 1 eps, optimisers 16 eps, "
                "of the largest result"},
    VerifyTopic{"activations", "vector code over the whole range of float", "the ULP that `vpoint list activations` states"},
    VerifyTopic{"special values", "NaN, infinities, denormals, zeros of both signs and huge numbers through each kernel",
                "NaN and infinities where the reference has them, no NaN swallowed, finite results as above (steps 8 times that)"},
    VerifyTopic{
        "rescaled norms",
        "log10 |dL/dh| beyond the range of float: 1000 steps of a linear recurrence g^t, 60 linear layers, cells and mlps against double",
        "1e-6 a step or layer back; cells and mlps 1e-4"},
    VerifyTopic{"same bits", "a training gives the same bytes on any number of threads", "no bit"},
};

constexpr std::uint32_t kActivationStride = 2039;  // 2.1 million of the floats; a prime, so that every ending of the significand occurs
constexpr int kRandomProducts = 150;
constexpr std::int64_t kNormSteps = 1000;

// Odd sizes, any orientation, epilogue and way of giving B, from the counter-based generator.
std::vector<ProductCase> random_products() {
  std::vector<ProductCase> cases;
  for (std::uint64_t i = 0; i < kRandomProducts; ++i) {
    RandomStream random(2, RandomUse::kTest, i);
    const auto size = [&] { return static_cast<std::int64_t>(1 + random.below(200)); };
    const auto coin = [&] { return random.below(2) == 1; };
    ProductCase test{.shape = {.m = size(), .n = size(), .k = size(), .transpose_a = coin(), .transpose_b = coin()}, .packed = coin()};
    const std::uint64_t epilogue = random.below(3);
    test.shape.accumulate = epilogue == 1, test.shape.bias = epilogue == 2;
    cases.push_back(test);
  }
  return cases;
}

void add(std::vector<Check>& checks, std::vector<Check> more) { std::ranges::move(more, std::back_inserter(checks)); }

std::string text_or(const std::string& text, const char* otherwise) { return text.empty() ? otherwise : text; }

// Rows of a topic whose subjects begin with the same word ("cell", "loss", "fused") stand together, kinds and rows in the order they came.
void group_by_kind(std::vector<VerifyRow>& rows) {
  std::vector<std::string> kinds;
  const auto kind_of = [](const VerifyRow& row) { return row.topic + "/" + row.subject.substr(0, row.subject.find(' ')); };
  for (const VerifyRow& row : rows)
    if (std::ranges::find(kinds, kind_of(row)) == kinds.end()) kinds.push_back(kind_of(row));
  std::ranges::stable_sort(rows, {}, [&](const VerifyRow& row) { return std::ranges::find(kinds, kind_of(row)); });
}

struct Implementations {
  std::map<std::string, int> count;  // by what oneDNN calls them
  std::string first_plain;           // the first shape that runs plain code
  int plain = 0, all = 0;

  void add(const std::string& name, const std::string& shape) {
    ++count[name], ++all;
    if (!slow_implementation("onednn", name).empty() && ++plain == 1) first_plain = shape;
  }
};

Implementations onednn_implementations() {
  Implementations found;
  const auto backend = make_backend<float>("onednn");
  for (const ProductCase& test : product_cases()) {
    const auto weights = test.packed ? backend->make_weights(test.shape) : nullptr;
    found.add(backend->make_product(test.shape, weights.get())->implementation(), case_name(test));
  }
  for (const ConvolutionShape& shape : convolution_cases()) {
    const auto weights = backend->make_convolution_weights(shape);
    found.add(backend->make_convolution(shape, *weights)->implementation(), describe(shape));
  }
  return found;
}

}  // namespace

std::span<const VerifyTopic> verify_topics() { return kTopics; }

std::vector<Check> verify_checks(const std::vector<int>& threads) {
  std::vector<Check> checks = gradient_checks();
  const std::vector<ProductCase> products = random_products();
  for (const std::string_view name : backend_names()) {
    const std::string backend(name);
    add(checks, model_parity_checks(backend));
    add(checks, kernel_parity_checks(backend, products));
    add(checks, special_value_checks(backend));
    add(checks, scaled_norm_checks(backend, kNormSteps));
  }
  add(checks, loss_checks());
  add(checks, layer_norm_checks());
  add(checks, optimizer_checks());
  add(checks, activation_checks(kActivationStride));
  add(checks, same_bits_checks(threads));
  std::ranges::stable_sort(checks, {}, [](const Check& check) { return std::ranges::find(kTopics, check.topic, &VerifyTopic::name); });
  return checks;
}

std::vector<VerifyRow> run_checks(std::span<const Check> checks, int threads, const std::function<void()>& done) {
  std::vector<Finding> findings(checks.size());
  const auto run = [&](std::size_t i) {
    findings[i] = run_check(checks[i]);
    done();
  };
  std::vector<std::size_t> together, alone;
  for (std::size_t i = 0; i < checks.size(); ++i) (checks[i].alone ? alone : together).push_back(i);
  {
    ThreadPool pool(threads);
    pool.for_each(static_cast<std::int64_t>(together.size()), [&](std::int64_t i) { run(together[i]); });
  }
  for (const std::size_t i : alone) run(i);

  std::vector<VerifyRow> rows;
  for (std::size_t i = 0; i < checks.size(); ++i)
    for (const std::string& subject : checks[i].subjects) {
      auto row = std::ranges::find_if(rows, [&](const VerifyRow& r) { return r.topic == checks[i].topic && r.subject == subject; });
      if (row == rows.end()) row = rows.insert(rows.end(), {.topic = checks[i].topic, .subject = subject});
      ++row->cases;
      if (!findings[i].holds() && findings[i].fault.empty()) findings[i].fault = "nothing was compared";
      row->finding.add(findings[i], checks[i].name);
    }
  group_by_kind(rows);
  return rows;
}

VerifyMachine verify_machine() {
  const BuildInfo build = build_info();
  const Implementations found = onednn_implementations();
  std::vector<std::string> names;
  for (const auto& [name, count] : found.count) names.push_back(fmt::format("{} ({})", name, count));
  VerifyMachine machine;
  machine.facts = {{"cpu", text_or(cpu_model(), "unknown")},
                   {"processors", fmt::format("{}", usable_processors().count)},
                   {"processors_by", usable_processors().rule},
                   {"instruction_set", instruction_set()},
                   {"libraries", library_versions()},
                   {"compiler", build.compiler},
                   {"git_commit", text_or(build.git_commit, "unknown")},
                   {"onednn_implementations", fmt::format("{}", fmt::join(names, ", "))}};
  if (found.plain > 0)
    machine.warnings.push_back(fmt::format(
        "oneDNN runs plain `ref` code for {} of {} shapes of products and convolutions, the first {}: right, but many times slower",
        found.plain, found.all, found.first_plain));
  return machine;
}

}  // namespace vp
