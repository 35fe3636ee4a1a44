"""A network of Keras Applications with random weights, for TensorFlow.js and by tf2onnx: applications.py <name> <folder>.

Writes model.json with its weights, tf2onnx.onnx, and as raw float32 image.bin and prediction.bin into the folder. Prints one
line of JSON; see ../parity/applications.ts. Without arguments: prints the names of all networks.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf2onnx
import tf_keras as keras
from images import synthetic_images
from tfjs_format import save_layers_model

IMAGES = 2
OPSET = 18


def network(name):
    """With normalization statistics of one pass of images: through identities the signal would fade or grow."""
    keras.utils.set_random_seed(1)
    model = getattr(keras.applications, name)(weights=None)
    layers = [layer for layer in model.submodules if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.momentum = 0.0
    if layers:
        model(pixels(model, seed=2), training=True)
    return model


def pixels(model, seed):
    return 255 * synthetic_images(IMAGES, model.input_shape[1:], seed)


def by_tf2onnx(model, path):
    """Seconds, or what it said."""
    begin = time.perf_counter()
    try:
        signature = [tf.TensorSpec(model.input_shape, tf.float32, name="image")]
        tf2onnx.convert.from_keras(model, signature, opset=OPSET, output_path=str(path))
    except Exception as error:  # whatever it is, it is the answer
        return {"problem": f"{type(error).__name__}: {error}"}
    return {"seconds": time.perf_counter() - begin}


def run(name, folder):
    model = network(name)
    images = pixels(model, seed=3)
    predictions = model(images, training=False).numpy()
    save_layers_model(model, folder)
    for file, values in (("image", images), ("prediction", predictions)):
        (folder / f"{file}.bin").write_bytes(values.astype("<f4").tobytes())
    return {
        "shape": model.input_shape[1:],
        "layers": len(model.layers),
        "parameters": model.count_params(),
        "variation": float(np.abs(predictions[0] - predictions[1]).max() / np.abs(predictions).max()),
        "tf2onnx": by_tf2onnx(model, folder / "tf2onnx.onnx"),
    }


if len(sys.argv) == 1:
    print(json.dumps([name for name in dir(keras.applications) if name[0].isupper()]))
else:
    print(json.dumps(run(sys.argv[1], Path(sys.argv[2]))))
