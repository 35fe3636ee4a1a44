"""A network of Keras Applications with random weights; see ../parity/applications.ts.

applications.py: prints the names of all networks.
applications.py <name> <folder>: writes model.json with its weights for TensorFlow.js, weights.npz, and as raw float32
  image.bin and prediction.bin; prints one line of JSON.
applications.py <name> <folder> tf2onnx <bytes>: writes tf2onnx.onnx of those weights, within that much memory; prints its
  seconds.
applications.py <name> <folder> rounding: prints the largest relative difference of those predictions from what Keras computes
  in double precision, or null where Keras has a layer that knows single precision only.
"""

import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras as keras
from images import synthetic_images
from tfjs_format import save_layers_model

IMAGES = 2
OPSET = 18


def network(name):
    """The network with an open batch and, where it would leave that open too, images of 224 x 224."""
    build = getattr(keras.applications, name)
    model = build(weights=None)
    return build(weights=None, input_shape=(224, 224, 3)) if None in model.input_shape[1:] else model


def pixels(model, seed):
    return 255 * synthetic_images(IMAGES, model.input_shape[1:], seed)


def settle(model):
    """Normalization statistics of one pass of images: through identities the signal would fade or grow."""
    layers = [layer for layer in model.submodules if isinstance(layer, keras.layers.BatchNormalization)]
    for layer in layers:
        layer.momentum = 0.0
    if layers:
        model(pixels(model, seed=2), training=True)


def saved_weights(folder):
    with np.load(folder / "weights.npz") as weights:
        return [weights[f"arr_{i}"] for i in range(len(weights.files))]


def rounding(name, folder):
    """Relative to the value or to 1 % of the largest, whichever is larger. In double precision some networks take minutes."""
    keras.backend.set_floatx("float64")
    model = network(name)
    model.set_weights([weight.astype(np.float64) for weight in saved_weights(folder)])
    images = np.fromfile(folder / "image.bin", "<f4").reshape(IMAGES, *model.input_shape[1:])
    try:
        exact = model(images.astype(np.float64), training=False).numpy()
    except tf.errors.InvalidArgumentError:
        return None
    got = np.fromfile(folder / "prediction.bin", "<f4").reshape(exact.shape)
    floor = 0.01 * np.abs(exact).max()
    return float((np.abs(got - exact) / np.maximum(np.abs(exact), floor)).max())


def write(name, folder):
    keras.utils.set_random_seed(1)
    model = network(name)
    settle(model)
    images = pixels(model, seed=3)
    predictions = model(images, training=False).numpy()
    save_layers_model(model, folder)
    np.savez(folder / "weights.npz", *model.get_weights())
    for file, values in (("image", images), ("prediction", predictions)):
        (folder / f"{file}.bin").write_bytes(values.astype("<f4").tobytes())
    return {
        "shape": model.input_shape[1:],
        "layers": len(model.layers),
        "parameters": model.count_params(),
        "variation": float(np.abs(predictions[0] - predictions[1]).max() / np.abs(predictions).max()),
    }


def by_tf2onnx(name, folder, memory):
    import tf2onnx

    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    model = network(name)
    model.set_weights(saved_weights(folder))
    signature = [tf.TensorSpec(model.input_shape, tf.float32, name="image")]
    begin = time.perf_counter()
    tf2onnx.convert.from_keras(model, signature, opset=OPSET, output_path=str(folder / "tf2onnx.onnx"))
    return time.perf_counter() - begin


match sys.argv[1:]:
    case []:
        print(json.dumps([name for name in dir(keras.applications) if name[0].isupper()]))
    case [name, folder]:
        print(json.dumps(write(name, Path(folder))))
    case [name, folder, "tf2onnx", memory]:
        print(by_tf2onnx(name, Path(folder), int(memory)))
    case [name, folder, "rounding"]:
        print(json.dumps(rounding(name, Path(folder))))
