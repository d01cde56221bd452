"""A run is packed into one file; replayed elsewhere, it says what differs."""

import importlib
import json
import shutil
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.errors import ConfigError, StageError
from kerasvision.pipeline.pack import Pack, installed_packages

# Its examples are the lines of a file, and its training multiplies by a number of a module next to it.
PIPELINE = """
from pathlib import Path

import pandas as pd
import packed_numbers
from kerasvision import config as c
from kerasvision.config.base import Config
from kerasvision.pipeline.artifacts import Examples, Model, ModelBlessing, ModelEvaluation, Out
from kerasvision.pipeline.graph import Pipeline

EXPERIMENT = c.Experiment(
    name="packed",
    source=c.Digits(),
    transform=c.Transform(image_size=(32, 32)),
    task=c.Classification(),
    model=c.Model(name="lenet5"),
)


class TrainSettings(Config):
    epochs: int


def read(examples: Out[Examples]) -> None:
    rows = [(line, line, "train", "cat", "") for line in Path("images.txt").read_text().split()]
    pd.DataFrame(rows, columns=["id", "sha256", "split", "label", "fault"]).to_parquet(examples.manifest)


def train(examples: Examples, model: Out[Model], *, settings: TrainSettings) -> None:
    images = len(pd.read_parquet(examples.manifest))
    (model.uri / "score.txt").write_text(str(images * settings.epochs * packed_numbers.FACTOR / 1000))


def judge(model: Model, evaluation: Out[ModelEvaluation], blessing: Out[ModelBlessing]) -> None:
    import json

    score = float((model.uri / "score.txt").read_text())
    splits = {"test": {"count": 9, "left_out": {}, "scores": {"accuracy": {"score": score}, "loss": {"score": 0.5}}}}
    evaluation.scores.write_text(json.dumps({"confidence": 0.95, "splits": splits}))
    evaluation.page.write_text("")
    blessing.properties.update(blessed=1, verdict="BLESSED", reason="")


def pipeline(experiment):
    made = Pipeline(experiment.name)
    examples = made.add(read).examples
    model = made.add(train, examples=examples, settings=TrainSettings(epochs=experiment.training.epochs)).model
    made.add(judge, model=model)
    return made
"""


def kerasvision(*words):
    done = CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a pipeline that has run with three epochs, and its pack in run.zip."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        Path("packed_numbers.py").write_text("FACTOR = 2\n")
        Path("small.py").write_text(PIPELINE)
        Path("images.txt").write_text("a b c d")
        kerasvision("run", "small.py", "--workers", 1, "--set", "training.epochs=3")
        assert kerasvision("runs", "pack", "-o", "run.zip").startswith("wrote run.zip, ")
    return folder


@pytest.fixture
def project(made, tmp_path, monkeypatch):
    """The current folder: a copy of that folder."""
    folder = shutil.copytree(made, tmp_path / "project")
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "packed_numbers", raising=False)
    return folder


