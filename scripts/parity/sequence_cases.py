"""Random recurrent nets, their weights and a batch, for the parity scripts."""
import dataclasses
import itertools
import math

import numpy

import parity

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
FORMS = [form for form in itertools.product([True, False], repeat=3) if any(form)]  # lengths, tokens, bidirectional


@dataclasses.dataclass(frozen=True)
class Case:
    """One configuration. Sizes by their letters: T steps, B rows, I inputs, H hidden units, C classes or outputs."""
    number: int
    in_double: bool  # compared in float64 too
    layers: int
    T: int
    B: int
    I: int
    H: int
    C: int
    target: str  # classes, binary or values
    every_step: bool
    initial_states: bool
    shard_rows: int
    checkpoint_every_steps: int
    gain: float
    cell: str  # rnn, lstm or gru
    activation: str = "tanh"  # of rnn: tanh or relu
    reset: str = "after"  # of gru: the gate acts after the recurrent product, or before
    lengths: bool = False  # rows have lengths of their own: packed sequences
    vocabulary: int = 0  # above 0: token ids, and an embedding of width I
    bidirectional: bool = False

    @property
    def directions(self):
        return 2 if self.bidirectional else 1

    @property
    def states(self):
        """Names of the initial states that the cell can be given."""
        return ("h0", "c0") if self.cell == "lstm" else ("h0",)

    def settings(self):
        settings = [f"model.cell={self.cell}", f"model.activation={self.activation}", f"model.layers={self.layers}",
                    f"model.hidden={self.H}", f"model.form=many_to_{'many' if self.every_step else 'one'}",
                    f"model.embedding={self.I if self.vocabulary else 0}", f"model.bidirectional={str(self.bidirectional).lower()}",
                    f"train.shard_rows={self.shard_rows}", f"train.checkpoint_every_steps={self.checkpoint_every_steps}"]
        return settings + ([f"model.reset={self.reset}"] if self.cell == "gru" else [])


def draw_cases(variants, numbers, chance, layers=3, steps=200):
    """variants: fields of Case that each case takes from the list, in turn; at most so many layers and steps."""
    for number in numbers:
        target = chance.choice(["classes", "binary", "values"])
        yield Case(
            number=number, in_double=number % 2 == 0, layers=chance.randint(1, layers),
            T=round(math.exp(chance.uniform(0, math.log(steps)))),
            B=chance.choice([1, 2, 3, 5, 8, 13, 16, 31, 33, 64, 67]), I=chance.choice([1, 2, 3, 7, 16, 19, 28]),
            H=chance.choice([1, 2, 3, 5, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 128]),
            C=chance.randint(2, 11) if target == "classes" else chance.randint(1, 5), target=target, every_step=chance.random() < 0.5,
            initial_states=chance.random() < 0.4, shard_rows=chance.choice([1, 3, 8, 32, 128]) if number % 2 else 32,
            checkpoint_every_steps=chance.choice([0, 0, 0, 1, 10]), gain=chance.choice([0.5, 1, 1, 1.25]),
            **variants[number % len(variants)])


def draw_forms(variants, numbers, chance):
    """Cases of draw_cases, each with some of lengths, an embedding and two directions."""
    for case in draw_cases(variants, numbers, chance):
        lengths, tokens, bidirectional = chance.choice(FORMS)
        yield dataclasses.replace(case, lengths=lengths, vocabulary=chance.choice([3, 40, 500]) if tokens else 0,
                                  bidirectional=bidirectional,
                                  checkpoint_every_steps=0 if bidirectional else case.checkpoint_every_steps)


def parameter_shapes(case):
    """Shapes by name, as in a checkpoint, of one direction without an embedding."""
    rows, shapes = GATES[case.cell] * case.H, {}
    for k in range(case.layers):
        shapes |= {f"rnn.weight_ih_l{k}": (rows, case.H if k else case.I), f"rnn.weight_hh_l{k}": (rows, case.H),
                   f"rnn.bias_ih_l{k}": (rows,), f"rnn.bias_hh_l{k}": (rows,)}
    return shapes | {"readout.weight": (case.C, case.H), "readout.bias": (case.C,)}


def make_batch(case, chance):
    """input, lengths, target and initial states, such as there are, by name: in float64, token ids and lengths in int64."""
    steps, rows = (case.T, case.B), (case.T, case.B) if case.every_step else (case.B,)
    batch = {"input": chance.integers(case.vocabulary, size=steps) if case.vocabulary else chance.standard_normal((*steps, case.I))}
    if case.lengths:
        batch["lengths"] = 1 + chance.integers(case.T, size=(case.B,))
    batch["target"] = parity.make_target(case, rows, chance)
    if case.initial_states:
        batch |= {name: 0.5 * chance.standard_normal((case.layers * case.directions, case.B, case.H)) for name in case.states}
    return batch


def make_data(case, seed):
    """Weights and batch in float64, by name. Weights are uniform as PyTorch draws them, recurrent ones times the case's gain."""
    chance = numpy.random.default_rng([seed, case.number])
    bound = 1 / math.sqrt(case.H)
    weights = {name: chance.uniform(-bound, bound, shape) * (case.gain if name.startswith("rnn.weight_hh") else 1)
               for name, shape in parameter_shapes(case).items()}
    return weights | make_batch(case, chance)
