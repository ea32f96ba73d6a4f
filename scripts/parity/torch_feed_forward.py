"""Feed-forward and convolutional nets of Vanishing Point in PyTorch, and everything `vpoint inspect` says about a batch."""
import dataclasses
import random

import torch
from torch import nn
from torch.nn import functional as F


def softplus(z):
    """F.softplus is linear beyond 20."""
    return torch.logaddexp(z, torch.zeros_like(z))


ACTIVATIONS = {"linear": lambda z: z, "relu": torch.relu, "leaky_relu": lambda z: F.leaky_relu(z, 0.01), "elu": F.elu,
               "sigmoid": torch.sigmoid, "tanh": torch.tanh, "softplus": softplus, "gelu": F.gelu}


@dataclasses.dataclass(frozen=True)
class Case:
    """One configuration. Sizes by their letters: B rows, I inputs or the side of an image, C classes or outputs."""
    number: int
    kind: str  # mlp or cnn
    activation: str
    widths: tuple  # of the layers, or channels of the convolutions
    B: int
    I: int
    C: int
    target: str  # classes, binary or values
    layer_norm: bool
    residual: bool  # mlp
    image_channels: int  # cnn, and all below
    kernel: int
    stride: int
    padding: int
    pool: str
    pool_every: int
    shard_rows: int
    T: int = 1  # of the bounds for short sequences

    @property
    def in_double(self):
        return self.number % 2 == 0

    def settings(self):
        common = [f"model.kind={self.kind}", f"model.activation={self.activation}", f"model.layer_norm={str(self.layer_norm).lower()}",
                  f"train.shard_rows={self.shard_rows}"]
        widths = f"[{', '.join(map(str, self.widths))}]"
        if self.kind == "mlp":
            return common + [f"model.widths={widths}", f"model.residual={str(self.residual).lower()}"]
        pool = [] if self.pool == "none" else [f"model.pool_every={self.pool_every}"]
        return common + pool + [f"model.channels={widths}", f"model.kernel={self.kernel}", f"model.stride={self.stride}",
                                f"model.padding={self.padding}", f"model.pool={self.pool}"]


def make_cases(count, seed):
    chance = random.Random(seed)
    for number in range(count):
        kind = ["mlp", "cnn"][number % 2]
        target = chance.choice(["classes", "binary", "values"])
        depth = chance.choice([1, 2, 3, 5, 12]) if kind == "mlp" else chance.randint(1, 4)
        width = chance.choice([1, 3, 8, 16, 17, 31, 64, 100])
        residual = kind == "mlp" and depth > 1 and chance.random() < 0.4
        widths = (width,) * depth if residual else tuple(chance.choice([2, 5, 8, 16, 17, 33, 64]) for _ in range(depth))
        if kind == "cnn":
            widths = tuple(chance.choice([1, 3, 8, 16, 17]) for _ in range(depth))
        kernel = chance.choice([1, 2, 3, 5])
        yield Case(number=number, kind=kind, activation=chance.choice(sorted(ACTIVATIONS)), widths=widths,
                   B=chance.choice([1, 2, 3, 5, 8, 16, 31, 33, 64]),
                   I=chance.randint(16, 28) if kind == "cnn" else chance.choice([1, 3, 16, 28, 49]),
                   C=chance.randint(2, 11) if target == "classes" else chance.randint(1, 5), target=target,
                   # Behind each norm over a few units rounding grows by the ratio of their size to their spread, on both sides.
                   layer_norm=chance.random() < 0.4 and min(widths) > 7 and depth < 6, residual=residual, image_channels=chance.choice([1, 1, 3]),
                   kernel=kernel, stride=chance.choice([1, 1, 2]) if depth < 3 else 1, padding=(kernel - 1) // 2,
                   pool=chance.choice(["max", "average", "none"]), pool_every=chance.choice([1, 2]) if depth < 3 else 2,
                   shard_rows=chance.choice([1, 3, 8, 32, 128]))


