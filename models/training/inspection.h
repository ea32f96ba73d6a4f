// One forward and backward pass over a batch that is at hand, with everything kept: what `vpoint inspect` shows.
//
// The batch is cut into shards and their gradients are added as in training (batch_engine.h): the same bits for any number of threads.
// Thread-safety: inspect() may be called by several threads at once; they share the pool.
#pragma once

#include <cstdint>
#include <vector>

#include "models/base/parallel.h"
#include "models/spec/batch_source.h"
#include "models/spec/report.h"
#include "models/spec/spec.h"

namespace vp {

// Arrays that are not needed stay empty.
template <class T>
struct GivenBatch {
  SequenceShape shape;
  std::int64_t rows = 0;              // B
  std::vector<T> input;               // (T, B, I), or empty: tokens; an image of a cnn: (Y, B, X C)
  std::vector<std::int32_t> tokens;   // (T, B), each in [0, V); shape.vocabulary > 0
  std::vector<std::int32_t> lengths;  // (B), each in [1, T]; shape.variable_length
  std::vector<std::int32_t> classes;  // (B) or (T, B), each in [0, C); TargetKind::kClasses
  std::vector<T> values;              // (B, C) or (T, B, C); kBinary and kValues
  std::vector<T> h0, c0;              // (L*D, B, H), D directions, a layer's two one after the other; empty: zero
  std::vector<T> parameters;          // flat, as make_layout() places them; empty: drawn by the initialisers
};

template <class T>
struct Inspection {
  double loss = 0;                                // mean over the batch and the steps that have a target
  std::vector<T> logits;                          // (B, C) or (T, B, C)
  std::vector<T> hidden;                          // (T, B, D*H) of the top layer
  std::vector<T> gradient;                        // flat, as make_layout() places it
  std::vector<std::vector<T>> dh;                 // by layer, (T, B, D*H): dL/dh_t; may have left the range of T, where the norms have not
  std::vector<std::vector<std::int64_t>> shapes;  // by layer, of a row and step: (H), or (C, Y, X), in which order hidden and dh then stand
  std::vector<T> dh0, dc0;                        // (L*D, B, H), where h0 and c0 were given
  std::vector<std::vector<double>> log10_dh;      // by layer, (T): log10 of the norm of dh over the batch, -inf where it is zero
  std::vector<std::vector<double>> log10_dc;      // the same of dL/dc_t, where there is a cell state
  std::vector<TimestepRow> timesteps;             // by layer, then step
  std::int64_t lost_in_parameters = 0;            // parts of parameter gradients that left the range of T: they became zero or infinite
  std::int64_t lost_in_hidden_gradients = 0;      // elements of dh, dh0, dc0 that did
};

// Forms: many_to_one and many_to_many. spec.train.batch, the task and the optimiser are not looked at. Errors: std::invalid_argument naming
// the array whose size does not fit.
template <class T>
Inspection<T> inspect(RunSpec spec, const GivenBatch<T>& batch, ThreadPool& pool);

}  // namespace vp
