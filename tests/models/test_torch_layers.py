"""Files of torchvision and timm: our networks give the outputs of theirs, and the file of another network is rejected.

The expected numbers were computed by torchvision 0.14.1 with `filled` as weights, on (waves() - mean) / deviation of
ImageNet. timm 0.9.16 gives the same for the same names.
"""

import json
import zlib

import keras
import numpy as np
import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.models.torch_layers import our_names, turned

# The logits of two images, 64 x 64, for seven classes.
LOGITS = {
    "resnet18": [
        [-10.694899, 15.402120, -45.260059, -0.640570, 11.922890, -65.424423, -22.962271],
        [-18.625860, 16.199989, -67.203697, -12.690870, 15.541060, -89.061256, -38.947498],
    ],
    "resnet50": [
        [-1218.721069, -2105.905029, 6228.869629, 3831.868408, -3044.472412, -981.900024, 643.473145],
        [-1768.915405, -2239.128906, 7157.720215, 4883.528809, -3628.957520, -1362.347412, 682.883362],
    ],
    "densenet121": [
        [1.032800, 0.620980, 0.935780, 2.547680, -0.650770, -2.425460, 1.657310],
        [1.249340, 0.522630, 1.460070, 2.289430, -1.132590, -2.304550, 1.579810],
    ],
}
# Every fourth of 32 channels of VGG-11's last map at a 16th of its width, 1 x 1 pixel, for two images, 32 x 32.
MAPS = {
    False: [
        [1.844930, 0, 1.752720, 0.218820, 0.242400, 0.935530, 0.038260, 0.843670],
        [2.163900, 0.066160, 1.370820, 0, 0.755600, 0.908030, 0.305190, 1.473810],
    ],
    True: [
        [0.651370, 0.933670, 1.148790, 0, 0.418220, 2.547900, 1.191290, 1.858230],
        [1.617640, 2.445920, 2.380730, 0.198830, 1.556640, 3.290030, 3.185350, 2.916520],
    ],
}
WIDTHS = (4, 8, 16, 16, 32, 32, 32, 32)
# torchvision numbers VGG-11's convolutions together with ReLUs, poolings and, if there are any, norms.
NUMBERS = {False: (0, 3, 6, 8, 11, 13, 16, 18), True: (0, 4, 8, 11, 15, 18, 22, 25)}


def waves(side):
    """float32 (2, side, side, 3) in [0, 1]: two coloured patterns of waves."""
    y, x = np.mgrid[:side, :side] / side
    colours = [[np.sin(6 * k * y + c) + np.cos(9 * (k + c) * x) for c in range(3)] for k in (1, 3)]
    return (np.moveaxis(colours, 1, -1) + 2).astype("float32") / 4


def filled(name, shape):
    """float32 of that shape, as after a training, and always the same for a name."""
    random = np.random.default_rng(zlib.crc32(name.encode()))
    if len(shape) > 1:
        return (random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))).astype("float32")
    if name.endswith("running_var"):
        return random.uniform(0.5, 1.5, shape).astype("float32")
    return (random.standard_normal(shape) * 0.2 + name.endswith("weight")).astype("float32")


def write(file, shapes, *, order=sorted):
    """A `.safetensors` file of `filled` tensors; the package `safetensors` sorts them by name."""
    header, content = {}, b""
    for name in order(shapes):
        stored = filled(name, shapes[name]).tobytes()
        header[name] = {"dtype": "F32", "shape": shapes[name], "data_offsets": [len(content), len(content) + len(stored)]}
        content += stored
    text = json.dumps(header).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return str(file)


def norm(name, width):
    return {f"{name}.{part}": [width] for part in ("weight", "bias", "running_mean", "running_var")}


def conv(name, width, inputs, kernel):
    return {f"{name}.weight": [width, inputs, kernel, kernel]}


