"""Settings of regression: metrics and their rules, names of values, and augmentations that would make places wrong."""

import warnings

import pytest

from kerasvision import config as c
from kerasvision.errors import ConfigError


def experiment(task=None, source=None, **settings):
    model = settings.pop("model", c.Model(name="lenet5"))
    return c.Experiment(
        name="numbers",
        source=source or c.Table(path="people.csv", label=None, values=("age", "x")),
        transform=settings.pop("transform", c.Transform(image_size=(32, 32))),
        task=task or c.Regression(places=(), sizes=()),
        model=model,
        **settings,
    )


def test_rules_name_a_mean_or_a_single_value():
    gate = c.Gate(c.AtMost("mae[age]", 4.0), c.AtLeast("r2", 0.5), c.NoWorse("rmse"))
    assert experiment(gate=gate).task.best_is("mae[age]") == "min"
    task = c.Regression()
    assert [task.best_is(name) for name in ("mae", "rmse[x]", "r2", "r2[age]", "loss")] == [
        "min",
        "min",
        "max",
        "max",
        "min",
    ]
    assert task.headline_metric() == "mae"
    assert task.training_headline_metric() == "mae"


@pytest.mark.parametrize(
    ("metric", "way_out"),
    [("mea", "did you mean 'mae'?"), ("mae[]", "mae"), ("accuracy", "choose from"), ("mae(age)", "mae")],
)
def test_a_metric_that_is_not_measured_is_named(metric, way_out):
    with pytest.raises(ConfigError, match="regression has no metric") as raised:
        experiment(gate=c.Gate(c.AtMost(metric, 1.0)))
    assert way_out in str(raised.value)


def test_the_share_within_a_tolerance_requires_one():
    gate = c.Gate(c.AtLeast("within_tolerance", 0.9))
    with pytest.raises(ConfigError, match=r"set task\.tolerance"):
        experiment(gate=gate)
    assert experiment(task=c.Regression(tolerance=5.0, places=()), gate=gate)


@pytest.mark.parametrize("tolerance", [-1, float("inf"), "5", {"age": -1}, {}, True, [5]])
def test_tolerances_are_finite_numbers_of_at_least_zero(tolerance):
    with pytest.raises(ConfigError, match="tolerance must be a finite number of at least 0"):
        c.Regression(tolerance=tolerance)


def test_a_delta_without_huber_is_refused():
    with pytest.raises(ConfigError, match=r"huber_delta requires loss='huber'; received huber_delta=2.0, loss='l1'"):
        c.Regression(loss="l1", huber_delta=2.0)


@pytest.mark.parametrize(
    "settings", [{"places": ("y",)}, {"sizes": ("y",)}, {"tolerance": {"y": 1.0}}], ids=["places", "sizes", "tolerance"]
)
def test_names_in_the_settings_are_checked_when_the_file_is_read(settings):
    with pytest.raises(ConfigError, match=r"the images have no value 'y'; did you mean|choose from age, x"):
        experiment(task=c.Regression(**settings))
    # A TFRecord file says its names only when it is read.
    assert experiment(task=c.Regression(**settings), source=c.TfRecord(path="a", value_keys=("x",)))


MOVES = [c.RandomFlip(), c.PadCrop(), c.Rotate(), c.Translate(), c.RandAugment(), c.AugMix(), c.MixUp(), c.CutMix()]
RESIZES = [c.Zoom(), c.ScaleJitter(), c.RandomResizedCrop()]
KEEPS = [c.ColorJitter(), c.Lighting(), c.Grayscale(), c.GaussianBlur(), c.RandomErasing(), c.Cutout()]


@pytest.mark.parametrize("augment", [*MOVES, *RESIZES], ids=lambda one: one.kind)
def test_augmentations_that_move_things_are_refused_for_places(augment):
    with pytest.raises(ConfigError, match=rf"x in task\.places would be wrong after {augment.kind}"):
        experiment(task=c.Regression(places=("x",)), augment=(augment,))


@pytest.mark.parametrize("augment", RESIZES, ids=lambda one: one.kind)
def test_augmentations_that_resize_things_are_refused_for_sizes(augment):
    with pytest.raises(ConfigError, match=rf"age in task\.sizes would be wrong after {augment.kind}"):
        experiment(task=c.Regression(places=(), sizes=("age",)), augment=(augment,))


