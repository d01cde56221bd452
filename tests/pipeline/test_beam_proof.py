"""Apache Beam's DirectRunner writes the same examples, statistics and answers as one process, byte for byte.

apache-beam is not among the locked versions: 2.77 requires protobuf below 6.34 and pyarrow below 26. These tests run in an
environment that has apache-beam and kerasvision with its tests.
"""

import importlib.util
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kerasvision.data.png import encode_png
from kerasvision.pipeline.store import opened

ROOT = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(3000),  # each worker imports TensorFlow
    pytest.mark.skipif(
        importlib.util.find_spec("apache_beam") is None,
        reason="requires apache-beam, which the locked versions do not allow; see the docstring",
    ),
]
# More than the 2,000 small PNG files from which on one process decodes them by batches; a worker gets 1,024 at most.
COUNT = 2_300
PIPELINE = """
import runpy
from pathlib import Path
from kerasvision import config as c
from kerasvision.config.stages import stage_settings
from kerasvision.pipeline.artifacts import ModelBlessing, Out, SavedModel
from kerasvision.pipeline.graph import Pipeline, Previous

EXPERIMENT = c.Experiment(
    name="proof",
    source=c.ImageFolder(path="photos"),
    ingest=c.Ingest(max_bad_fraction=0.5, quarantine_file="quarantine.csv"),
    transform=c.Transform(image_size=(32, 32)),
    task=c.Classification(),
    model=c.Model(name="lenet5"),
    predict=c.Predict(path="photos"),
)

def brightness(saved_model: Out[SavedModel], blessing: Out[ModelBlessing]) -> None:
    runpy.run_path({model!r})["saved"](saved_model.saved_model)
    blessing.properties.update(blessed=1)

def pipeline(experiment):
    made, settings = Pipeline(experiment.name), stage_settings(experiment)
    examples = made.add(
        "example_gen", settings=settings["example_gen"], previous=Previous("example_gen", "examples")
    ).examples
    made.add("statistics_gen", examples=examples)
    model = made.add(brightness)
    made.add(
        "bulk_inferrer",
        saved_model=model.saved_model,
        model_blessing=model.blessing,
        settings=settings["bulk_inferrer"],
    )
    return made
"""
WORKERS = "options=['--runner=DirectRunner','--direct_num_workers=2','--direct_running_mode=multi_processing']"
# Without a cluster: Beam's own job service, and workers in the process that submits the job.
PORTABLE = "options=['--runner=PortableRunner','--job_endpoint=embed','--environment_type=LOOPBACK']"
BEAM = ("--set", f"runner=c.Beam({WORKERS})")
MAIN = (sys.executable, "-c", "from kerasvision.cli import main; main()")


