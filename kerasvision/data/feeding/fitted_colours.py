"""Lighting with the axes of colour of the training images, instead of given ones."""

from collections.abc import Sequence

import numpy as np

from kerasvision.config.augmentation import Augmentation
from kerasvision.config.augmentation_pixels import Lighting
from kerasvision.config.preparing import Transform
from kerasvision.data.colours import mean_and_covariance, principal_axes
from kerasvision.data.feeding.inputs import SplitExamples
from kerasvision.data.splits import TRAIN
from kerasvision.data.transform import ImageTransform
from kerasvision.progress import say


def with_fitted_colours(
    augment: Sequence[Augmentation], *, examples: SplitExamples, settings: Transform
) -> tuple[Augmentation, ...]:
    """The same augmentations; each `Lighting(fit="training")` has the eigenvalues and eigenvectors of the training images.

    As long as `examples` is open, the images are read once for each transform.

    Args:
        augment: the augmentations of the experiment.
        examples: their train split is used.
        settings: the transform, which decodes and resizes the images. Images in grey have no axes of colour: `lighting`
            refuses them.
    """
    return tuple(
        _fitted(one, examples, settings) if isinstance(one, Lighting) and one.fit == "training" else one for one in augment
    )


def _fitted(lighting: Lighting, examples: SplitExamples, settings: Transform) -> Lighting:
    channels = settings.image_shape[-1]
    if channels != 3:
        return lighting
    key = ("axes of colour", repr(settings))
    if key not in examples.cached:
        plain = ImageTransform(settings, (), ())
        images = examples.dataset(TRAIN).map(lambda example: example["image"])
        _, covariance = mean_and_covariance(images, channels=channels, decode=plain.pixels, decode_alike=plain.pixels_alike)
        axes = principal_axes(covariance)
        values = np.maximum(np.diag(axes @ covariance @ axes.T), 0.0)
        examples.cached[key] = (tuple(values.tolist()), tuple(map(tuple, axes.tolist())))
        say(f"Lighting: eigenvalues {', '.join(f'{value:.3g}' for value in values)} of the training images' colours")
    eigenvalues, eigenvectors = examples.cached[key]
    return Lighting(deviation=lighting.deviation, eigenvalues=eigenvalues, eigenvectors=eigenvectors)
