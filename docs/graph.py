"""Draws the standard graph as docs/pictures/graph.svg: `python docs/graph.py`."""

from pathlib import Path

from kerasvision import config as c
from kerasvision.pipeline.graph import Channel, Node, Pipeline
from kerasvision.pipeline.standard import standard_pipeline

PICTURE = Path(__file__).parent / "pictures" / "graph.svg"
BOX_WIDTH, BOX_HEIGHT, ROW, COLUMN, LEFT, TOP = 150, 30, 66, 300, 280, 16
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1b2733;text-anchor:middle}"
    ".artifact{font-size:11px;fill:#5b6b7b;text-anchor:start}"
    ".stage{fill:#e8f1fb;stroke:#3b76b5}.optional{stroke-dasharray:5 3;fill:#fff}"
    "path{fill:none;stroke:#7a8a9a;stroke-width:1.3;marker-end:url(#head)}"
)


def experiment(**parts: object) -> c.Experiment:
    """The least that an experiment says, and these parts."""
    least = {
        "source": c.Digits(),
        "transform": c.Transform(image_size=(32, 32)),
        "training": c.Training(epochs=1, batch_size=64),
    }
    return c.Experiment(name="any", task=c.Classification(), model=c.Model(name="lenet5"), **{**least, **parts})


def fullest() -> Pipeline:
    """The standard graph with every stage that an experiment can have."""
    return standard_pipeline(
        experiment(
            training=c.Training(epochs=1, batch_size=64, final="all"),
            search=c.Search(space={"training.epochs": c.Int(1, 2)}),
            predict=c.Predict(path="new"),
        )
    )


def depths(pipeline: Pipeline) -> dict[str, int]:
    """How many stages at least must end before each begins, one after the other."""
    depth: dict[str, int] = {}
    for name, node in pipeline.nodes.items():
        depth[name] = max((depth[before] + 1 for before in node.upstream), default=0)
    return depth


def arrows(pipeline: Pipeline) -> list[tuple[str, str]]:
    """The pairs of stages whose second waits for the first, without those that follow from other pairs."""
    before: dict[str, set[str]] = {}
    kept = []
    for name, node in pipeline.nodes.items():
        behind = set().union(*(before[stage] for stage in node.upstream), set())
        kept += [(stage, name) for stage in dict.fromkeys(node.upstream) if stage not in behind]
        before[name] = behind | set(node.upstream)
    return kept


def artifacts(node: Node, producer: str) -> str:
    """The types of what a stage reads from another."""
    inputs = [channel for channel in node.inputs.values() if isinstance(channel, Channel) and channel.producer == producer]
    return ", ".join(dict.fromkeys(channel.type.__name__ for channel in inputs))


def places(pipeline: Pipeline) -> dict[str, tuple[int, int]]:
    """The centre of each stage's box: a row for each depth, its stages next to each other."""
    depth = depths(pipeline)
    found = {}
    for row in range(max(depth.values()) + 1):
        names = [name for name in pipeline.nodes if depth[name] == row]
        # What waits for the simple models stands under them.
        names.sort(key=lambda name: "simple_models" in (name, *pipeline.nodes[name].upstream))
        for number, name in enumerate(names):
            x = LEFT + (2 * number - len(names) + 1) * COLUMN // 2
            found[name] = (x, TOP + BOX_HEIGHT // 2 + row * ROW)
    return found


def box(name: str, place: tuple[int, int], kind: str) -> str:
    x, y = place
    rectangle = f'<rect class="{kind}" x="{x - BOX_WIDTH // 2}" y="{y - BOX_HEIGHT // 2}" rx="6"'
    return f'{rectangle} width="{BOX_WIDTH}" height="{BOX_HEIGHT}"/><text x="{x}" y="{y + 4}">{name}</text>'


def arrow(start: tuple[int, int], end: tuple[int, int], label: str) -> str:
    """A line of three straight parts, and what is handed over along it."""
    (x0, y0), (x1, y1) = (start[0], start[1] + BOX_HEIGHT // 2), (end[0], end[1] - BOX_HEIGHT // 2)
    to_the_middle = abs(x1 - LEFT) < abs(x0 - LEFT)
    bend = y1 - 14 if to_the_middle else y0 + 12
    if to_the_middle or y1 - y0 > ROW:
        x, y = x0, y0 + 14
    else:
        x, y = (LEFT - 54 if x0 - LEFT == LEFT - x1 != 0 else x1), y1 - 8
    return f'<path d="M{x0} {y0} V{bend} H{x1} V{y1}"/><text class="artifact" x="{x + 6}" y="{y}">{label}</text>'


def draw(pipeline: Pipeline, usual: Pipeline) -> str:
    """An SVG picture of the graph; stages that `usual` lacks have a dashed edge."""
    place = places(pipeline)
    width, height = 2 * LEFT, max(y for _, y in place.values()) + BOX_HEIGHT // 2 + TOP
    head = '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        "<title>The standard graph: each stage, and what it hands to the next</title>",
        f"<style>{STYLE}</style>",
        f'<defs>{head}<path d="M0 0L8 4L0 8z" style="fill:#7a8a9a;stroke:none"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#fff"/>',
        *(arrow(place[a], place[b], artifacts(pipeline.nodes[b], a)) for a, b in arrows(pipeline)),
        *(box(name, place[name], "stage" if name in usual.nodes else "stage optional") for name in pipeline.nodes),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(fullest(), standard_pipeline(experiment())), encoding="utf-8")
