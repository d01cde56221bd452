"""What every settings class shares: frozen, no unknown fields, and errors that name the field and the way out."""

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_serializer, model_validator

from kerasvision import introspection, lookup
from kerasvision.config.listing import list_files, storable
from kerasvision.config.unions import bounds_text, refused_by_all
from kerasvision.errors import ConfigError, shown


class Needs(NamedTuple):
    """When a setting has an effect: if another field of the same settings has one of these values, or any true one.

    Attributes:
        field: the other field.
        values: what it may be; if it is a tuple, what it may contain. Empty: anything but None, False, 0 and the empty.

    >>> Needs("loss", ("focal", "binary_focal")).rule("hinge")
    "loss='focal' or 'binary_focal'"
    """

    field: str
    values: tuple[object, ...] = ()

    def rule(self, value: object) -> str:
        """What the other field must be, for a message, where it has this value."""
        if not self.values:
            return self.field
        named = " or ".join(map(repr, self.values))
        return f"{named} in {self.field}" if isinstance(value, tuple) else f"{self.field}={named}"

    def are_met(self, value: object) -> bool:
        """Whether the setting has an effect with this value of the other field."""
        if not self.values:
            return bool(value)
        return any(one in self.values for one in (value if isinstance(value, tuple) else (value,)))


class Config(BaseModel):
    """A frozen group of settings.

    >>> class Sampling(Config):
    ...     rate: float = 1.0
    >>> Sampling(rat=0.5)
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: Sampling has no field 'rat'; did you mean 'rate'?
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=False)

    # Fields that say where something is, not what it is: left out of fingerprints.
    locations: ClassVar[frozenset[str]] = frozenset()

    # Field -> what another field must be, or the first has no effect and must keep its default or be None.
    used_with: ClassVar[Mapping[str, Needs]] = {}

    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise _readable(type(self), error) from None

    @model_validator(mode="after")
    def _settings_have_an_effect(self) -> Self:
        for name, needs in self.used_with.items():
            value, other = getattr(self, name), getattr(self, needs.field)
            usual = type(self).model_fields[name].get_default(call_default_factory=True)
            if value is not None and value != usual and not needs.are_met(other):
                raise ValueError(
                    f"{name} requires {needs.rule(other)}; received {name}={_plain(value)}, {needs.field}={_plain(other)}. "
                    f"Leave {name} out, or change {needs.field}"
                )
        return self

    @classmethod
    def parse(cls, value: object) -> Self:
        """Settings from plain data (from `to_data`, or parsed JSON), checked like a constructor's arguments."""
        try:
            return cls.model_validate(value)
        except ValidationError as error:
            raise _readable(cls, error) from None
        except TypeError as error:  # one of our own constructors was called with missing or unknown arguments
            raise ConfigError(f"{cls.__name__} cannot be made from this: {error}", received=value) from None

    def to_data(self) -> dict[str, Any]:
        """Plain JSON data that `parse` turns back into equal settings."""
        return self.model_dump(mode="json", serialize_as_any=True)

    def save(self, file: Path) -> None:
        """Writes `to_data` as JSON, indented for people."""
        file.write_text(storable(json.dumps(self.to_data(), indent=2, ensure_ascii=False)) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """Reads a file that `save` wrote or a person edited.

        Raises:
            ConfigError: the file is not JSON, names an unknown field, or has an impossible value.
        """
        try:
            return cls.parse(json.loads(file.read_text(encoding="utf-8-sig")))
        except json.JSONDecodeError as error:
            raise ConfigError(f"{file}, line {error.lineno}, is not JSON: {error.msg}") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{file} is not JSON: not UTF-8 text (byte {error.start})") from error

    def identity(self) -> dict[str, Any]:
        """`to_data` without the fields that only say where something is. Fingerprints are made of this."""
        data = {name: _identity(getattr(self, name)) for name in type(self).model_fields if name not in self.locations}
        return {"kind": self.kind, **data} if isinstance(self, Component) else data

    def code_paths(self) -> frozenset[str]:
        """`"module:attribute"` of every piece of code that these settings choose by name."""
        return frozenset().union(*(child.code_paths() | child.named_modules() for child in self._children()))

    def packages(self) -> frozenset[str]:
        """Optional packages that these settings need, by the names under which Python imports them."""
        return frozenset().union(*(child.packages() for child in self._children()))

    def files(self) -> Iterator[tuple[str, Path]]:
        """(name, path) of every file on disk whose content these settings depend on."""
        for child in self._children():
            yield from child.files()
            yield from child.named_files()

    def named_modules(self) -> frozenset[str]:
        """Modules that a person named in `depends_on`; see `Dependent`."""
        return frozenset()

    def named_files(self) -> Iterator[tuple[str, Path]]:
        """(name, path) of files that a person named in `depends_on`."""
        yield from ()

    def names_dependencies(self) -> bool:
        """Whether a person named anything in `depends_on`, here or in settings inside."""
        return any(child.names_dependencies() for child in self._children())

    def _children(self) -> Iterator["Config"]:
        for name in type(self).model_fields:
            yield from _walk(getattr(self, name))


class Dependent(Config):
    """Settings that choose code. It may load what no import statement names: a table, or a module with a computed name.

    When something that `depends_on` names changes, the stages run again, as after a change of the code.

    >>> from kerasvision.config import Model
    >>> list(Model(name="lenet5", depends_on=("nowhere.json",)).named_files())
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: depends_on names files, folders or modules; received 'nowhere.json'. There is no ...
    """

    depends_on: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="files, folders or modules that this code loads without import; a change reruns its stages"
    )

    def named_modules(self) -> frozenset[str]:
        """The names in `depends_on` that are not files or folders."""
        return frozenset(name for name in self.depends_on if not Path(name).exists())

    def named_files(self) -> Iterator[tuple[str, Path]]:
        """The files that `depends_on` names, and every file in its folders, including hidden and linked ones.

        Raises:
            ConfigError: a name is not a file, folder or module.
        """
        for name in self.depends_on:
            path = Path(name)
            if path.is_dir():
                inside = list_files(path, hidden=True)
                yield from ((f"depends_on/{path.as_posix()}/{file}", found) for file, found in inside)
            elif path.exists():
                yield f"depends_on/{path.as_posix()}", path
            elif not introspection.module_exists(name):
                raise ConfigError(
                    "depends_on names files, folders or modules",
                    received=name,
                    hint=f"there is no file, folder or module with that name (looked in {Path.cwd()})",
                )

    def names_dependencies(self) -> bool:
        """Whether `depends_on` names anything, here or in settings inside."""
        return bool(self.depends_on) or super().names_dependencies()

    def own_values(self) -> dict[str, Any]:
        """Field -> value, without `depends_on`: the arguments of an implementation."""
        return {name: getattr(self, name) for name in type(self).model_fields if name not in Dependent.model_fields}

    def identity(self) -> dict[str, Any]:
        """Without `depends_on`: what it names counts by its content."""
        return {name: value for name, value in super().identity().items() if name != "depends_on"}

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        return ((name, value) for name, value in super().__repr_args__() if name != "depends_on" or value)

    @model_serializer(mode="wrap")
    def _data(self, handler: Any) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if name != "depends_on" or value}


