"""Feature pyramid: maps of equal width at every stride (Lin et al., 2017, https://arxiv.org/abs/1612.03144, figure 3).

    c5 -- 1x1 conv ------------------------------------(p5 merged)-- 3x3 conv --> p5 -- 3x3 conv, stride 2 --> p6 ...
                                                            |
                                                       enlarged twice
                                                            |
    c4 -- 1x1 conv ------------------------------------(+)-- (p4 merged) -- 3x3 conv --> p4
                                                            |
                                                       enlarged twice
                                                            |
    c3 -- 1x1 conv ------------------------------------(+)-- (p3 merged) -- 3x3 conv --> p3

A level "p<l>" has the size of the backbone's map "c<l>". Beyond the backbone's last level, each level is made from the one
before by a 3x3 convolution with stride 2, with a ReLU before all but the first of them (RetinaNet: p6 and p7 of figure 3).
"""

import keras
from keras import KerasTensor, layers

from kerasvision.config.network_options import level_numbers
from kerasvision.errors import ConfigError
from kerasvision.models.backbones import level_number
from kerasvision.models.enlarging import fitted


def pyramid_conv(x: KerasTensor, *, channels: int, kernel: int, stride: int = 1, name: str) -> KerasTensor:
    """A convolution with bias, centred, that keeps the variance of its input.

    From float32 (N, H, W, C) to (N, ceil(H / stride), ceil(W / stride), channels). Initialised as in torchvision: uniformly,
    with variance 1 / fan-in.
    """
    padding = "same"
    if stride > 1:
        x, padding = layers.ZeroPadding2D(kernel // 2, name=f"{name}_pad")(x), "valid"
    initializer = keras.initializers.LecunUniform()
    return layers.Conv2D(channels, kernel, stride, padding, kernel_initializer=initializer, name=name)(x)


def enlarged(x: KerasTensor, *, like: KerasTensor, name: str) -> KerasTensor:
    """The map x at the size of `like`, about twice its own, by nearest neighbours.

    From float32 (N, h, w, C) to (N, H, W, C), where `like` is (N, H, W, any). Where H is odd and h is (H + 1) / 2, the last
    row of the doubled map is cut. Some backbones drop the odd row; then h is (H - 1) / 2, and the last row is repeated. The
    same holds for columns. Where the sizes are not known, the doubled map is returned.
    """
    return fitted(layers.UpSampling2D(2, name=f"{name}_enlarged")(x), like=like, name=name)


def merged(lateral: KerasTensor, above: KerasTensor | None, *, channels: int, name: str) -> KerasTensor:
    """A map of the backbone at the pyramid's width, plus the enlarged merged map of the level above, if there is one.

    From float32 (N, H, W, C) and (N, h, w, channels) to (N, H, W, channels).
    """
    x = pyramid_conv(lateral, channels=channels, kernel=1, name=f"{name}_lateral")
    if above is None:
        return x
    return layers.Add(name=f"{name}_merged")([x, enlarged(above, like=x, name=name)])


def pyramid(maps: dict[str, KerasTensor], *, levels: str, channels: int) -> dict[str, KerasTensor]:
    """The figure at the top of this file.

    Args:
        maps: the backbone's maps by level, each float32 (N, h, w, C).
        levels: for example "p3-p7": from a level that the backbone has to any other.
        channels: of every map of the pyramid.

    Returns:
        Level -> float32 (N, h, w, channels), in ascending order. With unknown image sizes, the sides of the images must be
        multiples of the stride of the last of the levels that the backbone has.

    Raises:
        ConfigError: `levels` has another form, or the backbone lacks a level that it must have.

    >>> maps = {"c3": keras.Input((25, 25, 32)), "c4": keras.Input((13, 13, 64))}
    >>> {level: x.shape[1:] for level, x in pyramid(maps, levels="p3-p6", channels=16).items()}
    {'p3': (25, 25, 16), 'p4': (13, 13, 16), 'p5': (7, 7, 16), 'p6': (4, 4, 16)}
    """
    numbers = level_numbers(levels)
    last = max(level_number(level) for level in maps)
    inner, outer = [n for n in numbers if n <= last], [n for n in numbers if n > last]
    if not inner or any(f"c{n}" not in maps for n in inner):
        raise ConfigError(
            f"levels must begin with levels of the backbone, which has {', '.join(maps)}",
            received=levels,
            hint="choose other levels, or another backbone",
        )
    above: KerasTensor | None = None
    found = {}
    for n in reversed(inner):
        above = merged(maps[f"c{n}"], above, channels=channels, name=f"p{n}")
        found[f"p{n}"] = pyramid_conv(above, channels=channels, kernel=3, name=f"p{n}")
    found = dict(reversed(found.items()))
    for n in outer:
        x = found[f"p{n - 1}"]
        x = layers.ReLU(name=f"p{n}_relu")(x) if n > outer[0] else x
        found[f"p{n}"] = pyramid_conv(x, channels=channels, kernel=3, stride=2, name=f"p{n}")
    return found
