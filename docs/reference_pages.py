"""A Sphinx extension that makes the pages of the reference from the program itself, each time the documentation is built.

    ```{commands}
    ```
    ```{settings}
    ```
    ```{modules} kerasvision.ops
    ```

The first lists every command with its help, the second every setting, the third every module of a package with what is
documented in it.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from typer.main import get_command

from kerasvision.cli import app
from kerasvision.config.reference import Group, every_group


def commands_text() -> str:
    """Markdown with a heading and the help of every command."""
    return "\n".join(
        f"## {' '.join(words)}\n\n```text\n{command.get_help(_context(command, words))}\n```\n"
        for words, command in _commands(get_command(app), ("kerasvision",))
    )


def settings_text() -> str:
    """Markdown with a heading and a table for every group of settings and every component."""
    return "\n".join(map(_group_text, every_group()))


def modules_text(package: str) -> str:
    """Markdown with a heading for every module of a package, and a directive that lists what is documented in it."""
    options = "   :members:\n   :ignore-module-all:\n"
    return "\n".join(
        f"## {name.removeprefix('kerasvision.')}\n\n```{{eval-rst}}\n.. automodule:: {name}\n{options}```\n"
        for name in _modules(package)
    )


def _commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, (*words, name))


def _context(command: Any, words: tuple[str, ...]) -> Any:
    return command.context_class(command, info_name=" ".join(words), terminal_width=100, max_content_width=100)


def _group_text(group: Group) -> str:
    rows = [(setting.name, setting.type, setting.default, setting.description) for setting in group.settings]
    cells = [("setting", "type", "default", "what it is"), ("---",) * 4]
    cells += [(_code(name), _code(type_), _code(default), _cell(text)) for name, type_, default, text in rows]
    table = "\n".join(f"| {' | '.join(row)} |" for row in cells)
    return f"## {group.path or 'The experiment'}\n\n{_cell(group.summary)}\n\n{table}\n"


def _code(text: str) -> str:
    bar = r"\|"
    return f"`{text.replace('|', bar)}`" if text else ""


def _cell(text: str) -> str:
    r"""A text in a table, where only backticks mean something.

    >>> print(_cell("top_<k>, a*b, `c*d`"))
    top_\<k>, a\*b, `c*d`
    """
    parts = text.replace("|", r"\|").split("`")
    parts[::2] = [re.sub(r"([<*\[\]])", r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def _modules(package: str) -> Iterator[str]:
    """The package and all modules below it that say something, sorted."""
    paths = importlib.import_module(package).__path__
    names = sorted(module.name for module in pkgutil.walk_packages(paths, f"{package}."))
    for name in (package, *names):
        if ".pipelines" not in name and (importlib.import_module(name).__doc__ or "").strip():
            yield name


class _Made(SphinxDirective):
    """A directive whose content is Markdown that a function of this module makes."""

    has_content = False

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(self.text(), allow_section_headings=True)

    def text(self) -> str:
        raise NotImplementedError


class Commands(_Made):
    """Every command."""

    def text(self) -> str:
        return commands_text()


class Settings(_Made):
    """Every setting."""

    def text(self) -> str:
        return settings_text()


class Modules(_Made):
    """Every module of a package."""

    required_arguments = 1

    def text(self) -> str:
        return modules_text(self.arguments[0])


def setup(app: Sphinx) -> dict[str, Any]:
    """Gives Sphinx the three directives."""
    for name, directive in (("commands", Commands), ("settings", Settings), ("modules", Modules)):
        app.add_directive(name, directive)
    return {"parallel_read_safe": True}
