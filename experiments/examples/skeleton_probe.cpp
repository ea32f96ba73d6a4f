// A probe to start from: how much of the gradient at the last step reaches the first, of every layer, as rows of spectra.csv.
//
// As a probe of the program: models/probes/reach.cpp, and `each(reach)` in VP_PROBES of models/probes/probe_list.cpp.
// Rename it: the tests link this file, and would test its reach_probe() in place of yours.
#include "models/probes/probes.h"

namespace vp {
namespace {

struct ReachOptions : OptionsOf<ReachOptions> {
  bool on = false;
  void visit_fields(FieldVisitor& v) override {
    v.field({.key = "probe.reach", .description = "write log10 |dL/dh_0| - log10 |dL/dh_{T-1}| of every layer to spectra.csv"}, on);
  }
};

template <class T>
class Reach final : public Probe<T> {
 public:
  explicit Reach(std::int64_t every) : every_(every) {}
  bool is_due(const Schedule& now) const override { return now.is_due(every_); }
  std::int64_t most_row_bytes(const Schedule& run, const Pass<T>& pass) const override {
    return run.times(every_) * pass.model.layer_count() * static_cast<std::int64_t>(sizeof(SpectrumRow));
  }
  void look(const Pass<T>& pass, const Schedule& now, RunReport& report) override {
    const std::int64_t last = pass.model.layer_steps() - 1;
    for (std::int64_t layer = 0; layer < pass.model.layer_count(); ++layer) {
      const auto norm = [&](std::int64_t t) { return log10_norm(pass, layer, t, StateKind::kHidden); };
      report.spectra.push_back({.update = now.update(), .layer = layer, .kind = "log10_reach", .value = norm(0) - norm(last)});
    }
  }

 private:
  const std::int64_t every_;
};

template <class T>
std::unique_ptr<Probe<T>> make(const RunSpec& spec, const Options& options, const Model<T>& model) {
  const bool wanted = options_as<ReachOptions>(options).on && model.has_time();
  return wanted ? std::make_unique<Reach<T>>(spec.probe.every) : nullptr;
}

}  // namespace

ProbeEntry reach_probe() {
  return {"reach", "what of the gradient at the last step reaches the first (spectra.csv)", make_options<ReachOptions>, make<float>,
          make<double>};
}

}  // namespace vp
