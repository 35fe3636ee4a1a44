"""Saves a TensorFlow function as TensorFlow.js reads it: the graph-model format, one shard of weights.

The `tensorflowjs` package, whose format this is, cannot be installed beside a current TensorFlow. Nothing is optimized.
"""

import json
from pathlib import Path

import tensorflow as tf
from google.protobuf.json_format import MessageToDict
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

# What the format has; TensorFlow's wider types become these.
TYPES = {"float32": "<f4", "int32": "<i4", "int64": "<i4", "bool": "?"}
NAMES = {"float32": "float32", "int32": "int32", "int64": "int32", "bool": "bool"}


def prefix_constants(function):
    """Constants of all functions lie in one list, by name: each gets the name of its function before its own."""
    own = {node.name for node in function.node_def if node.op == "Const"}
    outer = function.signature.name
    for node in function.node_def:
        if node.op == "Const":
            node.name = f"{outer}_{node.name}"
        for i, name in enumerate(node.input):
            if name.split(":")[0].removeprefix("^") in own:
                mark = "^" if name.startswith("^") else ""
                node.input[i] = f"{mark}{outer}_{name.removeprefix('^')}"
    for result, name in function.ret.items():
        if name.split(":")[0] in own:
            function.ret[result] = f"{outer}_{name}"


def save_graph_model(concrete, folder):
    """Writes folder/model.json and folder/weights.bin of a concrete function; conditions and loops stay functions."""
    frozen = convert_variables_to_constants_v2(concrete, lower_control_flow=False)
    graph = frozen.graph.as_graph_def()
    for function in graph.library.function:
        prefix_constants(function)
    weights = []
    for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
        for node in nodes:
            if node.op == "Const":
                weights.append((node.name, tf.make_ndarray(node.attr["value"].tensor)))
                del node.attr["value"]
    document = {
        "format": "graph-model",
        "modelTopology": MessageToDict(graph),
        "weightsManifest": [
            {
                "paths": ["weights.bin"],
                "weights": [
                    {"name": name, "shape": list(value.shape), "dtype": NAMES[value.dtype.name]}
                    for name, value in weights
                ],
            }
        ],
        "signature": {
            "inputs": {tensor.name: {"name": tensor.name} for tensor in frozen.inputs},
            "outputs": {tensor.name: {"name": tensor.name} for tensor in frozen.outputs},
        },
    }
    folder = Path(folder)
    (folder / "weights.bin").write_bytes(b"".join(value.astype(TYPES[value.dtype.name]).tobytes() for _, value in weights))
    (folder / "model.json").write_text(json.dumps(document))
