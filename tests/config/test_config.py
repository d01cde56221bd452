"""What a pipeline file may say: every mistake is told where it was made, with the way out."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.config.loading import load_experiment
from kerasvision.config.overrides import with_overrides, with_value
from kerasvision.errors import ConfigError


def experiment(**fields):
    defaults = {
        "name": "test",
        "source": c.Digits(),
        "transform": c.Transform(image_size=(32, 32)),
        "augment": (c.PadCrop(pad=2), c.RandomFlip()),
        "task": c.Classification(),
        "model": c.Model(name="lenet5", options={"activation": "relu"}),
        "gate": c.Gate(c.AtLeast("accuracy", 0.9), c.NoWorse("log_loss")),
    }
    return c.Experiment(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: c.Training(epoch=3), "Training has no field 'epoch'; did you mean 'epochs'?"),
        (lambda: c.Training(epochs=0), "Training.epochs: input should be greater than or equal to 1; received 0."),
        (lambda: c.Training(epochs="many"), "unable to parse string as an integer; received 'many'."),
        (lambda: c.Training(optimizer="sdg"), "no optimizer is named 'sdg'; did you mean 'sgd'?"),
        (lambda: c.Training(optimizer=c.Digits()), "the optimizer must be one of sgd, adam, adamw; received Digits()."),
        (lambda: c.Training(replicas=2), "replicas needs strategy='mirrored'; received strategy='auto'."),
        (lambda: c.Training(strategy="mirrored", replicas=3, batch_size=8), "received batch_size=8, replicas=3."),
        (lambda: c.Model(name="lenet6"), "no model is named 'lenet6'; did you mean 'lenet5'?"),
        (lambda: c.Model(name="lenet5", options={"activatoin": "relu"}), "did you mean 'activation'?"),
        (lambda: c.ImageFolder(), "ImageFolder needs path."),
        (lambda: c.Splits(validation=0.6, test=0.5), "received validation=0.6, test=0.5."),
        (lambda: c.Splits(test=0.0), "Splits.test: input should be greater than 0; received 0.0."),
        (lambda: c.LogUniform(0.1, 0.01), "low must be less than high; received low=0.1, high=0.01."),
        (lambda: experiment(name="../up"), "a name holds lower-case letters, digits, - and _, and no path"),
        (lambda: experiment(name="nul\0"), "a name holds lower-case letters, digits, - and _, and no path"),
        (lambda: experiment(name="Digits"), "Experiment.name: string should match pattern"),
        (lambda: experiment(gate=c.Gate(c.AtLeast("acuracy", 1))), "no metric 'acuracy'; did you mean 'accuracy'?"),
    ],
)
def test_mistake_is_told_with_the_rule_and_what_came_in(make, message):
    with pytest.raises(ConfigError) as raised:
        make()
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"training.optimiser.learning_rate": c.LogUniform(0.1, 1)}, "has no field 'optimiser'; did you mean 'optimizer'?"),
        ({"training.optimizer.momentum": c.Float(0.5, 1.5)}, "Sgd.momentum: input should be less than 1; received 1.5."),
        ({"model.name": c.Choice("lenet5", "lenet6")}, "no model is named 'lenet6'"),
        ({"augment.5.pad": c.Int(1, 2)}, "'5' is no position in a list of 2"),
        ({"splits.test": c.Float(0.1, 0.2)}, "a search varies model, training or augment; received the path 'splits.test'"),
        ({}, "at least 1 item"),
    ],
)
def test_search_space_is_checked_when_it_is_written(space, message):
    with pytest.raises(ConfigError) as raised:
        experiment(search=c.Search(space=space))
    assert message in str(raised.value)


def test_search_without_validation_split_is_refused():
    search = c.Search(space={"training.epochs": c.Int(1, 2)})
    with pytest.raises(ConfigError, match="needs a validation split"):
        experiment(search=search, splits=c.Splits(validation=0))


def test_settings_survive_json():
    search = c.Search(space={"training.optimizer.learning_rate": c.LogUniform(0.1, 1), "model.name": c.Choice("lenet5")})
    original = experiment(search=search, source=c.Idx(path="data", class_names=("a", "b")))
    assert c.Experiment.parse(json.loads(json.dumps(original.to_data()))) == original


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("training.epochs=3", lambda e: e.training.epochs == 3),
        ("training.optimizer.learning_rate=1e-3", lambda e: e.training.optimizer.learning_rate == 1e-3),
        ("training.optimizer=adam", lambda e: e.training.optimizer == c.Adam()),
        ('training.optimizer={"kind": "adam", "beta_1": 0.5}', lambda e: e.training.optimizer.beta_1 == 0.5),
        ("transform.image_size=[28,28]", lambda e: e.transform.image_size == (28, 28)),
        ("augment.0.pad=4", lambda e: e.augment[0].pad == 4),
        ("augment=[]", lambda e: e.augment == ()),
        ("model.options.pooling=max", lambda e: e.model.options == {"activation": "relu", "pooling": "max"}),
        ("gate.rules.0.value=0.5", lambda e: e.gate.rules[0].value == 0.5),
        ("schema_file=null", lambda e: e.schema_file is None),
        ("name=007", lambda e: e.name == "007"),
    ],
)
def test_override_changes_one_setting(override, read):
    assert read(with_overrides(experiment(), [override]))


@pytest.mark.parametrize(
    "override", ["training.epochs", "=3", "training.epochs.x=1", "augment.9.pad=1", "training.epochs=x"]
)
def test_override_that_does_not_fit_is_refused(override):
    with pytest.raises(ConfigError):
        with_overrides(experiment(), [override])


def test_override_leaves_everything_else_as_it_was():
    original = experiment()
    changed = with_value(original, "training.epochs", 99).to_data()
    assert changed["training"].pop("epochs") == 99
    expected = original.to_data()
    expected["training"].pop("epochs")
    assert changed == expected


@given(st.floats(min_value=1e-6, max_value=1e3), st.integers(1, 1000))
def test_override_by_text_is_the_same_as_by_value(rate, epochs):
    training = c.Training()
    by_text = with_overrides(training, [f"optimizer.learning_rate={rate!r}", f"epochs={epochs}"])
    assert by_text == c.Training(epochs=epochs, optimizer=c.Sgd(learning_rate=rate))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "must define EXPERIMENT"),
        ("import nothing_of_that_name", ":1 does not run: ModuleNotFoundError"),
        ("x = 1\ny = (", ":2 does not run: SyntaxError"),
        ("\n\n1 / 0", ":3 does not run: ZeroDivisionError"),
    ],
)
def test_pipeline_file_that_does_not_run_is_told_with_its_line(tmp_path, text, message):
    file = tmp_path / "broken.py"
    file.write_text(text)
    with pytest.raises(ConfigError) as raised:
        load_experiment(file)
    assert message in str(raised.value)


def test_missing_pipeline_file_is_told(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no pipeline file .*nowhere\.py"):
        load_experiment(tmp_path / "nowhere.py")


def test_own_component_is_named_by_its_path(tmp_path, monkeypatch):
    (tmp_path / "my_sources.py").write_text(
        "from kerasvision import config as c\n"
        "class Mine(c.Source):\n"
        "    implementation = 'my_sources:read'\n"
        "    count: int = 3\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    mine = with_value(experiment(), "source", {"kind": "my_sources:Mine", "count": 5})
    assert mine.source.to_data() == {"kind": "my_sources:Mine", "count": 5}
    assert c.Experiment.parse(mine.to_data()) == mine
    assert "my_sources:read" in mine.source.code_paths()
