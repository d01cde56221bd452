"""Where the images of a batch lie in the network's frame, and the way back to the original images.

A network sees an image stretched, cropped or padded to its own size. What it finds in that frame is of use only in the
original image. It uses stock TensorFlow operations only: a SavedModel with these functions loads where only TensorFlow is
installed.
"""

from typing import NamedTuple, Self

import tensorflow as tf

from kerasvision.ops.resize import Placement


class Places(NamedTuple):
    """The places of N images in a frame.

    Position p of the upright original, in pixels, is at p * scale + translation in the frame. A row without an image has
    scale 1, translation 0 and size 0.

    Attributes:
        scale: float32 (N, 2), along height and width; not 0, and negative along an axis that is mirrored.
        translation: float32 (N, 2), along height and width, in pixels of the frame.
        size: int32 (N, 2), height and width of the upright original, in pixels.
        frame: (height, width) of what the network sees, in pixels.
    """

    scale: tf.Tensor
    translation: tf.Tensor
    size: tf.Tensor
    frame: tuple[int, int]

    def boxes_back(self, boxes: tf.Tensor) -> tf.Tensor:
        """Boxes of the frame as boxes of the original images, clipped to them.

        Args:
            boxes: float32 (N, K, 4) y_min, x_min, y_max, x_max, as shares of the frame's sides.

        Returns:
            float32 (N, K, 4) in [0, 1], likewise, as shares of the original's sides; never NaN for a row without an image.

        >>> placed = Places(tf.constant([[2.0, 2.0]]), tf.constant([[0.0, 2.0]]), tf.constant([[4, 3]]), frame=(8, 10))
        >>> placed.boxes_back(tf.constant([[[0.0, 0.2, 1.0, 0.8], [0.5, 0.5, 0.75, 1.0]]])).numpy().round(3).tolist()
        [[[0.0, 0.0, 1.0, 1.0], [0.5, 0.5, 0.75, 1.0]]]
        """
        corners = tf.reshape(boxes, tf.concat([tf.shape(boxes)[:2], [2, 2]], axis=0))
        scale, translation = self.scale[:, tf.newaxis, tf.newaxis], self.translation[:, tf.newaxis, tf.newaxis]
        pixels = (corners * tf.constant(self.frame, tf.float32) - translation) / scale
        shares = pixels / tf.cast(tf.maximum(self.size, 1), tf.float32)[:, tf.newaxis, tf.newaxis]
        # A mirrored axis swaps the two corners.
        ends = [tf.reduce_min(shares, axis=2), tf.reduce_max(shares, axis=2)]
        return tf.ensure_shape(tf.clip_by_value(tf.concat(ends, axis=-1), 0.0, 1.0), boxes.shape)

    def moved(self, view: Placement) -> Self:
        """The places after the frame itself was moved or mirrored, as a view does.

        Args:
            view: float32 (2,) scale and translation, from pixels of the frame to pixels of the view.

        >>> whole = Places(tf.ones((1, 2)), tf.zeros((1, 2)), tf.constant([[4, 4]]), frame=(4, 4))
        >>> mirrored = whole.moved(Placement(tf.constant([1.0, -1.0]), tf.constant([0.0, 4.0])))
        >>> mirrored.boxes_back(tf.constant([[[0.0, 0.0, 1.0, 0.25]]])).numpy().tolist()
        [[[0.0, 0.75, 1.0, 1.0]]]
        """
        return self._replace(scale=self.scale * view.scale, translation=self.translation * view.scale + view.translation)
