"""The networks of keras.applications: what Keras calls them, their sizes, and their published ImageNet weights.

Their names are those of Keras in lower case, after "keras/", with an underscore before a size: EfficientNetV2B0 is
"keras/efficientnetv2_b0". The files and hashes are those in the source of Keras 3.15. The licences are those that the
authors of the weights state.

>>> KERAS_NETWORKS["keras/efficientnetv2_b0"].function
'EfficientNetV2B0'
"""

from dataclasses import dataclass
from typing import Literal

from kerasvision.lookup import OF_KERAS

_HOST = "https://storage.googleapis.com"
_KERAS = "tensorflow/keras-applications"


@dataclass(frozen=True)
class KerasFamily:
    """What all sizes of a network share.

    Attributes:
        paper: authors and year.
        url: of the paper.
        licence: of the published weights, by its SPDX identifier.
        pixels: how the training images were scaled; see `kerasvision.models.scaling`.
        least_side: least height and width of an image, in pixels.
    """

    paper: str
    url: str
    licence: str
    pixels: Literal["caffe", "unit", "signed", "imagenet"]
    least_side: int = 32


@dataclass(frozen=True)
class KerasNetwork:
    """One network.

    Attributes:
        function: its name in keras.applications.
        family: what it shares with the other sizes.
        side: of the square images that it was made for, in pixels.
        weights: how many numbers it has without head and without preprocessing, moving statistics included.
        features: channels of its last map.
        path: of the published file without head, below the host.
        digest: of that file in hex digits: MD5, or SHA-256 if it has 64. "" if Keras publishes none.
    """

    function: str
    family: KerasFamily
    side: int
    weights: int
    features: int
    path: str
    digest: str

    @property
    def url(self) -> str:
        """Where the file is."""
        return f"{_HOST}/{self.path}"

    @property
    def algorithm(self) -> str:
        """That of the digest, as `hashlib` calls it."""
        return "sha256" if len(self.digest) == 64 else "md5"

    @property
    def origin(self) -> str:
        """The library and the licence, for a line.

        >>> KERAS_NETWORKS["keras/convnext_tiny"].origin
        'keras.applications (licence: MIT)'
        """
        return f"keras.applications (licence: {self.family.licence})"


CONVNEXT = KerasFamily("Liu et al., 2022", "https://arxiv.org/abs/2201.03545", "MIT", "imagenet")
DENSENET = KerasFamily("Huang et al., 2016", "https://arxiv.org/abs/1608.06993", "BSD-3-Clause", "imagenet")
EFFICIENTNET = KerasFamily("Tan & Le, 2019", "https://arxiv.org/abs/1905.11946", "Apache-2.0", "imagenet")
EFFICIENTNET_V2 = KerasFamily("Tan & Le, 2021", "https://arxiv.org/abs/2104.00298", "Apache-2.0", "imagenet")
# The three large sizes were trained on other pixels than B0 to B3.
EFFICIENTNET_V2_LARGE = KerasFamily("Tan & Le, 2021", "https://arxiv.org/abs/2104.00298", "Apache-2.0", "signed")
INCEPTION_RESNET = KerasFamily("Szegedy et al., 2016", "https://arxiv.org/abs/1602.07261", "Apache-2.0", "unit", 75)
INCEPTION = KerasFamily("Szegedy et al., 2015", "https://arxiv.org/abs/1512.00567", "Apache-2.0", "unit", 75)
MOBILENET = KerasFamily("Howard et al., 2017", "https://arxiv.org/abs/1704.04861", "Apache-2.0", "unit")
MOBILENET_V2 = KerasFamily("Sandler et al., 2018", "https://arxiv.org/abs/1801.04381", "Apache-2.0", "unit")
MOBILENET_V3 = KerasFamily("Howard et al., 2019", "https://arxiv.org/abs/1905.02244", "Apache-2.0", "unit")
NASNET = KerasFamily("Zoph et al., 2017", "https://arxiv.org/abs/1707.07012", "Apache-2.0", "unit")
RESNET = KerasFamily("He et al., 2015", "https://arxiv.org/abs/1512.03385", "MIT", "caffe")
RESNET_V2 = KerasFamily("He et al., 2016", "https://arxiv.org/abs/1603.05027", "BSD-3-Clause", "unit")
VGG = KerasFamily("Simonyan & Zisserman, 2014", "https://arxiv.org/abs/1409.1556", "CC-BY-4.0", "caffe")
XCEPTION = KerasFamily("Chollet, 2016", "https://arxiv.org/abs/1610.02357", "MIT", "unit", 71)


