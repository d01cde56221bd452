"""Every mistake in a pipeline file is reported where it was made, with the way out."""

import json
import os
import sys
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasvision import config as c
from kerasvision.config.loading import load_experiment
from kerasvision.config.overrides import with_overrides, with_value
from kerasvision.config.stages import TrainerSettings, stage_settings
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
        (
            lambda: c.Training(optimizer=c.Digits()),
            "the optimizer must be one of sgd, adagrad, rmsprop, adam, adamw, lion, muon; received Digits().",
        ),
        (lambda: c.Training(replicas=2), "replicas requires strategy='mirrored'; received replicas=2, strategy='auto'."),
        (lambda: c.Training(strategy="mirrored", replicas=3, batch_size=8), "received batch_size=8, replicas=3."),
        (lambda: c.Training(freeze="block3"), "freeze must be 'backbone' or a level such as 'c3'; received 'block3'."),
        (lambda: c.Training(features="once"), "features='once' keeps the maps of a frozen part, so it requires freeze"),
        (lambda: experiment(training=c.Training(freeze="c3")), "training.freeze requires model.weights"),
        (lambda: c.Model(name="lenet6"), "no model is named 'lenet6'; did you mean 'lenet5'?"),
        (lambda: c.Model(name="lenet5", options={"activatoin": "relu"}), "did you mean 'activation'?"),
        (lambda: c.ImageFolder(), "ImageFolder requires path."),
        (lambda: c.Splits(validation=0.6, test=0.5), "received validation=0.6, test=0.5."),
        (lambda: c.Splits(test=0.0), "Splits.test: input should be greater than 0; received 0.0."),
        (lambda: c.LogUniform(0.1, 0.01), "low must be less than high; received low=0.1, high=0.01."),
        (lambda: experiment(name="../up"), "a name contains lower-case letters, digits, - and _, and is not a path"),
        (lambda: experiment(name="nul\0"), "a name contains lower-case letters, digits, - and _, and is not a path"),
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
        ({"augment.5.pad": c.Int(1, 2)}, "augment has no entry '5'; its entries are numbered 0 to 1."),
        (
            {"splits.test": c.Float(0.1, 0.2)},
            'search.space["splits.test"]: a search can only vary paths that begin with model',
        ),
        ({}, "at least 1 item"),
    ],
)
def test_search_space_is_checked_when_it_is_written(space, message):
    with pytest.raises(ConfigError) as raised:
        experiment(search=c.Search(space=space))
    assert message in str(raised.value)


CAPTIONER = {"task": c.Captioning(), "model": c.Model(name="show_and_tell"), "augment": (), "gate": c.Gate()}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"source": c.Coco(path="coco")},
            "Classification requires labels, but this Coco source gives none. Set source.label='largest'.",
        ),
        (
            {"source": c.Coco(path="coco", label="largest", captions="captions.json")},
            "this Coco source gives none. Set source.instances to the file of instances.",
        ),
        ({"source": c.Yolo(path="a")}, "this Yolo source gives none. Set source.label='largest'."),
        ({"source": c.Voc(path="a")}, "this Voc source gives none. Set source.label='largest'."),
        ({"source": c.Table(path="a.csv", label=None)}, "Set source.label to the column that contains the labels."),
        ({"source": c.Tfds(name="coco_captions", label_key=None)}, "Set source.label_key to the feature that contains the"),
        ({"source": c.TfRecord(path="a", label_key=None)}, "Set source.label_key to the feature that contains the labels."),
        (CAPTIONER, "Captioning requires captions, but this Digits source gives none. Read captions through Table, Coco,"),
        (CAPTIONER | {"source": c.ImageFolder(path="a")}, "this ImageFolder source gives none."),
        (CAPTIONER | {"source": c.Idx(path="a")}, "this Idx source gives none."),
        (CAPTIONER | {"source": c.Yolo(path="a")}, "this Yolo source gives none. Read captions through"),
        (CAPTIONER | {"source": c.Voc(path="a")}, "this Voc source gives none. Read captions through"),
        (CAPTIONER | {"source": c.Table(path="a.csv")}, "Set source.captions to the column that contains the captions."),
        (CAPTIONER | {"source": c.Tfds(name="mnist")}, "Set source.caption_key to the feature that contains the captions."),
        (CAPTIONER | {"source": c.TfRecord(path="a", caption_key=None)}, "Set source.caption_key to the feature"),
        (CAPTIONER | {"source": c.Coco(path="a", annotations=("instances",))}, "Add 'captions' to source.annotations."),
    ],
)
def test_a_source_that_does_not_give_what_the_task_requires_is_refused_when_the_file_loads(fields, message):
    with pytest.raises(ConfigError) as raised:
        experiment(**fields)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"source": c.Coco(path="coco", label="largest")},
        {"source": c.Table(path="a")},
        {"source": c.TfRecord(path="a")},
        {"source": c.Coco(path="coco", label="largest", instances="i.json")},
        {"source": c.Yolo(path="a", label="largest")},
        {"source": c.Voc(path="a", label="largest")},
        {"source": c.Shapes()},
        CAPTIONER | {"source": c.Coco(path="coco", annotations=("captions",))},
        CAPTIONER | {"source": c.TfRecord(path="a")},
        CAPTIONER | {"source": c.Table(path="a.csv", label=None, captions=("text",))},
        CAPTIONER | {"source": c.Shapes()},
    ],
)
def test_a_source_that_may_give_what_the_task_requires_is_taken(fields):
    assert experiment(**fields).task.requires


