// spectra.csv: singular values of recurrent weights, and what each step does to the gradient.
#include <Eigen/SVD>
#include <algorithm>

#include "models/probes/probes.h"

namespace vp {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Of each gate block of a layer's recurrent weights, each in descending order.
template <class T>
void singular_values(const Pass<T>& pass, const Tensor& tensor, SpectrumRow row, std::vector<SpectrumRow>& rows) {
  const std::int64_t hidden = tensor.rows / tensor.blocks;
  row.kind = "singular_value";
  for (std::int64_t block = 0; block < tensor.blocks; ++block) {
    const T* weights = pass.model.parameters() + tensor.offset + block * hidden * tensor.cols;
    Matrix matrix(hidden, tensor.cols);
    std::copy_n(weights, matrix.size(), matrix.data());
    const Eigen::VectorXd values = Eigen::BDCSVD<Matrix>(matrix).singularValues();
    for (std::int64_t i = 0; i < values.size(); ++i) {
      row.index = block * hidden + i;
      row.value = values[i];
      rows.push_back(row);
    }
  }
}

template <class T>
void log10_slopes(const Pass<T>& pass, SpectrumRow row, std::vector<SpectrumRow>& rows) {
  row.kind = "log10_slope";
  for (std::int64_t t = 0; t < pass.model.layer_steps(); ++t) {
    const Moments m = step_moments(pass, row.layer, t);
    if (m.count == 0) continue;  // all samples have ended
    row.t = row.index = t;
    row.value = m.log10_slope / m.count;
    rows.push_back(row);
  }
}

template <class T>
void log10_steps(const Pass<T>& pass, SpectrumRow row, std::vector<SpectrumRow>& rows) {
  row.kind = "log10_step";
  double before = typical_log10_dh(pass, row.layer, 0);
  for (std::int64_t t = 1; t < pass.model.layer_steps(); ++t) {
    const double now = typical_log10_dh(pass, row.layer, t);
    row.t = row.index = t;
    row.value = before - now;
    rows.push_back(row);
    before = now;
  }
}

}  // namespace

template <class T>
void probe_spectra(const Pass<T>& pass, std::int64_t update, std::vector<SpectrumRow>& rows) {
  for (const Tensor* tensor : pass.model.layout().tensors())
    if (tensor->role == WeightRole::kRecurrent && !tensor->is_bias)
      singular_values(pass, *tensor, {.update = update, .layer = tensor->layer}, rows);
  for (std::int64_t layer = 0; layer < pass.model.layer_count(); ++layer) {
    log10_slopes(pass, {.update = update, .layer = layer}, rows);
    if (!pass.model.shape().variable_length) log10_steps(pass, {.update = update, .layer = layer}, rows);
  }
}

template void probe_spectra(const Pass<float>&, std::int64_t, std::vector<SpectrumRow>&);
template void probe_spectra(const Pass<double>&, std::int64_t, std::vector<SpectrumRow>&);

namespace {

template <class T>
class Spectra final : public Probe<T> {
 public:
  explicit Spectra(std::int64_t every) : every_(every) {}
  ProbeNeeds needs() const override { return {.activations = true, .slopes = true}; }
  bool is_due(const Schedule& now) const override { return now.is_due(every_); }
  std::int64_t most_row_bytes(const Schedule& run, const Pass<T>& pass) const override {
    std::int64_t recurrent = 0;
    for (const Tensor* tensor : pass.model.layout().tensors())
      if (tensor->role == WeightRole::kRecurrent && !tensor->is_bias) recurrent += tensor->rows;
    const std::int64_t steps = pass.model.layer_count() * pass.model.layer_steps();
    return run.times(every_) * (recurrent + 2 * steps) * static_cast<std::int64_t>(sizeof(SpectrumRow));
  }
  void look(const Pass<T>& pass, const Schedule& now, RunReport& report) override { probe_spectra(pass, now.update(), report.spectra); }

 private:
  const std::int64_t every_;
};

template <class T>
std::unique_ptr<Probe<T>> make(const RunSpec& spec, const Options&, const Model<T>&) {
  return spec.probe.spectra ? std::make_unique<Spectra<T>>(spec.probe.every) : nullptr;
}

}  // namespace

ProbeEntry spectra_probe() {
  return {"spectra", "singular values of recurrent weights, mean log10 slope and change of each step (spectra.csv)",
          make_options<NoOptions>, make<float>, make<double>};
}

}  // namespace vp
