"""How to use each class of keras.layers: the shapes of its inputs, and a layer of it with settings drawn by chance."""

import numpy as np

ACTIVATIONS = ["relu", "tanh", "sigmoid", "elu", "selu", "softplus", "softsign", "gelu", "swish", "exponential", "mish"]
ACTIVATIONS_BY_NAME = {
    2: [*ACTIVATIONS, "linear", "hard_sigmoid", "softmax", "relu6", "leaky_relu", "log_softmax", "silu"],
    3: [
        *ACTIVATIONS,
        *("linear", "hard_sigmoid", "softmax", "relu6", "leaky_relu", "log_softmax", "silu", "hard_silu", "celu"),
        *("squareplus", "log_sigmoid", "hard_tanh", "tanh_shrink", "hard_shrink", "soft_shrink"),
    ],
}

#: Where a class has another name in keras.layers.
PUBLIC = {"GroupedQueryAttention": "GroupQueryAttention"}


class Draw:
    """Choices of one model."""

    def __init__(self, keras, version, name, random):
        self.keras, self.version, self.name, self.random = keras, version, name, random
        self.settings = {}
        self.dtype = "float32"
        self.highest = None  # inputs are whole numbers below it, or numbers from -2 to 2

    def int(self, low, high):
        return int(self.random.integers(low, high + 1))

    def pick(self, *choices):
        return choices[self.int(0, len(choices) - 1)]

    def yes(self):
        return self.pick(True, False)

    def activation(self):
        return self.pick(*ACTIVATIONS_BY_NAME[self.version])

    def layer(self, **settings):
        """A layer of the class itself."""
        self.settings = settings
        return self.other(PUBLIC.get(self.name, self.name), **settings)

    def other(self, name, **settings):
        return getattr(self.keras.layers, name)(**settings)

    def space(self, dimensions, longest=7):
        """[..., channels]"""
        return [*(self.int(5, longest) for _ in range(dimensions)), self.int(2, 4)]

    def values(self, shape, batch):
        if self.highest is not None:
            return self.random.integers(0, self.highest, [batch, *shape]).astype(self.dtype)
        values = self.random.uniform(-2, 2, [batch, *shape]).astype("float32")
        if len(shape) == 2:  # steps for a mask to leave out, never all of them
            values[:, 1:][self.random.random(values[:, 1:, 0].shape) < 0.3] = 0
        return values

    def listed(self, outputs):
        return list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]

    def masked(self, layer):
        """The layer behind a mask, or without one."""
        mask = self.other("Masking") if self.yes() else None
        return lambda x: layer(x if mask is None else mask(x))


def alone(dimensions, settings=lambda d: {}):
    """A layer of one input `[...space, channels]`."""

    def draw(d):
        return [d.space(dimensions)], d.layer(**settings(d))

    return draw


def of_sequences(settings):
    def draw(d):
        return [d.space(1)], d.masked(d.layer(**settings(d)))

    return draw


def several(count, settings=lambda d: {}):
    def draw(d):
        shape, layer = d.space(d.int(1, 2)), d.layer(**settings(d))
        return [shape] * (count or d.int(2, 3)), lambda *x: layer(list(x))

    return draw


def convolution(dimensions, **more):
    def settings(d):
        one_by_one = d.yes()
        return {
            "kernel_size": d.int(1, 3),
            "strides": 1 if one_by_one else d.int(1, 3),
            "dilation_rate": d.int(1, 2) if one_by_one else 1,
            "padding": d.pick("same", "valid"),
            "use_bias": d.yes(),
            "activation": d.activation(),
            **{name: value(d) for name, value in more.items()},
        }

    return alone(dimensions, settings)


