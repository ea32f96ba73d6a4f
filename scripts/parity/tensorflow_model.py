"""The models of Vanishing Point as graphs of tensorflow.compat.v1 (placeholders, a session, tf.gradients), by the names of a checkpoint.

A weight is used as PyTorch keeps it, (units, inputs), so products are tf.matmul(x, weight, transpose_b=True). Gates: LSTM i, f, g, o;
GRU r, z, n. How the cells that TensorFlow ships hold the same numbers (kernels are transposed there); *_by_keras do this:
  keras.layers.SimpleRNN                one bias: the sum of ours
  keras.layers.LSTM                     i, f, c, o: ours, c being g; one bias. unit_forget_bias only sets where training starts
  keras.layers.GRU, reset_after=True    z, r, h: our z, r, n. Two biases (2, 3H), first of the input, then of the state: ours, reordered
  keras.layers.GRU, reset_after=False   the same with model.reset = "before"; one bias: the sum of ours
  compat.v1.nn.rnn_cell.LSTMCell        (with Keras 2 only) one kernel (I+H, 4H) for [x, h], i, j, f, o: our i, g, f, o. It adds forget_bias
                                        (1 by default) to f at every step: take it off our bias, or set it to 0
  compat.v1.nn.rnn_cell.GRUCell         (with Keras 2 only) a kernel for r, u and one for the candidate: our r, z and n, reset before
"""
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy
import tensorflow.compat.v1 as tf

import parity
import sequence_cases

ACTIVATIONS = {"linear": tf.identity, "relu": tf.nn.relu, "elu": tf.nn.elu, "sigmoid": tf.sigmoid, "tanh": tf.tanh,
               "softplus": tf.nn.softplus}  # Keras has the same names
CONFIG = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
CONFIG.graph_options.rewrite_options.disable_meta_optimizer = True  # the graph runs as written; rewriting it takes as long as building it


def affine(x, weight, bias):
    return tf.add(tf.matmul(x, weight, transpose_b=True), bias)


# A cell takes weight_ih, weight_hh, bias_ih, bias_hh and returns its step: (x, state) -> state, a list [h] or [h, c].

def rnn_cell(case, weight_ih, weight_hh, bias_ih, bias_hh):
    def step(x, state):
        return [ACTIVATIONS[case.activation](tf.add(affine(x, weight_ih, bias_ih), affine(state[0], weight_hh, bias_hh)))]
    return step


def lstm_cell(_, weight_ih, weight_hh, bias_ih, bias_hh):
    def step(x, state):
        h, c = state
        i, f, g, o = tf.split(tf.add(affine(x, weight_ih, bias_ih), affine(h, weight_hh, bias_hh)), 4, axis=1)
        c = tf.add(tf.multiply(tf.sigmoid(f), c), tf.multiply(tf.sigmoid(i), tf.tanh(g)))
        return [tf.multiply(tf.sigmoid(o), tf.tanh(c)), c]
    return step


def gru_cell(case, weight_ih, weight_hh, bias_ih, bias_hh):
    weight_gates, weight_n = tf.split(weight_hh, [2 * case.H, case.H])
    bias_gates, bias_n = tf.split(bias_hh, [2 * case.H, case.H])

    def step(x, state):
        (h,) = state
        x_gates, x_n = tf.split(affine(x, weight_ih, bias_ih), [2 * case.H, case.H], axis=1)
        r, z = tf.split(tf.sigmoid(tf.add(x_gates, affine(h, weight_gates, bias_gates))), 2, axis=1)
        if case.reset == "after":
            from_h = tf.multiply(r, affine(h, weight_n, bias_n))
        else:
            from_h = affine(tf.multiply(r, h), weight_n, bias_n)
        n = tf.tanh(tf.add(x_n, from_h))
        return [tf.add(tf.multiply(tf.subtract(tf.ones_like(z), z), n), tf.multiply(z, h))]
    return step


CELLS = {"rnn": rnn_cell, "lstm": lstm_cell, "gru": gru_cell}
RNN_WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def recurrent_layers(case, given):
    """states[layer][t]: the step's [h] or [h, c]; given: placeholders by name."""
    inputs, states = tf.unstack(given["input"], case.T), []
    zero = tf.zeros([case.B, case.H], given["input"].dtype)
    for layer in range(case.layers):
        step = CELLS[case.cell](case, *(given[f"rnn.{name}_l{layer}"] for name in RNN_WEIGHTS))
        state = [given[name][layer] if name in given else zero for name in case.states]
        states.append([])
        for x in inputs:
            state = step(x, state)
            states[layer].append(state)
        inputs = [h for h, *_ in states[layer]]
    return states


def loss_of(case, logits, target):
    """The mean over batch and target steps."""
    if case.target == "classes":
        return tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=target, logits=logits))
    if case.target == "binary":
        return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels=target, logits=logits))
    return tf.reduce_mean(tf.square(tf.subtract(logits, target)))


def gradients(loss, tensors):
    """Of tensors by name, or lists of them, which are stacked."""
    found = tf.gradients(loss, tf.nest.flatten(tensors), unconnected_gradients="zero")
    found = tf.nest.pack_sequence_as(tensors, found)
    return {name: tf.stack(gradient) if isinstance(gradient, list) else gradient for name, gradient in found.items()}


