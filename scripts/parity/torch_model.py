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
            self.rnn = nn.LSTM(case.I, case.H, case.layers, bidirectional=case.bidirectional)
        elif case.cell == "gru":
            self.rnn = nn.GRU(case.I, case.H, case.layers, bidirectional=case.bidirectional)
        else:
            self.rnn = nn.RNN(case.I, case.H, case.layers, nonlinearity=case.activation, bidirectional=case.bidirectional)
        self.readout = nn.Linear(case.directions * case.H, case.C)
        if case.vocabulary:
            self.embedding = nn.Embedding(case.vocabulary, case.I)

    def vectors(self, batch):
        return self.embedding(batch["input"]) if self.case.vocabulary else batch["input"]

    def loss(self, logits, target, lengths):
        """The mean over rows, and over each row's own steps where every step has a target."""
        case = self.case
        if case.target == "classes":
            losses = F.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="none").view(target.shape)
        else:
            loss = F.binary_cross_entropy_with_logits if case.target == "binary" else F.mse_loss
            losses = loss(logits, target, reduction="none").mean(-1)
        return (losses * inside(case, lengths) / lengths).sum() / case.B if case.every_step else losses.mean()


def inside(case, lengths):
    """(T, B): whether the step is one of the row's own."""
    return torch.arange(case.T)[:, None] < lengths


def backwards(x, lengths):
    """Rows of x (T, B, ...) from their own last step to the first; what stands behind stays there."""
    steps = torch.arange(len(x))[:, None]
    index = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return x.gather(0, index.view(*index.shape, *[1] * (x.dim() - 2)).expand_as(x))


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
    batch.setdefault("lengths", torch.full((case.B,), case.T))
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
    initial = (tuple(states.values()) or None) if case.cell == "lstm" else states.get("h0")
    vectors, lengths = net.vectors(batch), batch["lengths"]
    if case.lengths:
        packed = nn.utils.rnn.pack_padded_sequence(vectors, lengths, enforce_sorted=False)
        hidden, last = net.rnn(packed, initial)
        hidden, _ = nn.utils.rnn.pad_packed_sequence(hidden, total_length=case.T)
    else:
        hidden, last = net.rnn(vectors, initial)
    last = torch.cat(list((last[0] if case.cell == "lstm" else last)[-case.directions:]), dim=1)
    logits = net.readout(hidden if case.every_step else last)
    loss = net.loss(logits, batch["target"], lengths)
    loss.backward()
    return _collect(net, states, loss, logits, hidden)


def one_direction(case, weights, x, h, c):
    """The states of every step, as lists, each with its gradient kept."""
    weight_ih, weight_hh, bias_ih, bias_hh = weights
    all_h, all_c = [], []
    for step in x:
        from_x, from_h = F.linear(step, weight_ih, bias_ih), F.linear(h, weight_hh, bias_hh)
        z = from_x + from_h
        if case.cell == "gru":
            reset, update = torch.sigmoid(z[:, :2 * case.H]).chunk(2, dim=1)
            candidate = torch.tanh(from_x[:, 2 * case.H:] + reset * from_h[:, 2 * case.H:])
            h = (1 - update) * candidate + update * h
        elif case.cell == "lstm":
            i, f, g, o = z.chunk(4, dim=1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            c.retain_grad()
            all_c.append(c)
            h = torch.sigmoid(o) * torch.tanh(c)
        else:
            h = torch.tanh(z) if case.activation == "tanh" else torch.relu(z)
        h.retain_grad()
        all_h.append(h)
    return all_h, all_c


def state_gradients(parts, lengths):
    """(T, B, directions * H): dL/ds_t of a layer's states; parts: the states of each direction, in the order it walks."""
    gradients = [torch.stack([torch.zeros_like(s) if s.grad is None else s.grad for s in states]) for states in parts]
    return torch.cat(gradients[:1] + [backwards(g, lengths) for g in gradients[1:]], dim=2).numpy()


def unrolled(case, data, dtype):
    """The same step by step, so that autograd also knows dL/dh_t and dL/dc_t, which the fused modules keep to themselves."""
    net, batch, states = _prepare(case, data, dtype)
    zero, lengths = torch.zeros(case.B, case.H, dtype=dtype), batch["lengths"]
    own = inside(case, lengths)[:, :, None]
    inputs, steps = net.vectors(batch), []  # steps: (all_h, all_c) of each layer and direction
    for layer in range(case.layers):
        outputs, ends = [], []
        for direction in range(case.directions):
            place = layer * case.directions + direction
            x = backwards(inputs, lengths) if direction else inputs
            start = [states[name][place] if name in states else zero for name in ("h0", "c0")]
            steps.append(one_direction(case, net.rnn.all_weights[place], list(x), *start))
            h = torch.stack(steps[-1][0])
            ends.append(h[lengths - 1, torch.arange(case.B)])
            outputs.append((backwards(h, lengths) if direction else h) * own)
        inputs, last = torch.cat(outputs, dim=2), torch.cat(ends, dim=1)
    logits = net.readout(inputs if case.every_step else last)
    loss = net.loss(logits, batch["target"], lengths)
    loss.backward()
    found = _collect(net, states, loss, logits, inputs)
    for layer in range(case.layers):
        for kind, name in enumerate(("hidden", "cell")):
            parts = [steps[layer * case.directions + direction][kind] for direction in range(case.directions)]
            if not parts[0]:
                continue
            gradient = state_gradients(parts, lengths)
            if name == "hidden":
                found[f"grad.hidden.l{layer}"] = gradient
            found[f"log10_norm.{name}.l{layer}"] = parity.log10_norms(gradient)
    return found
