"""The models of Vanishing Point in PyTorch, and everything `vpoint inspect` says about a batch, by PyTorch's own means."""
import torch
from torch import nn
from torch.nn import functional as F

import parity
import sequence_cases


class Net(nn.Module):
    """Parameter names as in a checkpoint."""

    def __init__(self, case):
        super().__init__()
        self.case = case
        if case.cell == "lstm":
            self.rnn = nn.LSTM(case.I, case.H, case.layers)
        elif case.cell == "gru":
            self.rnn = nn.GRU(case.I, case.H, case.layers)
        else:
            self.rnn = nn.RNN(case.I, case.H, case.layers, nonlinearity=case.activation)
        self.readout = nn.Linear(case.H, case.C)

    def loss(self, logits, target):
        if self.case.target == "classes":
            return F.cross_entropy(logits.flatten(0, -2), target.flatten())
        return (F.binary_cross_entropy_with_logits if self.case.target == "binary" else F.mse_loss)(logits, target)

    def logits(self, hidden):
        return self.readout(hidden if self.case.every_step else hidden[-1])


class Chance:
    """PyTorch's generator by numpy's names."""

    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def standard_normal(self, shape):
        return torch.randn(*shape, generator=self.generator, dtype=torch.float64).numpy()

    def integers(self, high, size):
        return torch.randint(high, size, generator=self.generator).numpy()


def make_data(case, seed):
    """Weights as PyTorch draws them, and a batch, in float64, by name."""
    torch.manual_seed(seed * 1_000_003 + case.number)
    weights = {name: (p * (case.gain if name.startswith("rnn.weight_hh") else 1)).detach().numpy()
               for name, p in Net(case).double().named_parameters()}
    return weights | sequence_cases.make_batch(case, Chance(seed * 1_000_003 + case.number))


def _prepare(case, data, dtype):
    """A net with the weights, the batch, and of it the initial states that there are, as tensors that get gradients."""
    tensors = {name: torch.from_numpy(a) for name, a in data.items()}
    tensors = {name: t if t.dtype == torch.int64 else t.to(dtype) for name, t in tensors.items()}
    net = Net(case).to(dtype)
    net.load_state_dict({name: t for name, t in tensors.items() if "." in name}, strict=True)
    batch = {name: t for name, t in tensors.items() if "." not in name}
    states = {name: batch[name].clone().requires_grad_() for name in ("h0", "c0") if name in batch}
    return net, batch, states


def _collect(net, states, loss, logits, hidden):
    found = {"loss": loss, "logits": logits, "hidden": hidden}
    found.update({"grad." + name: p.grad for name, p in net.named_parameters()})
    found.update({"grad." + name: tensor.grad for name, tensor in states.items()})
    return {name: tensor.detach().numpy() for name, tensor in found.items()}


def by_modules(case, data, dtype):
    """One pass by torch.nn.RNN, LSTM or GRU: what a user of PyTorch gets."""
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
            from_x, from_h = F.linear(x, weight_ih, bias_ih), F.linear(h, weight_hh, bias_hh)
            z = from_x + from_h
            if case.cell == "gru":
                reset, update = torch.sigmoid(z[:, :2 * case.H]).chunk(2, dim=1)
                candidate = torch.tanh(from_x[:, 2 * case.H:] + reset * from_h[:, 2 * case.H:])
                h = (1 - update) * candidate + update * h
            elif case.cell == "lstm":
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
            gradient = torch.stack([torch.zeros_like(s) if s.grad is None else s.grad for s in steps]).numpy()
            if name == "hidden":
                found[f"grad.hidden.l{layer}"] = gradient
            found[f"log10_norm.{name}.l{layer}"] = parity.log10_norms(gradient)
    return found