def sequence_outputs(case, given):
    """Tensors by the names of `vpoint inspect`, and grad.cell.l{k}: dL/dc_t."""
    states = recurrent_layers(case, given)
    hidden = tf.stack([h for h, *_ in states[-1]])
    readout = tf.reshape(hidden, [case.T * case.B, case.H]) if case.every_step else hidden[-1]
    logits = affine(readout, given["readout.weight"], given["readout.bias"])
    if case.every_step:
        logits = tf.reshape(logits, [case.T, case.B, case.C])
    loss = loss_of(case, logits, given["target"])
    wanted = {f"grad.{name}": tensor for name, tensor in given.items() if name not in ("input", "target")}
    for layer, steps in enumerate(states):
        wanted |= {f"grad.{kind}.l{layer}": list(tensors) for kind, tensors in zip(("hidden", "cell"), zip(*steps))}
    return {"loss": loss, "logits": logits, "hidden": hidden} | gradients(loss, wanted)


def mlp_outputs(case, given):
    """The same of a feed-forward net. hidden is the output of the last hidden layer."""
    layers = [given["input"]]
    for k in range(len(case.widths)):
        layers.append(ACTIVATIONS[case.activation](affine(layers[-1], given[f"layers.{k}.weight"], given[f"layers.{k}.bias"])))
    logits = affine(layers[-1], given[f"layers.{len(case.widths)}.weight"], given[f"layers.{len(case.widths)}.bias"])
    loss = loss_of(case, logits, given["target"])
    wanted = {f"grad.{name}": tensor for name, tensor in given.items() if "." in name}
    wanted |= {f"grad.hidden.l{k}": h for k, h in enumerate(layers[1:])}
    return {"loss": loss, "logits": logits, "hidden": layers[-1]} | gradients(loss, wanted)


def with_norms(found):
    """Adds log10_norm.*; dL/dc_t goes, as `vpoint inspect` gives its norms alone."""
    norms = {}
    for name, gradient in found.items():
        if name.startswith(("grad.hidden.", "grad.cell.")):
            norms["log10_norm." + name.removeprefix("grad.")] = parity.log10_norms(gradient if gradient.ndim == 3 else gradient[None])
    return {name: a for name, a in found.items() if not name.startswith("grad.cell.")} | norms


def by_graph(outputs, case, data, dtype):
    """One pass in dtype of the graph that outputs(case, placeholders) builds: everything `vpoint inspect` says, by its names."""
    data = parity.rounded(data, dtype)
    with tf.Graph().as_default(), tf.Session(config=CONFIG) as session:
        given = {name: tf.placeholder(a.dtype, a.shape, name.replace(".", "_")) for name, a in data.items()}
        return with_norms(session.run(outputs(case, given), {given[name]: a for name, a in data.items()}))


def _keras_order(case, tensor):
    """Gate blocks along the first axis, in Keras's order."""
    blocks = numpy.split(tensor, sequence_cases.GATES[case.cell])
    return numpy.concatenate([blocks[1], blocks[0], blocks[2]] if case.cell == "gru" else blocks)


def _keras_layer(case):
    options = {"return_sequences": True, "dtype": "float64"}
    if case.cell == "lstm":
        return keras.layers.LSTM(case.H, **options)
    if case.cell == "gru":
        return keras.layers.GRU(case.H, reset_after=case.reset == "after", **options)
    return keras.layers.SimpleRNN(case.H, activation=case.activation, **options)


def sequence_by_keras(case, data):
    """hidden of the top layer in float64, by the layers that TensorFlow users take: the cells above are these."""
    data = parity.rounded(data, numpy.float64)
    x = data["input"].swapaxes(0, 1)  # (B, T, I)
    for k in range(case.layers):
        weight_ih, weight_hh, bias_ih, bias_hh = (_keras_order(case, data[f"rnn.{name}_l{k}"]) for name in RNN_WEIGHTS)
        two_biases = case.cell == "gru" and case.reset == "after"
        layer = _keras_layer(case)
        layer.build(x.shape)
        layer.set_weights([weight_ih.T, weight_hh.T, numpy.stack([bias_ih, bias_hh]) if two_biases else bias_ih + bias_hh])
        state = [data[name][k] if name in data else numpy.zeros((case.B, case.H)) for name in case.states]
        x = numpy.asarray(layer(x, initial_state=state))
    return {"hidden": x.swapaxes(0, 1)}


def mlp_by_keras(case, data):
    """logits in float64 by keras.layers.Dense, whose kernel is the transposed weight."""
    x = data["input"].astype(numpy.float64)
    for k in range(len(case.widths) + 1):
        weight, bias = (data[f"layers.{k}.{part}"].astype(numpy.float64) for part in ("weight", "bias"))
        layer = keras.layers.Dense(len(bias), activation=case.activation if k < len(case.widths) else None, dtype="float64")
        layer.build(x.shape)
        layer.set_weights([weight.T, bias])
        x = numpy.asarray(layer(x))
    return {"logits": x}
