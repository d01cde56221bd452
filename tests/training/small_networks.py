"""Networks that train faster than LeNet-5, for claims that do not need its layers; see conftest.py."""

import keras
from keras import layers


def dense(*, image_shape, num_classes):
    image = keras.Input(image_shape, name="image")
    return keras.Model(image, layers.Dense(num_classes, name="logits")(layers.Flatten(name="flat")(image)), name="dense")


def normalised(*, image_shape, num_classes, dropout=0.0):
    image = x = keras.Input(image_shape, name="image")
    maps = {}
    for stage, width in enumerate((4, 8), 1):
        x = layers.Conv2D(width, 3, 2, padding="same", use_bias=False, name=f"conv{stage}")(x)
        x = layers.ReLU(name=f"relu{stage}")(layers.BatchNormalization(name=f"norm{stage}")(x))
        maps[f"c{stage}"] = x
    if num_classes is None:
        return keras.Model(image, maps)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dropout(dropout, name="dropout")(x) if dropout else x
    return keras.Model(image, layers.Dense(num_classes, name="logits")(x), name="normalised")
