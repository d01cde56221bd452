"""Random changes to training images; boxes, masks and label maps move with the pixels. Equal numbers give equal images.

A batch is a dict of tensors:

    "image"         float32 (N, H, W, C) in [0, 255]
    "objects"       if the data have objects:
        "bbox"      float32 (N, M, 4) in [0, 1]: y_min, x_min, y_max, x_max
        "label"     int64 (N, M); if a row has fewer than M objects, its other labels are -1, and everything else of them 0
        "crowd"     bool (N, M): whether a score of boxes ignores the object
        "area"      float32 (N, M), in pixels of the whole image as it was before any change
        "mask"      uint8 (N, M, H, W), 1 inside the object and 0 elsewhere; if the data have masks
        "visible"   float32 (N, M) in [0, 1], which share of its box is visible; only between the augmentations, if
                    VisibleObjects is one of them
    "label_map"     uint8 (N, H, W), the class number of each pixel; 255 says nothing about a pixel, and what a move uncovers
                    or a rectangle covers becomes 255; if the task reads label maps
    "label"         int64 (N,); if the data have labels
    "tags"          float32 (N, C), 1 for each tag of the image and 0 for the others, and what MixUp and CutMix mix of it; if
                    the task reads tags
    "label_shares"  float32 (N, classes), each row with sum 1; MixUp and CutMix make it from the labels
    "values"        float32 (N, V), numbers about the image, NaN where one is missing; only MixUp and CutMix change them

An augmentation is a function (batch, *, numbers, settings) -> batch. It keeps keys that it does not know. `numbers`, float32
(N, settings.draws) in [0, 1), are its only source of randomness. Row i of the result depends on row i alone, except for
MixUp, CutMix and Mosaic. So an image changes in the same way alone and in a batch, eagerly and in tf.data.
"""

from kerasvision.data.augmentation.chain import Augmenter, Batch, make_augmentation

__all__ = ["Augmenter", "Batch", "make_augmentation"]
