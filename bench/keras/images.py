"""Images to train on and to score, alike for every run."""

import numpy as np
import tensorflow as tf


def synthetic_images(count, shape, seed):
    """Soft random patches with a little noise, float32 in [0, 1]."""
    random = np.random.default_rng(seed)
    height, width, channels = shape[-3:]
    frames = shape[0] if len(shape) == 4 else 1
    coarse = random.uniform(0, 1, (count * frames, 6, 6, channels)).astype(np.float32)
    soft = tf.image.resize(coarse, (height, width), method="bicubic").numpy()
    noisy = soft + random.normal(0, 0.02, soft.shape)
    return noisy.clip(0, 1).astype(np.float32).reshape((count, *shape))
