"""Checks a pipeline before its first stage runs, so that nobody waits an hour for a mistake in the last one."""

import ast
import importlib.util
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from kerasvision import introspection, lookup
from kerasvision.config.base import Config
from kerasvision.config.keras_settings import settle_keras
from kerasvision.config.listing import is_file
from kerasvision.errors import ConfigError, DataError
from kerasvision.extras import missing
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.object_store import check_package


def check_pipeline(pipeline: Pipeline) -> None:
    """Checks that files, sources and packages exist that the stages and the object store need.

    Raises:
        DataError: a source's folder is missing or empty, or a named file does not exist.
        ConfigError: the pipeline has no stages, a setting names code that does not exist or requires a package that is
            missing, or a setting of Keras is not supported.
    """
    if not pipeline.nodes:
        raise ConfigError(f"pipeline {pipeline.name!r} has no stages")
    if pipeline.object_store is not None:
        check_package(pipeline.object_store)
    settle_keras()
    check_runner(pipeline)
    for node in pipeline.nodes.values():
        if node.settings is not None:
            for _, path in node.settings.files():
                if _is_missing(path):
                    raise DataError(f"{node.name} reads {path}, which does not exist")
            check_source(node.settings)
            check_code(node.settings)
            check_packages(node.name, node.settings)


def _is_missing(path: Path) -> bool:
    """Whether there is no such file. A file that cannot be read counts as existing: the stage reports it."""
    try:
        if path.is_dir():
            os.scandir(path).close()
    except OSError:
        return False
    return not is_file(path)


def check_source(settings: Config) -> None:
    """Checks that a source with a path has at least one file."""
    source = getattr(settings, "source", None)
    path = getattr(source, "path", None)
    if isinstance(source, Config) and path is not None and next(iter(source.files()), None) is None:
        raise DataError(f"{type(source).__name__} found nothing to read in {path}")


def check_code(settings: Config) -> None:
    """A user's own modules define what the settings name by its path, `"module:name"`. Nothing is imported.

    A module whose source does not say which names it has, because of `import *` or `__getattr__`, is not checked.
    """
    for path in sorted(settings.code_paths()):
        module, _, name = path.partition(":")
        file = introspection.module_file(module)
        if not name or module.startswith("kerasvision.") or (file is None and introspection.module_exists(module)):
            continue
        if file is None:
            raise ConfigError(
                f"there is no module {module!r}",
                received=path,
                hint="it must be in the folder that you run the command in, or be installed",
            )
        names = _names_in(introspection.parsed(file))
        if name not in names and not names & {"*", "__getattr__"}:
            raise ConfigError(f"{module} has no {name!r}; {lookup.did_you_mean(name, names)}")


def check_packages(node: str, settings: Config) -> None:
    """Checks that the optional packages of a node's settings are installed, without importing them."""
    absent = [name for name in settings.packages() if importlib.util.find_spec(name) is None]
    if absent:
        raise missing(f"the stage {node} with these settings", absent)


def check_runner(pipeline: Pipeline) -> None:
    """Checks that the packages of the runner are installed, if a stage uses it, without importing them."""
    absent = [name for name in pipeline.runner.packages() if importlib.util.find_spec(name) is None]
    if absent and any("runner" in node.signature.places for node in pipeline.nodes.values()):
        raise missing(f"runner={pipeline.runner.kind!r}", absent)


def selected(
    pipeline: Pipeline, *, start: str | None = None, until: str | None = None, only: str | None = None
) -> list[str]:
    """The names of the nodes that may execute; all others must have results that can be reused.

    Args:
        pipeline: the whole pipeline.
        start: select this node and everything that depends on it.
        until: select this node and everything that it depends on.
        only: select this node alone; not with the other two.

    Raises:
        ConfigError: `only` is combined with another, or no node is selected.
        GraphError: no such node.
    """
    if only is not None and (start is not None or until is not None):
        raise ConfigError("--only cannot be combined with --from or --until")
    if only is not None:
        return [pipeline.node(only).name]
    names = list(pipeline.nodes)
    if start is not None:
        names = [name for name in names if pipeline.node(start).name in {name, *_ancestors(pipeline, name)}]
    if until is not None:
        last = pipeline.node(until).name
        names = [name for name in names if name in {last, *_ancestors(pipeline, last)}]
    if not names:
        raise ConfigError(f"there is no stage between --from {start} and --until {until}")
    return names


def needed(pipeline: Pipeline, names: Collection[str]) -> list[str]:
    """The given nodes and everything that they depend on, in the pipeline's order."""
    wanted = {*names, *(ancestor for name in names for ancestor in _ancestors(pipeline, name))}
    return [name for name in pipeline.nodes if name in wanted]


def _ancestors(pipeline: Pipeline, name: str) -> Iterator[str]:
    for parent in pipeline.nodes[name].upstream:
        yield parent
        yield from _ancestors(pipeline, parent)


def _names_in(tree: ast.Module) -> set[str]:
    """Every name that a module, or anything in it, defines; "*" where it imports all names of another one."""
    names = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case ast.alias(name=name, asname=asname):
                names.add(asname or name.partition(".")[0])
    return names
