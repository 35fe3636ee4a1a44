"""The fundus net in PyTorch, and the files of ../training/data.ts."""

import os

import numpy as np
import torch

SIZE = 128
BATCH = 16
LEARNING_RATE = 0.0001


def fundus_net():
    """[N, 3, 128, 128] -> the same: three blocks that halve, three that double, a sigmoid at the end."""
    layers, channels = [], 3
    for filters in (32, 64, 128):
        layers += [torch.nn.Conv2d(channels, filters, 3, padding=1), torch.nn.ReLU(), torch.nn.MaxPool2d(2)]
        channels = filters
    for filters in (128, 64, 32):
        layers += [torch.nn.Conv2d(channels, filters, 3, padding=1), torch.nn.ReLU(), torch.nn.Upsample(scale_factor=2)]
        channels = filters
    layers += [torch.nn.Conv2d(channels, 3, 3, padding=1), torch.nn.Sigmoid()]
    return torch.nn.Sequential(*layers)


def load_images(folder):
    """Batches of [16, 3, 128, 128] from the file's [N, 128, 128, 3]."""
    images = np.fromfile(os.path.join(folder, "images.f32"), np.float32)
    return list(torch.from_numpy(images.reshape(-1, BATCH, SIZE, SIZE, 3)).permute(0, 1, 4, 2, 3).contiguous())


def load_weights(net, folder):
    """Kernels are [3, 3, in, out] in the file and [out, in, 3, 3] here."""
    values = torch.from_numpy(np.fromfile(os.path.join(folder, "weights.f32"), np.float32))
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, torch.nn.Conv2d):
                outputs, inputs = layer.weight.shape[:2]
                kernel, values = values[: 9 * inputs * outputs], values[9 * inputs * outputs :]
                layer.weight.copy_(kernel.reshape(3, 3, inputs, outputs).permute(3, 2, 0, 1))
                layer.bias.copy_(values[:outputs])
                values = values[outputs:]
    assert len(values) == 0
