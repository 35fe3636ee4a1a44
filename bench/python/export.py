"""PyTorch's own ONNX export of the fundus net: export.py <data folder> <file>. One image [1, 3, 128, 128] -> the same."""

import sys

import torch
from nets import load_net

folder, path = sys.argv[1:]
net = load_net("fundus", folder).eval()
image = torch.zeros(1, 3, 128, 128)
torch.onnx.export(
    net, (image,), path, input_names=["image"], output_names=["reconstruction"], dynamo=True, external_data=False, verbose=False
)
