"""Several settings are changed at once, and only their final combination must be valid."""

import json
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.config.loading import load_experiment
from kerasvision.config.overrides import with_overrides, with_values
from kerasvision.errors import ConfigError


@pytest.mark.parametrize("order", [1, -1])
def test_settings_that_only_fit_together_can_be_set_in_any_order(order):
    values = {"warmup_epochs": 8, "epochs": 9, "batch_size": 30, "micro_batches": 5}
    changed = with_values(c.Training(epochs=5), dict(list(values.items())[::order]))
    assert {name: getattr(changed, name) for name in values} == values


@pytest.mark.parametrize("order", [1, -1])
def test_what_lies_below_a_path_that_is_also_set_goes_into_the_new_value(order):
    values = {"optimizer": "rmsprop", "optimizer.rho": 0.7}
    assert with_values(c.Training(), dict(list(values.items())[::order])).optimizer == c.RmsProp(rho=0.7)


def test_last_of_two_assignments_to_one_path_counts():
    assert with_overrides(c.Training(), ["epochs=3", "batch_size=8", "epochs=4"]).epochs == 4


def test_values_that_do_not_fit_together_are_refused():
    with pytest.raises(ConfigError, match="warmup_epochs must lie in"):
        with_values(c.Training(epochs=5), {"epochs": 2, "warmup_epochs": 3})


# --- What a text means

DIGITS = load_experiment(Path(__file__).parents[2] / "pipelines" / "digits.py")


@pytest.mark.parametrize(
    ("assignment", "expected"),
    [
        ("transform.image_size=(64, 64)", (64, 64)),
        ("transform.image_size=[64, 64]", (64, 64)),
        ("transform.image_size=64, 64", (64, 64)),
        ("training.optimizer=c.Adam(learning_rate=0.5)", c.Adam(learning_rate=0.5)),
        ("training.optimizer={'kind': 'adam', 'learning_rate': 0.5}", c.Adam(learning_rate=0.5)),
        ('training.optimizer={"kind": "adam", "learning_rate": 0.5}', c.Adam(learning_rate=0.5)),
        ("augment=(c.RandomFlip(), c.PadCrop(pad=4))", (c.RandomFlip(), c.PadCrop(pad=4))),
        ("augment[0].pad=4", 4),
        ("augment[0].pad=-4 if", None),
        ("gate=c.Gate(c.AtLeast('accuracy', -1))", c.Gate(c.AtLeast("accuracy", -1))),
        ("export.formats=[onnx, litert]", (c.Onnx(), c.LiteRt())),
        ("task.metrics=[statistics:mean]", (c.Metric("statistics:mean"),)),
        ("task.metrics=(statistics:mean,)", (c.Metric("statistics:mean"),)),
        ("simple_models=None", None),
        ("simple_models=null", None),
        ("splits.stratify=True", True),
        # A text field takes any text literally, without surrounding quotes.
        ("splits.salt=(64, 64)", "(64, 64)"),
        ("splits.salt=3", "3"),
        ("splits.salt='a b'", "a b"),
        ('splits.salt="a b"', "a b"),
        ("splits.salt=it's", "it's"),
        ("training.epochs=1_000", 1000),
        # An option has no declared type: its text is parsed, or is a text if it is in quotes.
        ("model.options.pooling=max", "max"),
        ("model.options.pooling=3", 3),
        ("model.options.pooling='3'", "3"),
        ('model.options.pooling="3"', "3"),
    ],
)
def test_value_may_be_written_as_in_a_pipeline_file(assignment, expected):
    path = assignment.partition("=")[0].replace("[0]", ".0")
    if assignment.endswith(" if"):
        with pytest.raises(ConfigError, match="PadCrop.pad: .*received '-4 if'"):
            with_overrides(DIGITS, [assignment])
        return
    held = with_overrides(DIGITS, [assignment])
    for part in path.split("."):
        is_key = isinstance(held, dict)
        held = held[int(part)] if part.isdecimal() else held[part] if is_key else getattr(held, part)
    assert held == expected
    assert type(held) is type(expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("c.Adm(learning_rate=1)", "kerasvision.config has no 'Adm'; did you mean 'Adam'?"),
        ("c.Adam(learning_rat=1)", "Adam has no field 'learning_rat'; did you mean 'learning_rate'?"),
        ("c.Adam(0.1)", "Write each setting with its name, as in c.Adam(name=value)."),
        ("c.Adam(**{})", "no optimizer is named 'c.Adam(**{})'"),
        ("__import__('os').getcwd()", "no optimizer is named"),
        ("{1}", "no optimizer is named '{1}'"),
    ],
)
def test_settings_that_cannot_be_made_are_told(value, message):
    with pytest.raises(ConfigError) as raised:
        with_overrides(DIGITS, [f"training.optimizer={value}"])
    assert message in str(raised.value)


PATHS = st.one_of(
    st.sampled_from(
        [
            "name",
            "source",
            "transform.image_size",
            "augment",
            "augment.0",
            "augment.0.pad",
            "model.options",
            "model.options.activation",
            "training.optimizer",
            "training.steps_per_call",
            "gate",
            "gate.rules",
            "gate.rules.0",
            "search",
            "predict",
            "evaluation.slices",
            "export.formats",
            "task",
        ]
    ),
    st.text(max_size=9),
    st.sampled_from(["augment.²", "augment.00", "augment.-1", "augment." + "9" * 5000, "augment[", "a.b" * 2000, "epochs"]),
)
PLAIN = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("choice"))
KEYS = st.one_of(st.text(max_size=3), st.sampled_from(["kind", "space", "rules", "values", "low", "name", "when"]))
DATA = st.recursive(PLAIN, lambda data: st.lists(data, max_size=3) | st.dictionaries(KEYS, data, max_size=3), max_leaves=6)
CALLS = st.tuples(st.sampled_from(c.__all__), DATA).map(lambda made: f"c.{made[0]}({made[1]!r})")
VALUES = st.one_of(st.text(max_size=20), DATA.map(json.dumps), DATA.map(repr), CALLS)


