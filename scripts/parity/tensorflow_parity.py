"""Holds `vpoint inspect` against TensorFlow on random configurations: graphs of tensorflow.compat.v1, gradients by tf.gradients.

usage: tensorflow_parity.py [--family sequence|mlp] [--vpoint FILE] [--cases N] [--seed S]

In float64 the graph must also agree with Keras's own layers.
"""
import functools
import random
import sys

import numpy
import tensorflow

import feed_forward_cases
import parity
import sequence_cases
import tensorflow_model

VARIANTS = [{"cell": "rnn"}, {"cell": "rnn", "activation": "relu"}, {"cell": "lstm"}, {"cell": "gru"}, {"cell": "gru", "reset": "before"}]


def make_sequences(count, seed):
    return sequence_cases.draw_cases(VARIANTS, range(count), random.Random(seed), layers=2, steps=100)


def family(make_cases, make_data, outputs, by_keras):
    def truth(case, data):
        graph = tensorflow_model.by_graph(outputs, case, data, numpy.float64)
        parity.require_agreement(case, by_keras(case, data), graph)
        return graph

    def own(case, data):
        return tensorflow_model.by_graph(outputs, case, data, numpy.float32)

    return parity.Family(make_cases, make_data, truth, own)


FAMILIES = {
    "sequence": family(make_sequences, sequence_cases.make_data, tensorflow_model.sequence_outputs, tensorflow_model.sequence_by_keras),
    "mlp": family(functools.partial(feed_forward_cases.make_cases, activations=sorted(tensorflow_model.ACTIVATIONS)),
                  feed_forward_cases.make_data, tensorflow_model.mlp_outputs, tensorflow_model.mlp_by_keras),
}


if __name__ == "__main__":
    library = parity.Library("TensorFlow", "TF", tensorflow.__version__, FAMILIES)
    sys.exit(parity.main(library, __doc__, cases=100))
