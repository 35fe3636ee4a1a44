"""EfficientNet-Lite in PyTorch, the referee of trainer/encoders/efficientnetLite.ts.

efficientnet_lite.py WEIGHTS.pth SIDE REPEATS INPUT OUTPUTS: INPUT holds one float32 image [1, SIDE, SIDE, 3], scaled;
OUTPUTS is a folder, where each tap is written as NAME.bin, float32 [1, h, w, c]. REPEATS is "1,2,2,3,3,4,1".
"""

import sys
from pathlib import Path

import numpy
import torch
from torch.nn import functional

STRIDES = [1, 2, 2, 2, 1, 2, 1]


def same(size, kernel, stride):
    """TensorFlow's SAME padding: what is odd goes behind."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


class Network:
    def __init__(self, weights):
        self.weights = weights

    def layer(self, x, name, norm, stride=1, clipped=True):
        weight = self.weights[f"{name}.weight"]
        kernel = weight.shape[2]
        top, bottom = same(x.shape[2], kernel, stride)
        left, right = same(x.shape[3], kernel, stride)
        groups = x.shape[1] if weight.shape[1] == 1 and x.shape[1] != 1 else 1
        x = functional.conv2d(functional.pad(x, (left, right, top, bottom)), weight, stride=stride, groups=groups)
        mean, variance, scale, shift = (
            self.weights[f"{norm}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        x = functional.batch_norm(x, mean, variance, scale, shift, eps=1e-3)
        return functional.relu6(x) if clipped else x

    def block(self, x, name, stride):
        y = x
        if f"{name}._expand_conv.weight" in self.weights:
            y = self.layer(y, f"{name}._expand_conv", f"{name}._bn0")
        y = self.layer(y, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        y = self.layer(y, f"{name}._project_conv", f"{name}._bn2", clipped=False)
        return x + y if stride == 1 and x.shape == y.shape else y

    def taps(self, x, repeats):
        x = self.layer(x, "_conv_stem", "_bn0", 2)
        index = 0
        for stage, (count, stride) in enumerate(zip(repeats, STRIDES), 1):
            for i in range(count):
                x = self.block(x, f"_blocks.{index}", stride if i == 0 else 1)
                index += 1
            yield f"stage{stage}", x
        yield "head", self.layer(x, "_conv_head", "_bn1")


def main(weights, side, repeats, image, outputs):
    network = Network(torch.load(weights, map_location="cpu", weights_only=True))
    pixels = numpy.fromfile(image, "<f4").reshape(1, int(side), int(side), 3)
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    with torch.no_grad():
        for name, tap in network.taps(x, [int(count) for count in repeats.split(",")]):
            tap.permute(0, 2, 3, 1).contiguous().numpy().tofile(Path(outputs) / f"{name}.bin")


main(*sys.argv[1:])