class Net(nn.Module):
    """Parameter names as in a checkpoint."""

    def __init__(self, case):
        super().__init__()
        self.case = case
        if case.kind == "mlp":
            sizes = [case.I, *case.widths, case.C]
            self.layers = nn.ModuleList(nn.Linear(i, o) for i, o in zip(sizes, sizes[1:]))
            maps = self.layers
        else:
            channels = [case.image_channels, *case.widths]
            self.conv = nn.ModuleList(nn.Conv2d(i, o, case.kernel, case.stride, case.padding) for i, o in zip(channels, channels[1:]))
            maps = self.conv
            side = self.features(torch.zeros(1, case.image_channels, case.I, case.I)).numel()
            self.readout = nn.Linear(side, case.C)
        if case.layer_norm:
            self.norms = nn.ModuleList(nn.GroupNorm(1, w) if case.kind == "cnn" else nn.LayerNorm(w) for w in case.widths)
        assert len(maps) >= len(case.widths)

    def features(self, x, outputs=None):
        """The top layer's output; the outputs of all layers go into the list."""
        case = self.case
        for k in range(len(case.widths)):
            z = (self.layers if case.kind == "mlp" else self.conv)[k](x)
            if case.layer_norm and hasattr(self, "norms"):
                z = self.norms[k](z)
            h = ACTIVATIONS[case.activation](z)
            if case.residual and k > 0 and x.shape == h.shape:
                h = h + x
            if case.kind == "cnn" and case.pool != "none" and (k + 1) % case.pool_every == 0:
                h = (F.max_pool2d if case.pool == "max" else F.avg_pool2d)(h, 2)
            if outputs is not None:
                h.retain_grad()
                outputs.append(h)
            x = h
        return x

    def forward(self, x, outputs):
        top = self.features(x, outputs)
        return self.layers[-1](top) if self.case.kind == "mlp" else self.readout(top.flatten(1))

    def loss(self, logits, target):
        if self.case.target == "classes":
            return F.cross_entropy(logits, target)
        return (F.binary_cross_entropy_with_logits if self.case.target == "binary" else F.mse_loss)(logits, target)


def make_data(case, seed):
    """Weights and batch in float64, by name."""
    generator = torch.Generator().manual_seed(seed * 2_000_003 + case.number)
    torch.manual_seed(seed * 2_000_003 + case.number)
    data = {name: p.detach().double().clone() for name, p in Net(case).named_parameters()}
    for name in data:
        if name.startswith("norms."):
            data[name] += 0.2 * torch.randn(data[name].shape, generator=generator, dtype=torch.float64)
    shape = (case.B, case.I) if case.kind == "mlp" else (case.B, case.image_channels, case.I, case.I)
    data["input"] = torch.randn(*shape, generator=generator, dtype=torch.float64)
    if case.target == "classes":
        data["target"] = torch.randint(case.C, (case.B,), generator=generator)
    elif case.target == "binary":
        data["target"] = torch.randint(2, (case.B, case.C), generator=generator).double()
    else:
        data["target"] = torch.randn(case.B, case.C, generator=generator, dtype=torch.float64)
    return {name: tensor.numpy() for name, tensor in data.items()}


def run(case, arrays, dtype):
    """One pass, with dL/dh of every layer."""
    data = {name: torch.from_numpy(array) for name, array in arrays.items()}
    net = Net(case).to(dtype)
    net.load_state_dict({n: t.to(dtype) for n, t in data.items() if "." in n}, strict=True)
    target = data["target"] if case.target == "classes" else data["target"].to(dtype)
    outputs = []
    logits = net(data["input"].to(dtype), outputs)
    loss = net.loss(logits, target)
    loss.backward()
    found = {"loss": loss.detach(), "logits": logits.detach(), "hidden": outputs[-1].detach()}
    found.update({"grad." + name: p.grad for name, p in net.named_parameters()})
    for k, h in enumerate(outputs):
        found[f"grad.hidden.l{k}"] = h.grad
        found[f"log10_norm.hidden.l{k}"] = h.grad.double().norm().log10().reshape(1)
    return {name: tensor.numpy() for name, tensor in found.items()}


def truth(case, arrays):
    return run(case, arrays, torch.float64)


def own(case, arrays):
    return run(case, arrays, torch.float32)
