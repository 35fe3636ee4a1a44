"""The five published systems as Keras models, small where their papers leave it open."""

from dataclasses import dataclass
from typing import Callable

import numpy as np
import tf_keras as keras
from images import synthetic_images
from tf_keras import layers


@dataclass(frozen=True)
class System:
    name: str
    shape: tuple[int, ...]
    """Of one input, channels last; with a time dimension in front for sequences."""
    residual: str
    """What it minimises and scores by, as config/residual.ts calls it."""
    build: Callable[[tuple[int, ...]], keras.Model]
    epochs: int
    """Until the reconstruction follows the image; a constant grey would agree with anything."""
    learning_rate: float = 0.003


def convolution(filters, padding="same"):
    return layers.Conv2D(filters, 3, padding=padding, activation="relu")


def drawing(shape):
    return layers.Conv2D(shape[-1], 3, padding="same", activation="sigmoid")


def fundus(shape):
    """Three blocks of convolution and pooling down to 16 x 16 x 128, and their mirror image."""
    image = x = layers.Input(shape)
    for filters in (32, 64, 128):
        x = layers.MaxPooling2D(2)(convolution(filters)(x))
    for filters in (128, 64, 32):
        x = layers.UpSampling2D(2)(convolution(filters)(x))
    return keras.Model(image, drawing(shape)(x))


def brain_mri(shape):
    """A frozen ResNet50 with a convolutional decoder that is trained. The encoder is a model within the model."""
    encoder = keras.applications.ResNet50(include_top=False, weights=None, input_shape=shape)
    settle_normalization(encoder, shape)
    encoder.trainable = False
    image = layers.Input(shape)
    x = encoder(layers.Rescaling(2.0, offset=-1.0)(image), training=False)
    for filters in (128, 64, 32, 16, 8):
        x = layers.UpSampling2D(2)(convolution(filters)(x))
    return keras.Model(image, drawing(shape)(x))


def settle_normalization(encoder, shape):
    """Sets the normalization statistics of an untrained encoder by one pass of images, scale and shift at random."""
    random = np.random.default_rng(2)
    normalizations = [layer for layer in encoder.layers if isinstance(layer, layers.BatchNormalization)]
    for layer in normalizations:
        layer.gamma.assign(random.uniform(0.5, 1.5, layer.gamma.shape))
        layer.beta.assign(random.normal(0, 0.1, layer.beta.shape))
    momentum = [layer.momentum for layer in normalizations]
    for layer in normalizations:
        layer.momentum = 0.0
    encoder(2 * synthetic_images(32, shape, seed=5) - 1, training=True)
    for layer, value in zip(normalizations, momentum, strict=True):
        layer.momentum = value


def chest_xray(shape):
    """ConvLSTM2D over the frames; every other layer is applied to each frame."""

    def memory(filters):
        return layers.ConvLSTM2D(filters, 3, padding="same", return_sequences=True)

    model = keras.Sequential([layers.InputLayer(shape)])
    for filters in (16, 8):
        model.add(memory(filters))
        model.add(layers.TimeDistributed(layers.MaxPooling2D(2)))
    for filters in (8, 16):
        model.add(memory(filters))
        model.add(layers.TimeDistributed(layers.UpSampling2D(2)))
    model.add(layers.TimeDistributed(drawing(shape)))
    return model


def mnist(shape):
    """28 -> 14 -> 4 by pooling with padding, then 4 -> 16, 14 by a convolution without padding, and 28."""
    return keras.Sequential(
        [
            layers.InputLayer(shape),
            convolution(16),
            layers.MaxPooling2D(2, padding="same"),
            convolution(8),
            layers.MaxPooling2D(4, padding="same"),
            convolution(8),
            layers.UpSampling2D(4),
            convolution(16, padding="valid"),
            layers.UpSampling2D(2),
            drawing(shape),
        ]
    )


def malaria(shape):
    """Strided convolutions to a bottleneck of 32 numbers, and transposed ones back."""
    image = x = layers.Input(shape)
    for filters in (16, 8):
        x = layers.Conv2D(filters, 3, strides=2, padding="same", activation="relu")(x)
    smallest = x.shape[1:]
    x = layers.Dense(32, activation="relu", name="bottleneck")(layers.Flatten()(x))
    x = layers.Reshape(smallest)(layers.Dense(smallest.num_elements(), activation="relu")(x))
    for filters in (8, 16):
        x = layers.Conv2DTranspose(filters, 3, strides=2, padding="same", activation="relu")(x)
    return keras.Model(image, drawing(shape)(x))


SYSTEMS = (
    System("fundus", (128, 128, 3), "squared", fundus, 10),
    System("brain-mri", (128, 128, 3), "squared", brain_mri, 25, 0.0003),
    System("chest-xray", (1, 64, 64, 1), "absolute", chest_xray, 20),
    System("chest-xray-5-frames", (5, 64, 64, 1), "absolute", chest_xray, 20),
    System("mnist", (28, 28, 1), "cross-entropy", mnist, 60),
    System("malaria", (64, 64, 1), "squared", malaria, 60),
)
