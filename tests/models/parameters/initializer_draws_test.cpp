// Every scheme against its definition, for the weights of every kind of layer: mean, variance, bounds and independence of a million draws.
//
// What a layer's fan_in and fan_out are stands here a second time, from its geometry. Statistics are allowed four standard errors.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "models/cells/cell_list.h"
#include "models/feed_forward/plan.h"
#include "models/model_kinds.h"
#include "models/parameters/initializers.h"
#include "models/parameters/parameters.h"
#include "models/verify/cell_variants.h"
#include "tests/compare.h"

namespace vp::test {
namespace {

constexpr std::int64_t kDraws = 1'000'000;
constexpr double kErrors = 4;  // standard errors

struct Matrix {
  std::string name;  // in the layout
  std::int64_t blocks, units, fan_in, fan_out;
  std::int64_t range;        // PyTorch's default draws U(-1/sqrt(range), 1/sqrt(range)); 0: N(0, 1)
  RoleInit InitSpec::*role;  // that decides it
  std::string bias = {};     // whose range is the same, or none
  std::int64_t size() const { return blocks * units * fan_in; }
};

struct Net {
  RunSpec spec;
  SequenceShape shape;
  std::vector<Matrix> matrices;
};

RunSpec recurrent(const char* cell, std::int64_t layers, std::int64_t hidden) {
  RunSpec spec;
  spec.model = {.cell = cell, .layers = layers, .hidden = hidden};
  spec.cell_options = OptionsHandle(find_cell(cell)->make_options());
  spec.kind_options = OptionsHandle(find_model_kind("sequence")->make_options());
  return spec;
}

Net lstm_both_ways() {
  Net net{recurrent("lstm", 2, 24), {.steps = 5, .inputs = 20, .outputs = 30}, {}};
  net.spec.model.bidirectional = true;
  net.matrices = {{"rnn.weight_ih_l0", 4, 24, 20, 24, 24, &InitSpec::input, "rnn.bias_ih_l0"},
                  {"rnn.weight_hh_l0", 4, 24, 24, 24, 24, &InitSpec::recurrent, "rnn.bias_hh_l0"},
                  {"rnn.weight_ih_l1_reverse", 4, 24, 48, 24, 24, &InitSpec::input, "rnn.bias_ih_l1_reverse"},
                  {"rnn.weight_hh_l1_reverse", 4, 24, 24, 24, 24, &InitSpec::recurrent, "rnn.bias_hh_l1_reverse"},
                  {"readout.weight", 1, 30, 48, 30, 48, &InitSpec::readout, "readout.bias"}};
  return net;
}

Net gru_of_words() {
  Net net{recurrent("gru", 1, 32), {.steps = 5, .inputs = 1, .outputs = 24, .vocabulary = 50, .variable_length = true}, {}};
  net.spec.model.embedding = 28;
  net.matrices = {{"rnn.weight_ih_l0", 3, 32, 28, 32, 32, &InitSpec::input, "rnn.bias_ih_l0"},
                  {"rnn.weight_hh_l0", 3, 32, 32, 32, 32, &InitSpec::recurrent, "rnn.bias_hh_l0"},
                  {"readout.weight", 1, 24, 32, 24, 32, &InitSpec::readout, "readout.bias"},
                  {"embedding.weight", 1, 50, 28, 50, 0, &InitSpec::embedding}};
  return net;
}

Net mgu_translator() {
  Net net{recurrent("mgu", 1, 24), {.steps = 9, .inputs = 20, .outputs = 28, .source_steps = 5}, {}};
  net.spec.model.form = "sequence_to_sequence";
  net.matrices = {{"rnn.weight_ih_l0", 2, 24, 20, 24, 24, &InitSpec::input, "rnn.bias_ih_l0"},
                  {"decoder.weight_ih_l0", 2, 24, 28, 24, 24, &InitSpec::input, "decoder.bias_ih_l0"},
                  {"decoder.weight_hh_l0", 2, 24, 24, 24, 24, &InitSpec::recurrent, "decoder.bias_hh_l0"}};
  return net;
}

Net dense() {
  Net net;
  net.spec.model = {.kind = "mlp"};
  MlpOptions options;
  options.widths = {32, 24};
  net.spec.kind_options = OptionsHandle(options.clone());
  net.shape = {.steps = 5, .inputs = 8, .outputs = 30};
  net.matrices = {{"layers.0.weight", 1, 32, 40, 32, 40, &InitSpec::input, "layers.0.bias"},
                  {"layers.1.weight", 1, 24, 32, 24, 32, &InitSpec::hidden, "layers.1.bias"},
                  {"layers.2.weight", 1, 30, 24, 30, 24, &InitSpec::readout, "layers.2.bias"}};
  return net;
}

// Of the issue that this test is for, 16 -> 16 with 3 x 3: 144 in, 144 out.
Net convolutions() {
  Net net;
  net.spec.model = {.kind = "cnn"};
  CnnOptions options;
  options.channels = {16, 16, 20}, options.pool_every = 2;
  net.spec.kind_options = OptionsHandle(options.clone());
  net.shape = {.steps = 6, .inputs = 72, .outputs = 20, .image_channels = 12, .image_height = 6, .image_width = 6};
  net.matrices = {{"conv.0.weight", 1, 16, 108, 144, 108, &InitSpec::input, "conv.0.bias"},
                  {"conv.1.weight", 1, 16, 144, 144, 144, &InitSpec::hidden, "conv.1.bias"},
                  {"conv.2.weight", 1, 20, 144, 180, 144, &InitSpec::hidden, "conv.2.bias"},
                  {"readout.weight", 1, 20, 180, 20, 180, &InitSpec::readout, "readout.bias"}};
  return net;
}

std::vector<Net> nets() { return {lstm_both_ways(), gru_of_words(), mgu_translator(), dense(), convolutions()}; }

enum class Law : std::uint8_t { kUniform, kNormal, kOrthogonal, kFixed };

struct Scheme {
  const char* name;
  Law law;
  std::function<double(const Matrix&)> variance;  // of an element; of kFixed not looked at
};

double glorot(const Matrix& m) { return 2.0 / static_cast<double>(m.fan_in + m.fan_out); }
double he(const Matrix& m) { return 2.0 / static_cast<double>(m.fan_in); }

std::vector<Scheme> schemes() {
  return {{"pytorch", Law::kUniform, [](const Matrix& m) { return 1.0 / (3.0 * static_cast<double>(m.range)); }},
          {"zeros", Law::kFixed, nullptr},
          {"constant", Law::kFixed, nullptr},
          {"uniform", Law::kUniform, [](const Matrix&) { return 1.0 / 3; }},
          {"normal", Law::kNormal, [](const Matrix&) { return 1.0; }},
          {"glorot_uniform", Law::kUniform, glorot},
          {"glorot_normal", Law::kNormal, glorot},
          {"he_uniform", Law::kUniform, he},
          {"he_normal", Law::kNormal, he},
          {"orthogonal", Law::kOrthogonal, [](const Matrix& m) { return 1.0 / static_cast<double>(std::max(m.units, m.fan_in)); }},
          {"identity", Law::kFixed, nullptr}};
}

std::vector<double> draw_all(const Net& net, const ParameterLayout& layout, std::uint64_t seed) {
  std::vector<double> flat(static_cast<std::size_t>(layout.size));
  initialize_parameters(layout, net.spec.model, net.spec.init, seed, flat.data());
  return flat;
}

// The draws of `count` elements of each tensor, seed after seed, whole matrices each.
std::vector<std::vector<double>> draws_of(const Net& net, const std::vector<std::string>& names, std::int64_t count = kDraws) {
  const ParameterLayout layout = make_layout(net.spec, net.shape);
  std::vector<std::vector<double>> draws(names.size());
  const auto few = [count](const std::vector<double>& d) { return std::ssize(d) < count; };
  for (std::uint64_t seed = 0; std::ranges::any_of(draws, few); ++seed) {
    const std::vector<double> flat = draw_all(net, layout, seed);
    for (std::size_t i = 0; i < names.size(); ++i) {
      const Tensor& tensor = layout.find(names[i]);
      const auto first = flat.begin() + tensor.offset;
      if (few(draws[i])) draws[i].insert(draws[i].end(), first, first + tensor.size());
    }
  }
  return draws;
}

template <class Value>
double mean_of(const std::vector<double>& x, const Value& value) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += value(i);
  return sum / static_cast<double>(x.size());
}

// Mean 0, this variance, the law's fourth moment, and no correlation of elements that are `lag` apart.
void expect_law(const std::vector<double>& x, Law law, double variance, const std::vector<std::int64_t>& lags, const std::string& what) {
  const double root = std::sqrt(static_cast<double>(x.size())), deviation = std::sqrt(variance);
  const double fourth = law == Law::kUniform ? 9.0 / 5 : 3, eighth = law == Law::kUniform ? 9 : 105;  // of variance 1
  const auto unit = [&](std::size_t i) { return x[i] / deviation; };
  const auto square = [&](std::size_t i) { return unit(i) * unit(i); };
  EXPECT_TRUE(near(mean_of(x, unit), 0, kErrors / root)) << what << ": mean";
  EXPECT_TRUE(near(mean_of(x, square), 1, kErrors * std::sqrt(fourth - 1) / root)) << what << ": variance";
  EXPECT_TRUE(
      near(mean_of(x, [&](std::size_t i) { return square(i) * square(i); }), fourth, kErrors * std::sqrt(eighth - fourth * fourth) / root))
      << what << ": fourth moment";
  for (const std::int64_t lag : lags) {
    const auto shift = static_cast<std::size_t>(lag), n = x.size();
    const auto product = [&](std::size_t i) { return unit(i) * unit(i + shift < n ? i + shift : i + shift - n); };
    EXPECT_TRUE(near(mean_of(x, product), 0, kErrors / root)) << what << ": elements " << lag << " apart";
  }
  if (law != Law::kUniform) return;
  const double bound = std::sqrt(3.0) * deviation, most = max_magnitude(std::span<const double>(x));
  EXPECT_LE(most, bound) << what;
  EXPECT_GE(most, bound * 0.998) << what;
}

// Orthonormal rows or columns, whichever are fewer, times `gain`.
void expect_orthogonal(const double* w, std::int64_t rows, std::int64_t cols, double gain, const std::string& what) {
  const std::int64_t few = std::min(rows, cols), many = std::max(rows, cols);
  const std::int64_t step = rows <= cols ? 1 : cols, next = rows <= cols ? cols : 1;
  double worst = 0;
  for (std::int64_t a = 0; a < few; ++a)
    for (std::int64_t b = 0; b < few; ++b) {
      double dot = 0;
      for (std::int64_t k = 0; k < many; ++k) dot += w[a * next + k * step] * w[b * next + k * step];
      worst = std::max(worst, std::abs(dot - (a == b ? gain * gain : 0)));
    }
  EXPECT_TRUE(near(worst, 0, 1e-12)) << what;
}

void expect_orthogonal_blocks(const std::vector<double>& draws, const Matrix& m, const std::string& what) {
  const std::int64_t size = m.units * m.fan_in;
  for (std::int64_t at = 0; at + size <= std::min(std::ssize(draws), 4 * size); at += size)
    expect_orthogonal(draws.data() + at, m.units, m.fan_in, 1, what);
  const double deviation = 1 / std::sqrt(static_cast<double>(std::max(m.units, m.fan_in)));
  const double root = std::sqrt(static_cast<double>(draws.size()));
  const double mean = mean_of(draws, [&](std::size_t i) { return draws[i]; });
  EXPECT_TRUE(near(mean, 0, kErrors * deviation / root)) << what << ": mean";
}

// zeros, constant, identity: no draws at all.
void expect_fixed(const std::vector<double>& draws, const Matrix& m, const std::string& scheme, const std::string& what) {
  for (std::int64_t i = 0; i < m.size(); ++i) {
    const std::int64_t row = i / m.fan_in % m.units, col = i % m.fan_in;
    const double expected = scheme == "identity" ? row == col : scheme == "constant";
    ASSERT_EQ(draws[i], expected) << what << ", row " << row << ", column " << col;
  }
}

TEST(InitializerDraws, EveryScheme) {
  const std::vector<Scheme> all = schemes();
  ASSERT_EQ(all.size(), initializers().size());
  for (Net net : nets())
    for (const Scheme& scheme : all) {
      net.spec.init.scheme = scheme.name;
      std::vector<std::string> names;
      for (const Matrix& m : net.matrices) names.push_back(m.name);
      const auto draws = draws_of(net, names, scheme.law == Law::kFixed ? 1 : kDraws);
      for (std::size_t i = 0; i < names.size(); ++i) {
        const Matrix& m = net.matrices[i];
        const std::string what = std::string(scheme.name) + " " + names[i];
        const bool is_embedding = m.range == 0 && scheme.name == std::string("pytorch");
        const Law law = is_embedding ? Law::kNormal : scheme.law;
        if (scheme.law == Law::kFixed)
          expect_fixed(draws[i], m, scheme.name, what);
        else if (scheme.law == Law::kOrthogonal)
          expect_orthogonal_blocks(draws[i], m, what);
        else  // a neighbour, the same element of the next gate, of the next seed
          expect_law(draws[i], law, is_embedding ? 1 : scheme.variance(m), {1, m.units * m.fan_in, m.size()}, what);
      }
    }
}

// PyTorch's default draws them from the range of their layer; every other scheme leaves them zero.
TEST(InitializerDraws, Biases) {
  std::vector<double> many(kDraws);
  initialize_bias({}, WeightRole::kReadout, 48, 1, 3, many);
  expect_law(many, Law::kUniform, 1.0 / (3 * 48), {1}, "a million of one bias");
  for (Net net : nets()) {
    std::vector<std::string> names;
    std::vector<double> variances;
    for (const Matrix& m : net.matrices)
      if (!m.bias.empty()) names.push_back(m.bias), variances.push_back(1.0 / (3.0 * static_cast<double>(m.range)));
    const auto draws = draws_of(net, names, 10'000);
    for (std::size_t i = 0; i < names.size(); ++i) expect_law(draws[i], Law::kUniform, variances[i], {1}, names[i]);
    const ParameterLayout layout = make_layout(net.spec, net.shape);
    for (const Scheme& scheme : schemes()) {
      net.spec.init.scheme = scheme.name;
      const std::vector<double> flat = draw_all(net, layout, 3);
      for (const std::string& name : names)
        for (std::int64_t i = 0; i < layout.find(name).size(); ++i)
          ASSERT_EQ(flat[layout.find(name).offset + i] == 0, scheme.name != std::string("pytorch")) << scheme.name << " " << name;
    }
  }
}

// Each role by itself: the gain of the others' tensors is the common one. A given standard deviation takes the place of gain and spread.
TEST(InitializerDraws, GainsAndDeviationsOfRoles) {
  for (const Net& net : nets())
    for (const Matrix& m : net.matrices) {
      Net other = net;
      other.spec.init.scheme = "normal", other.spec.init.gain = 0.5;
      (other.spec.init.*m.role).gain = 3;
      const ParameterLayout layout = make_layout(net.spec, net.shape);
      const std::vector<double> with_gain = draw_all(other, layout, 1);
      (other.spec.init.*m.role).gain = std::nullopt, (other.spec.init.*m.role).std = 0.02;
      const std::vector<double> with_deviation = draw_all(other, layout, 1);
      other.spec.init = {.scheme = "normal"};
      const std::vector<double> plain = draw_all(other, layout, 1);
      for (const Matrix& n : net.matrices) {
        const std::int64_t at = layout.find(n.name).offset;
        const bool own = n.role == m.role;
        for (std::int64_t i = at; i < at + n.size(); ++i) {
          ASSERT_TRUE(near(with_gain[i], plain[i] * (own ? 3 : 0.5), 1e-14)) << n.name << " with the gain of " << m.name;
          ASSERT_TRUE(near(with_deviation[i], plain[i] * (own ? 0.02 : 0.5), 1e-14)) << n.name << " with the deviation of " << m.name;
        }
      }
    }
}

// Every unit keeps `nonzeros` inputs; which, is uniform; what is kept has the scheme's law.
TEST(InitializerDraws, Nonzeros) {
  constexpr std::int64_t kKept = 7;
  for (Net net : nets())
    for (const Matrix& m : net.matrices) {
      net.spec.init = {.scheme = "glorot_normal"};
      (net.spec.init.*m.role).nonzeros = kKept;
      const std::vector<double> draws = draws_of(net, {m.name}, 200'000)[0];
      std::vector<double> kept, times(static_cast<std::size_t>(m.fan_in));
      for (std::size_t row = 0; row < draws.size(); row += static_cast<std::size_t>(m.fan_in)) {
        const std::size_t before = kept.size();
        for (std::int64_t i = 0; i < m.fan_in; ++i)
          if (draws[row + i] != 0) kept.push_back(draws[row + i]), times[i] += 1;
        ASSERT_EQ(kept.size() - before, kKept) << m.name;
      }
      expect_law(kept, Law::kNormal, glorot(m), {1}, m.name);
      const double share = static_cast<double>(kKept) / static_cast<double>(m.fan_in), rows = static_cast<double>(kept.size()) / kKept;
      for (const double n : times)
        EXPECT_TRUE(near(n, rows * share, 5 * std::sqrt(rows * share * (1 - share)))) << m.name;  // some 1,000 inputs: five errors
    }
}

// All eigenvalues of an orthogonal matrix lie on the unit circle, so that every gate block becomes orthogonal times the radius; also with
// a gain, which the radius takes the place of.
TEST(InitializerDraws, SpectralRadiusOfEveryGate) {
  for (const char* cell : {"rnn", "lstm", "gru", "mgu"}) {
    Net net{recurrent(cell, 1, 20), {.steps = 5, .inputs = 3, .outputs = 2}, {}};
    net.spec.init.recurrent = {.gain = 5, .spectral_radius = 1.25, .scheme = "orthogonal"};
    const ParameterLayout layout = make_layout(net.spec, net.shape);
    const std::vector<double> flat = draw_all(net, layout, 8);
    const Tensor& w = layout.find("rnn.weight_hh_l0");
    for (std::int64_t g = 0; g < w.blocks; ++g) expect_orthogonal(flat.data() + w.offset + g * 400, 20, 20, 1.25, cell);
  }
}

// Gains of a normalised recurrence and of layer norms are 1, the biases of these 0, whatever the scheme.
TEST(InitializerDraws, GainsStartAtOne) {
  Net net = lstm_both_ways();
  net.spec.init.scheme = "zeros";
  net.spec.cell_options = find_cell_variant("lstm layer_norm=true").options;
  const auto expect_all = [](const Net& n, const char* name, double value) {
    const ParameterLayout layout = make_layout(n.spec, n.shape);
    const Tensor& tensor = layout.find(name);
    const std::vector<double> flat = draw_all(n, layout, 1);
    for (std::int64_t i = 0; i < tensor.size(); ++i) EXPECT_EQ(flat[tensor.offset + i], value) << name;
  };
  for (const char* name : {"rnn.gain_ih_l0", "rnn.gain_hh_l0", "rnn.gain_ih_l1_reverse", "rnn.gain_hh_l1_reverse"})
    expect_all(net, name, 1);
  Net normed = dense();
  MlpOptions options;
  options.widths = {32, 24}, options.common.layer_norm = true;
  normed.spec.kind_options = OptionsHandle(options.clone());
  for (const char* name : {"norms.0.weight", "norms.1.weight"}) expect_all(normed, name, 1);
  for (const char* name : {"norms.0.bias", "norms.1.bias"}) expect_all(normed, name, 0);
}

// A float net starts from the double net's weights, rounded once.
TEST(InitializerDraws, FloatIsDoubleRounded) {
  for (const Net& net : nets()) {
    const ParameterLayout layout = make_layout(net.spec, net.shape);
    const std::vector<double> exact = draw_all(net, layout, 5);
    std::vector<float> rounded(exact.size());
    initialize_parameters(layout, net.spec.model, net.spec.init, 5, rounded.data());
    for (std::size_t i = 0; i < exact.size(); ++i) ASSERT_EQ(rounded[i], static_cast<float>(exact[i]));
  }
}

}  // namespace
}  // namespace vp::test
