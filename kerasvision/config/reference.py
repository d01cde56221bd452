"""Every setting of an experiment: its path, type, default and meaning.

All of it is read from the settings classes, which also check pipeline files.
"""

import difflib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args, get_origin

from kerasvision import lookup
from kerasvision.config.base import Config, Dependent
from kerasvision.config.experiment import Experiment
from kerasvision.config.field_texts import classes_in, default_text, is_family, kind_of, type_text
from kerasvision.errors import ConfigError, shown

# More suggestions would not help.
MOST = 3


@dataclass(frozen=True)
class Setting:
    """One field.

    Attributes:
        path: its path with the names of the chosen components: `training.optimizer.adam.learning_rate`.
        type: the type, with the range of a number.
        default: the default, as `--set` accepts it; "required" for a setting without one, empty for a group of settings.
        description: one line.
        annotation: the field's type in Python.
        place: its path in `--set`, `training.optimizer.learning_rate`; None inside a mapping, whose keys are free.
        needs: what must be set first: `training.optimizer=adam`.
    """

    path: str
    type: str
    default: str
    description: str
    annotation: Any
    place: str | None
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last step of the path."""
        return self.path.rpartition(".")[2]

    @property
    def is_choice(self) -> bool:
        """Whether its value is one of several components, or a list of them."""
        return any(map(is_family, classes_in(self.annotation)))


@dataclass(frozen=True)
class Group:
    """A group of settings: the fields of one class.

    Attributes:
        path: of the group; empty for the whole experiment.
        cls: the class.
        place: its path in `--set`, as for a `Setting`.
        needs: what must be set before its fields.
    """

    path: str
    cls: type[Config]
    place: str | None = ""
    needs: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last step of the path, or the short name of a component."""
        return kind_of(self.cls) if ":" in self.path else self.path.rpartition(".")[2]

    @property
    def summary(self) -> str:
        """The first paragraph of the class's docstring, in one line."""
        return " ".join(inspect.cleandoc(self.cls.__doc__ or "").partition("\n\n")[0].split())

    @property
    def settings(self) -> tuple[Setting, ...]:
        """Its fields in their order; `depends_on`, which every component has, comes last."""
        names = sorted(self.cls.model_fields, key=lambda name: name in Dependent.model_fields)
        return tuple(self._setting(name) for name in names)

    def _setting(self, name: str) -> Setting:
        field = self.cls.model_fields[name]
        place = None if self.place is None else _joined(self.place, name)
        texts = (type_text(field), default_text(field), field.description or "")
        return Setting(_joined(self.path, name), *texts, annotation=field.annotation, place=place, needs=self.needs)


@dataclass(frozen=True)
class Found:
    """What is at a path.

    Attributes:
        setting: the field at the path; None if the path leads to the experiment or to a component.
        groups: the possible classes of the value, one for each component to choose from; empty for a plain value.
        alike: if the path does not say which component is chosen, the field with that name of each; else empty.
    """

    setting: Setting | None
    groups: tuple[Group, ...]
    alike: tuple[Setting, ...] = ()


EXPERIMENT = Group("", Experiment)


def find(path: str = "") -> Found:
    """What is at a path: `training`, `training.optimizer`, `training.optimizer.adam`, `augment.my_module:Sepia.strength`.

    Numbers of list entries are ignored, and so are brackets around a step.

    Raises:
        ConfigError: there is no such setting; the message suggests some.

    >>> find("training.optimizer.adam.learning_rate").setting.default
    '0.001'
    >>> [group.name for group in find("export.formats").groups]
    ['litert', 'litert_int8', 'onnx', 'openvino', 'openvino_bfloat16']
    >>> [setting.path for setting in find("model.options").alike], len(find("training.optimizer.learning_rate").alike)
    ([], 7)
    >>> find("epochs")
    Traceback (most recent call last):
    ...
    kerasvision.errors.ConfigError: no setting is named 'epochs'; did you mean training.epochs or ...?
    """
    found, rest = Found(None, (EXPERIMENT,)), re.sub(r"""\[["']?(.*?)["']?\]""", r".\1", path)
    while rest:
        step, rest = _step(found, rest)
        if not (step.isdigit() and found.setting is not None):
            found = _below(found, step, path)
    return found


def every_group() -> Iterator[Group]:
    """The experiment, and every group and component below it, from the top down."""
    waiting = [EXPERIMENT]
    while waiting:
        group = waiting.pop(0)
        yield group
        waiting = [inner for setting in group.settings for inner in groups_of(setting)] + waiting


def every_setting() -> Iterator[Setting]:
    """The settings of every group.

    >>> "gate.rules.at_least.value" in {setting.path for setting in every_setting()}
    True
    """
    return (setting for group in every_group() for setting in group.settings)


