"""A peer that trains with PyTorch: train.py <net> <channels_last | NCHW> <threads> <data folder>.

Answers every line of JSON on standard input with one on standard output; see ../training/peer.ts.
"""

import json
import sys
import time

import torch
from nets import LEARNING_RATE, load_inputs, load_net

name, layout, threads, folder = sys.argv[1:]
torch.set_num_threads(int(threads))
memory_format = torch.channels_last if layout == "channels_last" else torch.contiguous_format

net = load_net(name, folder).to(memory_format=memory_format)
batches = [(images.to(memory_format=memory_format), noise) for images, noise in load_inputs(name, folder)]
trained = [parameter for parameter in net.parameters() if parameter.requires_grad]
# tfjs's own epsilon; PyTorch's default is 1e-8.
optimizer = torch.optim.Adam(trained, lr=LEARNING_RATE, eps=1e-7) if trained else None
steps = 0


def step():
    global steps
    images, noise = batches[steps % len(batches)]
    steps += 1
    if optimizer is None:
        with torch.inference_mode():
            return net.loss(images, noise).item()
    optimizer.zero_grad()
    loss = net.loss(images, noise)
    loss.backward()
    optimizer.step()
    return loss.item()


def measure(seconds):
    begin, processor, images = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - begin < seconds:
        step()
        images += len(batches[0][0])
    return {
        "images": images,
        "seconds": time.perf_counter() - begin,
        "processorSeconds": time.process_time() - processor,
    }


for line in sys.stdin:
    request = json.loads(line)
    answer = [step() for _ in range(request["losses"])] if "losses" in request else measure(request["seconds"])
    print(json.dumps(answer), flush=True)
