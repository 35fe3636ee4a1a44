"""Trains every system a little, saves it for TensorFlow.js and scores images: train.py <folder>.

Writes <folder>/<system>/model.json with its weights, and as raw float32 image.bin, reconstruction.bin and score.bin.
Prints one line of JSON for all systems; see ../keras.ts.
"""

import json
import sys
from pathlib import Path

import tensorflow as tf
import tf_keras as keras
from images import synthetic_images
from systems import SYSTEMS
from tfjs_format import save_layers_model

TRAINING, SCORED = 64, 16
LOSSES = {
    "squared": keras.losses.mean_squared_error,
    "absolute": keras.losses.mean_absolute_error,
    "cross-entropy": keras.losses.binary_crossentropy,
}


def all_layers(model):
    """That compute something, with those of models within the model."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            yield layer


def kind(layer):
    inner = f"({kind(layer.layer)})" if isinstance(layer, keras.layers.TimeDistributed) else ""
    return type(layer).__name__ + inner


def run(system, folder):
    keras.utils.set_random_seed(1)
    model = system.build(system.shape)
    loss = LOSSES[system.residual]
    model.compile(optimizer=keras.optimizers.Adam(system.learning_rate), loss=loss)
    training = synthetic_images(TRAINING, system.shape, seed=3)
    history = model.fit(training, training, batch_size=16, epochs=system.epochs, verbose=0).history["loss"]
    images = synthetic_images(SCORED, system.shape, seed=4)
    reconstructions = model.predict(images, verbose=0)
    errors = loss(images, reconstructions).numpy()
    scores = errors.reshape((SCORED, -1)).mean(axis=1)
    folder.mkdir()
    save_layers_model(model, folder)
    for name, values in (("image", images), ("reconstruction", reconstructions), ("score", scores)):
        (folder / f"{name}.bin").write_bytes(values.astype("<f4").tobytes())
    used = list(all_layers(model))
    return {
        "name": system.name,
        "shape": system.shape,
        "residual": system.residual,
        "layers": len(used),
        "kinds": sorted({kind(layer) for layer in used}),
        "parameters": model.count_params(),
        "losses": [history[0], history[-1]],
        "variation": float(reconstructions.std(axis=0).mean()),
    }


tf.config.experimental.enable_op_determinism()
print(json.dumps([run(system, Path(sys.argv[1]) / system.name) for system in SYSTEMS]))
