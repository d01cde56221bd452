"""RandAugment and AugMix: operations drawn at random for one image at a time; only the drawn operation runs.

Keras' layers draw from their own generator. Its RandAugment computes all operations and keeps one, the same for the whole
batch. Its AugMix draws them in Python, so that in tf.data every batch gets the same ones. tests/benchmarks/augmentation.py
measures the times of both.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from kerasvision.config.augmentation_pixels import AugMix, RandAugment
from kerasvision.data.augmentation import pillow_operations
from kerasvision.data.augmentation.chain import Batch
from kerasvision.data.augmentation.draws import exponential, integers, sign, uniform
from kerasvision.data.augmentation.objects import affine_map, moved_map, moved_objects, moved_pixels
from kerasvision.data.augmentation.per_image import map_images

# uint8 (H, W, C) image, int32 operation, float32 signed strength in [-1, 1] -> uint8 (H, W, C).
Operate = Callable[[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]
# Name -> (uint8 image, signed strength in [-1, 1], policy) -> uint8 image.
_POINTWISE = {
    "identity": lambda image, strength, policy: image,
    "autocontrast": lambda image, strength, policy: pillow_operations.autocontrast(image),
    "equalize": lambda image, strength, policy: pillow_operations.equalize(image),
    "posterize": lambda image, strength, policy: pillow_operations.posterize(image, bits=policy.bits(tf.abs(strength))),
    "solarize": lambda image, strength, policy: pillow_operations.solarize(image, threshold=_threshold(strength)),
    "color": lambda image, strength, policy: pillow_operations.adjust_color(image, factor=1 + 0.9 * strength),
    "contrast": lambda image, strength, policy: pillow_operations.adjust_contrast(image, factor=1 + 0.9 * strength),
    "brightness": lambda image, strength, policy: pillow_operations.adjust_brightness(image, factor=1 + 0.9 * strength),
    "sharpness": lambda image, strength, policy: pillow_operations.adjust_sharpness(image, factor=1 + 0.9 * strength),
}
MOVES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")


class Policy(NamedTuple):
    """The operations of a policy, and their ranges.

    Attributes:
        pointwise: the operations that do not move pixels; the first is "identity". After them come all of `MOVES`.
        translate: the longest shift, as a share of the side.
        bits: strength in [0, 1] -> how many bits posterize keeps, int32.
    """

    pointwise: tuple[str, ...]
    translate: float
    bits: Callable[[tf.Tensor], tf.Tensor]


RAND_AUGMENT = Policy(
    pointwise=tuple(_POINTWISE),
    translate=150 / 331,
    bits=lambda strength: 8 - tf.cast(4 * strength + 0.5, tf.int32),
)
# Without the operations that ImageNet-C uses as its corruptions: the paper tests with these.
AUG_MIX = Policy(
    pointwise=("identity", "autocontrast", "equalize", "posterize", "solarize"),
    translate=1 / 3,
    bits=lambda strength: 4 - tf.cast(4 * strength, tf.int32),
)


def rand_augment(batch: Batch, *, numbers: tf.Tensor, settings: RandAugment) -> Batch:
    """Every image after some of the 14 operations; boxes, masks and label maps move with it.

    Args:
        batch: "image" float32 (N, H, W, C) in [0, 255], perhaps "objects" and "label_map", and other keys.
        numbers: float32 (N, 2 * operations) in [0, 1): for each step they draw the operation and its sign.
        settings: how many operations, their strength, and the fill.
    """
    count = len(RAND_AUGMENT.pointwise) + len(MOVES)
    operations = integers(numbers[:, 0::2], count)
    strengths = sign(numbers[:, 1::2]) * (settings.magnitude / settings.strongest)

    def changed(image: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        operations, strengths = tf.cast(numbers[0::2], tf.int32), numbers[1::2]
        image = _eight_bits(image)
        operate = operations_on(image, policy=RAND_AUGMENT, fill=settings.fill)
        for step in range(settings.operations):
            image = operate(image, operations[step], strengths[step])
        return tf.cast(image, tf.float32)

    operations_and_strengths = tf.reshape(
        tf.stack([tf.cast(operations, tf.float32), strengths], axis=-1), [-1, settings.draws]
    )
    result = {**batch, "image": map_images(changed, batch["image"], operations_and_strengths)}
    size = tf.shape(batch["image"])[1:3]
    for step in range(settings.operations if "objects" in batch or "label_map" in batch else 0):
        maps = _maps(operations[:, step], strengths[:, step], size, policy=RAND_AUGMENT)
        if "objects" in batch:
            result["objects"] = moved_objects(result["objects"], maps, image_size=size)
        if "label_map" in batch:
            result["label_map"] = moved_map(result["label_map"], maps)
    return result


def aug_mix(batch: Batch, *, numbers: tf.Tensor, settings: AugMix) -> Batch:
    """Every image mixed with chains of operations.

    Args:
        batch: "image" float32 (N, H, W, C) in [0, 255], and other keys.
        numbers: float32 (N, draws) in [0, 1): they draw the share of the chains; then for each chain its share, its length,
            and for each of its operations the operation, its strength and its sign.
        settings: the number and length of the chains, the strength, and the fill.
    """

    def changed(image: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        chains = tf.reshape(numbers[1:], [settings.width, -1])
        shares = exponential(chains[:, 0])
        shares = numbers[0] * shares / tf.reduce_sum(shares)
        start = _eight_bits(image)
        operate = operations_on(start, policy=AUG_MIX, fill=settings.fill)
        results = [tf.cast(_chain(start, chains[k, 1:], operate, settings), tf.float32) for k in range(settings.width)]
        # A matrix product, because a graph may change the order of a sum and so its rounding.
        mixed = tf.tensordot(tf.concat([[1 - numbers[0]], shares], axis=0), tf.stack([image, *results]), axes=1)
        return tf.clip_by_value(mixed, 0.0, 255.0)

    return {**batch, "image": map_images(changed, batch["image"], numbers)}


def operations_on(image: tf.Tensor, *, policy: Policy, fill: float) -> Operate:
    """A function that applies one operation of the policy to images of this shape, uint8 (H, W, C).

    It takes the image; the operation, int32 scalar, an index into the policy's `pointwise` followed by `MOVES`; and its
    strength, float32 scalar in [-1, 1], whose sign is the direction if the operation has one. Pixels from outside the image
    are `fill`, in [0, 255].
    """

    def moved(image: tf.Tensor, operation: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
        maps = _maps(operation[None], strength[None], tf.shape(image)[:2], policy=policy)
        return moved_pixels(image[None], maps, fill=fill, interpolation="NEAREST")[0]

    def pointwise(name: str) -> Operate:
        return lambda image, operation, strength: _POINTWISE[name](image, strength, policy)

    branches = [*map(pointwise, policy.pointwise), moved]
    functions = [] if tf.executing_eagerly() else [_traced(branch, image) for branch in branches]

    def operate(image: tf.Tensor, operation: tf.Tensor, strength: tf.Tensor) -> tf.Tensor:
        branch = tf.minimum(operation, len(branches) - 1)
        if not functions:
            return branches[int(branch)](image, operation, strength)
        # tf.switch_case inlines all branches, and skipping their nodes takes longer than most of the operations.
        (changed,) = tf.raw_ops.StatelessCase(
            branch_index=branch,
            input=[image, operation, strength],
            Tout=[tf.uint8],
            branches=functions,
            output_shapes=[image.shape],
        )
        return tf.ensure_shape(changed, image.shape)

    return operate


def _traced(operate: Operate, image: tf.Tensor) -> Callable[..., tf.Tensor]:
    specs = [tf.TensorSpec(image.shape, tf.uint8), tf.TensorSpec([], tf.int32), tf.TensorSpec([], tf.float32)]
    traced: Callable[..., tf.Tensor] = tf.function(operate, autograph=False).get_concrete_function(*specs)
    return traced


def _chain(image: tf.Tensor, numbers: tf.Tensor, operate: Operate, settings: AugMix) -> tf.Tensor:
    length = 1 + integers(numbers[0], settings.depth)
    for step in range(settings.depth):
        which, level, direction = (numbers[1 + 3 * step + place] for place in range(3))
        # Operation 0 is the identity, which the paper does not draw: it fills the steps after the chain's end.
        operation = 1 + integers(which, len(AUG_MIX.pointwise) - 1 + len(MOVES))
        strength = sign(direction) * uniform(level, 0.01, settings.severity / 10)
        image = operate(image, tf.where(step < length, operation, 0), strength)
    return image


def _maps(operations: tf.Tensor, strengths: tf.Tensor, size: tf.Tensor, *, policy: Policy) -> tf.Tensor:
    """float64 (N, 2, 3): the map of each operation, int32 (N,), at its strength, float32 (N,); mostly the identity."""
    moves = tf.one_hot(operations - len(policy.pointwise), len(MOVES), dtype=tf.float64)
    most = tf.constant([math.radians(30), 0.3, 0.3, policy.translate, policy.translate], tf.float64)
    amounts = moves * tf.cast(strengths, tf.float64)[:, None] * most
    angle, shear_x, shear_y, right, down = tf.unstack(amounts, axis=1)
    height, width = tf.unstack(tf.cast(size, tf.float64))
    cosine, sine = tf.cos(angle), tf.sin(angle)
    return affine_map(cosine, sine + shear_x, -right * width, shear_y - sine, cosine, -down * height)


def _threshold(strength: tf.Tensor) -> tf.Tensor:
    return tf.cast(256 * (1 - tf.abs(strength)), tf.int32)


def _eight_bits(image: tf.Tensor) -> tf.Tensor:
    # tf.round is ten times slower and rounds halves to even.
    return tf.cast(image + 0.5, tf.uint8)
