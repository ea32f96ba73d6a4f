"""The models of Vanishing Point in PyTorch, and everything `vpoint inspect` says about a batch, by PyTorch's own means."""
import dataclasses

import torch
from torch import nn
from torch.nn import functional as F


@dataclasses.dataclass(frozen=True)
class Case:
    """One configuration. Sizes by their letters: T steps, B rows, I inputs, H hidden units, C classes or outputs."""
    number: int
    cell: str  # rnn or lstm
    activation: str  # tanh or relu
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

    def settings(self):
        return [f"model.cell={self.cell}", f"model.activation={self.activation}", f"model.layers={self.layers}", f"model.hidden={self.H}",
                f"model.form=many_to_{'many' if self.every_step else 'one'}", f"train.shard_rows={self.shard_rows}",
                f"train.checkpoint_every_steps={self.checkpoint_every_steps}"]


class Net(nn.Module):
    """Parameter names as in a checkpoint."""

    def __init__(self, case):
        super().__init__()
        self.case = case
        if case.cell == "lstm":
            self.rnn = nn.LSTM(case.I, case.H, case.layers)
        else:
            self.rnn = nn.RNN(case.I, case.H, case.layers, nonlinearity=case.activation)
        self.readout = nn.Linear(case.H, case.C)

    def loss(self, logits, target):
        if self.case.target == "classes":
            return F.cross_entropy(logits.flatten(0, -2), target.flatten())
        return (F.binary_cross_entropy_with_logits if self.case.target == "binary" else F.mse_loss)(logits, target)

    def logits(self, hidden):
        return self.readout(hidden if self.case.every_step else hidden[-1])


def make_data(case, seed):
    """Weights and batch in float64, by name."""
    random = torch.Generator().manual_seed(seed * 1_000_003 + case.number)
    torch.manual_seed(seed * 1_000_003 + case.number)

    def normal(*shape):
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    data = {name: (p.detach() * (case.gain if name.startswith("rnn.weight_hh") else 1)).clone()
            for name, p in Net(case).double().named_parameters()}
    data["input"] = normal(case.T, case.B, case.I)
    steps = [case.T] if case.every_step else []
    if case.target == "classes":
        data["target"] = torch.randint(case.C, (*steps, case.B), generator=random)
    elif case.target == "binary":
        data["target"] = torch.randint(2, (*steps, case.B, case.C), generator=random).double()
    else:
        data["target"] = normal(*steps, case.B, case.C)
    if case.initial_states:
        for name in ["h0", "c0"] if case.cell == "lstm" else ["h0"]:
            data[name] = 0.5 * normal(case.layers, case.B, case.H)
    return data


def _prepare(case, data, dtype):
    net = Net(case).to(dtype)
    parameters = {name: tensor.to(dtype) for name, tensor in data.items() if "." in name}
    net.load_state_dict(parameters, strict=True)
    batch = {name: tensor if tensor.dtype == torch.int64 else tensor.to(dtype) for name, tensor in data.items() if "." not in name}
    states = {name: batch[name].clone().requires_grad_() for name in ("h0", "c0") if name in batch}
    return net, batch, states


def _collect(net, states, loss, logits, hidden):
    found = {"loss": loss.detach(), "logits": logits.detach(), "hidden": hidden.detach()}
    found.update({"grad." + name: p.grad for name, p in net.named_parameters()})
    found.update({"grad." + name: tensor.grad for name, tensor in states.items()})
    return found


def by_modules(case, data, dtype):
    """One pass by torch.nn.RNN or LSTM: what a user of PyTorch gets."""
    net, batch, states = _prepare(case, data, dtype)
    initial = tuple(states.values()) if case.cell == "lstm" else states.get("h0")
    hidden, _ = net.rnn(batch["input"], initial or None) if case.cell == "lstm" else net.rnn(batch["input"], initial)
    logits = net.logits(hidden)
    loss = net.loss(logits, batch["target"])
    loss.backward()
    return _collect(net, states, loss, logits, hidden)


def unrolled(case, data, dtype):
    """The same step by step, so that autograd also knows dL/dh_t and dL/dc_t, which the fused modules keep to themselves."""
    net, batch, states = _prepare(case, data, dtype)
    zero = torch.zeros(case.B, case.H, dtype=dtype)
    inputs, all_h, all_c = list(batch["input"]), [], []
    for layer in range(case.layers):
        weight_ih, weight_hh, bias_ih, bias_hh = net.rnn.all_weights[layer]
        h = states["h0"][layer] if "h0" in states else zero
        c = states["c0"][layer] if "c0" in states else zero
        all_h.append([])
        all_c.append([])
        for x in inputs:
            z = F.linear(x, weight_ih, bias_ih) + F.linear(h, weight_hh, bias_hh)
            if case.cell == "lstm":
                i, f, g, o = z.chunk(4, dim=1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                c.retain_grad()
                all_c[layer].append(c)
                h = torch.sigmoid(o) * torch.tanh(c)
            else:
                h = torch.tanh(z) if case.activation == "tanh" else torch.relu(z)
            h.retain_grad()
            all_h[layer].append(h)
        inputs = all_h[layer]
    hidden = torch.stack(inputs)
    logits = net.logits(hidden)
    loss = net.loss(logits, batch["target"])
    loss.backward()
    found = _collect(net, states, loss, logits, hidden)
    for layer in range(case.layers):
        for name, steps in (("hidden", all_h[layer]), ("cell", all_c[layer])):
            if not steps:
                continue
            gradient = torch.stack([torch.zeros_like(s) if s.grad is None else s.grad for s in steps])
            if name == "hidden":
                found[f"grad.hidden.l{layer}"] = gradient
            found[f"log10_norm.{name}.l{layer}"] = gradient.double().flatten(1).norm(dim=1).log10()
    return found