def _convnext(size: str, weights: int, features: int, digest: str) -> KerasNetwork:
    path = f"{_KERAS}/convnext/convnext_{size.lower()}_notop.h5"
    return KerasNetwork(f"ConvNeXt{size}", CONVNEXT, 224, weights, features, path, digest)


def _efficientnet(size: int, side: int, weights: int, features: int, digest: str) -> KerasNetwork:
    path = f"keras-applications/efficientnetb{size}_notop.h5"
    return KerasNetwork(f"EfficientNetB{size}", EFFICIENTNET, side, weights, features, path, digest)


def _efficientnet_v2(size: str, side: int, weights: int, digest: str) -> KerasNetwork:
    family = EFFICIENTNET_V2 if size.startswith("B") else EFFICIENTNET_V2_LARGE
    features = {"B2": 1408, "B3": 1536}.get(size, 1280)
    path = f"{_KERAS}/efficientnet_v2/efficientnetv2-{size.lower()}_notop.h5"
    return KerasNetwork(f"EfficientNetV2{size}", family, side, weights, features, path, digest)


def _of_kernels(
    function: str, family: KerasFamily, side: int, weights: int, features: int, path: str, digest: str
) -> KerasNetwork:
    """A network whose file has the name that all files had in the first years."""
    path = f"{_KERAS}/{path}_weights_tf_dim_ordering_tf_kernels_notop.h5"
    return KerasNetwork(function, family, side, weights, features, path, digest)