def transposed(dimensions):
    def settings(d):
        stride = d.int(1, 3)
        kernel = d.int(max(2, stride), 4)
        padding = d.pick("same", "valid")
        # Keras itself computes gaps in windows with a stride of 1 alone, and of volumes not at all.
        rate = d.int(1, 2) if stride == 1 and dimensions == 2 else 1
        # TensorFlow takes lengths alone that a convolution would turn back into the input's.
        fits = [out for out in range(stride) if padding == "valid" or 0 <= 2 * (kernel // 2) - out < stride + kernel % 2]
        return {
            "filters": d.int(2, 4),
            "kernel_size": kernel,
            "strides": stride,
            "padding": padding,
            "dilation_rate": rate,
            "output_padding": d.pick(*fits) if rate == 1 and fits and d.yes() else None,
            "use_bias": d.yes(),
            "activation": d.activation(),
        }

    return alone(dimensions, settings)


def recurrent(d, **more):
    settings = {
        "units": d.int(1, 4),
        "activation": d.pick("tanh", "relu", "sigmoid"),
        "use_bias": d.yes(),
        **more,
    }
    if not d.name.startswith("SimpleRNN"):
        settings["recurrent_activation"] = d.pick("sigmoid", "hard_sigmoid")
    return settings


def sequence_layer(more=lambda d: {}):
    def draw(d):
        sequences, states = d.yes(), d.yes()
        settings = {"return_sequences": sequences, "return_state": states, "go_backwards": d.yes()}
        layer = d.layer(**recurrent(d, **settings, **more(d)))
        return [d.space(1)], d.masked(layer)

    return draw


def gates(d):
    return {"reset_after": d.pick(True, True, False)}


def cell(more=lambda d: {}):
    def draw(d):
        layer = d.other("RNN", cell=d.layer(**recurrent(d, **more(d))), return_sequences=d.yes())
        return [d.space(1)], d.masked(layer)

    return draw


def inner(d):
    """A recurrent layer for others to wrap."""
    name = d.pick("GRU", "LSTM", "SimpleRNN")
    return d.other(name, units=d.int(1, 3), return_sequences=d.yes())


def bidirectional(d):
    layer = d.layer(layer=inner(d), merge_mode=d.pick("concat", "sum", "mul", "ave"))
    return [d.space(1)], d.masked(layer)


def rnn(d):
    cells = [d.other(d.pick("GRUCell", "LSTMCell", "SimpleRNNCell"), units=d.int(1, 3)) for _ in range(d.int(1, 2))]
    layer = d.layer(cell=cells if len(cells) > 1 else cells[0], return_sequences=d.yes())
    return [d.space(1)], layer


def stacked(d):
    layer = d.layer(cells=[d.other("GRUCell", units=2), d.other("LSTMCell", units=3)])
    return [d.space(1)], d.other("RNN", cell=layer)


def time_distributed(d):
    layer = d.pick(
        lambda: d.other("Dense", units=2, activation="gelu"),
        lambda: d.other("UnitNormalization"),
        lambda: d.other("GroupNormalization", groups=1),
    )()
    return [[d.int(2, 4), *d.space(1)]], d.layer(layer=layer)


def attention(settings):
    def draw(d):
        features, layer = d.int(2, 4), d.layer(**settings(d))
        mask = d.other("Masking") if d.yes() else (lambda x: x)
        steps, others, count = d.int(2, 5), d.int(2, 5), d.int(2, 3)
        call = {"use_causal_mask": d.yes()} if d.version == 3 or d.yes() else {}
        shapes = [[steps, features], *[[others, features]] * (count - 1)]
        return shapes, lambda *x: layer([mask(one) for one in x], **call)

    return draw


def heads(**more):
    def draw(d):
        settings = {name: value(d) for name, value in more.items()}
        layer = d.layer(
            num_heads=d.int(1, 3),
            key_dim=d.int(1, 4),
            value_dim=d.pick(None, 3),
            use_bias=d.yes(),
            output_shape=d.pick(None, 5),
            dropout=d.pick(0, 0.1),
            **settings,
        )
        mask = d.other("Masking") if d.yes() else (lambda x: x)
        call = {"use_causal_mask": d.yes(), "return_attention_scores": d.yes()}
        steps, others = d.space(1), d.space(1)
        if d.yes():  # to itself, and as Transformers have it: with what it was given added
            def beside(x):
                inner, *scores = d.listed(layer(x, x, **call))
                ends = d.other("Dense", units=x.shape[-1])(inner)
                return [d.other("Add")([x, ends]), *scores]

            return [steps], lambda x: beside(mask(x))
        if d.yes():
            return [steps, others], lambda x, y: layer(mask(x), mask(y), **call)
        return [steps, others, [others[0], 2]], lambda x, y, z: layer(mask(x), value=mask(y), key=z, **call)

    return draw


def grouped(d):
    shape = [*d.space(2)[:2], 6]
    layer = d.layer(num_query_heads=4, num_key_value_heads=2, head_dim=3)
    return [shape[1:]], lambda x: layer(x, x)


def borders(dimensions, most):
    def settings(d):
        kind = d.int(0, 2)
        pairs = [(d.int(0, most), d.int(0, most)) for _ in range(dimensions)]
        value = d.int(0, most) if kind == 0 else pairs
        if dimensions == 1 and kind:
            value = pairs[0]
        if dimensions > 1 and kind == 2:
            value = tuple(before for before, _ in pairs)
        return {"cropping" if d.name.startswith("Cropping") else "padding": value}

    return alone(dimensions, settings)


def pooling(dimensions):
    return alone(
        dimensions, lambda d: {"pool_size": d.int(1, 3), "strides": d.pick(None, 1, 2), "padding": d.pick("same", "valid")}
    )


def repeated(dimensions):
    def settings(d):
        size = d.int(1, 3) if dimensions == 1 else [d.int(1, 3) for _ in range(dimensions)]
        return {"size": size, **({"interpolation": d.pick("nearest", "bilinear")} if dimensions == 2 else {})}

    return alone(dimensions, settings)


def axes(d, rank):
    return d.pick(-1, d.int(1, rank - 1))


def root_mean_square(d):
    return {"axis": -1, "epsilon": d.pick(1e-6, 1e-3)}


def anywhere(settings):
    """A layer that takes tensors of any rank; it is told it."""

    def draw(d):
        dimensions = d.int(1, 3)
        return [d.space(dimensions)], d.layer(**settings(d, dimensions + 2))

    return draw


def groups(d):
    dimensions = d.int(1, 3)
    layer = d.layer(groups=d.pick(1, 2, 4, -1), center=d.yes(), scale=d.yes(), epsilon=d.pick(1e-3, 1e-5))
    return [[*d.space(dimensions)[:-1], 4]], layer


def images(settings):
    def draw(d):
        return [[*d.space(2)[:2], 3]], d.layer(**settings(d))

    return draw


def whole_numbers(settings, length=4):
    def draw(d):
        d.highest = 5
        return [[length]], d.layer(**settings(d))

    return draw


def subtract(d):
    shapes, layer = [d.space(2)] * 2, d.layer()
    if d.yes():
        shapes = [d.space(1)] * 2
        mask = d.other("Masking")
        return shapes, lambda a, b: layer([mask(a), mask(b)])
    return shapes, lambda a, b: layer([a, b])


def dot(d):
    layer, features = d.layer(axes=-1, normalize=d.yes()), d.int(2, 4)
    return [[3, features], [5, features]], lambda a, b: layer([a, b])


def conv_lstm(dimensions):
    def draw(d):
        layer = d.layer(filters=2, kernel_size=3, padding=d.pick("same", "valid"), return_sequences=d.yes())
        return [[3, *d.space(dimensions)]], layer

    return draw


def normalization(d):
    shape = d.space(1)
    mean = d.random.uniform(-1, 1, shape[-1]).tolist()
    return [shape], d.layer(axis=-1, mean=mean, variance=[value**2 + 0.5 for value in mean])


def einsum(d):
    equation, shape = d.pick(
        ("abc,cd->abd", (None, 3)), ("abc,cde->abde", (None, 2, 3)), ("...x,xy->...y", 4), ("abc,bde->acde", (None, 2, 3))
    )
    features = d.space(1)
    if equation == "abc,bde->acde":
        return [[4, 2]], d.layer(equation=equation, output_shape=shape, bias_axes=d.pick(None, "e"))
    return [features], d.layer(equation=equation, output_shape=shape, bias_axes=d.pick(None, equation[-1]), activation="tanh")


def spectral(d):
    return [d.space(2)], d.layer(layer=d.other("Conv2D", filters=2, kernel_size=2))


def text(d):
    layer = d.layer()
    inputs = d.keras.Input([1], dtype="string")
    layer.adapt(["one two", "two"])
    raise TypeError(f"it takes strings, of which an ONNX file made here holds none: {layer(inputs).shape}")


def embedding(d):
    d.highest = 5
    layer = d.layer(input_dim=5, output_dim=d.int(1, 3), mask_zero=d.yes())
    behind = d.other("GRU", units=2)
    return [[4]], lambda x: behind(layer(x))


def hashing(d):
    d.highest, d.dtype = 5, "int32"
    return [[4]], d.layer(num_bins=3)


def lookup(d):
    d.highest, d.dtype = 5, "int32"
    return [[4]], d.layer(vocabulary=[3, 1, 2])


def rectifier(d):
    return {"max_value": d.pick(None, 1.0), "negative_slope": d.pick(0.0, 0.1), "threshold": d.pick(0.0, 0.5)}


def factor(d):
    return {"factor": d.pick(0.1, 0.3)}


def sizes(d):
    return {"height": d.int(2, 4), "width": d.int(2, 4)}


def adaptive(dimensions):
    return lambda d: ([[4] * dimensions + [2]], d.layer(output_size=2))


def crossing(d):
    d.highest, d.dtype, layer = 5, "int32", d.layer(num_bins=5)
    return [[1], [1]], lambda a, b: layer((a, b))


def pipeline(d):
    return images(lambda d: {"layers": [d.other("Rescaling", scale=0.5)]})(d)


RANDOM = {
    "RandomFlip": lambda d: {},
    "RandomRotation": factor,
    "RandomZoom": lambda d: {"height_factor": 0.2},
    "RandomTranslation": lambda d: {"height_factor": 0.2, "width_factor": 0.1},
    "RandomShear": lambda d: {"x_factor": 0.2},
    **dict.fromkeys(("RandomContrast", "RandomBrightness", "RandomHeight", "RandomWidth"), factor),
    **dict.fromkeys(("RandomSaturation", "RandomSharpness", "RandomGrayscale", "RandomPosterization"), factor),
    "RandomHue": lambda d: {"factor": 0.2, "value_range": (0, 1)},
    **dict.fromkeys(("RandomColorJitter", "RandomErasing", "RandomElasticTransform"), lambda d: {}),
    **dict.fromkeys(("RandomInvert", "RandomPerspective", "RandomColorDegeneration"), lambda d: {}),
    **dict.fromkeys(("AugMix", "RandAugment", "RandomGaussianBlur", "CutMix", "MixUp"), lambda d: {}),
    "RandomCrop": sizes,
}
RANDOM["RandomGrayscale"] = RANDOM["RandomColorDegeneration"] = lambda d: {"factor": 0.5}
RANDOM["RandomPosterization"] = lambda d: {"factor": 4}
RANDOM["RandomInvert"] = lambda d: {"factor": 0.5}
RANDOM["RandomColorDegeneration"] = lambda d: {"factor": 0.5}

#: By class: the shapes of inputs without the batch, and what makes outputs of them.
DRAWS = {
    "Activation": alone(1, lambda d: {"activation": d.activation()}),
    "ActivityRegularization": alone(1),
    "Add": several(None),
    "AdditiveAttention": attention(lambda d: {"use_scale": d.yes()}),
    "AlphaDropout": alone(1, lambda d: {"rate": 0.5}),
    "Attention": attention(lambda d: {"use_scale": d.yes(), "score_mode": d.pick("dot", "concat")}),
    "AutoContrast": images(lambda d: {}),
    "Average": several(None),
    "BatchNormalization": anywhere(lambda d, rank: {"axis": axes(d, rank), "center": d.yes(), "scale": d.yes()}),
    "Bidirectional": bidirectional,
    "CategoryEncoding": whole_numbers(lambda d: {"num_tokens": 5, "output_mode": d.pick("multi_hot", "count")}),
    "CenterCrop": images(sizes),
    "Concatenate": several(None, lambda d: {"axis": d.pick(-1, 1)}),
    "ContrastLimitedAdaptiveHistogramEqualization": images(lambda d: {}),
    "Conv1D": convolution(1, filters=lambda d: d.int(2, 4)),
    "Conv1DTranspose": transposed(1),
    "Conv2D": convolution(2, filters=lambda d: d.int(2, 4)),
    "Conv2DTranspose": transposed(2),
    "Conv3D": convolution(3, filters=lambda d: d.int(2, 4)),
    "Conv3DTranspose": transposed(3),
    "ConvLSTM1D": conv_lstm(1),
    "ConvLSTM2D": conv_lstm(2),
    "ConvLSTM3D": conv_lstm(3),
    "Dense": alone(1, lambda d: {"units": d.int(1, 4), "activation": d.activation(), "use_bias": d.yes()}),
    "DepthwiseConv1D": convolution(1, depth_multiplier=lambda d: d.int(1, 2)),
    "DepthwiseConv2D": convolution(2, depth_multiplier=lambda d: d.int(1, 2)),
    "Discretization": alone(1, lambda d: {"bin_boundaries": [-1.0, 0.0, 0.7]}),
    "Dot": dot,
    "Dropout": alone(1, lambda d: {"rate": 0.5}),
    "ELU": alone(1, lambda d: {"alpha": d.pick(1.0, 0.3)}),
    "EinsumDense": einsum,
    "Embedding": embedding,
    "Equalization": images(lambda d: {}),
    "Flatten": alone(2),
    "GRU": sequence_layer(gates),
    "GRUCell": cell(gates),
    "GaussianDropout": alone(1, lambda d: {"rate": 0.5}),
    "GaussianNoise": alone(1, lambda d: {"stddev": 0.5}),
    "GroupNormalization": groups,
    "GroupedQueryAttention": grouped,
    "HashedCrossing": crossing,
    "Hashing": hashing,
    "Identity": alone(1),
    "IntegerLookup": lookup,
    "LSTM": sequence_layer(),
    "LSTMCell": cell(),
    "Lambda": alone(1, lambda d: {"function": lambda x: x + 1}),
    "LayerNormalization": alone(2, lambda d: {"center": d.yes(), "scale": d.yes()}),
    "LeakyReLU": alone(1),
    "LocallyConnected1D": alone(1, lambda d: {"filters": 2, "kernel_size": 2}),
    "LocallyConnected2D": alone(2, lambda d: {"filters": 2, "kernel_size": 2}),
    "Masking": of_sequences(lambda d: {"mask_value": 0.0}),
    "MaxNumBoundingBoxes": images(lambda d: {"max_number": 2}),
    "Maximum": several(None),
    "MelSpectrogram": lambda d: ([[256]], d.layer(fft_length=64, sequence_stride=32, num_mel_bins=8)),
    "Minimum": several(None),
    "MultiHeadAttention": heads(),
    "Multiply": several(None),
    "Normalization": normalization,
    "PReLU": alone(1, lambda d: {"shared_axes": d.pick(None, [1])}),
    "Permute": alone(1, lambda d: {"dims": (2, 1)}),
    "Pipeline": pipeline,
    "RMSNormalization": alone(2, root_mean_square),
    "RNN": rnn,
    "ReLU": alone(1, rectifier),
    "RepeatVector": lambda d: ([[3]], d.layer(n=d.int(1, 3))),
    "Rescaling": alone(2, lambda d: {"scale": 0.5, "offset": -1.0}),
    "Reshape": lambda d: ([[4, 6]], d.layer(target_shape=d.pick((24,), (2, -1), (3, 2, 4)))),
    "Resizing": images(lambda d: {**sizes(d), "interpolation": d.pick("bilinear", "nearest")}),
    "ReversibleEmbedding": whole_numbers(lambda d: {"input_dim": 5, "output_dim": 2}),
    "STFTSpectrogram": lambda d: ([[256, 1]], d.layer(frame_length=64, frame_step=32)),
    "SeparableConv1D": convolution(1, filters=lambda d: d.int(2, 4), depth_multiplier=lambda d: d.int(1, 2)),
    "SeparableConv2D": convolution(2, filters=lambda d: d.int(2, 4), depth_multiplier=lambda d: d.int(1, 2)),
    "SimpleRNN": sequence_layer(),
    "SimpleRNNCell": cell(),
    "Softmax": alone(1),
    "Solarization": images(lambda d: {"value_range": (0, 1)}),
    "SpectralNormalization": spectral,
    "StackedRNNCells": stacked,
    "StringLookup": text,
    "Subtract": subtract,
    "TextVectorization": text,
    "ThresholdedReLU": alone(1, lambda d: {"theta": 0.5}),
    "TimeDistributed": time_distributed,
    "UnitNormalization": anywhere(lambda d, rank: {"axis": axes(d, rank)}),
    **{f"{kind}Pooling{n}D": pooling(n) for kind in ("Average", "Max") for n in (1, 2, 3)},
    **{
        f"Global{kind}Pooling{n}D": alone(n, lambda d: {"keepdims": d.yes()})
        for kind in ("Average", "Max")
        for n in (1, 2, 3)
    },
    **{f"Adaptive{kind}Pooling{n}D": adaptive(n) for kind in ("Average", "Max") for n in (1, 2, 3)},
    **{f"Cropping{n}D": borders(n, 1) for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": borders(n, 2) for n in (1, 2, 3)},
    **{f"UpSampling{n}D": repeated(n) for n in (1, 2, 3)},
    **{f"SpatialDropout{n}D": alone(n, lambda d: {"rate": 0.5}) for n in (1, 2, 3)},
    **{name: images(settings) for name, settings in RANDOM.items()},
}
