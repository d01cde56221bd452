"""The reference of all settings says what the classes accept, and reaches every one of them."""

import importlib
import pkgutil

import pytest

from kerasvision import config as c
from kerasvision.config.base import Config
from kerasvision.config.field_texts import REQUIRED, kind_of
from kerasvision.config.metrics import Metric
from kerasvision.config.overrides import with_overrides, with_value
from kerasvision.config.reference import every_group, every_setting, find
from kerasvision.config.training import EarlyStopping
from kerasvision.errors import ConfigError

SETTINGS = {setting.path: setting for setting in every_setting()}
GROUPS = list(every_group())


def _subclasses(cls):
    for child in cls.__subclasses__():
        yield child
        yield from _subclasses(child)


def test_every_field_of_every_settings_class_is_described():
    for module in pkgutil.iter_modules(c.__path__, "kerasvision.config."):
        if module.name != "kerasvision.config.pipelines":
            importlib.import_module(module.name)
    ours = [cls for cls in set(_subclasses(Config)) if cls.__module__.startswith("kerasvision.config.")]
    assert len(ours) > 80
    bare = [f"{cls.__name__}.{name}" for cls in ours for name, field in cls.model_fields.items() if not field.description]
    assert sorted(bare) == []


def test_every_settings_class_that_a_pipeline_file_may_use_is_reached():
    """But for the bases of components, which no name stands for."""
    reached = {group.cls for group in GROUPS}
    classes = {getattr(c, name) for name in c.__all__} | {EarlyStopping, Metric}
    bases = {cls for cls in classes if issubclass(cls, c.Component) and ":" in kind_of(cls)} | {c.Config}
    assert {c.Component, c.Optimizer, c.Task} < bases
    assert classes - bases == reached


@pytest.mark.parametrize("path", sorted(SETTINGS))
def test_every_path_leads_to_its_setting(path):
    assert find(path).setting == SETTINGS[path]


@pytest.mark.parametrize(
    ("path", "type_", "default"),
    [
        ("training.epochs", "int >= 1", "10"),
        ("training.optimizer", "one of 7 kinds", "sgd"),
        ("training.optimizer.sgd.momentum", "float in [0, 1)", "0.0"),
        ("training.optimizer.sgd.nesterov", "true or false", "false"),
        ("training.replicas", "int >= 1 or null", "null"),
        ("training.steps_per_call", "int or auto", "auto"),
        ("training.schedule.one_cycle.rise", "float in (0, 0.5)", "0.45"),
        ("training.schedule.step.at_epochs", "list of float", "[]"),
        ("augment", "list of 21 kinds", "[]"),
        ("augment.random_erasing.fill", "float in [0, 255] or noise", "noise"),
        ("augment.zoom.factor", "[float, float]", "[0.8, 1.25]"),
        ("augment.randaugment.strongest", "one of 10, 30", "10"),
        ("source.image_folder.path", "path", REQUIRED),
        ("splits.salt", "text", '""'),
        ("transform.image_size", "[int in [1, 4096], int in [1, 4096]]", REQUIRED),
        ("simple_models", "settings or null", ""),
        ("evaluation.slices", "list of text", '["label", "pixels", "brightness"]'),
        ("evaluation.human", "mapping of text to float", "{}"),
        ("gate.rules.no_worse.test", "one of bootstrap, mcnemar, or null", "null"),
        ("search.space.choice.values", "list of true or false, int, float or text, at least 1", REQUIRED),
        ("task.captioning.vocabulary.words.min_count", "int >= 1", "5"),
    ],
)
def test_type_range_and_default_are_those_of_the_class(path, type_, default):
    assert (SETTINGS[path].type, SETTINGS[path].default) == (type_, default)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.path or "experiment")
def test_defaults_are_written_as_an_override_takes_them(group):
    """In every class that can be made without arguments, setting a default changes nothing."""
    if any(field.is_required() for field in group.cls.model_fields.values()):
        assert REQUIRED in {setting.default for setting in group.settings}
        return
    settings = group.cls()
    for setting in group.settings:
        if setting.default:
            assert with_value(settings, setting.name, setting.default) == settings, setting.path


