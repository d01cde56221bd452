"""`run` and `data scan` print the anomalies of the images as sentences, up to a limit."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from kerasvision.cli.anomalies import print_anomalies
from kerasvision.cli.pipelines import stage_lines
from kerasvision.data.validating.anomalies import anomaly, save_anomalies
from kerasvision.pipeline.artifacts import ExampleAnomalies


@pytest.fixture
def validated(tmp_path):
    """A result of the example validator that found three things."""
    save_anomalies(
        [
            anomaly("unseen_label", "label 'owl' is not in the schema", ["owl/1.jpg"]),
            anomaly("corrupt", "1 image was left out: truncated or corrupt JPEG", ["cat/[bold].jpg"]),
            anomaly("duplicates", "1 image is an exact copy of others in their split"),
        ],
        tmp_path / "anomalies.json",
    )
    facts = {"errors": 1, "warnings": 1}
    outputs = {"anomalies": SimpleNamespace(properties=facts, open=lambda: ExampleAnomalies(tmp_path, facts))}
    return SimpleNamespace(node="example_validator", reused=False, seconds=0.1, took_part=False, outputs=outputs)


def test_a_run_names_the_images_that_were_left_out_and_why(validated, capsys):
    stage_lines().finished(validated)
    assert capsys.readouterr().err.splitlines() == [
        "example_validator ran in 0.1 s (errors 1, warnings 1)",
        "error unseen_label: label 'owl' is not in the schema",
        "    owl/1.jpg",
        "warning corrupt: 1 image was left out: truncated or corrupt JPEG",
        "    cat/[bold].jpg",
    ]


def test_a_scan_tells_them_once(validated, capsys):
    stage_lines(anomalies=False).finished(validated)
    assert capsys.readouterr().err.splitlines() == ["example_validator ran in 0.1 s (errors 1, warnings 1)"]


def test_of_many_the_worst_are_printed_and_where_the_others_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    many = [{"severity": "warning", "code": "corrupt", "message": f"fault {n}", "examples": []} for n in range(50)]
    screen = io.StringIO()
    print_anomalies(many, tmp_path / "anomalies.json", Console(file=screen, width=80))
    lines = screen.getvalue().splitlines()
    assert lines[:20] == [f"warning corrupt: fault {n}" for n in range(20)]
    assert lines[20:] == ["and 30 more: anomalies.json"]
