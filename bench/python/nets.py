"""The nets of ../training/nets.ts in PyTorch, with the weights and inputs that ../training/data.ts wrote.

Each is a module whose `loss(images, noise)` is what a step minimises; layers are called as in TensorFlow.js.
"""

import json
import os

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

LEARNING_RATE = 0.0001
BATCHES = 8


class Autoencoder(nn.Module):
    """[N, channels, height, width] -> the same: blocks of 3x3 convolutions, ReLU and max pooling, mirrored."""

    def __init__(self, channels, filters, pools):
        super().__init__()
        self.pools, before = pools, channels
        for i, count in enumerate(filters):
            self.add_module(f"encode{i + 1}", nn.Conv2d(before, count, 3, padding=1))
            before = count
        for i, count in enumerate(reversed(filters)):
            self.add_module(f"decode{i + 1}", nn.Conv2d(before, count, 3, padding=1))
            before = count
        self.reconstruction = nn.Conv2d(before, channels, 3, padding=1)

    def encode(self, x):
        sizes = []
        for i, pool in enumerate(self.pools):
            x = F.relu(getattr(self, f"encode{i + 1}")(x))
            sizes.append(x.shape[2:])
            # As TensorFlow's padding "same".
            padding = (-x.shape[2] % pool + 1) // 2
            x = F.max_pool2d(x, pool, padding=padding)
        return x, sizes

    def decode(self, x, sizes):
        for i, (height, width) in enumerate(reversed(sizes)):
            x = F.relu(getattr(self, f"decode{i + 1}")(x))
            factor = -(-height // x.shape[2])
            x = F.interpolate(x, scale_factor=factor)
            if x.shape[2:] != (height, width):
                x = x[:, :, :height, :width]
        return torch.sigmoid(self.reconstruction(x))

    def forward(self, x):
        return self.decode(*self.encode(x))

    def loss(self, images, noise):
        return F.mse_loss(self(images), images)


class Mnist(Autoencoder):
    def loss(self, images, noise):
        return F.binary_cross_entropy(self(images), images)


class Vae(Autoencoder):
    """Variational: 16 numbers for each image, the mean of the posterior and its deviation through a softplus."""

    def __init__(self, channels, filters, pools, side, latent=16, beta=1):
        super().__init__(channels, filters, pools)
        self.side, self.beta = side, beta
        features = side * side * filters[-1]
        self.mean = nn.Linear(features, latent)
        self.deviation = nn.Linear(features, latent)
        self.expand = nn.Linear(latent, features)

    def loss(self, images, noise):
        x, sizes = self.encode(images)
        flat = x.permute(0, 2, 3, 1).flatten(1)
        mean, deviation = self.mean(flat), F.softplus(self.deviation(flat))
        code = F.relu(self.expand(mean + deviation * noise))
        output = self.decode(code.reshape(len(images), self.side, self.side, -1).permute(0, 3, 1, 2), sizes)
        logarithm = 2 * torch.log(torch.clamp(deviation, min=1e-6))
        each = (mean.square() + deviation.square() - logarithm - 1).sum(1)
        return F.mse_loss(output, images) + self.beta * each.mean() * 0.5 / images[0].numel()


class ConvLstmCell(nn.Module):
    """One step of Keras' ConvLSTM2D: hard sigmoids and tanh, gates in the order input, forget, cell, output."""

    def __init__(self, channels, filters):
        super().__init__()
        self.inputs = nn.Conv2d(channels, 4 * filters, 3, padding=1)
        self.states = nn.Conv2d(filters, 4 * filters, 3, padding=1, bias=False)

    def forward(self, x, state=None):
        gates = self.inputs(x)
        if state is not None:
            gates = gates + self.states(state[0])
        i, f, c, o = gates.chunk(4, 1)
        i, f, o = (torch.clamp(0.2 * gate + 0.5, 0, 1) for gate in (i, f, o))
        c = i * torch.tanh(c) if state is None else f * state[1] + i * torch.tanh(c)
        return o * torch.tanh(c), c


class ConvLstm(nn.Module):
    """[N, 1, 64, 64] -> the same, a sequence of one frame: its states begin with zeros, which nothing need be spent on."""

    def __init__(self):
        super().__init__()
        self.encode1, self.encode2 = ConvLstmCell(1, 16), ConvLstmCell(16, 8)
        self.decode1, self.decode2 = ConvLstmCell(8, 8), ConvLstmCell(8, 16)
        self.reconstruction = nn.Conv2d(16, 1, 3, padding=1)

    def loss(self, images, noise):
        x = images
        for cell in (self.encode1, self.encode2):
            x = F.max_pool2d(cell(x)[0], 2)
        for cell in (self.decode1, self.decode2):
            x = F.interpolate(cell(x)[0], scale_factor=2)
        return F.l1_loss(torch.sigmoid(self.reconstruction(x)), images)


class MobileNet(nn.Module):
    """[N, 3, 224, 224] -> [N, 1024]: MobileNet 1.0 (Howard et al. 2017) in inference; TensorFlow pads at the end first."""

    BLOCKS = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)] + [(512, 1)] * 5 + [(1024, 2), (1024, 1)]

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 32, 3, 2, bias=False)
        self.conv_norm = nn.BatchNorm2d(32, eps=0.001)
        before = 32
        for i, (filters, stride) in enumerate(self.BLOCKS):
            depthwise = nn.Conv2d(before, before, 3, stride, 2 - stride, groups=before, bias=False)
            self.add_module(f"depthwise{i + 1}", depthwise)
            self.add_module(f"depthwise{i + 1}_norm", nn.BatchNorm2d(before, eps=0.001))
            self.add_module(f"pointwise{i + 1}", nn.Conv2d(before, filters, 1, bias=False))
            self.add_module(f"pointwise{i + 1}_norm", nn.BatchNorm2d(filters, eps=0.001))
            before = filters
        self.eval().requires_grad_(False)

    def loss(self, images, noise):
        x = F.relu6(self.conv_norm(self.conv(F.pad(images, (0, 1, 0, 1)))))
        for i, (_, stride) in enumerate(self.BLOCKS):
            if stride == 2:
                x = F.pad(x, (0, 1, 0, 1))
            for name in (f"depthwise{i + 1}", f"pointwise{i + 1}"):
                x = F.relu6(getattr(self, name + "_norm")(getattr(self, name)(x)))
        return x.mean((2, 3)).mean()