def resnet(counts, *, bottlenecks=False, classes=7):
    """The names and shapes of torchvision's state dictionary, from table 1 of the paper."""
    shapes = conv("conv1", 64, 3, 7) | norm("bn1", 64)
    inputs = 64
    for stage, count in enumerate(counts):
        width = 64 * 2**stage
        out = width * (4 if bottlenecks else 1)
        units = ((width, 1), (width, 3), (out, 1)) if bottlenecks else ((width, 3), (width, 3))
        for number in range(count):
            name, channels = f"layer{stage + 1}.{number}", inputs
            for unit, (filters, kernel) in enumerate(units, start=1):
                shapes |= conv(f"{name}.conv{unit}", filters, channels, kernel) | norm(f"{name}.bn{unit}", filters)
                channels = filters
            if number == 0 and (stage or bottlenecks):
                shapes |= conv(f"{name}.downsample.0", out, inputs, 1) | norm(f"{name}.downsample.1", out)
            inputs = out
    return shapes | {"fc.weight": [classes, inputs], "fc.bias": [classes]}


def densenet121():
    shapes = conv("features.conv0", 64, 3, 7) | norm("features.norm0", 64)
    width = 64
    for block, count in enumerate((6, 12, 24, 16), start=1):
        for number in range(1, count + 1):
            name = f"features.denseblock{block}.denselayer{number}"
            shapes |= norm(f"{name}.norm1", width) | conv(f"{name}.conv1", 128, width, 1)
            shapes |= norm(f"{name}.norm2", 128) | conv(f"{name}.conv2", 32, 128, 3)
            width += 32
        if block < 4:
            name = f"features.transition{block}"
            shapes |= norm(f"{name}.norm", width) | conv(f"{name}.conv", width // 2, width, 1)
            width //= 2
    return shapes | norm("features.norm5", 1024) | {"classifier.weight": [7, 1024], "classifier.bias": [7]}


def vgg11(batch_norm):
    shapes = {}
    for number, inputs, width in zip(NUMBERS[batch_norm], (3, *WIDTHS), WIDTHS, strict=False):
        shapes |= conv(f"features.{number}", width, inputs, 3) | {f"features.{number}.bias": [width]}
        shapes |= norm(f"features.{number + 1}", width) if batch_norm else {}
    return shapes


NETWORKS = {
    "resnet18": lambda: resnet((2, 2, 2, 2)),
    "resnet50": lambda: resnet((3, 4, 6, 3), bottlenecks=True),
    "densenet121": densenet121,
}


def lite0(classes=7):
    """timm's names: (blocks, kernel, expansion, channels) of each stage."""
    stages = [(1, 3, 1, 16), (2, 3, 6, 24), (2, 5, 6, 40), (3, 3, 6, 80), (3, 5, 6, 112), (4, 5, 6, 192), (1, 3, 6, 320)]
    shapes = conv("conv_stem", 32, 3, 3) | norm("bn1", 32)
    inputs = 32
    for stage, (blocks, kernel, expansion, width) in enumerate(stages):
        for block in range(blocks):
            name, hidden = f"blocks.{stage}.{block}", expansion * inputs
            steps = [("conv_dw", hidden, 1, kernel), (("conv_pwl", "conv_pw")[stage == 0], width, hidden, 1)]
            steps = [("conv_pw", hidden, inputs, 1)] * (stage > 0) + steps
            for number, (step, out, of, side) in enumerate(steps, 1):
                shapes |= conv(f"{name}.{step}", out, of, side) | norm(f"{name}.bn{number}", out)
            inputs = width
    shapes |= conv("conv_head", 1280, 320, 1) | norm("bn2", 1280)
    return shapes | {"classifier.weight": [classes, 1280], "classifier.bias": [classes]}


@pytest.mark.slow
def test_of_timms_two_networks_with_the_same_names_the_one_that_fits_is_named(tmp_path, capsys):
    file = write(tmp_path / "lite0.safetensors", lite0())
    build("efficientnet_lite0", image_shape=(32, 32, 3), num_classes=7, weights=file)
    assert "read as timm's tf_efficientnet_lite0; timm's efficientnet_lite0 pads" in " ".join(
        capsys.readouterr().err.split()
    )


@pytest.fixture(scope="module")
def resnet18_file(tmp_path_factory):
    return write(tmp_path_factory.mktemp("resnet18") / "resnet18.safetensors", resnet((2, 2, 2, 2)))


@pytest.mark.parametrize("network", [pytest.param(name, marks=pytest.mark.slow) for name in ("resnet50", "densenet121")])
def test_logits_are_those_of_torchvision(network, tmp_path):
    file = write(tmp_path / "weights.safetensors", NETWORKS[network]())
    ours = build(network, image_shape=(64, 64, 3), num_classes=7, weights=file)
    np.testing.assert_allclose(ours(waves(64), training=False), LOGITS[network], rtol=1e-5, atol=1e-4)


def test_logits_of_resnet18_are_those_of_torchvision(resnet18_file):
    ours = build("resnet18", image_shape=(64, 64, 3), num_classes=7, weights=resnet18_file)
    np.testing.assert_allclose(ours(waves(64), training=False), LOGITS["resnet18"], rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_maps_of_vgg_are_those_of_torchvision(batch_norm, tmp_path):
    file = write(tmp_path / "weights.safetensors", vgg11(batch_norm))
    options = {"width": 1 / 16, "batch_norm": batch_norm}
    ours = build("vgg11", image_shape=(32, 32, 3), num_classes=None, weights=file, **options)
    found = ours(waves(32), training=False)["c5"][:, 0, 0, ::4]
    np.testing.assert_allclose(found, MAPS[batch_norm], atol=1e-4)


class Numbers:
    """A stored array of consecutive numbers."""

    def __init__(self, *shape):
        self.shape = shape

    def read(self):
        return np.arange(np.prod(self.shape), dtype="float32").reshape(self.shape)


@pytest.mark.parametrize("shape", [(2, 12), (2, 3, 2, 2)])
def test_dense_layer_behind_a_map_reads_it_channels_last(shape):
    """torchvision flattens channels, height, width; timm has a convolution there. Ours flattens height, width, channels."""
    image = keras.Input((2, 2, 3))
    dense = keras.layers.Dense(2)
    model = keras.Model(image, dense(keras.layers.Flatten()(image)))
    kernel = turned(Numbers(*shape), dense, model).read()
    pixels = np.arange(12).reshape(2, 2, 3)
    by_hand = [(Numbers(2, 3, 2, 2).read()[unit] * pixels.transpose(2, 0, 1)).sum() for unit in range(2)]
    assert (pixels.ravel() @ kernel).tolist() == by_hand


@pytest.mark.parametrize(
    ("family", "theirs", "ours"),
    [
        ("densenet", "features.denseblock4.denselayer16.norm2", "stage5_layer16_norm2"),
        ("densenet", "features.denseblock1.denselayer1.conv.1", "stage2_layer1_conv1"),  # of the older files
        ("densenet", "features.transition3.conv", "transition4_conv"),
        ("densenet", "features.norm5", "final_norm"),
        ("vgg", "classifier.6", "logits"),
        ("vgg", "pre_logits.fc1", "hidden1_dense"),  # timm's
        ("efficientnet_lite", "blocks.0.0.conv_pw", "stage2_block1_project_conv"),  # timm's
        ("efficientnet_lite", "blocks.5.3.bn3", "stage7_block4_project_norm"),
        ("efficientnet_lite", "conv_head", "final_conv"),
        ("resnet", "layer3.5.downsample.1", "stage4_block6_shortcut_norm"),
    ],
)
def test_name_is_translated(family, theirs, ours):
    assert our_names(family, [], [theirs]) == {theirs: ours}


@pytest.mark.slow
def test_head_for_other_classes_begins_anew(resnet18_file, capsys):
    ours = build("resnet18", image_shape=(32, 32, 3), num_classes=2, weights=resnet18_file, classes=["a", "b"])
    expected = filled("layer4.1.conv2.weight", (512, 512, 3, 3)).transpose(2, 3, 1, 0)
    np.testing.assert_array_equal(ours.get_layer("stage5_block2_conv2").kernel, expected)
    assert not ours.get_layer("logits").bias.numpy().any()
    assert "does not name its classes" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("network", "message"),
    [
        pytest.param(
            "resnet50",
            "does not fit at layer 'stage2_block1_conv1': 3 x 3 x 64 x 64 in the file, 1 x 1 x 64 x 64 in the net",
            marks=pytest.mark.slow,
        ),
        ("vgg11", r"has a layer 'bn1' \(bias, running_mean, running_var, weight\) that vgg11 lacks"),
    ],
)
@pytest.mark.usefixtures("shapes_only")
def test_file_of_another_network_is_rejected_at_its_first_wrong_layer(network, message, resnet18_file):
    options = {"width": 1 / 16} if network == "vgg11" else {}
    with pytest.raises(ConfigError, match=f"resnet18.safetensors {message}"):
        build(network, image_shape=(32, 32, 3), num_classes=None, weights=resnet18_file, **options)


def test_file_that_lacks_a_layer_is_rejected(tmp_path):
    shapes = {name: shape for name, shape in vgg11(False).items() if not name.startswith("features.18.")}
    with pytest.raises(ConfigError, match="lacks the layer 'block5_conv2' of the network"):
        build(
            "vgg11",
            image_shape=(32, 32, 3),
            num_classes=None,
            weights=write(tmp_path / "w.safetensors", shapes),
            width=1 / 16,
        )


def test_other_layout_is_rejected(resnet18_file):
    with pytest.raises(ConfigError, match="weights of torchvision and timm require layout='torchvision'; received 'keras'"):
        build("resnet18", image_shape=(32, 32, 3), num_classes=2, weights=resnet18_file, layout="keras")


def test_network_whose_names_are_not_known_is_rejected(resnet18_file):
    with pytest.raises(
        ConfigError, match=r"weights of lenet5 must come from its own .keras file.*A .safetensors file can be"
    ):
        build("lenet5", image_shape=(28, 28, 3), num_classes=2, weights=resnet18_file)


def test_network_of_a_known_family_that_no_library_has_is_rejected(resnet18_file):
    with pytest.raises(ConfigError, match=r"weights of densenet_small must come from its own .keras file") as raised:
        build("densenet_small", image_shape=(32, 32, 3), num_classes=2, weights=resnet18_file)
    assert "densenet201" in str(raised.value)
    assert str(raised.value).count("densenet_small") == 1


def test_numbers_that_are_not_finite_are_rejected(tmp_path, monkeypatch):
    monkeypatch.setattr(f"{__name__}.filled", lambda name, shape: np.full(shape, np.nan, "float32"))
    file = write(tmp_path / "weights.safetensors", vgg11(False))
    with pytest.raises(ConfigError, match="must contain finite numbers"):
        build("vgg11", image_shape=(32, 32, 3), num_classes=None, weights=file, width=1 / 16)


def test_file_is_checked_before_the_first_stage(tmp_path):
    (tmp_path / "cut.safetensors").write_bytes(b"\x20\0\0\0")
    with pytest.raises(ConfigError, match="cut.safetensors is cut short"):
        list(c.Model(name="resnet18", weights=str(tmp_path / "cut.safetensors")).files())


def test_file_counts_by_its_content(resnet18_file):
    model = c.Model(name="resnet18", weights=resnet18_file)
    assert [str(path) for _, path in model.files()] == [resnet18_file]
    assert model.identity()["weights"] == "a file"
