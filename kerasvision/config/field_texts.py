"""Describes the type, range and default of a field of settings, as the command line shows them."""

from collections.abc import Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from kerasvision import lookup
from kerasvision.config.base import Component, Config
from kerasvision.config.literals import text_of

NAMES = {int: "int", float: "float", bool: "true or false", str: "text", Path: "path", NoneType: "null"}
REQUIRED = "required"


def type_text(field: FieldInfo) -> str:
    """The type and the range of a field.

    >>> from kerasvision.config import Splits, Training, Transform
    >>> type_text(Training.model_fields["epochs"]), type_text(Splits.model_fields["test"])
    ('int >= 1', 'float in (0, 1)')
    >>> type_text(Training.model_fields["steps_per_call"]), type_text(Training.model_fields["devices"])
    ('int or auto', 'list of text, at least 1, or null')
    >>> type_text(Transform.model_fields["image_size"])
    '[int in [1, 4096], int in [1, 4096]]'
    """
    return _text(field.annotation, tuple(field.metadata))


def default_text(field: FieldInfo) -> str:
    """The default of a field, as `--set` accepts it; empty for a group, whose fields have their own defaults.

    >>> from kerasvision.config import Training
    >>> [default_text(Training.model_fields[name]) for name in ("epochs", "optimizer", "devices", "keep")]
    ['10', 'sgd', 'null', 'last']
    """
    if field.is_required():
        return REQUIRED
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Component):
        return f"c.{value!r}" if value.model_fields_set else value.kind
    if isinstance(value, Config):
        return ""
    return text_of(str(value) if isinstance(value, Path) else value) or '""'


def classes_in(annotation: Any) -> tuple[type[Config], ...]:
    """The settings classes in an annotation, including those in lists and mappings.

    >>> from kerasvision.config import Search
    >>> classes_in(Search | None), classes_in(dict[str, int])
    ((<class 'kerasvision.config.search.Search'>,), ())
    """
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return (annotation,)
    return tuple(found for inner in get_args(annotation) for found in classes_in(inner))


def is_family(cls: type[Config]) -> bool:
    """Whether a class is a family of components, from which a name chooses one.

    >>> from kerasvision.config import Optimizer, Sgd, Training
    >>> is_family(Optimizer), is_family(Sgd), is_family(Training)
    (True, False, False)
    """
    return issubclass(cls, Component) and bool(cls.family()) and kind_of(cls) not in cls.family()


def kind_of(cls: type[Config]) -> str:
    """The short name of a component's class, or the path of a user's own class.

    >>> from kerasvision.config import Sgd
    >>> kind_of(Sgd)
    'sgd'
    """
    return lookup.COMPONENTS.name(f"{cls.__module__}:{cls.__qualname__}")


def _text(annotation: Any, metadata: tuple[Any, ...] = ()) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        details = [getattr(one, "metadata", [one]) for one in inner[1:]]
        return _text(inner[0], (*metadata, *(one for several in details for one in several)))
    if origin in (Union, UnionType):
        optional = [one for one in inner if one is NoneType]
        texts = [_text(one, metadata) for one in inner if one is not NoneType] + ["null"] * len(optional)
        joint = ", or " if any(", " in text for text in texts if text.startswith(("one of", "list of"))) else " or "
        return joint.join(texts) if len(texts) < 3 else ", ".join(texts[:-1]) + " or " + texts[-1]
    if origin is Literal:
        return ("one of " if len(inner) > 1 else "") + ", ".join(map(text_of, inner))
    if origin is tuple:
        return _list_text(inner, metadata)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"mapping of {_text(inner[0])} to {_text(inner[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Config):
        return _class_text(annotation)
    return NAMES.get(annotation, getattr(annotation, "__name__", str(annotation))) + _range_text(metadata)


def _class_text(cls: type[Config]) -> str:
    return f"one of {len(cls.family())} kinds" if issubclass(cls, Component) and is_family(cls) else "settings"


def _list_text(inner: tuple[Any, ...], metadata: tuple[Any, ...]) -> str:
    if inner[-1] is not ...:
        return f"[{', '.join(map(_text, inner))}]"
    least = next((one.min_length for one in metadata if hasattr(one, "min_length")), 0)
    return f"list of {_text(inner[0]).removeprefix('one of ')}" + (f", at least {least}" if least else "")


def _range_text(metadata: tuple[Any, ...]) -> str:
    """The bounds of a number: " >= 1", " in [0, 1)"."""
    bounds = {kind: getattr(one, kind) for one in metadata for kind in ("ge", "gt", "le", "lt") if hasattr(one, kind)}
    low, high = bounds.get("ge", bounds.get("gt")), bounds.get("le", bounds.get("lt"))
    if low is not None and high is not None:
        return f" in {'[' if 'ge' in bounds else '('}{low}, {high}{']' if 'le' in bounds else ')'}"
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return "".join(f" {signs[kind]} {bound}" for kind, bound in bounds.items())
