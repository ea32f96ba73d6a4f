"""Holds `vpoint inspect` against PyTorch on random configurations. usage: torch_parity.py [--family NAME] [--vpoint FILE] [--cases N] [--seed S]"""
import random
import sys

import torch

import parity
import sequence_cases
import torch_feed_forward
import torch_model

VARIANTS = [{"cell": "rnn"}, {"cell": "rnn", "activation": "relu"}, {"cell": "lstm"}]
FORM_VARIANTS = [{"cell": "rnn"}, {"cell": "lstm"}, {"cell": "gru"}]
CASES_HELP = "of RNN and LSTM; on top come a third as many of the GRU, and half as many with lengths, embedding, directions"


def make_cases(count, seed):
    """The GRU's and then the forms come behind the others, from generators of their own: a case stays the same whatever is added."""
    first_form = count + count // 3
    yield from sequence_cases.draw_cases(VARIANTS, range(count), random.Random(seed))
    yield from sequence_cases.draw_cases([{"cell": "gru"}], range(count, first_form), random.Random(f"gru {seed}"))
    forms = range(first_form, first_form + count // 2)
    yield from sequence_cases.draw_forms(FORM_VARIANTS, forms, random.Random(f"forms {seed}"))


def truth(case, data):
    """PyTorch in float64: the unrolled model, which must agree with the modules to rounding."""
    unrolled = torch_model.unrolled(case, data, torch.float64)
    parity.require_agreement(case, torch_model.by_modules(case, data, torch.float64), unrolled)
    return unrolled


def own(case, data):
    """What PyTorch's modules say in float32, and, of what they do not say, the unrolled model."""
    return torch_model.unrolled(case, data, torch.float32) | torch_model.by_modules(case, data, torch.float32)


FAMILIES = {
    "sequence": parity.Family(make_cases, torch_model.make_data, truth, own),
    "feed_forward": parity.Family(torch_feed_forward.make_cases, torch_feed_forward.make_data, torch_feed_forward.truth, torch_feed_forward.own),
}


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(parity.main(parity.Library("PyTorch", "torch", torch.__version__, FAMILIES), __doc__, cases=240, cases_help=CASES_HELP))
