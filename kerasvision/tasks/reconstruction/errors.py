"""How far a restored image is from its own: one number for each image and measure.

Images are those that the network sees, unscaled: black at 0 and white at 1.
"""

import numpy as np
import numpy.typing as npt
import tensorflow as tf

# The window of Wang et al., 2004; smaller images have a smaller one.
WINDOW = 11
# Where nothing but rounding differs, the ratio has no meaning.
MOST_DECIBELS = 100.0


def mean_squared_error(images: tf.Tensor, restored: tf.Tensor) -> tf.Tensor:
    """float32 (N,): the mean over the numbers of each image, float32 (N, H, W, C)."""
    return tf.reduce_mean(tf.square(images - restored), axis=(1, 2, 3))


def image_errors(images: tf.Tensor, restored: tf.Tensor) -> dict[str, tf.Tensor]:
    """`mse`, `mae` and `ssim` of each image, float32 (N,).

    Args:
        images, restored: float32 (N, H, W, C), in [0, 1].

    >>> found = image_errors(tf.zeros((1, 12, 12, 1)), tf.fill((1, 12, 12, 1), 0.5))
    >>> {name: round(float(value[0]), 4) for name, value in found.items()}  # ssim: 0.0001 / (0.25 + 0.0001)
    {'mse': 0.25, 'mae': 0.5, 'ssim': 0.0004}
    """
    window = min(WINDOW, *images.shape[1:3])
    return {
        "mse": mean_squared_error(images, restored),
        "mae": tf.reduce_mean(tf.abs(images - restored), axis=(1, 2, 3)),
        "ssim": tf.image.ssim(images, restored, max_val=1.0, filter_size=window),
    }


def decibels(mse: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    """The peak signal-to-noise ratio of mean squared errors in [0, 1], float64 of their shape; at most 100.

    >>> decibels(np.array([0.01, 0.0])).tolist()
    [20.0, 100.0]
    """
    least = 10 ** (-MOST_DECIBELS / 10)
    found: npt.NDArray[np.float64] = -10 * np.log10(np.maximum(np.asarray(mse, np.float64), least))
    return found