@given(PATHS, VALUES)
@example("transform.image_size", "[" * 5000)
@example("transform.image_size", "(" * 5000)
@example("training.epochs", "-" * 5000 + "1")
@example("training.epochs", "9" * 5000)
@example("training.epochs", "1" + "+1" * 5000)
@example("task", "a" + ".a" * 5000)
@example("training.optimizer", "c.Adam(" * 3000)
@example("gate.rules", "3")
@example("search", '{"space": {"training.epochs": {"kind": "float"}}}')
@settings(max_examples=60)
def test_every_text_gives_settings_or_an_error_in_words(path, value):
    try:
        made = with_overrides(DIGITS, [f"{path}={value}"])
    except ConfigError as error:
        assert 0 < len(str(error)) < 20_000
    else:
        assert isinstance(made, c.Experiment)


# --- Which assignment was meant


@pytest.mark.parametrize(
    ("assignment", "meant"),
    [
        ("epochs=3", "training.epochs=3"),
        ("crop_fraction=0.9", "transform.crop_fraction=0.9"),
        ("batchsize=8", "training.batch_size=8"),
        ("training.learning_rate=0.1", "training.optimizer.learning_rate=0.1"),
        ("learning_rate=0.1", "training.optimizer.learning_rate=0.1"),
        # digits.py has options for LeNet-5, which are rejected next, with the way out.
        ("model=resnet50", "model.name=resnet50"),
        ("export.formats=litert", 'export.formats=["litert"]'),
        ("transform.image_size=64", "transform.image_size=[64, 64]"),
        ("transform=64", "transform.working_side=64"),
        ("gate=0.9", "gate.rules.0.value=0.9"),
        ("gate.rules.0=0.9", "gate.rules.0.value=0.9"),
        ("augment.00.pad=3", "augment.0.pad=3"),
        (
            "training.optimizer=0.5",
            "training.optimizer.learning_rate=0.5 or training.optimizer.weight_decay=0.5 or training.optimizer.momentum=0.5",
        ),
        # Too many fields would accept it, or any text would be accepted.
        ("training=3", None),
        ("evaluation=None", None),
        ("zzz=3", None),
    ],
)
def test_error_names_the_assignment_that_may_have_been_meant(assignment, meant):
    with pytest.raises(ConfigError) as raised:
        with_overrides(DIGITS, [assignment])
    asked = str(raised.value).partition("Did you mean ")[2]
    assert asked == (f"{meant}?" if meant else "")
    for one in (meant or "").split(" or "):
        if one and not one.startswith(("model", "transform.crop")):
            with_overrides(DIGITS, [one])


def test_way_out_of_options_of_another_network_works():
    with pytest.raises(ConfigError, match=r"resnet50 has no option 'pooling'.* Set model\.options=\{\} to drop"):
        with_overrides(DIGITS, ["model.name=resnet50"])
    assert with_overrides(DIGITS, ["model.name=resnet50", "model.options={}"]).model == c.Model(name="resnet50")


def test_suggestion_is_for_the_assignment_that_is_refused_by_itself():
    with pytest.raises(ConfigError, match=r"has no field 'epochs'. Did you mean training.epochs=3\?"):
        with_overrides(DIGITS, ["training.batch_size=8", "epochs=3"])


def test_key_with_dots_stands_in_brackets():
    rate = "training.optimizer.learning_rate"
    found = with_overrides(DIGITS, [f'search=c.Search(space={{"{rate}": c.LogUniform(1e-4, 1e-1)}}, trials=20)'])
    assert found.search == c.Search(space={rate: c.LogUniform(1e-4, 1e-1)}, trials=20)
    assert with_overrides(found, [f'search.space["{rate}"].low=0.01']).search.space[rate].low == 0.01


def test_time_grows_no_faster_than_the_number_of_assignments(monkeypatch):
    numbers = (
        "epochs",
        "batch_size",
        "micro_batches",
        "warmup_epochs",
        "clip_norm",
        "worker_timeout_seconds",
        "seed",
        "checkpoint_minutes",
        "memory_budget_gb",
        "l2",
        "plain_epochs",
        "replicas",
    )
    parsed = []
    parse = c.Training.__dict__.get("parse", c.Config.parse).__func__
    monkeypatch.setattr(c.Training, "parse", classmethod(lambda cls, value: (parsed.append(1), parse(cls, value))[1]))
    # The last is rejected with any of the others: each may be a text or a number, which gives 4,096 combinations.
    with pytest.raises(ConfigError, match="replicas requires strategy='mirrored'"):
        with_overrides(DIGITS, [f"training.{name}=1" for name in numbers])
    assert len(parsed) < 100


def test_long_value_is_shown_by_its_beginning():
    with pytest.raises(ConfigError, match=r"received '\[{299}\.\.\. \(5,002 characters\)"):
        with_overrides(DIGITS, ["transform.image_size=" + "[" * 5000])