def png(number):
    return encode_png(np.random.default_rng(number).integers(0, 256, (8, 10, 3), np.uint8))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a pipeline file, images in two classes, copies, broken files and a quarantine file."""
    folder = tmp_path_factory.mktemp("place")
    for number in range(COUNT):
        file = folder / "photos" / "ab"[number % 2] / f"{number:04d}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(png(number % (COUNT - 20)))  # the last 20 are copies
    (folder / "photos" / "a" / "cut.png").write_bytes(png(1)[:-30])
    (folder / "photos" / "b" / "text.png").write_text("hello")
    (folder / "photos" / "b" / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "quarantine.csv").write_text("id,reason\na/0004.png,blurred\n")
    (folder / "file.py").write_text(PIPELINE.replace("{model!r}", repr(str(ROOT / "tests" / "export" / "brightness.py"))))
    return folder


def command(folder, *words):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [*MAIN, *map(str, words)], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def run(folder, root, *words):
    done = command(folder, "run", "file.py", "--root", root, *words)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    return done


def results(folder, root):
    """stage.output/path -> bytes, of the newest run; without the model, whose graph TensorFlow orders anew each time."""
    with opened(folder / root / "runs", read_only=True) as store:
        newest, *_ = store.runs()
        made = {f"{one.node}.{key}": found.uri for one in store.executions(newest) for key, found in one.outputs.items()}
    return {
        f"{name}/{path.relative_to(uri).as_posix()}": path.read_bytes()
        for name, uri in made.items()
        if not name.startswith("brightness")
        for path in uri.rglob("*")
        if path.is_file()
    }


def outcomes(folder, root):
    with opened(folder / root / "runs", read_only=True) as store:
        newest, *_ = store.runs()
        return [one.outcome for one in store.executions(newest)]


@pytest.fixture(scope="module")
def both(place):
    run(place, "local")
    run(place, "beam", *BEAM)
    return place, results(place, "local"), results(place, "beam")


def test_examples_manifest_statistics_and_answers_are_the_same_bytes(both):
    _, here, there = both
    assert {name.partition("/")[0] for name in here} == {
        "example_gen.examples",
        "statistics_gen.statistics",
        "bulk_inferrer.inference_result",
    }
    assert here.keys() == there.keys()
    assert [name for name in here if here[name] != there[name]] == []
    manifest = pd.read_parquet(io.BytesIO(there["example_gen.examples/manifest.parquet"])).set_index("id")
    assert manifest["fault"][manifest["fault"] != ""].to_dict() == {
        "a/0004.png": "left out by the quarantine file: blurred",
        "a/cut.png": "truncated or corrupt PNG",
        "b/gone.png": "cannot be read: No such file or directory",
        "b/text.png": "not an image in a known format",
    }
    assert len(json.loads(there["statistics_gen.statistics/statistics.json"])["duplicates"]) == 19


def test_another_runner_runs_no_stage_again(both):
    place, *_ = both
    run(place, "beam")
    assert outcomes(place, "beam") == ["reused"] * 4


def test_the_next_span_is_the_same_bytes_over_the_interface_of_portable_runners(both):
    place, *_ = both
    shutil.copytree(place / "photos", place / "before", symlinks=True)
    try:
        (place / "photos" / "b" / "new.png").write_bytes(png(99_999))
        (place / "photos" / "a" / "0010.png").unlink()
        run(place, "local", "--until", "statistics_gen")
        run(place, "beam", "--until", "statistics_gen", "--set", f"runner=c.Beam({PORTABLE})")
    finally:
        shutil.rmtree(place / "photos")
        (place / "before").rename(place / "photos")
    here, there = results(place, "local"), results(place, "beam")
    assert b'"span": 2,\n  "added": 1,\n  "removed": 1' in here["example_gen.examples/span.json"]
    assert [name for name in here if here[name] != there[name]] == []


def test_a_killed_run_leaves_nothing_that_the_next_one_uses(both):
    place, here, _ = both
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = ["--until", "example_gen", "--workers", "1", "--set", "runner=beam"]
    command = [*MAIN, "run", "file.py", "--root", "killed", *words]
    process = subprocess.Popen(command, cwd=place, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not list((place / "killed").rglob("*.results")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list((place / "killed").rglob("job.pickle"))
    run(place, "killed", *words)
    assert results(place, "killed") == {name: data for name, data in here.items() if name.startswith("example_gen")}
    assert not list((place / "killed").rglob("scratch"))


def test_errors_are_those_of_one_process(both):
    place, *_ = both
    strict = ("run", "file.py", "--set", "ingest.max_bad_fraction=0.0", "--until", "example_gen")
    here = command(place, *strict, "--root", "strict")
    there = command(place, *strict, "--root", "strict_beam", "--set", "runner=beam")
    assert here.returncode == there.returncode == 3
    assert [line for line in here.stderr.splitlines() if "Error" in line] == [
        line for line in there.stderr.splitlines() if "Error" in line
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("'--direct_num_worker=2'", "Beam has no option --direct_num_worker; did you mean 'direct_num_workers'?"),
        ("'--direct_num_workers=many'", "argument --direct_num_workers: invalid int value: 'many'"),
        ("'--runner=NoRunner'", "Unexpected pipeline runner: NoRunner"),
    ],
)
def test_beams_own_words_say_which_option_is_wrong(options, said, both):
    place, *_ = both
    done = command(place, "run", "file.py", "--root", "wrong", "--set", f"runner=c.Beam(options=[{options}])")
    assert done.returncode == 2
    assert said in done.stderr