def test_search_without_validation_split_is_refused():
    search = c.Search(space={"training.epochs": c.Int(1, 2)})
    with pytest.raises(ConfigError, match="requires a validation split"):
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


EDITED = """
from kerasvision import config as c

EXPERIMENT = c.Experiment(
    name="edited", source=c.Digits(), transform=c.Transform(image_size=(32, 32)), task=c.Classification(),
    model=c.Model(name="lenet5"), training=c.Training(epochs={epochs}),
)
"""


def test_an_edit_counts_even_if_the_size_and_the_time_of_the_file_stay(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file, epochs = tmp_path / "edited.py", []
    for number in (1, 2):
        file.write_text(EDITED.format(epochs=number))
        os.utime(file, (1e9, 1e9))
        epochs.append(load_experiment(file).training.epochs)
    assert epochs == [1, 2]


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


def test_weights_are_written_for_one_kind_of_image():
    network = c.Model(name="vgg16", weights="imagenet")
    assert experiment(model=network).model == network
    for transform in ({"scale": "standardize"}, {"color_mode": "grayscale"}):
        with pytest.raises(ConfigError, match="require transform.scale='zero_to_one' and transform.color_mode='rgb'"):
            experiment(model=network, transform=c.Transform(image_size=(32, 32), **transform))
    own = c.Model(name="lenet5", weights="trained.keras")
    assert experiment(model=own, transform=c.Transform(image_size=(28, 28), color_mode="grayscale")).model == own


def test_published_weights_are_asked_for_networks_that_have_them():
    with pytest.raises(ConfigError, match="no weights are published for lenet5 that 'imagenet' can fetch; .* vgg16, vgg19"):
        c.Model(name="lenet5", weights="imagenet")


def test_file_of_weights_counts_by_its_content_and_not_its_place(tmp_path):
    for name in ("a.h5", "b.h5"):
        (tmp_path / name).write_bytes(b"\x89HDF\r\n\x1a\n" + name.encode())
    first, second = (experiment(model=c.Model(name="vgg16", weights=str(tmp_path / name))) for name in ("a.h5", "b.h5"))
    search = c.Search(space={"training.epochs": c.Int(1, 2)})
    for stage, settings in stage_settings(experiment(model=first.model, search=search)).items():
        files = list(settings.files()) if settings and stage not in ("example_gen",) else []
        assert files == ([("weights", tmp_path / "a.h5")] if stage in ("trainer", "tuner") else [])
    assert first.model.identity() == second.model.identity()
    fresh, published = c.Model(name="vgg16"), c.Model(name="vgg16", weights="imagenet")
    assert len({str(model.identity()) for model in (first.model, fresh, published)}) == 3
    assert list(fresh.files()) == list(published.files()) == []


def test_file_that_an_option_names_counts_by_its_content_and_must_exist(tmp_path):
    for name, text in (("a.keras", "one"), ("b.keras", "two")):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            for part, content in (("metadata.json", "{}"), ("config.json", "{}"), ("model.weights.h5", text)):
                archive.writestr(part, content)
    first, second = (
        c.Model(name="fast_rcnn", options={"proposer": str(tmp_path / name), "hidden": 8}) for name in ("a.keras", "b.keras")
    )
    assert list(first.files()) == [("options.proposer", tmp_path / "a.keras")]
    assert first.identity() == second.identity() != c.Model(name="fast_rcnn", options={"hidden": 8}).identity()
    with pytest.raises(ConfigError, match="there is no proposer file nowhere.keras .*Set model.options.proposer to a file"):
        list(c.Model(name="fast_rcnn", options={"proposer": "nowhere.keras"}).files())


def test_folder_of_a_training_is_no_file_of_weights():
    with pytest.raises(
        ConfigError,
        match="a file that ends in .h5, .keras, .safetensors, .pth, .pt; received 'runs/model/6'.*Format-Keras/model.keras",
    ):
        c.Model(name="lenet5", weights="runs/model/6")


def test_missing_file_of_weights_is_told_when_the_stages_are_planned():
    with pytest.raises(ConfigError, match="there is no weights file nowhere.h5 .*model.weights"):
        list(stage_settings(experiment(model=c.Model(name="vgg16", weights="nowhere.h5")))["trainer"].files())


def test_search_over_weights_is_refused():
    search = c.Search(space={"model.weights": c.Choice("imagenet", "own.h5")})
    with pytest.raises(ConfigError, match="a search cannot vary the initial weights"):
        experiment(model=c.Model(name="vgg16"), search=search)


def test_search_over_the_final_training_is_refused_with_the_way_out():
    search = c.Search(space={"training.final": c.Choice("all", "none")})
    with pytest.raises(ConfigError, match=r"cannot vary what is trained after the verdict\. Set training\.final itself"):
        experiment(search=search)


OWN = c.Model(name="lenet5", weights="trained.keras")


def test_features_taken_once_and_augmentation_exclude_each_other():
    once = c.Training(freeze="backbone", features="once")
    message = r"augment must be empty with training.features='once'.*received \(PadCrop\(pad=2\), .* augment=\(\), or"
    with pytest.raises(ConfigError, match=message):
        experiment(model=OWN, training=once)
    with pytest.raises(ConfigError, match=message):
        TrainerSettings(task=c.Classification(), model=OWN, training=once, augment=(c.PadCrop(pad=2), c.RandomFlip()))
    assert experiment(model=OWN, training=once, augment=()).training == once
    each_step = c.Training(freeze="backbone")
    assert experiment(model=OWN, training=each_step).training == each_step


def test_a_search_may_choose_what_to_freeze():
    space = {"training.freeze": c.Choice("c1", "backbone")}
    assert experiment(model=OWN, search=c.Search(space=space))
    with pytest.raises(ConfigError, match="received 'c1x'"):
        experiment(model=OWN, search=c.Search(space={"training.freeze": c.Choice("c1x")}))


def test_a_component_of_ones_own_that_names_no_code_is_refused():
    class Scans(c.Source):
        folder: str = "scans"

    with pytest.raises(ConfigError, match=r"Scans must name the code that it stands for\. Set implementation: ClassVar"):
        Scans(folder="here")


@pytest.mark.parametrize("name", ["autoencoder", "fcos", "retinanet", "localizer", "show_and_tell"])
def test_a_network_that_is_built_on_another_does_not_classify(name):
    with pytest.raises(ConfigError, match=f"returns a number for each class, which {name} does not. Set model.name to"):
        experiment(model=c.Model(name=name))
