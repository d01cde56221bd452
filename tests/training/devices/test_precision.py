"""`auto` chooses the precision that the hardware runs fast, and says why; XLA compiles the step and changes no result."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasvision import config as c
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.errors import ConfigError
from kerasvision.training import parts as parts_module
from kerasvision.training.devices import precision
from kerasvision.training.devices.precision import Hardware, Precision, choose, uses_xla
from kerasvision.training.fit import fit

AMPERE, TURING, PASCAL = (8, 0), (7, 5), (6, 1)


@pytest.mark.parametrize(
    ("hardware", "policy"),
    [
        (Hardware(), "float32"),
        (Hardware(flags=frozenset({"avx512_bf16"})), "mixed_bfloat16"),
        (Hardware(flags=frozenset({"amx_bf16"})), "mixed_bfloat16"),
        (Hardware(gpus=(AMPERE,)), "mixed_bfloat16"),
        (Hardware(gpus=(TURING,)), "mixed_float16"),
        (Hardware(gpus=(PASCAL,)), "float32"),
        (Hardware(gpus=((0, 0),), flags=frozenset({"amx_bf16"})), "float32"),  # the training runs on the GPU
        (Hardware(gpus=(AMPERE, TURING)), "mixed_float16"),  # all GPUs use the same precision
        (Hardware(gpus=((12, 0), AMPERE)), "mixed_bfloat16"),
    ],
)
def test_auto_goes_by_the_hardware(hardware, policy):
    assert choose("auto", hardware).policy == policy


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_what_the_settings_say_needs_no_hardware(precision):
    assert choose(precision, Hardware()).reason == f"{precision}, as the settings say"


def test_the_reason_names_the_instructions(tmp_path):
    (tmp_path / "cpuinfo").write_text("flags\t: fpu avx512f avx512_bf16 amx_tile\nflags\t: fpu avx512f avx512_bf16\n")
    here = Hardware.here(tmp_path / "cpuinfo")
    assert here == Hardware(flags=frozenset({"avx512_bf16"}))
    assert choose("auto", here).reason == "bfloat16, which this processor multiplies fast (avx512_bf16)"


def test_without_a_list_of_flags_there_are_none(tmp_path):
    assert choose("auto", Hardware.here(tmp_path / "none")).reason == (
        "float32: this processor has none of amx_bf16, avx512_bf16"
    )


def run(stripes, settings):
    return fit(
        settings,
        examples=ExampleSet(stripes.examples),
        classes=stripes.classes,
        transform=ImageTransform.load(stripes.transform),
    )


@pytest.mark.slow
def test_a_training_in_auto_says_what_was_chosen_and_computes_in_it(stripes, dense_settings, monkeypatch, capsys):
    seen = []
    building = parts_module.building_in
    monkeypatch.setattr(precision, "choose", lambda wanted: Precision("mixed_bfloat16", f"{wanted} for a reason"))
    monkeypatch.setattr(parts_module, "building_in", lambda policy: (seen.append(policy), building(policy))[1])
    model = run(stripes, dense_settings(epochs=1, precision="auto")).model
    assert seen == ["mixed_bfloat16"]
    assert capsys.readouterr().err.startswith("  training in auto for a reason\n  epoch 1/1 ")
    assert model.output.dtype == "float32"


@pytest.mark.slow
def test_xla_changes_nothing_but_rounding(stripes, stripes_settings, monkeypatch):
    compiled = []
    function = tf.function

    def noting(*arguments, jit_compile=None, **options):
        compiled.extend(one.__qualname__ for one in arguments if jit_compile and hasattr(one, "__self__"))
        return function(*arguments, jit_compile=jit_compile, **options)

    monkeypatch.setattr(tf, "function", noting)
    off, on = (run(stripes, stripes_settings(epochs=1, xla=xla)) for xla in ("off", "on"))
    assert compiled == ["TrainStep._sums_now"]
    for left, right in zip(off.model.get_weights(), on.model.get_weights(), strict=True):
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-4 * np.abs(left).max())
    assert keras.config.dtype_policy().name == "float32"


def test_xla_on_several_replicas_is_refused():
    with pytest.raises(ConfigError, match=r"'on' requires training on one device.*; received '2 replicas'. Set training"):
        uses_xla("on", replicas=2)
    assert not uses_xla("auto", replicas=2)
    assert c.Training().xla == "auto"