class Component(Dependent):
    """Settings of one of several implementations, with the path of that implementation.

    As data, a component is a mapping with its `kind`: a short name, or the path of a user's own class.

    >>> from kerasvision.config import Optimizer
    >>> Optimizer.parse({"kind": "sgd", "learning_rate": 0.1}).momentum
    0.0
    >>> Optimizer.parse({"kind": "sdg"})
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: no optimizer is named 'sdg'; did you mean 'sgd'?
    """

    # Where the code is: "module:attribute". A class without it is a family: only its members can be made.
    implementation: ClassVar[str] = ""

    @property
    def kind(self) -> str:
        """The short name of this class, or the path of a user's own class."""
        return lookup.COMPONENTS.name(f"{type(self).__module__}:{type(self).__qualname__}")

    def code_paths(self) -> frozenset[str]:
        """`implementation`, the class itself if it is a user's own, and the same for components inside."""
        own = {self.implementation, self.kind if ":" in self.kind else ""} - {""}
        return super().code_paths() | own

    @classmethod
    def family(cls) -> tuple[str, ...]:
        """The short names of the members of this class."""
        return tuple(name for name, member in _components().items() if issubclass(member, cls))

    @model_validator(mode="wrap")
    @classmethod
    def _choose_member(cls, value: Any, handler: Any) -> Any:
        """A name, or a mapping with a `kind`, becomes the member of that name."""
        if isinstance(value, str):
            value = {"kind": value}
        if isinstance(value, Mapping) and "kind" in value:
            fields = {name: field for name, field in value.items() if name != "kind"}
            member = cls._member(value["kind"])
            return handler(fields) if member is cls else member.parse(fields)
        if not isinstance(value, cls) and not cls.implementation and not cls.family():
            raise ConfigError(
                f"{cls.__name__} must name the code that it stands for",
                hint='set implementation: ClassVar[str] = "module:name" in the class',
            )
        if not isinstance(value, cls) and (isinstance(value, Config) or not cls.implementation):
            raise ConfigError(f"the {_noun(cls)} must be one of {', '.join(cls.family())}", received=value)
        return handler(value)

    @classmethod
    def _member(cls, kind: str) -> type["Component"]:
        if kind not in cls.family() and ":" not in kind:
            raise ConfigError(f"no {_noun(cls)} is named {shown(kind)}; {lookup.did_you_mean(kind, cls.family())}")
        member = lookup.COMPONENTS.load(kind)
        if not (isinstance(member, type) and issubclass(member, cls)):
            raise ConfigError(f"the {_noun(cls)} must be one of {', '.join(cls.family())}", received=kind)
        return member

    @model_serializer(mode="wrap")
    def _data(self, handler: Any) -> dict[str, Any]:
        return {"kind": self.kind, **super()._data(handler)}


