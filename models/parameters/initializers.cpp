#include "models/parameters/initializers.h"

#include <Eigen/Dense>
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "models/base/eigen_blocking.h"
#include "models/base/random.h"

namespace vp {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// What a scheme draws from.
struct Draw {
  WeightShape shape;
  std::optional<double> std;
  RandomStream random;
  std::span<double> out;
};

void fill_normal(Draw& d, double std) {
  for (double& w : d.out) w = std * d.random.normal();
}
void fill_uniform(Draw& d, double bound) {
  for (double& w : d.out) w = d.random.uniform(-bound, bound);
}

void zeros(Draw& d) { std::ranges::fill(d.out, 0.0); }
void constant(Draw& d) { std::ranges::fill(d.out, 1.0); }
void uniform(Draw& d) { fill_uniform(d, d.std ? *d.std * std::sqrt(3.0) : 1.0); }
void normal(Draw& d) { fill_normal(d, d.std.value_or(1.0)); }
void glorot_uniform(Draw& d) { fill_uniform(d, std::sqrt(6.0 / static_cast<double>(d.shape.fan_in + d.shape.fan_out))); }
void glorot_normal(Draw& d) { fill_normal(d, std::sqrt(2.0 / static_cast<double>(d.shape.fan_in + d.shape.fan_out))); }
void he_uniform(Draw& d) { fill_uniform(d, std::sqrt(6.0 / static_cast<double>(d.shape.fan_in))); }
void he_normal(Draw& d) { fill_normal(d, std::sqrt(2.0 / static_cast<double>(d.shape.fan_in))); }
void pytorch(Draw& d) { fill_uniform(d, 1.0 / std::sqrt(static_cast<double>(d.shape.hidden))); }

// Q of a Gaussian matrix, columns signed by R's diagonal: uniform over the orthogonal group (Mezzadri 2007). Rectangular: orthonormal rows
// or columns.
void orthogonal(Draw& d) {
  fix_eigen_blocking();
  fill_normal(d, 1.0);
  Eigen::Map<Matrix> out(d.out.data(), d.shape.units, d.shape.fan_in);
  const bool wide = d.shape.fan_in > d.shape.units;
  const Matrix a = wide ? Matrix(out.transpose()) : Matrix(out);
  const Eigen::HouseholderQR<Matrix> qr(a);
  Matrix q = qr.householderQ() * Matrix::Identity(a.rows(), a.cols());
  for (Eigen::Index j = 0; j < q.cols(); ++j)
    if (qr.matrixQR()(j, j) < 0) q.col(j) *= -1;
  if (wide)
    out = q.transpose();
  else
    out = q;
}

void identity(Draw& d) {
  for (std::int64_t r = 0; r < d.shape.units; ++r)
    for (std::int64_t c = 0; c < d.shape.fan_in; ++c) d.out[r * d.shape.fan_in + c] = r == c ? 1.0 : 0.0;
}

struct Row {
  InitializerEntry entry;
  void (*fill)(Draw&);
};

const std::array<Row, 11> kRows = {{
    {{"pytorch", "U(-1/sqrt(H), 1/sqrt(H)), weights and biases: torch.nn.RNN, LSTM and Linear; embeddings N(0, 1)", false}, pytorch},
    {{"zeros", "0", false}, zeros},
    {{"constant", "1 (times the gain)", false}, constant},
    {{"uniform", "U(-1, 1), or of the given standard deviation", true}, uniform},
    {{"normal", "N(0, 1), or of the given standard deviation", true}, normal},
    {{"glorot_uniform", "U of variance 2 / (fan_in + fan_out), fan_out = O k k of a convolution (Glorot & Bengio 2010)", false},
     glorot_uniform},
    {{"glorot_normal", "N of variance 2 / (fan_in + fan_out), fan_out = O k k of a convolution (Glorot & Bengio 2010)", false},
     glorot_normal},
    {{"he_uniform", "U of variance 2 / fan_in (He et al. 2015)", false}, he_uniform},
    {{"he_normal", "N of variance 2 / fan_in (He et al. 2015)", false}, he_normal},
    {{"orthogonal", "uniform over the orthogonal matrices: all singular values 1 (Saxe et al. 2014)", false}, orthogonal},
    {{"identity", "ones on the diagonal (IRNN: Le et al. 2015)", false}, identity},
}};

std::array<InitializerEntry, kRows.size()> entries() {
  std::array<InitializerEntry, kRows.size()> out;
  std::ranges::transform(kRows, out.begin(), &Row::entry);
  return out;
}

const Row& row_of(std::string_view name) {
  const auto it = std::ranges::find_if(kRows, [&](const Row& row) { return row.entry.name == name; });
  if (it == kRows.end()) throw std::invalid_argument("[initialize_weights] unknown scheme " + std::string(name));
  return *it;
}

const RoleInit& role_of(const InitSpec& init, WeightRole role) {
  switch (role) {
    case WeightRole::kInput:
      return init.input;
    case WeightRole::kRecurrent:
      return init.recurrent;
    case WeightRole::kReadout:
      return init.readout;
    case WeightRole::kEmbedding:
      return init.embedding;
    case WeightRole::kHidden:
      return init.hidden;
  }
  return init.input;
}

std::string_view scheme_of(const InitSpec& init, WeightRole role) {
  const std::string& own = role_of(init, role).scheme;
  return own.empty() ? init.scheme : own;
}

// Cuts all but `keep` inputs of every unit, chosen at random (Pascanu 2013's sparse initialisation, after Martens 2010).
void keep_nonzeros(Draw& d, std::int64_t keep) {
  const std::int64_t inputs = d.shape.fan_in;
  std::vector<std::int64_t> order(inputs);
  for (std::int64_t r = 0; r < d.shape.units; ++r) {
    std::iota(order.begin(), order.end(), 0);
    for (std::int64_t i = 0; i < inputs; ++i) std::swap(order[i], order[i + static_cast<std::int64_t>(d.random.below(inputs - i))]);
    for (std::int64_t i = keep; i < inputs; ++i) d.out[r * inputs + order[i]] = 0;
  }
}

void scale_to_radius(std::int64_t size, double radius, std::span<double> weights) {
  const Eigen::Map<const Matrix> w(weights.data(), size, size);
  const double now = Eigen::EigenSolver<Eigen::MatrixXd>(w, false).eigenvalues().cwiseAbs().maxCoeff();
  if (now > 0)
    for (double& x : weights) x *= radius / now;
}

}  // namespace

