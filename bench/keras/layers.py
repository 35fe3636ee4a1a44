"""Small models, one for each class of keras.layers, with settings and weights drawn by chance; see ../parity/layers.ts.

layers.py <models> <folder> [class]: of Keras 2 and of Keras 3, writes so many models of each class into folders of their own, for
  TensorFlow.js, with raw float32 inputs and outputs; prints one line of JSON with what it wrote and what it could not.
"""

import inspect
import json
import logging
import sys
import warnings
from pathlib import Path

import keras as keras3
import numpy as np
import tf_keras as keras2
from layer_draws import DRAWS, Draw
from tfjs_format import save_layers_model

BATCH = 3
#: Parts of other layers, and what holds the code of another framework or nothing of its own.
NO_LAYERS = {
    *("Layer", "Wrapper", "AbstractRNNCell", "InputLayer", "DenseFeatures"),
    *("FlaxLayer", "JaxLayer", "TFSMLayer", "TorchModuleWrapper"),
}


def classes(keras):
    """Names of the layers, each once, as models that are saved name them."""
    found = (value for _, value in inspect.getmembers(keras.layers, inspect.isclass))
    return sorted({one.__name__ for one in found if issubclass(one, keras.layers.Layer)} - NO_LAYERS)


def settle(model, random):
    """Weights between -1 and 1; what is a variance or a norm above 0."""
    for weight in model.weights:
        if "int" in str(weight.dtype):
            continue
        low, high = (0.5, 1.5) if "variance" in weight.name else (-1, 1)
        weight.assign(random.uniform(low, high, weight.shape))


def write(keras, version, name, seed, folder):
    random = np.random.default_rng([seed, version])
    draw = Draw(keras, version, name, random)
    shapes, use = DRAWS[name](draw)
    inputs = [keras.Input(shape, name=f"input_{i}", dtype=draw.dtype) for i, shape in enumerate(shapes)]
    model = keras.Model(inputs, use(*inputs))
    settle(model, random)
    values = [draw.values(shape, BATCH) for shape in shapes]
    outputs = model(values if len(values) > 1 else values[0], training=False)
    outputs = [np.asarray(one) for one in (outputs if isinstance(outputs, (list, tuple)) else [outputs])]
    folder.mkdir()
    save_layers_model(model, folder)
    (folder / "inputs.bin").write_bytes(b"".join(value.astype("<i4" if draw.dtype == "int32" else "<f4").tobytes() for value in values))
    (folder / "outputs.bin").write_bytes(b"".join(value.astype("<f4").tobytes() for value in outputs))
    return {
        "keras": version,
        "name": name,
        "folder": folder.name,
        "inputs": [{"name": f"input_{i}", "shape": value.shape, "dtype": draw.dtype} for i, value in enumerate(values)],
        "settings": json.dumps(draw.settings, default=str),
    }


def main(models, folder, only=None):
    written, failed = [], []
    for version, keras in ((2, keras2), (3, keras3)):
        for name in [one for one in classes(keras) if only in (None, one)]:
            for seed in range(models):
                try:
                    written.append(write(keras, version, name, seed, folder / f"{name}-{version}-{seed}"))
                except Exception as error:
                    lines = str(error).strip().splitlines() or [""]
                    failed.append({"keras": version, "name": name, "why": f"{type(error).__name__}: {lines[0]}"})
                    break
    return {"written": written, "failed": failed}


warnings.simplefilter("ignore")
logging.disable()
count, where, *only = sys.argv[1:]
print(json.dumps(main(int(count), Path(where), *only)))
