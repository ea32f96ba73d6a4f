"""Random feed-forward nets, their weights and a batch, for the parity scripts."""
import dataclasses
import math
import random

import numpy

import parity


@dataclasses.dataclass(frozen=True)
class Case:
    """One configuration. Sizes by their letters: B rows, I inputs, C classes or outputs."""
    number: int
    in_double: bool  # compared in float64 too
    activation: str
    widths: tuple  # of the hidden layers; the output layer is linear
    B: int
    I: int
    C: int
    target: str  # classes, binary or values
    shard_rows: int
    T: int = 1  # of the bounds for short sequences

    def settings(self):
        widths = ", ".join(map(str, self.widths))
        return ["model.kind=mlp", f"model.activation={self.activation}", f"model.widths=[{widths}]",
                f"train.shard_rows={self.shard_rows}"]


def make_cases(count, seed, activations):
    chance = random.Random(seed)
    for number in range(count):
        target = chance.choice(["classes", "binary", "values"])
        depth = chance.choice([1, 2, 3, 5, 12])
        yield Case(
            number=number, in_double=number % 2 == 0, activation=chance.choice(activations),
            widths=tuple(chance.choice([5, 8, 16, 17, 33, 64, 100]) for _ in range(depth)),
            B=chance.choice([1, 2, 3, 5, 8, 16, 31, 33, 64]), I=chance.choice([1, 3, 16, 28, 49]),
            C=chance.randint(2, 11) if target == "classes" else chance.randint(1, 5), target=target,
            shard_rows=chance.choice([1, 3, 8, 32, 128]))


def make_data(case, seed):
    """Weights and batch in float64, by name. Weights are uniform with variance 1 / inputs, so that signals keep their size."""
    chance = numpy.random.default_rng([seed, case.number])
    sizes, data = [case.I, *case.widths, case.C], {}
    for k, (inputs, units) in enumerate(zip(sizes, sizes[1:])):
        bound = math.sqrt(3 / inputs)
        data[f"layers.{k}.weight"] = chance.uniform(-bound, bound, (units, inputs))
        data[f"layers.{k}.bias"] = chance.uniform(-bound, bound, units)
    target = parity.make_target(case, (case.B,), chance)
    if case.target == "values":
        target += 3  # apart from the outputs: where their differences cancel, in a batch of few, luck decides which side errs the more
    return data | {"input": chance.standard_normal((case.B, case.I)), "target": target}