@functools.cache
def _components() -> dict[str, type]:
    """Every class in the table of components, by its short name; loaded once, because each value that is parsed asks."""
    classes = {name: lookup.COMPONENTS.load(name) for name in lookup.COMPONENTS}
    return {name: member for name, member in classes.items() if isinstance(member, type)}


def _plain(value: object) -> str:
    """A value in Python's notation; a path as its text."""
    return shown(str(value) if isinstance(value, Path) else value)


def _walk(value: object) -> Iterator["Config"]:
    """Every settings object directly below a value."""
    if isinstance(value, Config):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _walk(item)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _walk(item)


def canonical_json(data: object) -> str:
    """One text for equal data: sorted keys, no spaces, floats in their shortest exact form.

    >>> canonical_json({"b": 0.1, "a": [1, 2]})
    '{"a":[1,2],"b":0.1}'
    """
    # A path may contain bytes that are not UTF-8. `storable` escapes them as JSON does, so they survive a round trip.
    return storable(json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False))


def _identity(value: object) -> object:
    if isinstance(value, Config):
        return value.identity()
    if isinstance(value, Mapping):
        return {str(key): _identity(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_identity(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _readable(cls: type[Config], error: ValidationError) -> ConfigError:
    """The first of pydantic's errors, in the form of this package's messages."""
    first = error.errors(include_url=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        hint = lookup.did_you_mean(str(first["loc"][-1]), cls.model_fields)
        return ConfigError(f"{cls.__name__} has no field {place!r}; {hint}")
    if first["type"] == "missing":
        return ConfigError(f"{cls.__name__} requires {place}")
    if first["type"] != "value_error" and (refused := refused_by_all(cls, error)):
        path = ".".join(map(str, refused.place))
        return ConfigError(f"{cls.__name__}.{path} must be {refused.accepted}", received=refused.received)
    rule = first["msg"].removeprefix("Value error, ")
    where = f"{cls.__name__}.{place}" if place else cls.__name__
    if first["type"] == "value_error":  # our own validators: the text already says what was received
        return ConfigError(f"{where}: {rule}")
    return ConfigError(f"{where}: {rule[0].lower()}{rule[1:]}", received=first["input"], hint=_way_out(cls, first))


# The types of pydantic's errors about bounds.
_BOUNDS = ("greater_than_equal", "greater_than", "less_than_equal", "less_than")


def _way_out(cls: type[Config], error: Mapping[str, Any]) -> str:
    """For a number out of bounds, what it may be; otherwise "".

    >>> _way_out(type("Sampling", (Config,), {"__annotations__": {"rate": Annotated[float, Field(gt=0, le=1)]}}), {
    ...     "type": "less_than_equal", "loc": ("rate",)})
    'choose a number that is above 0 and at most 1'
    """
    field = cls.model_fields.get(str(error["loc"][0])) if len(error["loc"]) == 1 else None
    if error["type"] not in _BOUNDS or field is None:
        return ""
    return f"choose a number that is {bounds_text(field.metadata)}"


def _noun(cls: type[Component]) -> str:
    return "".join(" " + c.lower() if c.isupper() else c for c in cls.__name__).strip()