@pytest.mark.parametrize("augment", KEEPS, ids=lambda one: one.kind)
def test_augmentations_that_keep_places_are_allowed(augment):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert experiment(task=c.Regression(places=("x",), sizes=("age",)), augment=(augment,))


@pytest.mark.parametrize("augment", [c.RandomFlip(), c.Rotate()], ids=lambda one: one.kind)
def test_a_size_does_not_change_when_things_are_only_moved(augment):
    assert experiment(task=c.Regression(places=(), sizes=("age",)), augment=(augment,))


def test_a_name_that_looks_like_a_place_is_asked_for():
    with pytest.warns(UserWarning, match=r"If x says where something is in the image, remove random_flip|randomflip"):
        experiment(task=c.Regression(), augment=(c.RandomFlip(),))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        experiment(task=c.Regression(), augment=(c.RandomFlip(),), source=c.Table(path="a.csv", label=None, values=("age",)))
        experiment(task=c.Regression(places=()), augment=(c.RandomFlip(),))


def test_a_mosaic_has_no_number():
    with pytest.raises(ConfigError, match="shows parts of several images, which no number fits"):
        experiment(augment=(c.Mosaic(),))


def test_what_makes_places_wrong_elsewhere_is_refused_or_warned_of():
    task = c.Regression(places=("x",))
    with pytest.raises(ConfigError, match="show things in other places"):
        experiment(task=task, evaluation=c.Evaluation(test_time=("flip",)))
    with pytest.raises(ConfigError, match="show things in other places"):
        experiment(task=task, export=c.Export(test_time=("flip",)))
    with pytest.warns(UserWarning, match="cuts off the longer side"):
        experiment(task=task, transform=c.Transform(image_size=(32, 32), fit="crop"))


@pytest.mark.parametrize("part", [c.Evaluation, c.Export], ids=["evaluation", "export"])
def test_views_that_change_sizes_are_refused_for_sizes(part):
    field, sized = part.__name__.lower(), c.Regression(places=(), sizes=("age",))
    with pytest.raises(ConfigError, match=rf"age in task\.sizes: the views of {field}\.test_time .* received 'scale'"):
        experiment(task=sized, **{field: part(test_time=("flip", "scale"))})
    assert experiment(task=sized, **{field: part(test_time=("flip", "shift"))})


@pytest.mark.parametrize(("name", "view", "setting"), [("x", "flip", "places"), ("area", "scale", "sizes")])
def test_views_ask_for_names_that_look_like_places_or_sizes(name, view, setting):
    source = c.Table(path="a.csv", label=None, values=(name,))
    for fields in ({"evaluation": c.Evaluation(test_time=(view,))}, {"export": c.Export(test_time=(view,))}):
        place = next(iter(fields))
        with pytest.warns(
            UserWarning, match=rf"{place}\.test_time .* If {name} says .*, leave it out; .*task\.{setting}=\(\)"
        ):
            experiment(source=source, task=c.Regression(), **fields)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        experiment(source=source, task=c.Regression(**{setting: ()}), evaluation=c.Evaluation(test_time=(view,)))


def test_a_temperature_and_other_networks_are_refused():
    with pytest.raises(ConfigError, match=r"regression does not support export\.temperature"):
        experiment(export=c.Export(temperature=True))
    with pytest.raises(ConfigError, match="regression requires a network that returns a number for each value"):
        experiment(model=c.Model(name="fcos"))


def test_a_source_without_numbers_says_where_to_find_them():
    with pytest.raises(ConfigError, match="Regression requires values, but this Table source gives none"):
        experiment(source=c.Table(path="people.csv", label=None))


def test_a_search_may_minimise_the_error():
    search = c.Search(space={"training.epochs": c.Int(1, 2)}, objective="mae")
    assert experiment(search=search).task.best_is(search.metric(c.Regression())) == "min"
    with pytest.raises(ConfigError, match="not measured in training"):
        experiment(search=search.model_copy(update={"objective": "r2"}))


def test_the_same_column_twice_is_refused():
    with pytest.raises(ConfigError, match="values must name each column once"):
        c.Table(path="a.csv", values=("age", "age"))
    with pytest.raises(ConfigError, match="values must name each value once"):
        c.Shapes(values=("x", "x"))