std::span<const InitializerEntry> initializers() {
  static const auto all = entries();
  return all;
}

const InitializerEntry* find_initializer(std::string_view name) {
  const auto all = initializers();
  const auto it = std::ranges::find(all, name, &InitializerEntry::name);
  return it == all.end() ? nullptr : &*it;
}

void initialize_weights(const InitSpec& init, WeightRole role, const WeightShape& shape, std::uint64_t seed, std::uint64_t index,
                        std::span<double> weights) {
  const RoleInit& own = role_of(init, role);
  Draw draw{shape, own.std, RandomStream(seed, RandomUse::kWeights, index), weights};
  const std::string_view scheme = scheme_of(init, role);
  row_of(role == WeightRole::kEmbedding && scheme == "pytorch" ? "normal" : scheme).fill(draw);
  if (own.nonzeros && *own.nonzeros < shape.fan_in) keep_nonzeros(draw, *own.nonzeros);
  if (own.spectral_radius) {
    scale_to_radius(shape.units, *own.spectral_radius, weights);
  } else if (!own.std) {
    const double gain = own.gain.value_or(init.gain);
    for (double& w : weights) w *= gain;
  }
}

void initialize_bias(const InitSpec& init, WeightRole role, std::int64_t hidden, std::uint64_t seed, std::uint64_t index,
                     std::span<double> bias) {
  std::ranges::fill(bias, 0.0);
  if (scheme_of(init, role) != "pytorch") return;
  Draw draw{{.hidden = hidden}, std::nullopt, RandomStream(seed, RandomUse::kWeights, index), bias};
  pytorch(draw);
}

}  // namespace vp
