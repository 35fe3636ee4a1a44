"""Small graphs of the kinds that the suites of tf2onnx and tfjs-converter try: graphs.py <folder>.

Writes <folder>/<name>/model.json with its weights, tf2onnx.onnx where tf2onnx makes one, and as raw float32 input.bin and
output.bin. Prints one line of JSON for all; see ../parity/graphs.ts.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf2onnx
import tf_keras as keras
from tfjs_graph_format import save_graph_model

ROWS, OPSET = 3, 18
random = np.random.default_rng(1)


def weights(*shape):
    return tf.constant(random.uniform(-0.5, 0.5, shape), tf.float32)


def layered(*layers):
    model = keras.Sequential(list(layers))
    model.set_weights([random.uniform(0.1, 0.6, weight.shape) for weight in model.get_weights()])
    return lambda x: model(x, training=False)


def condition(x):
    return tf.cond(tf.reduce_sum(x) > 0, lambda: tf.exp(-tf.abs(x)) + 1, lambda: 2 * x - 1)


def nested_condition(x):
    inner = lambda: tf.cond(tf.reduce_max(x) > 0.5, lambda: x * x, lambda: x + 3)
    return tf.cond(tf.reduce_mean(x) < 10, inner, lambda: -x)


def loop(x):
    return tf.while_loop(lambda i, y: i < 5, lambda i, y: (i + 1, tf.sin(y) + x), (0, x))[1]


def loop_on_values(x):
    return tf.while_loop(lambda y: tf.reduce_sum(tf.abs(y)) > 1, lambda y: (y * 0.5,), (x,))[0]


def tensor_list(x):
    steps = tf.TensorArray(tf.float32, 4)
    _, steps = tf.while_loop(lambda i, s: i < 4, lambda i, s: (i + 1, s.write(i, x * tf.cast(i, tf.float32))), (0, steps))
    return tf.transpose(steps.stack(), [1, 0, 2])


def attention(x):
    queries, keys, values = (tf.einsum("btf,fhd->bthd", x, weights(6, 2, 3)) for _ in range(3))
    scores = tf.nn.softmax(tf.einsum("bqhd,bkhd->bhqk", queries, keys) / 3**0.5)
    return tf.einsum("bhqk,bkhd,hdf->bqf", scores, values, weights(2, 3, 6))


def slices(x):
    return tf.concat([x[:, ::2, 1:], x[:, -1:, :-1], tf.reverse(x, [1])[:, :2, 1:]], axis=1)


def places(x):
    picked = tf.gather(x, [4, 0, 2], axis=1)
    spread = tf.scatter_nd([[1], [3]], weights(2, 6), [5, 6])
    return tf.tensor_scatter_nd_update(tf.concat([picked, picked[:, :2]], 1) + spread, [[0, 1]], weights(1, 6))


def ranking(x):
    values, places = tf.math.top_k(x, 3)
    hot = tf.one_hot(places, 6) * values[..., None]
    return tf.reduce_sum(hot, -2) + tf.cast(tf.argmax(x, -1)[..., None], tf.float32)


def flattened(x):
    return tf.reshape(x, [tf.shape(x)[0], -1]) @ weights(30, 4)


def statistics(x):
    normal = tf.math.l2_normalize(tf.cumsum(x, 1, exclusive=True), -1)
    return tf.concat([normal, tf.reduce_logsumexp(x, 1, True), tf.math.reduce_std(x, 1, keepdims=True)], 1)


def enlarged(x):
    padded = tf.pad(x, [[0, 0], [1, 2], [2, 1], [0, 0]], "REFLECT")
    smooth = tf.image.resize(padded, (13, 7), "bilinear")
    return smooth + tf.image.resize(x, (13, 7), "nearest")


def blocks(x):
    return tf.nn.depth_to_space(tf.concat([x, x + 1], -1), 2) + tf.repeat(tf.repeat(x, 2, 1), 2, 2)[..., :2]


def quantized(x):
    return tf.quantization.fake_quant_with_min_max_vars(x, -0.9, 0.8) + tf.math.floormod(x, 0.3)


SEQUENCE, IMAGE = (5, 6), (6, 8, 4)
GRAPHS = {
    "condition": (SEQUENCE, condition),
    "nested condition": (SEQUENCE, nested_condition),
    "loop of known turns": (SEQUENCE, loop),
    "loop until values are small": (SEQUENCE, loop_on_values),
    "loop over a tensor list": ((6,), tensor_list),
    "LSTM": (SEQUENCE, layered(keras.layers.Input(SEQUENCE), keras.layers.LSTM(3, return_sequences=True))),
    "bidirectional GRU": (SEQUENCE, layered(keras.layers.Input(SEQUENCE), keras.layers.Bidirectional(keras.layers.GRU(3)))),
    "attention by einsum": (SEQUENCE, attention),
    "slices": (SEQUENCE, slices),
    "gather and scatter": (SEQUENCE, places),
    "top k and one hot": (SEQUENCE, ranking),
    "reshape to the batch": (SEQUENCE, flattened),
    "sums and norms": (SEQUENCE, statistics),
    "convolution, batch normalization, ReLU": (
        IMAGE,
        layered(
            keras.layers.Input(IMAGE),
            keras.layers.Conv2D(5, 3, strides=2, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(6.0),
            keras.layers.DepthwiseConv2D(2),
            keras.layers.AveragePooling2D(2, padding="same"),
        ),
    ),
    "transposed convolution": (
        IMAGE,
        layered(keras.layers.Input(IMAGE), keras.layers.Conv2DTranspose(3, 3, strides=2, padding="same")),
    ),
    "borders and sizes": (IMAGE, enlarged),
    "depth to space": (IMAGE, blocks),
    "quantization in training": (SEQUENCE, quantized),
}


# How often this one turns depends on all rows: with an open batch its graph is another one for each batch.
FIXED = {"loop until values are small"}


def by_tf2onnx(function, signature, path):
    """What it said, or None."""
    try:
        tf2onnx.convert.from_function(function, [signature], opset=OPSET, output_path=str(path))
    except Exception as error:  # whatever it is, it is the answer
        return f"{type(error).__name__}: {error}"
    return None


def run(name, shape, compute, folder):
    folder.mkdir()
    signature = tf.TensorSpec((ROWS if name in FIXED else None, *shape), tf.float32, name="x")
    function = tf.function(compute, input_signature=[signature])
    values = random.uniform(-1, 1, (ROWS, *shape)).astype(np.float32)
    concrete = function.get_concrete_function()
    save_graph_model(concrete, folder)
    for file, array in (("input", values), ("output", function(tf.constant(values)).numpy())):
        (folder / f"{file}.bin").write_bytes(array.astype("<f4").tobytes())
    library = concrete.graph.as_graph_def()
    nodes = [*library.node, *(node for inner in library.library.function for node in inner.node_def)]
    problem = by_tf2onnx(function, signature, folder / "tf2onnx.onnx")
    return {"name": name, "shape": [ROWS, *shape], "nodes": len(nodes), "tf2onnx": problem}


folder = Path(sys.argv[1])
print(json.dumps([run(name, *graph, folder / str(i)) for i, (name, graph) in enumerate(GRAPHS.items())]))