# The weights were counted in Keras' own networks, `include_top=False`, without the layers Normalization.
_ROWS = (
    _convnext("Tiny", 27_820_128, 768, "d547c096cabd03329d7be5562c5e14798aa39ed24b474157cef5e85ab9e49ef1"),
    _convnext("Small", 49_454_688, 768, "6fc8009faa2f00c1c1dfce59feea9b0745eb260a7dd11bee65c8e20843da6eab"),
    _convnext("Base", 87_566_464, 1024, "40a20c5548a5e9202f69735ecc06c990e6b7c9d2de39f0361e27baeb24cb7c45"),
    _convnext("Large", 196_230_336, 1536, "96f02b6f0753d4f543261bc9d09bed650f24dd6bc02ddde3066135b63d23a1cd"),
    _convnext("XLarge", 348_147_968, 2048, "de3f8a54174130e0cecdc71583354753d557fcf1f4487331558e2a16ba0cfe05"),
    _of_kernels("DenseNet121", DENSENET, 224, 7_037_504, 1024, "densenet/densenet121", "30ee3e1110167f948a6b9946edeeb738"),
    _of_kernels("DenseNet169", DENSENET, 224, 12_642_880, 1664, "densenet/densenet169", "b8c4d4c20dd625c148057b9ff1c1176b"),
    _of_kernels("DenseNet201", DENSENET, 224, 18_321_984, 1920, "densenet/densenet201", "c13680b51ded0fb44dff2d8f86ac8bb1"),
    _efficientnet(0, 224, 4_049_564, 1280, "50bc09e76180e00e4465e1a485ddc09d"),
    _efficientnet(1, 240, 6_575_232, 1280, "74c4e6b3e1f6a1eea24c589628592432"),
    _efficientnet(2, 260, 7_768_562, 1408, "111f8e2ac8aa800a7a99e3239f7bfb39"),
    _efficientnet(3, 300, 10_783_528, 1536, "af6d107764bb5b1abb91932881670226"),
    _efficientnet(4, 380, 17_673_816, 1792, "ebc24e6d6c33eaebbd558eafbeedf1ba"),
    _efficientnet(5, 456, 28_513_520, 2048, "38879255a25d3c92d5e44e04ae6cec6f"),
    _efficientnet(6, 528, 40_960_136, 2304, "9ecce42647a20130c1f39a5d4cb75743"),
    _efficientnet(7, 600, 64_097_680, 2560, "cbcfe4450ddf6f3ad90b1b398090fe4a"),
    _efficientnet_v2("B0", 224, 5_919_312, "893217f2bb855e2983157299931e43ff"),
    _efficientnet_v2("B1", 240, 6_931_124, "0e80663031ca32d657f9caa404b6ec37"),
    _efficientnet_v2("B2", 260, 8_769_374, "1dfe2e7a5d45b6632553a8961ea609eb"),
    _efficientnet_v2("B3", 300, 12_930_622, "f6abf7b5849ac99a89b50dd3fd532856"),
    _efficientnet_v2("S", 384, 20_331_360, "af0682fb74e8c54910f2d4393339c070"),
    _efficientnet_v2("M", 480, 53_150_388, "1b8dc055df72dde80d614482840fe342"),
    _efficientnet_v2("L", 480, 117_746_848, "b0b66b5c863aef5b46e8608fe1711615"),
    _of_kernels(
        "InceptionResNetV2", INCEPTION_RESNET, 299, 54_336_736, 1536,
        "inception_resnet_v2/inception_resnet_v2", "d19885ff4a710c122648d3b5c3b684e4",
    ),
    _of_kernels(
        "InceptionV3", INCEPTION, 299, 21_802_784, 2048, "inception_v3/inception_v3", "bcbd6486424b2319ff4ef7d526e38f63"
    ),
    KerasNetwork("MobileNet", MOBILENET, 224, 3_228_864, 1024, f"{_KERAS}/mobilenet/mobilenet_1_0_224_tf_no_top.h5", ""),
    KerasNetwork(
        "MobileNetV2", MOBILENET_V2, 224, 2_257_984, 1280,
        f"{_KERAS}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5", "",
    ),
    KerasNetwork(
        "MobileNetV3Large", MOBILENET_V3, 224, 2_996_352, 960,
        f"{_KERAS}/mobilenet_v3/weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5", "07fb09a5933dd0c8eaafa16978110389",
    ),
    KerasNetwork(
        "MobileNetV3Small", MOBILENET_V3, 224, 939_120, 576,
        f"{_KERAS}/mobilenet_v3/weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5", "d3e8ec802a04aa4fc771ee12a9a9b836",
    ),
    KerasNetwork(
        "NASNetLarge", NASNET, 331, 84_916_818, 4032,
        f"{_KERAS}/nasnet/NASNet-large-no-top.h5", "d81d89dc07e6e56530c4e77faddd61b5",
    ),
    KerasNetwork(
        "NASNetMobile", NASNET, 224, 4_269_716, 1056,
        f"{_KERAS}/nasnet/NASNet-mobile-no-top.h5", "1ed92395b5b598bdda52abe5c0dbfd63",
    ),
    _of_kernels("ResNet50", RESNET, 224, 23_587_712, 2048, "resnet/resnet50", "4d473c1dd8becc155b73f8504c6f6626"),
    _of_kernels("ResNet101", RESNET, 224, 42_658_176, 2048, "resnet/resnet101", "88cf7a10940856eca736dc7b7e228a21"),
    _of_kernels("ResNet152", RESNET, 224, 58_370_944, 2048, "resnet/resnet152", "ee4c566cf9a93f14d82f913c2dc6dd0c"),
    _of_kernels("ResNet50V2", RESNET_V2, 224, 23_564_800, 2048, "resnet/resnet50v2", "fac2f116257151a9d068a22e544a4917"),
    _of_kernels("ResNet101V2", RESNET_V2, 224, 42_626_560, 2048, "resnet/resnet101v2", "c0ed64b8031c3730f411d2eb4eea35b5"),
    _of_kernels("ResNet152V2", RESNET_V2, 224, 58_331_648, 2048, "resnet/resnet152v2", "ed17cf2e0169df9d443503ef94b23b33"),
    _of_kernels("VGG16", VGG, 224, 14_714_688, 512, "vgg16/vgg16", "6d6bbae143d832006294945121d1f1fc"),
    _of_kernels("VGG19", VGG, 224, 20_024_384, 512, "vgg19/vgg19", "253f8cb515780f3b799900260a226db6"),
    _of_kernels("Xception", XCEPTION, 299, 20_861_480, 2048, "xception/xception", "b0042744bf5b25fce3cb969f33bebb97"),
)  # fmt: skip

_BY_FUNCTION = {row.function.lower(): row for row in _ROWS}
# By our names, in the order of `OF_KERAS`.
KERAS_NETWORKS = {name: _BY_FUNCTION[name.removeprefix("keras/").replace("_", "")] for name in OF_KERAS}