@pytest.mark.parametrize(
    ("path", "assignments"),
    [
        ("training.epochs", ["training.epochs=10"]),
        ("training.optimizer.adam.beta_1", ["training.optimizer=adam", "training.optimizer.beta_1=0.9"]),
        ("augment.pad_crop.pad", ['augment=["pad_crop"]', "augment.0.pad=4"]),
        ("export.formats.onnx.opset", ['export.formats=["onnx"]', "export.formats.0.opset=18"]),
        ("simple_models.max_side", ["simple_models.max_side=32"]),
    ],
)
def test_what_is_said_to_set_a_setting_sets_it(path, assignments):
    setting = SETTINGS[path]
    assert [*setting.needs, f"{setting.place}={setting.default}"] == assignments
    experiment = c.Experiment(
        name="toy",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
    )
    value = with_overrides(experiment, assignments)
    for step in setting.place.split("."):
        value = value[int(step)] if step.isdigit() else getattr(value, step)
    assert str(value) == setting.default


@pytest.mark.parametrize(
    ("same", "path"),
    [
        ("augment.0.pad_crop.pad", "augment.pad_crop.pad"),
        ("augment[0].pad_crop.pad", "augment.pad_crop.pad"),
        ("task.classification.metrics.1.best", "task.classification.metrics.best"),
    ],
)
def test_places_in_a_list_make_no_difference(same, path):
    assert find(same).setting == SETTINGS[path]


def test_path_without_the_component_shows_the_setting_of_each():
    assert [(setting.path, setting.default) for setting in find("training.optimizer.epsilon").alike] == [
        ("training.optimizer.adagrad.epsilon", "1e-07"),
        ("training.optimizer.rmsprop.epsilon", "1e-07"),
        ("training.optimizer.adam.epsilon", "1e-07"),
        ("training.optimizer.adamw.epsilon", "1e-07"),
        ("training.optimizer.muon.epsilon", "1e-07"),
    ]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("trainng", "no setting is named 'trainng'; did you mean 'training'?"),
        ("learning_rate.x", "no setting is named 'learning_rate.x'; choose from augment, cluster, evaluation, "),
        ("training.image_sise", "no setting is named 'training.image_sise'; did you mean source.shapes.image_size or "),
        ("patience", "no setting is named 'patience'; did you mean training.early_stopping.patience?"),
        ("training.optimizer.adm", "no setting is named 'training.optimizer.adm'; did you mean 'adam'?"),
        ("training.epochs.most", "training.epochs is a single value, and no setting is below it"),
        ("model.options.pooling", "model.options takes any keys, which are not listed; received 'model.options.pooling'."),
        ("training.optimizer.epsilon.x", "training.optimizer.epsilon is a single value, and no setting is below it"),
        ("augment.math:sqrt", "augment must be a subclass of Augmentation; received 'math:sqrt'"),
        ("augment.nowhere:Sepia", "there is no module 'nowhere'"),
    ],
)
def test_wrong_path_says_what_may_be_meant(path, message):
    with pytest.raises(ConfigError) as refused:
        find(path)
    assert message in str(refused.value)


@pytest.fixture
def sepia(tmp_path, monkeypatch):
    """A user's own augmentation, in a module inside a folder."""
    (tmp_path / "looks").mkdir()
    (tmp_path / "looks" / "old.py").write_text(
        "from pydantic import Field\nfrom kerasvision.config import Augmentation\n\n\n"
        'class Sepia(Augmentation):\n    """Make photos look old."""\n\n'
        '    implementation = "looks.old:sepia"\n    strength: float = Field(default=0.5, ge=0, le=1, description="share")\n'
    )
    monkeypatch.syspath_prepend(tmp_path)


def test_component_of_a_user_is_described_like_the_others(sepia):
    (group,) = find("augment.looks.old:Sepia").groups
    assert (group.path, group.summary) == ("augment.looks.old:Sepia", "Make photos look old.")
    assert [setting.name for setting in group.settings] == ["strength", "depends_on"]
    strength = find("augment.looks.old:Sepia.strength").setting
    assert (strength.type, strength.default, strength.place) == ("float in [0, 1]", "0.5", "augment.0.strength")
