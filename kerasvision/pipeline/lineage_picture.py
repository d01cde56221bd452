"""Draws what a run was made from as an SVG picture: a row for each stage, and a lane for each artifact.

A lane begins at the stage that made the artifact, with its type as a label, and has a dot at each stage that read it. The
picture contains text and lines alone: no script, and nothing from a network.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from xml.sax.saxutils import escape, quoteattr

COLOURS = ("#1f6fb4", "#c2571a", "#2d8a4e", "#8a3fa0", "#a8810f", "#b0304f", "#0f8a8a", "#5b5f66")
LANE, LEFT, TOP, LINE, GAP = 20, 24, 64, 17, 20
# Width of a sign in pixels: in a monospaced font of 13 pixels, 0.6 of its height.
SIGN = 7.9
SHOWN = 12
STYLE = (
    "text{font:13px ui-monospace,'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:#1b2733}"
    ".title{font-weight:bold;font-size:15px}.stage{font-weight:bold}.fact{fill:#5b6b7b}"
    "path{fill:none;stroke-width:2}rect.stage{fill:#e8f1fb;stroke:#3b76b5}"
)


class _Row(NamedTuple):
    """A stage: its execution, and where its first line is."""

    execution: Mapping[str, Any]
    y: float


def lineage_svg(lineage: Mapping[str, Any]) -> str:
    """The picture of a lineage.

    Args:
        lineage: from `lineage_of_run`: `run`, `pipeline`, `artifacts`, `executions`.

    Returns:
        A whole SVG file. Every text in it is escaped.
    """
    artifacts = {one["id"]: one for one in lineage["artifacts"]}
    rows, height = _rows(lineage["executions"], artifacts)
    lanes = _lanes(rows)
    box = LEFT + LANE * (max(lanes.values(), default=0) + 1) + 10
    colour = {number: COLOURS[place % len(COLOURS)] for place, number in enumerate(lanes)}
    x = {number: LEFT + LANE * lane for number, lane in lanes.items()}
    title = f"run {lineage['run']} of {lineage['pipeline']}: what it was made from"
    lines = [_text(LEFT, 30, title, "title"), *_drawn_lanes(rows, x, colour, box)]
    for row in rows:
        lines += _stage(row, artifacts, colour, box)
    texts = [title, *(text for row in rows for _, text in _facts(row.execution, artifacts))]
    width = max(box + 60 + SIGN * max(map(len, texts)), 400)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" role="img" '
            f'width="{width:.0f}" height="{height:.0f}">',
            f"<title>{escape(title)}</title>",
            f"<style>{escape(STYLE)}</style>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            *lines,
            "</svg>\n",
        ]
    )


def _rows(executions: Iterable[Mapping[str, Any]], artifacts: Mapping[int, Any]) -> tuple[list[_Row], float]:
    """The stages from top to bottom, and the height of all."""
    rows, y = [], float(TOP)
    for execution in executions:
        rows.append(_Row(execution, y))
        y += LINE * len(_facts(execution, artifacts)) + GAP
    return rows, y + GAP


def _lanes(rows: Sequence[_Row]) -> dict[int, int]:
    """Number of an artifact that a stage reads -> its lane, from the left. Below its last reader a lane is used again.

    >>> first, second = {"inputs": {}, "outputs": {"a": 1}}, {"inputs": {"a": 1}, "outputs": {"b": 2}}
    >>> _lanes([_Row(first, 0), _Row(second, 40), _Row({"inputs": {"b": 2}, "outputs": {"c": 3}}, 80)])
    {1: 1, 2: 0}
    """
    last = {number: place for place, row in enumerate(rows) for number in row.execution["inputs"].values()}
    lanes: dict[int, int] = {}
    ends: dict[int, int] = {}
    for place, row in enumerate(rows):
        for number in row.execution["outputs"].values():
            if number in last:
                free = next(lane for lane in range(len(ends) + 1) if ends.get(lane, -1) < place)
                lanes[number], ends[free] = free, last[number]
    most = max(lanes.values(), default=0)
    # The lane that is used first is next to the stages.
    return {number: most - lane for number, lane in lanes.items()}


def _facts(execution: Mapping[str, Any], artifacts: Mapping[int, Any]) -> list[tuple[int | None, str]]:
    """The lines of a stage, each with the number of the artifact that it is about."""
    took = f", {execution['seconds']:.1f} s" if execution.get("seconds") else ""
    lines: list[tuple[int | None, str]] = [(None, execution["node"])]
    lines.append((None, f"execution {execution['id']}, {execution['started']}{took}"))
    for number in execution["outputs"].values():
        made = artifacts.get(number, {"type": "artifact", "digest": ""})
        gone = ", removed since" if made.get("removed") else ""
        lines.append((number, f"{made['type']} {number}  {made['digest'][:SHOWN]}{gone}"))
    return lines


def _drawn_lanes(rows: Sequence[_Row], x: Mapping[int, float], colour: Mapping[int, str], box: float) -> list[str]:
    """The lanes, with a dot and a line to the stage for each reader; the dots come last, so that no line covers them."""
    lines, dots = [], []
    for row in rows:
        for place, number in enumerate(row.execution["outputs"].values()):
            if number in x:
                last = max(one.y - 4 for one in rows if number in one.execution["inputs"].values())
                lines.append(
                    f'<path d="M{box} {row.y + LINE * (2 + place) - 1} H{x[number]} V{last}" stroke="{colour[number]}"/>'
                )
        for key, number in row.execution["inputs"].items():
            if number in x:
                y, said = row.y - 4, f"{row.execution['node']} reads artifact {number} as {key}"
                lines.append(f'<path d="M{x[number]} {y} H{box}" stroke="{colour[number]}"/>')
                about = f"<title>{escape(_printable(said))}</title>"
                dots.append(f'<circle cx="{x[number]}" cy="{y}" r="4.5" fill="{colour[number]}">{about}</circle>')
    return lines + dots


def _stage(row: _Row, artifacts: Mapping[int, Any], colour: Mapping[int, str], box: float) -> list[str]:
    (_, name), *facts = _facts(row.execution, artifacts)
    width = SIGN * len(name) + 20
    lines = [
        f'<rect class="stage" x="{box}" y="{row.y - 15}" width="{width:.0f}" height="21" rx="5"/>',
        _text(box + 10, row.y, name, "stage"),
    ]
    for place, (number, text) in enumerate(facts, 1):
        kind = "fact" if number is None else ""
        lines.append(_text(box + 10, row.y + LINE * place + 3, text, kind, fill=colour.get(number or 0, "")))
    return lines


def _text(x: float, y: float, text: str, kind: str = "", *, fill: str = "") -> str:
    style = f" style={quoteattr(f'fill:{fill}')}" if fill else ""
    of_kind = f' class="{kind}"' if kind else ""
    return f'<text{of_kind} x="{x}" y="{y}"{style}>{escape(_printable(text))}</text>'


def _printable(text: str) -> str:
    """Without the control characters that XML does not allow."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