def groups_of(setting: Setting) -> tuple[Group, ...]:
    """The possible classes of a setting's value; for a family, each of its components by name."""
    place, is_list = _inside(setting)
    found = []
    for cls in classes_in(setting.annotation):
        if not is_family(cls):
            found.append(Group(setting.path, cls, place, setting.needs))
            continue
        members = (lookup.COMPONENTS.load(name) for name in lookup.COMPONENTS)
        found += [_member(setting, member, place, is_list) for member in members if issubclass(member, cls)]
    return tuple(found)


def _member(setting: Setting, cls: type[Config], place: str | None, is_list: bool) -> Group:
    """A component as the value of a setting."""
    kind = kind_of(cls)
    # A component with a required field cannot be chosen by its name alone.
    is_complete = not any(field.is_required() for field in cls.model_fields.values())
    chosen = f'["{kind}"]' if is_list else kind
    needs = (f"{setting.place}={chosen}",) if is_complete and setting.place is not None else ()
    return Group(_joined(setting.path, kind), cls, place, (*setting.needs, *needs))


def _inside(setting: Setting) -> tuple[str | None, bool]:
    """(path in `--set` of a value inside, whether the setting is a list)."""
    parts = [setting.annotation, *get_args(setting.annotation)]
    if any(isinstance(origin := get_origin(part), type) and issubclass(origin, Mapping) for part in parts):
        return None, False
    is_list = any(get_origin(part) is tuple for part in parts)
    return (_joined(setting.place, "0") if is_list and setting.place is not None else setting.place), is_list


def _step(found: Found, rest: str) -> tuple[str, str]:
    """The first step of a path, and the rest. The name of a user's component may itself contain dots."""
    own = re.match(r"([\w.]*:\w+)(?:\.(.+))?$", rest)
    if own and found.setting is not None and found.setting.is_choice:
        return own.group(1), own.group(2) or ""
    step, _, others = rest.partition(".")
    return step, others


def _below(found: Found, step: str, path: str) -> Found:
    if found.setting is not None and found.setting.is_choice:
        return _chosen(found.setting, found.groups, step, path)
    if not found.groups:
        raise _leads_below_a_value(found.setting, path)
    settings = {setting.name: setting for group in found.groups for setting in group.settings}
    if step not in settings:
        raise _unknown(path, step, settings)
    return Found(settings[step], groups_of(settings[step]))


def _chosen(setting: Setting, groups: tuple[Group, ...], step: str, path: str) -> Found:
    """A component by its name or path, or the field of that name of each component that has it."""
    if ":" in step:
        cls = lookup.COMPONENTS.load(step)
        (family,) = classes_in(setting.annotation)
        if not (isinstance(cls, type) and issubclass(cls, family)):
            raise ConfigError(f"{setting.path} must be a subclass of {family.__name__}", received=step)
        return Found(None, (_member(setting, cls, *_inside(setting)),))
    kinds = {group.name: group for group in groups}
    if step in kinds:
        return Found(None, (kinds[step],))
    alike = tuple(one for group in groups for one in group.settings if one.name == step)
    if not alike:
        raise _unknown(path, step, kinds)
    return Found(None, (), alike)


def _leads_below_a_value(setting: Setting | None, path: str) -> ConfigError:
    """The error for a path that goes on below a plain value or a mapping."""
    if setting is not None and setting.place is not None and _inside(setting)[0] is None:
        rule = f"{setting.path} takes any keys, which are not listed"
        return ConfigError(rule, received=path, hint=f"set one with --set {setting.place}.KEY=VALUE")
    above = setting.path if setting else path.rpartition(".")[0]
    rule = f"{above} is a single value, and no setting is below it"
    return ConfigError(rule, received=path, hint=f"`kerasvision settings {above}` describes it")


def _unknown(path: str, step: str, names: Iterable[str]) -> ConfigError:
    """The error for a path that does not exist; it suggests a similar name there, or settings elsewhere with that name."""
    hint = lookup.did_you_mean(step, names)
    if not hint.endswith("?"):
        known: dict[str, list[str]] = {}
        for setting in every_setting():
            known.setdefault(setting.name, []).append(setting.path)
        close = difflib.get_close_matches(path.rpartition(".")[2][:200], known, n=1, cutoff=0.8)
        if close and len(known[close[0]]) <= MOST:
            hint = f"did you mean {' or '.join(known[close[0]])}?"
    return ConfigError(f"no setting is named {shown(path)}; {hint}")


def _joined(above: str, name: str) -> str:
    return f"{above}.{name}" if above else name
