// Trains an LSTM to name the first symbol of a sequence, and prints how far the gradient reaches back before and after.
#include <cstdio>

#include "models/spec/function_source.h"
#include "models/training/trainer.h"

int main() {
  constexpr int kSteps = 40, kSymbols = 4;
  const vp::FunctionSource recall({.steps = kSteps, .inputs = kSymbols, .outputs = kSymbols},
                                  [](vp::RandomStream& random, vp::Sample& sample) {
                                    for (float& x : sample.inputs) x = static_cast<float>(0.1 * random.normal());
                                    sample.classes[0] = static_cast<int>(random.below(kSymbols));
                                    sample.inputs[sample.classes[0]] += 1;  // step 0: one symbol; the steps behind are noise
                                  });
  vp::RunSpec run;
  run.model.cell = "lstm", run.model.hidden = 32;
  run.init.forget_gate_bias = 4;
  run.train.learning_rate = 0.005, run.train.updates = 400;

  vp::ThreadPool pool(2);
  vp::Unwatched nobody;
  const vp::RunReport report = vp::train(run, recall, pool, nobody);
  for (const vp::TimestepRow& row : report.timesteps)
    if (row.t % 13 == 0) std::printf("update %3d  step %2d  log10 |dL/dh_t| %7.3f\n", int(row.update), int(row.t), row.log10_dh.value());
  std::printf("right on %.3f of the test sequences\n", report.summary.test_accuracy.value());
}
