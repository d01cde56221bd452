"""What a setting of several forms accepts, in words. pydantic has an error for each form that a value does not have."""

from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

_NAMES = {bool: "true or false", int: "an integer", float: "a finite number", str: "a text"}
_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


class Refused(NamedTuple):
    """A value that has none of the forms that its setting accepts.

    Attributes:
        place: the path of the setting.
        accepted: the forms, in words.
        received: the value.
    """

    place: tuple[int | str, ...]
    accepted: str
    received: object


def refused_by_all(settings: type[BaseModel], error: ValidationError) -> Refused | None:
    """The value that the first error is about, if its setting accepts several forms; otherwise None.

    >>> class Erasing(BaseModel):
    ...     fill: dict[str, float | Literal["noise"]]
    >>> try:
    ...     Erasing(fill={"red": "noisy"})
    ... except ValidationError as error:
    ...     refused_by_all(Erasing, error)
    Refused(place=('fill', 'red'), accepted="a finite number, or 'noise'", received='noisy')
    """
    errors = error.errors(include_url=False)
    path, annotation = errors[0]["loc"], settings
    for depth, part in enumerate(path[:-1], start=1):
        annotation = _inside(annotation, part)
        # What follows in the path names the form and what is in it. An error with the name alone is about the whole value.
        if len(_forms(annotation)) > 1:
            whole = [one["input"] for one in errors if len(one["loc"]) == depth + 1 and one["loc"][:depth] == path[:depth]]
            return Refused(path[:depth], accepted(annotation), whole[0] if whole else errors[0]["input"])
    return None


def accepted(annotation: Any) -> str:
    """The values of a type, in words.

    >>> accepted(bool | int | float | str | tuple[bool | int | float | str, ...])
    'true or false, a finite number, a text, or a list of these'
    """
    forms = _forms(annotation)
    texts = [_text(form, others=set(forms)) for form in forms if not (form is int and float in forms)]
    texts += ["None"] * (NoneType in get_args(annotation))
    return ", or ".join([text for text in (", ".join(texts[:-1]), texts[-1]) if text])


def bounds_text(metadata: Iterable[Any]) -> str:
    """The range of a number, in words; "" without bounds.

    >>> from annotated_types import Gt, Le
    >>> bounds_text([Gt(0), Le(1)])
    'above 0 and at most 1'
    """
    bounds = {name: getattr(one, name) for one in metadata for name in _BOUNDS if hasattr(one, name)}
    return " and ".join(f"{words} {bounds[name]}" for name, words in _BOUNDS.items() if name in bounds)


def _forms(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        return _forms(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(form for form in get_args(annotation) if form is not NoneType)
    return (annotation,)


def _inside(annotation: Any, part: int | str) -> Any:
    """The type of the value at this part of a path; None if the type does not say it."""
    form = _forms(annotation)[0]
    origin, inner = get_origin(form), get_args(form)
    if isinstance(form, type) and issubclass(form, BaseModel):
        return form.model_fields[part].annotation if part in form.model_fields else None
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return inner[1]
    if origin is tuple and isinstance(part, int):
        return inner[0] if inner[-1] is ... else inner[part]
    return None


def _text(form: Any, *, others: set[Any]) -> str:
    origin, inner = get_origin(form), get_args(form)
    if origin is Annotated:
        metadata = [one for details in inner[1:] for one in getattr(details, "metadata", [details])]
        bounds, text = bounds_text(metadata), _text(inner[0], others=others - {form})
        least = next((one.min_length for one in metadata if hasattr(one, "min_length")), 0)
        return text.replace("a list", f"a list of at least {least}") if least else text + (f" of {bounds}" if bounds else "")
    if origin is Literal:
        return " or ".join(map(repr, inner))
    if origin is tuple:
        return "a list of these" if set(_forms(inner[0])) == others - {form} else "a list"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return "a mapping"
    return _NAMES.get(form, getattr(form, "__name__", str(form)))
