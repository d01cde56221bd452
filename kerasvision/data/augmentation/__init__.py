"""Random changes to training images; boxes and masks follow the pixels. The same numbers give the same images.

A batch is a dict of tensors:

    "image"         float32 (N, H, W, C) in [0, 255]
    "objects"       where the data have any:
        "bbox"      float32 (N, M, 4) in [0, 1]: y_min, x_min, y_max, x_max
        "label"     int64 (N, M); -1 where a row has fewer than M objects, and its boxes and masks are zeros there
        "mask"      uint8 (N, M, H, W), 1 where the object is and 0 elsewhere; where the data have masks
    "label"         int64 (N,); where the data have labels
    "label_shares"  float32 (N, classes), each row with sum 1: what the mixing ones (MixUp, CutMix) make of the labels

An augmentation is a function (batch, *, numbers, settings) -> batch that passes on what it does not know. `numbers`,
float32 (N, settings.draws) in [0, 1), are all the chance there is. Row i of the result depends on row i alone, but for the
mixing ones; so an image comes out the same alone and in a batch, eagerly and in tf.data.
"""

from kerasvision.data.augmentation.chain import Augmenter, Batch, make_augmentation

__all__ = ["Augmenter", "Batch", "make_augmentation"]
