// A finished run as the first published version of the program wrote it (schema 3): no letter in front of its id, no inputs. Bytes under a
// checksum: they stay as they are.
#pragma once

namespace vp::test {

inline constexpr const char* kOldId = "5961d17c21a08d50";
inline constexpr const char* kOldExperiment = R"(name = "old"
[task]
name = "adding"
length = 4
validation_samples = 2
test_samples = 2
[model]
cell = "rnn"
hidden = 2
[train]
batch = 2
updates = 1
save_checkpoint = true
[probe]
timesteps = false
layers = false
)";
inline constexpr const char* kOldBundle = R"(vanishing-point-bundle 3
run_id 5961d17c21a08d50
build 4afcc5861349069cd44fa807f1835addb9bc8c5f
isa AVX3/avx512_core_amx
libraries oneDNN 2.6.3, Highway 1.0.3
backend native
outcome completed
configuration 10
task.name = "adding"
model.hidden = 2
train.batch = 2
train.updates = 1
train.save_checkpoint = true
probe.timesteps = false
probe.layers = false
task.length = 4
task.validation_samples = 2
task.test_samples = 2
table curves 2
0,0.12625553949597057,0.03890553871360858,0,0.04975576147508898,0.5,0.48627475350374494,,
1,0.12625553949597057,0.0387142855405731,0,0.049524193711222075,0.5,0.35404992748154124,,
table layers 0
table metrics 4
0,validation,mse,,0.03890553871360858,
0,test,mse,,0.04975576147508898,
1,validation,mse,,0.0387142855405731,
1,test,mse,,0.049524193711222075,
table runs 1
completed,1,0.12625553949597057,0.0387142855405731,0,0.049524193711222075,0.5,-0.5673953572075373,-0.8006920980798119,-0.5036345525489807,-0.510594541960098,0.48627475350374494,
table spectra 0
table timesteps 0
table timings 9
product,4.5875e-05,vm,2
pointwise,1.5860000000000001e-06,vm,2
reduction,2.624e-06,vm,2
optimizer,0.006657265000000001,vm,2
probe,1.5583e-05,vm,2
evaluation,3.4919e-05,vm,2
input,1.342e-06,vm,2
output,0.000234271,vm,2
wall,0.006966384,vm,2
table traces 0
checksum xxh3-64 5d33fd5daed70204
)";

}  // namespace vp::test