# Name -> image [height, width, channels], batch, numbers of noise, module. See ../training/nets.ts.
NETS = {
    "fundus": ((128, 128, 3), 16, 0, lambda: Autoencoder(3, (32, 64, 128), (2, 2, 2))),
    "mnist": ((28, 28, 1), 60, 0, lambda: Mnist(1, (16, 8), (2, 4))),
    "convlstm": ((64, 64, 1), 16, 0, ConvLstm),
    "vae": ((64, 64, 1), 32, 16, lambda: Vae(1, (16, 8, 4), (2, 2, 2), 8)),
    "mobilenet": ((224, 224, 3), 8, 0, MobileNet),
}


def load_net(name, folder):
    """The net with its initial weights."""
    net = NETS[name][3]()
    values = torch.from_numpy(np.fromfile(os.path.join(folder, "weights.f32"), np.float32))
    with open(os.path.join(folder, "weights.json")) as file:
        names = json.load(file)
    with torch.no_grad():
        for entry in names:
            shape = entry["shape"]
            size = int(np.prod(shape))
            set_weight(net, entry["name"], values[:size].reshape(shape))
            values = values[size:]
    assert len(values) == 0
    return net


def set_weight(net, name, value):
    """Kernels are [height, width, in, out] or [in, out] in TensorFlow.js, and [out, in, ...] here."""
    layer, kind = name.split("/")
    module = getattr(net, layer)
    if isinstance(module, ConvLstmCell):
        module = module.states if kind == "recurrent_kernel" else module.inputs
    if kind == "depthwise_kernel":
        value = value.permute(2, 3, 0, 1)
    elif kind.endswith("kernel"):
        value = value.permute(3, 2, 0, 1) if value.dim() == 4 else value.T
    target = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    getattr(module, target.get(kind, "bias" if kind == "bias" else "weight")).copy_(value)


def load_inputs(name, folder):
    """Batches of ([batch, channels, height, width], [batch, noise] or None)."""
    (height, width, channels), batch, noise, _ = NETS[name]
    images = np.fromfile(os.path.join(folder, "images.f32"), np.float32)
    images = torch.from_numpy(images.reshape(BATCHES, batch, height, width, channels)).permute(0, 1, 4, 2, 3)
    drawn = torch.from_numpy(np.fromfile(os.path.join(folder, "noise.f32"), np.float32).reshape(BATCHES, batch, noise))
    return [(x.contiguous(), n if noise > 0 else None) for x, n in zip(images, drawn)]
