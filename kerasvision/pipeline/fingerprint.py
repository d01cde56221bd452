"""Everything that a stage's result depends on, as one hash: inputs, settings, files, code and versions.

Two executions with the same key would write the same result, so the second is not needed. The parts are stored with the
key, so that a difference can be named.

Keras' own settings are the same in every run (see `kerasvision.config.keras_settings`). The machine is not part of the key,
nor are variables that choose another kernel for the same arithmetic: with TF_ENABLE_ONEDNN_OPTS=0 instead of 1 the
weights of LeNet-5 after two epochs on digits differ by 6e-7 (TensorFlow 2.21, 2-core CPU).
"""

import ast
import hashlib
import inspect
import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from importlib import metadata
from typing import Any

from kerasvision import introspection
from kerasvision.config.base import canonical_json
from kerasvision.dotted import leaves
from kerasvision.errors import GraphError
from kerasvision.pipeline.code import Code, code_of, distribution_of
from kerasvision.pipeline.digests import Memo, file_digests
from kerasvision.pipeline.graph import Node
from kerasvision.pipeline.syntax import reads_own_text, syntax_digest
from kerasvision.shortened import shortened

# Packages whose versions may change what a stage writes.
VERSIONED = (
    "tensorflow", "keras", "tensorflow-datasets", "keras-tuner", "numpy", "pandas", "pyarrow", "pillow", "scikit-learn",
    "nltk",
)  # fmt: skip

MOST_PLACES = 3


@dataclass(frozen=True)
class Fingerprint:
    """The parts of a key, each name -> digest or value."""

    stage: str
    inputs: dict[str, str]
    settings: dict[str, object]
    files: dict[str, str]
    code: dict[str, str]
    versions: dict[str, str]

    @cached_property
    def key(self) -> str:
        """SHA-256 of all parts, 64 hex digits."""
        return hashlib.sha256(canonical_json(self.to_data()).encode()).hexdigest()

    def to_data(self) -> dict[str, object]:
        """Plain JSON data."""
        return {part.name: getattr(self, part.name) for part in fields(self)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Fingerprint":
        """The fingerprint from the data that `to_data` returned."""
        return cls(**data)


def fingerprint(node: Node, inputs: dict[str, str], memo: Memo) -> Fingerprint:
    """Everything that the result of a node depends on.

    Args:
        node: a stage with its settings.
        inputs: input name -> digest of the artifact's content.
        memo: remembered file hashes.
    """
    settings, code = node.settings, stage_code(node, memo)
    return Fingerprint(
        stage=f"{node.name}={node.function.__qualname__}",
        inputs=inputs,
        settings=dict(leaves(settings.identity())) if settings else {},
        files=file_digests(settings.files(), memo) if settings else {},
        code=_notebook_code(node) | code.digests,
        versions=library_versions() | _versions_of_extras(node) | _versions_of_packages(code),
    )


def stage_code(node: Node, memo: Memo | None = None) -> Code:
    """The modules and packages that a stage runs: its own, and those chosen by its settings."""
    return code_of(_modules(node), memo)


def read_code(nodes: Iterable[Node], memo: Memo) -> None:
    """Reads the code of stages before the first one runs.

    This process has loaded the modules of the stages by then. So the fingerprint of a later stage describes the code that
    will run, even if somebody edits its file meanwhile.
    """
    code_of(set[str]().union(*map(_modules, nodes)), memo)


def edited_modules(before: Fingerprint, now: Fingerprint) -> list[str]:
    """The modules of both fingerprints of a stage whose code differs. A script has other names in other processes."""
    return sorted(name for name in before.code.keys() & now.code.keys() if before.code[name] != now.code[name])


def _modules(node: Node) -> set[str]:
    """The module of a stage, and those that its settings choose."""
    chosen = node.settings.code_paths() if node.settings else ()
    return {node.function.__module__, *(path.partition(":")[0] for path in chosen)}


def unseen_loads(node: Node, memo: Memo | None = None) -> str:
    """A sentence about what a user's code loads without an import, and how to name it; "" if there is nothing to name.

    Sources are not checked, because they list the files that they read.
    """
    settings = node.settings
    if settings is None or settings.names_dependencies() or hasattr(settings, "source"):
        return ""
    if all(path.startswith("kerasvision.") for path in settings.code_paths()):
        return ""
    places = stage_code(node, memo).unseen
    if not places:
        return ""
    shown = shortened(places, most=MOST_PLACES, separator="; ")
    return f"changes of what this code loads go unnoticed: {shown}. Name it: depends_on=('data/table.json', 'my_module')"


@cache
def library_versions() -> dict[str, str]:
    """Versions of Python and of the packages that affect what a stage writes."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in VERSIONED}}


def _versions_of_extras(node: Node) -> dict[str, str]:
    """Versions of the optional packages that these settings need."""
    names = sorted(node.settings.packages()) if node.settings is not None else ()
    return {name: metadata.version(name) for name in names}


def _versions_of_packages(code: Code) -> dict[str, str]:
    """Versions of the installed packages that a user's modules import."""
    names = filter(None, map(distribution_of, code.packages))
    return {name: metadata.version(name) for name in sorted(names)}


def _notebook_code(node: Node) -> dict[str, str]:
    """The source of a stage that was defined in a notebook, and so is not in a file."""
    if introspection.module_file(node.function.__module__) is not None:
        return {}
    try:
        source = inspect.getsource(node.function)
    except (OSError, TypeError):
        raise GraphError(
            f"the source of stage {node.name} cannot be read, so changes would go unnoticed", hint="define it in a file"
        ) from None
    return {node.function.__qualname__: _digest_of_text(source)}


def _digest_of_text(source: str) -> str:
    text = f"text:{hashlib.sha256(source.encode()).hexdigest()}"
    try:
        tree = ast.parse(source)
    except SyntaxError:  # indented, or in the middle of a line
        return text
    digest = f"syntax:{syntax_digest(tree)}"
    return f"{digest} {text}" if reads_own_text(ast.walk(tree)) else digest
