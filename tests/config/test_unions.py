"""A value that has none of the forms of its setting: the error names all of them, and the whole value."""

from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from kerasvision import config as c
from kerasvision.config.unions import refused_by_all
from kerasvision.errors import ConfigError

OPTION = "Model.options.anchor_sizes must be true or false, a finite number, a text, or a list of these"
SCALAR = "must be true or false, a finite number, or a text"
FILL = "RandomErasing.fill must be a finite number of at least 0 and at most 255, or 'noise'"
BOTTLENECK = "Reconstruction.bottleneck must be an integer, a text, or None"
TAGS = "Table.tags must be a text, a list of at least 1 of these, or None"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: c.Model(name="faster_rcnn", options={"anchor_sizes": (float("nan"),)}), f"{OPTION}; received (nan,)."),
        (lambda: c.Model(name="faster_rcnn", options={"anchor_sizes": (16, None)}), f"{OPTION}; received (16, None)."),
        (lambda: c.Model(name="faster_rcnn", options={"anchor_sizes": ((16,), (8,))}), f"{OPTION}; received ((16,), (8,))."),
        (lambda: c.Model(name="faster_rcnn", options={"anchor_sizes": None}), f"{OPTION}; received None."),
        (lambda: c.Choice(1.0, float("inf")), f"Choice.values.1 {SCALAR}; received inf."),
        (lambda: c.Float(0, 1, when={"a": (1, None)}), f"Float.when.a.1 {SCALAR}; received None."),
        (lambda: c.RandomErasing(fill=300), f"{FILL}; received 300."),
        (lambda: c.RandomErasing(fill="nois"), f"{FILL}; received 'nois'."),
        (lambda: c.Table(path="a.csv", image="image", tags=()), f"{TAGS}; received ()."),
        (
            lambda: c.Reconstruction(bottleneck=1.5),
            "Reconstruction.bottleneck must be an integer, a text, or None; received 1.5.",
        ),
    ],
)
def test_every_form_is_named(make, message):
    with pytest.raises(ConfigError) as refused:
        make()
    assert str(refused.value) == message


def test_several_numbers_are_a_choice_only_as_a_text():
    with pytest.raises(ConfigError, match=r"received \(14, 28\). If the setting .* write '14-28-48'"):
        c.Choice((14, 28), (20, 40))


class Inner(BaseModel):
    each: tuple[Annotated[int, Field(ge=1)] | bool, ...] = ()
    plain: int | None = None


class Outer(BaseModel):
    inner: Inner


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        ({"each": (True, "x")}, (("inner", "each", 1), "an integer of at least 1, or true or false", "x")),
        # One form, or none: pydantic's own error says enough.
        ({"plain": "x"}, None),
        ({"each": 3}, None),
    ],
)
def test_a_value_is_found_where_it_lies_and_other_errors_are_left_alone(inner, expected):
    with pytest.raises(ValidationError) as refused:
        Outer(inner=inner)
    assert refused_by_all(Outer, refused.value) == expected
