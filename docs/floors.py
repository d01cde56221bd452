"""The directive `floors`: draws the layers of an import contract of pyproject.toml, the top one first.

Usage, in a page: the directive's argument is the contract's name. Each build draws the contract again.
"""

import html
import tomllib
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PROJECT = Path(__file__).parent.parent / "pyproject.toml"
FLOOR = "display:flex;gap:.5em;justify-content:center;margin:.35em 0;flex-wrap:wrap"
ROOM = "border:1px solid var(--color-brand-primary);border-radius:6px;padding:.15em .8em"


def floors(name: str) -> list[list[str]]:
    """The modules of each layer of the contract with this name, the top layer first."""
    contracts = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    (layers,) = [contract["layers"] for contract in contracts if contract["name"] == name]
    return [layer.split(" | ") for layer in layers]


def draw(layers: list[list[str]]) -> str:
    """HTML with a row of boxes for each layer."""
    rooms = [[f'<span style="{ROOM}"><code>{html.escape(room)}</code></span>' for room in layer] for layer in layers]
    return "\n".join(f'<div style="{FLOOR}">{"".join(boxes)}</div>' for boxes in rooms)


class Floors(SphinxDirective):
    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(PROJECT))
        return [nodes.raw("", draw(floors(" ".join(self.arguments[0].split()))), format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("floors", Floors)
    return {"parallel_read_safe": True}