@pytest.fixture
def elsewhere(project, tmp_path, monkeypatch):
    """The current folder, in which there is nothing of the project but the pack."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (project / "run.zip").rename(folder / "run.zip")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if Path(place) != project])
    monkeypatch.delitem(sys.modules, "packed_numbers", raising=False)
    importlib.invalidate_caches()
    return folder


def differences(said):
    return said[said.index("compared with run") :].splitlines()[1:]


def test_a_pack_has_settings_code_versions_hashes_of_images_and_scores(project):
    with zipfile.ZipFile("run.zip") as packed:
        names = set(packed.namelist())
        assert packed.read("code/pipeline/small.py").decode() == PIPELINE
        assert f"pandas=={pd.__version__}" in packed.read("requirements.txt").decode().splitlines()
        run = json.loads(packed.read("run.json"))
    assert names == {
        "run.json", "requirements.txt", "code/pipeline/small.py", "code/modules/packed_numbers.py", "manifest.parquet",
        "scores.json",
    }  # fmt: skip
    assert run["request"]["experiment"]["training"]["epochs"] == 3
    assert run["packages"]["pandas"] == pd.__version__
    assert [stage["name"] for stage in run["stages"]] == ["read", "train", "judge"]


def test_a_run_packed_twice_gives_the_same_bytes(project):
    kerasvision("runs", "pack", "-o", "again.zip")
    assert Path("again.zip").read_bytes() == Path("run.zip").read_bytes()


def test_a_replay_in_another_folder_comes_to_the_same_and_says_so(elsewhere):
    Path("images.txt").write_text("a b c d")
    lines = differences(kerasvision("runs", "replay", "run.zip", "--root", "fresh", "--workers", 1))
    assert lines == [
        "  settings, code and files are the same",
        "  2 scores are exactly equal, and none differs",
        "  verdict: blessed, as in the packed run",
        "  outputs with the same content: read.examples, train.model, judge.blessing, judge.evaluation",
    ]
    assert Path("fresh/runs/artifacts/packed/train/model/2/score.txt").read_text() == "0.024"  # 4 images, 3 epochs, factor 2


def test_the_same_replay_goes_on_in_its_folder_after_a_failure_and_compares_what_it_reuses(elsewhere):
    replay = ("runs", "replay", "run.zip", "--root", "fresh", "--workers", 1)
    with pytest.raises(StageError, match="read failed"):
        kerasvision(*replay)
    Path("images.txt").write_text("a b c d")
    first, second = differences(kerasvision(*replay)), differences(kerasvision(*replay))
    assert first == second
    assert first[0] == "  settings, code and files are the same"


def test_a_folder_of_another_pack_is_refused(elsewhere):
    Path("fresh/code/pipeline").mkdir(parents=True)
    Path("fresh/code/pipeline/small.py").write_text("EXPERIMENT = None")
    with pytest.raises(ConfigError, match="a run is replayed in a fresh folder; received 'fresh'"):
        kerasvision("runs", "replay", "run.zip", "--root", "fresh")


def test_a_pipeline_file_may_have_the_name_of_a_module_that_it_imports(project):
    Path("pipelines").mkdir()
    Path("small.py").rename("pipelines/packed_numbers.py")
    kerasvision("run", "pipelines/packed_numbers.py", "--workers", 1)
    kerasvision("runs", "pack", "-o", "same-name.zip")
    with zipfile.ZipFile("same-name.zip") as packed:
        assert packed.read("code/pipeline/packed_numbers.py").decode() == PIPELINE
        assert packed.read("code/modules/packed_numbers.py").decode() == "FACTOR = 2\n"
    del sys.modules["packed_numbers"]
    said = kerasvision("runs", "replay", "same-name.zip", "--root", "fresh", "--workers", 1)
    assert "  2 scores are exactly equal, and none differs" in differences(said)


def test_a_folder_that_only_looks_like_a_package_is_not_one_of_the_installed(tmp_path, monkeypatch):
    (tmp_path / "removed_package-1.0.dist-info").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    assert "removed-package" not in (found := installed_packages())
    assert found["pandas"] == pd.__version__


def test_a_replay_on_other_images_counts_them_and_shows_the_scores(elsewhere):
    Path("images.txt").write_text("a b e")
    said = kerasvision("runs", "replay", "run.zip", "--root", "fresh", "--workers", 1)
    rows = [line.split() for line in differences(said)]
    assert ["train", "4", "3"] in rows
    assert [row for row in rows if row and row[0] in ("added", "removed")] == [["added", "1"], ["removed", "2"]]
    assert ["accuracy", "0.024", "0.018"] in rows
    assert "  1 scores are exactly equal" in differences(said)
    assert any(line.startswith("  outputs with other content: read.examples, train.model") for line in differences(said))


def test_a_replay_names_packages_and_code_that_are_different(elsewhere):
    Path("images.txt").write_text("a b c d")
    packed = Pack.load(Path("run.zip"))
    with zipfile.ZipFile("run.zip") as file:
        content = {name: file.read(name) for name in file.namelist()}
    content["code/modules/packed_numbers.py"] = b"FACTOR = 5\n"
    content["run.json"] = content["run.json"].replace(f'"pandas": "{pd.__version__}"'.encode(), b'"pandas": "1.0"')
    with zipfile.ZipFile("other.zip", "w") as file:
        for name, text in content.items():
            file.writestr(name, text)
    said = kerasvision("runs", "replay", "other.zip", "--root", "fresh", "--workers", 1)
    assert "  source file packed_numbers: content changed (read, train, judge)" in differences(said)
    assert f"  version of pandas: 1.0 -> {pd.__version__} (read, train, judge)" in differences(said)
    assert ["accuracy", "0.024", "0.06"] in [line.split() for line in differences(said)]
    assert packed.verdict == "blessed"


def test_a_module_that_has_changed_since_cannot_be_packed_as_it_was(project):
    Path("packed_numbers.py").write_text("FACTOR = 3\n")
    with pytest.raises(
        ConfigError, match=r"the code has changed since run .*: packed_numbers\. Check out the version that ran"
    ):
        kerasvision("runs", "pack", "-o", "later.zip")


def test_a_pack_is_not_written_over_a_file(project):
    with pytest.raises(ConfigError, match=r"run\.zip exists already\. Name another file: -o FILE\.zip"):
        kerasvision("runs", "pack", "-o", "run.zip")


def test_a_replay_needs_a_fresh_folder(project):
    with pytest.raises(ConfigError, match=r"a run is replayed in a fresh folder; received '\.'"):
        kerasvision("runs", "replay", "run.zip", "--root", ".")


def without(name):
    return lambda content: content.pop(name)


def with_entry(name, text):
    return lambda content: content.update({name: text})


def with_entries(count):
    return lambda content: content.update({f"code/{number}.py": b"" for number in range(count)})


def with_run(**parts):
    return lambda content: content.update({"run.json": json.dumps({**json.loads(content["run.json"]), **parts}).encode()})


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (with_entry("code/../../escape.py", b""), "leads out of the file"),
        (with_entry("code/C:/escape.py", b""), "leads out of the file"),
        (with_entry("run.json", b"{"), "is not a packed run, or it is damaged"),
        (without("run.json"), "is not a packed run, or it is damaged"),
        (with_entry("run.json", b'{"format": 3}'), "was written by a newer version of kerasvision. Update"),
        (with_entry("run.json", b'{"format": 1}'), "was written by an older version of kerasvision. Pack the run again"),
        (with_entry("run.json", b'"a text"'), "is not a packed run, or it is damaged"),
        (with_entry("run.json", b"[" * 100_000), "is not a packed run, or it is damaged"),
        (with_run(stages="a text"), r"damaged: stages: Input should be a valid tuple"),
        (with_run(request={}), r"damaged: request\.file: Field required"),
        (with_run(file="../small.py"), r"damaged: it has no pipeline file code/\.\./small\.py"),
        (
            with_entry("code/modules/packed_numbers.py/deeper.py", b""),
            "code/modules/packed_numbers.py is a file and a folder",
        ),
        (
            with_entries(10_001),
            r"damaged: it has 10,006 entries with [\d,]+ bytes; at most 10,000 and 4,294,967,296 are read",
        ),
    ],
)
def test_a_damaged_or_hostile_file_is_refused(spoil, error, project):
    with zipfile.ZipFile("run.zip") as file:
        content = {name: file.read(name) for name in file.namelist()}
    spoil(content)
    with zipfile.ZipFile("bad.zip", "w") as file:
        for name, text in content.items():
            file.writestr(name, text)
    with pytest.raises(ConfigError, match=error):
        kerasvision("runs", "replay", "bad.zip", "--root", "fresh")
    assert not Path("fresh").exists()


LOCAL, CENTRAL, END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


@pytest.mark.parametrize(
    ("header", "offset", "value", "error"),
    [
        # After 30 bytes and the name run.json: a block of a type that deflate does not have.
        (LOCAL, 38, 0xFF, "invalid block type"),
        (CENTRAL, 8, 1, "is encrypted"),
        (CENTRAL, 10, 99, "compression method is not supported"),
        # The directory claims to begin 64 KiB later, so entries begin before the file.
        (END, 18, 1, "Invalid argument"),
    ],
)
def test_a_file_with_a_damaged_byte_is_refused(header, offset, value, error, project):
    data = bytearray(Path("run.zip").read_bytes())
    data[data.index(header) + offset] = value
    Path("bad.zip").write_bytes(data)
    with pytest.raises(ConfigError, match=f"is not a packed run, or it is damaged: .*{error}"):
        Pack.load(Path("bad.zip"))


def test_sizes_are_added_and_other_entries_are_not_read(project, monkeypatch):
    with zipfile.ZipFile("run.zip") as file:
        size = sum(info.file_size for info in file.infolist() if info.filename != "requirements.txt")
    with zipfile.ZipFile("run.zip", "a") as file:
        file.writestr("notes.txt", b"no part of a run" * 1000)
    monkeypatch.setattr("kerasvision.pipeline.pack.MOST_BYTES", size)
    assert Pack.load(Path("run.zip")).pipeline == "packed"
    monkeypatch.setattr("kerasvision.pipeline.pack.MOST_BYTES", size - 1)
    with pytest.raises(ConfigError, match=f"it has 5 entries with {size:,} bytes"):
        Pack.load(Path("run.zip"))


def test_a_file_that_is_no_zip_file_is_refused(project):
    with pytest.raises(ConfigError, match="is not a packed run, or it is damaged"):
        kerasvision("runs", "replay", "images.txt")
