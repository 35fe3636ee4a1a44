"""PyTorch's own ONNX export of the fundus net: export.py <data folder> <file>. One image [1, 3, 128, 128] -> the same."""

import sys

import torch
from fundus import SIZE, fundus_net, load_weights

folder, path = sys.argv[1:]
net = fundus_net().eval()
load_weights(net, folder)
image = torch.zeros(1, 3, SIZE, SIZE)
torch.onnx.export(
    net, (image,), path, input_names=["image"], output_names=["reconstruction"], dynamo=True, external_data=False, verbose=False
)
