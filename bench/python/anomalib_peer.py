"""PaDiM and PatchCore of anomalib on one domain, the peers of the default recipe.

anomalib_peer.py WEIGHTS.pth REPEATS FOLDER: REPEATS is "1,2,3,3,4,4,1"; FOLDER holds train_good, test_good,
test_anomalous and perhaps masks. Prints one line of JSON. Their usual backbones come from servers that need not be in
reach, so both see through EfficientNet-Lite, which our own encoder voices see through too.
"""

import json
import random
import sys
import time
from pathlib import Path

import numpy
import torch
from anomalib.models.image.padim.torch_model import PadimModel
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from PIL import Image
from torch import nn

SIDE = 224
SEED = 1
BATCH = 8
STRIDES = [1, 2, 2, 2, 1, 2, 1]
# The paper's 100 random features; of the second, third and fifth stage: 56, 28 and 14 places a side.
PADIM_LAYERS, PADIM_FEATURES = ["stage2", "stage3", "stage5"], 100
# The two middle levels, as in the paper. Its greedy choice takes hours on a CPU for more than this.
PATCHCORE_LAYERS, PATCHCORE_IMAGES, PATCHCORE_SHARE = ["stage3", "stage5"], 100, 0.005


def layer(weights, name, norm, stride=1, clipped=True):
    weight = weights[f"{name}.weight"]
    out, inner, kernel, _ = weight.shape
    depthwise = inner == 1 and kernel > 1
    # TensorFlow's SAME for even sizes: what is odd goes behind.
    total = kernel - 1 if stride == 1 else kernel - 2
    before, after = total // 2, total - total // 2
    convolution = nn.Conv2d(out if depthwise else inner, out, kernel, stride, groups=out if depthwise else 1, bias=False)
    convolution.weight.data = weight
    normalise = nn.BatchNorm2d(out, eps=1e-3)
    normalise.load_state_dict({k: weights[f"{norm}.{k}"] for k in normalise.state_dict() if k != "num_batches_tracked"}, strict=False)
    return nn.Sequential(
        nn.ZeroPad2d((before, after, before, after)), convolution, normalise, *([nn.ReLU6()] if clipped else [])
    )


class Block(nn.Module):
    def __init__(self, weights, name, stride):
        super().__init__()
        expands = f"{name}._expand_conv.weight" in weights
        self.layers = nn.Sequential(
            *([layer(weights, f"{name}._expand_conv", f"{name}._bn0")] if expands else []),
            layer(weights, f"{name}._depthwise_conv", f"{name}._bn1", stride),
            layer(weights, f"{name}._project_conv", f"{name}._bn2", clipped=False),
        )
        first = weights[f"{name}._expand_conv.weight" if expands else f"{name}._depthwise_conv.weight"]
        inputs = first.shape[1] if expands else first.shape[0]
        self.residual = stride == 1 and inputs == weights[f"{name}._project_conv.weight"].shape[0]

    def forward(self, x):
        y = self.layers(x)
        return x + y if self.residual else y


def backbone(weights, repeats):
    stages = {"stem": layer(weights, "_conv_stem", "_bn0", 2)}
    index = 0
    for stage, (count, stride) in enumerate(zip(repeats, STRIDES), 1):
        blocks = [Block(weights, f"_blocks.{index + i}", stride if i == 0 else 1) for i in range(count)]
        stages[f"stage{stage}"] = nn.Sequential(*blocks)
        index += count
    module = nn.Sequential()
    for name, part in stages.items():
        module.add_module(name, part)
    return module.eval()


def read(path):
    image = Image.open(path).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return (torch.from_numpy(numpy.array(image, dtype=numpy.float32)).permute(2, 0, 1) - 127) / 128


def files(folder):
    return sorted(path for path in folder.iterdir() if path.is_file())


def batches(paths):
    for start in range(0, len(paths), BATCH):
        yield torch.stack([read(path) for path in paths[start : start + BATCH]])


def scores(model, paths):
    return [float(score) for path in paths for score in model(read(path)[None]).pred_score.reshape(-1)]


def auroc(good, poor):
    order = numpy.argsort(numpy.concatenate([good, poor]), kind="stable")
    values = numpy.concatenate([good, poor])[order]
    ranks = numpy.empty(len(values))
    # Equal values share their mean rank.
    starts = numpy.flatnonzero(numpy.concatenate([[True], values[1:] != values[:-1]]))
    ends = numpy.append(starts[1:], len(values))
    ranks[order] = numpy.repeat((starts + ends + 1) / 2, ends - starts)
    return (ranks[len(good) :].sum() - len(poor) * (len(poor) + 1) / 2) / (len(good) * len(poor))


def masked(model, folder):
    """Pixel AUROC over all images with a mask, and of how many the largest value lies in it or one cell of 8 beside."""
    inside, outside, shown, count = [], [], 0, 0
    for mask_file in files(folder / "masks"):
        image = next((path for path in files(folder / "test_anomalous") if path.stem == mask_file.stem), None)
        if image is None:
            continue
        grey = Image.open(mask_file).convert("L").resize((SIDE, SIDE), Image.Resampling.NEAREST)
        mask = numpy.array(grey) > 127
        values = model(read(image)[None]).anomaly_map.reshape(SIDE, SIDE).numpy()
        inside.append(values[mask])
        outside.append(values[~mask][::4])
        y, x = numpy.unravel_index(values.argmax(), values.shape)
        shown += bool(mask[max(0, y - 8) : y + 9, max(0, x - 8) : x + 9].any())
        count += 1
    return {"pixels": auroc(numpy.concatenate(outside), numpy.concatenate(inside)), "shown": shown, "images": count}


def judge(model, fit, folder):
    started = time.perf_counter()
    model.train()
    model.feature_extractor.eval()
    with torch.no_grad():
        fit()
        model.eval()
        seconds = time.perf_counter() - started
        good = files(folder / "test_good")
        result = {"good": scores(model, good), "poor": scores(model, files(folder / "test_anomalous")), "seconds": seconds}
        image = read(good[0])[None]
        times = []
        for _ in range(15):
            begun = time.perf_counter()
            model(image)
            times.append(1000 * (time.perf_counter() - begun))
        result["milliseconds"] = sorted(times)[len(times) // 2]
        if (folder / "masks").is_dir():
            result["masks"] = masked(model, folder)
    return result


def main(weights_file, repeats, folder):
    torch.manual_seed(SEED)
    folder = Path(folder)
    weights = torch.load(weights_file, map_location="cpu", weights_only=True)
    network = backbone(weights, [int(count) for count in repeats.split(",")])
    train = files(folder / "train_good")
    padim = PadimModel(backbone=network, layers=PADIM_LAYERS, n_features=PADIM_FEATURES)

    def fit_padim():
        for images in batches(train):
            padim(images)
        padim.fit()

    patchcore = PatchcoreModel(backbone=network, layers=PATCHCORE_LAYERS)

    def fit_patchcore():
        for images in batches(random.Random(SEED).sample(train, min(PATCHCORE_IMAGES, len(train)))):
            patchcore(images)
        patchcore.subsample_embedding(PATCHCORE_SHARE)

    print(json.dumps({"padim": judge(padim, fit_padim, folder), "patchcore": judge(patchcore, fit_patchcore, folder)}))


main(*sys.argv[1:])
