"""A peer that trains with PyTorch: train.py <channels_last | NCHW> <threads> <data folder>.

Answers every line of JSON on standard input with one on standard output; see ../training/peer.ts.
"""

import json
import sys
import time

import torch
from fundus import LEARNING_RATE, fundus_net, load_images, load_weights

layout, threads, folder = sys.argv[1:]
torch.set_num_threads(int(threads))
memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format

net = fundus_net()
load_weights(net, folder)
net = net.to(memory_format=memory_format)
batches = [batch.to(memory_format=memory_format) for batch in load_images(folder)]
# tfjs's own epsilon; PyTorch's default is 1e-8.
optimizer = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, eps=1e-7)
steps = 0


def step():
    global steps
    batch = batches[steps % len(batches)]
    steps += 1
    optimizer.zero_grad()
    loss = torch.nn.functional.mse_loss(net(batch), batch)
    loss.backward()
    optimizer.step()
    return loss.item()


def measure(seconds):
    begin, processor, images = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < seconds:
        step()
        images += batches[0].shape[0]
    return {
        "images": images,
        "seconds": time.perf_counter() - begin,
        "processorSeconds": time.process_time() - processor,
    }


for line in sys.stdin:
    request = json.loads(line)
    answer = [step() for _ in range(request["losses"])] if "losses" in request else measure(request["seconds"])
    print(json.dumps(answer), flush=True)
