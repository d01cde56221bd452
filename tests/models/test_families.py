"""Builders of one family share one declaration of their options; readers, editors and the checks of a plan use it."""

import inspect

import pytest

from kerasvision import introspection, lookup
from kerasvision.models import densenet, efficientnet_lite, resnet, resnet_small, resnet_v2, vgg
from kerasvision.models.resnet import resnet50, resnet101

FAMILIES = {
    resnet.resnet: ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
    resnet_v2.resnet_v2: ("resnet18_v2", "resnet34_v2", "resnet50_v2", "resnet101_v2", "resnet152_v2"),
    resnet_small.cifar_resnet: ("resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
    densenet.densenet: ("densenet121", "densenet169", "densenet201"),
    efficientnet_lite.efficientnet_lite: tuple(f"efficientnet_lite{size}" for size in range(5)),
    vgg.vgg: ("vgg11", "vgg13", "vgg16", "vgg19"),
}


@pytest.mark.parametrize(("family", "name"), [(family, name) for family, names in FAMILIES.items() for name in names])
def test_a_builder_shows_the_options_of_its_family(family, name):
    declared = {keyword.name: keyword for keyword in list(inspect.signature(family).parameters.values())[1:]}
    builder = lookup.MODELS.load(name)
    assert dict(inspect.signature(builder).parameters) == declared
    path = lookup.MODELS.path(name)
    assert introspection.keywords(path) == declared.keys()
    given = {key: value.default for key, value in declared.items() if value.default is not inspect.Parameter.empty}
    assert introspection.defaults(path) == given
    assert "weights" in builder.__doc__


def test_resnet50_takes_what_it_says():
    assert introspection.defaults("kerasvision.models.resnet:resnet50") == {
        "width": 1.0,
        "layout": "torchvision",
        "output_stride": 32,
        "zero_init_last_gamma": False,
        "dropout": 0.0,
        "synchronized": False,
        "activation": "relu",
        "initialization": None,
    }
    assert str(inspect.signature(resnet50)).startswith("(*, image_shape: tuple[int, int, int], num_classes: int | None, ")


def test_an_option_that_the_family_does_not_have_is_refused():
    with pytest.raises(TypeError, match="unexpected keyword argument 'batch_norm'"):
        resnet101(image_shape=(32, 32, 3), num_classes=10, batch_norm=True)


def test_a_builder_of_a_person_shares_options_too(tmp_path, monkeypatch):
    (tmp_path / "their_nets.py").write_text(
        "from kerasvision.models.families import options_of\n\n"
        "def chain(depth, /, *, image_shape, num_classes, width=8):\n    ...\n\n"
        "@options_of(chain)\ndef chain3(**options):\n    return chain(3, **options)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert introspection.keywords("their_nets:chain3") == {"image_shape", "num_classes", "width"}
    assert introspection.defaults("their_nets:chain3") == {"width": 8}


def test_a_file_that_has_changed_is_read_again(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    for options in ("width", "width, depth"):
        (tmp_path / "changed_nets.py").write_text(f"def net(*, {options}): ...\n")
        assert introspection.keywords("changed_nets:net") == set(options.split(", "))
