"""Saves a model of Keras 2 or 3 as TensorFlow.js reads it: the layers-model format, one shard of float32 weights.

The `tensorflowjs` package, whose format this is, cannot be installed beside a current TensorFlow.
"""

import json
from importlib import metadata
from pathlib import Path


def save_layers_model(model, folder):
    """Writes folder/model.json and folder/weights.bin."""
    topology = json.loads(model.to_json())
    version = topology.pop("keras_version", None) or metadata.version("keras")  # Keras 3 does not write it there
    weights = [(getattr(weight, "path", weight.name).removesuffix(":0"), weight.numpy().astype("<f4")) for weight in model.weights]
    names = [name for name, _ in weights]
    assert len(set(names)) == len(names), "weights are found by name, so each needs its own"
    document = {
        "format": "layers-model",
        "generatedBy": f"keras v{version}",
        "modelTopology": {
            "keras_version": version,
            "backend": topology.pop("backend", "tensorflow"),
            "model_config": topology,
        },
        "weightsManifest": [
            {
                "paths": ["weights.bin"],
                "weights": [
                    {"name": name, "shape": list(value.shape), "dtype": "float32"} for name, value in weights
                ],
            }
        ],
    }
    folder = Path(folder)
    (folder / "weights.bin").write_bytes(b"".join(value.tobytes() for _, value in weights))
    (folder / "model.json").write_text(json.dumps(document))
