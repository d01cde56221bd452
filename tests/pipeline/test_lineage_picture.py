"""The picture of a lineage is valid XML without a script; each artifact has a lane from its maker to its readers."""

import itertools
import json
import re
from xml.etree import ElementTree as ET

import pytest
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.errors import ConfigError
from kerasvision.pipeline.lineage_picture import lineage_svg
from kerasvision.pipeline.local import run

SVG = "{http://www.w3.org/2000/svg}"


def execution(number, node, inputs=(), outputs=()):
    named = ({f"key{artifact}": artifact for artifact in artifacts} for artifacts in (inputs, outputs))
    started = "2026-11-29T08:00:00+00:00"
    return {
        "id": number,
        "node": node,
        "started": started,
        "seconds": 1.25,
        **dict(zip(("inputs", "outputs"), named, strict=True)),
    }


def lineage(*executions, kind="Model"):
    numbers = sorted({artifact for one in executions for artifact in one["outputs"].values()})
    artifacts = [{"id": n, "type": kind, "digest": "ab" * 32, "removed": n == 2} for n in numbers]
    return {"run": "r-1", "pipeline": "toy", "artifacts": artifacts, "executions": list(executions)}


CHAIN = lineage(execution(1, "read", (), [1]), execution(2, "train", [1], [2]), execution(3, "judge", [1, 2], [3]))


def test_every_stage_and_artifact_has_its_line_of_text():
    texts = [text.text for text in ET.fromstring(lineage_svg(CHAIN)).iter(f"{SVG}text")]
    assert texts == [
        "run r-1 of toy: what it was made from",
        "read", "execution 1, 2026-11-29T08:00:00+00:00, 1.2 s", "Model 1  abababababab",
        "train", "execution 2, 2026-11-29T08:00:00+00:00, 1.2 s", "Model 2  abababababab, removed since",
        "judge", "execution 3, 2026-11-29T08:00:00+00:00, 1.2 s", "Model 3  abababababab",
    ]  # fmt: skip


def test_a_dot_says_who_reads_what_and_lies_on_the_lane_of_its_artifact():
    picture = ET.fromstring(lineage_svg(CHAIN))
    dots = [(dot.find(f"{SVG}title").text, dot.get("cx"), dot.get("fill")) for dot in picture.iter(f"{SVG}circle")]
    assert [said for said, _, _ in dots] == [
        "train reads artifact 1 as key1",
        "judge reads artifact 1 as key1",
        "judge reads artifact 2 as key2",
    ]
    lanes = {
        path.get("stroke"): re.search(r"H([\d.]+) V", path.get("d"))[1]
        for path in picture.iter(f"{SVG}path")
        if "V" in path.get("d")
    }
    assert len(lanes) == 2  # nobody reads the last artifact
    assert all(lanes[fill] == x for _, x, fill in dots)


def test_all_text_lies_inside_the_picture_and_no_two_lines_at_the_same_place():
    picture = ET.fromstring(lineage_svg(CHAIN))
    texts = [(float(one.get("x")), float(one.get("y")), one.text) for one in picture.iter(f"{SVG}text")]
    assert all(x + 7.9 * len(text) <= float(picture.get("width")) for x, _, text in texts)
    heights = [y for _, y, _ in texts]
    assert all(later - earlier >= 15 for earlier, later in itertools.pairwise(heights))
    assert heights[-1] < float(picture.get("height"))


def test_names_are_escaped_and_there_is_no_script():
    hostile = lineage(execution(1, "</text><script>alert(1)</script>\x07", (), [1]), kind='"><script>')
    text = lineage_svg(hostile)
    assert "<script" not in text
    assert ET.fromstring(text).findall(f".//{SVG}script") == []


def test_a_run_without_artifacts_has_a_picture():
    assert ET.fromstring(lineage_svg(lineage())).tag == f"{SVG}svg"


# --- The command


def runs(*words):
    done = CliRunner().invoke(app, ["runs", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def root(toy, number, tmp_path):
    run(toy.pipeline(number, factor=2), root=tmp_path)
    return tmp_path


def test_json_has_artifacts_with_hashes_and_executions_with_settings(root):
    data = json.loads(runs("lineage", "--format", "json", "--root", root))
    assert [(one["id"], one["type"], one["removed"]) for one in data["artifacts"]] == [
        (1, "Examples", False),
        (2, "Model", False),
    ]
    assert data["final"] == [2]
    read, multiply = data["executions"]
    assert (read["node"], read["outputs"]) == ("read", {"examples": 1})
    assert (multiply["inputs"], multiply["settings"]) == ({"examples": 1}, {"factor": 2})
    assert all(len(one["digest"]) == 64 for one in data["artifacts"])


def test_svg_is_written_to_a_file(root):
    assert runs("lineage", "--format", "svg", "-o", root / "made.svg", "--root", root) == f"wrote {root / 'made.svg'}\n"
    texts = [text.text for text in ET.parse(root / "made.svg").iter(f"{SVG}text")]
    assert {"read", "multiply"} <= set(texts)


def test_a_tree_is_not_written_to_a_file(root):
    with pytest.raises(ConfigError, match="--out requires --format json or --format svg"):
        runs("lineage", "-o", root / "made.txt", "--root", root)
