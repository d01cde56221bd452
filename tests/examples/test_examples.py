"""Every command in the README of every folder of examples/ runs as it is written, and prints what the README shows.

By default the commands up to the first run are typed, and that run is planned. What each example adds has a test here.
"""

import ast
import importlib.util
import io
import json
import re
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

_spec = importlib.util.spec_from_file_location("shell", Path(__file__).parents[1] / "shell.py")
_shell = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_shell)

EXAMPLES = Path(__file__).parents[2] / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
# They read the same images: the digits of scikit-learn.
OF_DIGITS = ("export_format", "metric", "network", "stage", "task")
# Commands before the first run that take no seconds.
LIGHT = r"python |kerasvision models "
MISTAKES = """
import pandas as pd
from kerasvision.pipeline.artifacts import ModelEvaluation
from my_stage import Mistakes, MistakesSettings, list_mistakes

rows = [("a.png", "1", "1", 0.9, True), ("b.png", "2", "3", 0.6, False), ("c.png", "4", "9", 0.8, False)]
evaluation, mistakes = ModelEvaluation("."), Mistakes(".")
pd.DataFrame(rows, columns=["id", "label", "predicted", "score", "correct"]).to_parquet(evaluation.predictions)
list_mistakes(evaluation, mistakes, settings=MistakesSettings(most=1))
print(mistakes.front.read_text(), mistakes.properties)
"""
NUMBERS = """
import json
import keras, numpy as np, tensorflow as tf
from kerasvision.tasks.base import make_task
from my_task import Number, mean_error

task = make_task(Number(), ("3", "10"))
network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")])
right, images = task.target({"label": tf.constant([1, 0, 1])}), tf.constant([[7.0], [3.0], [12.0]])
answers = task.predictor(network)(images)["number"]
loss = task.objective().losses(right, network(images), True)
errors = task.losses(right.numpy(), answers.numpy())
weights = np.array([[1.0, 2.0], [1.0, 1.0], [1.0, 1.0]])
score = mean_error(right.numpy(), answers.numpy(), weights)
print(json.dumps([np.asarray(part).tolist() for part in (right, answers, loss, errors, score)]))
"""
TOTALS = """
import json
from pathlib import Path
from types import SimpleNamespace
import numpy as np, tensorflow as tf
from my_format import PixelModelConverter

factor = tf.Variable(2.0)
def function(batch_size):
    images = tf.TensorSpec([batch_size, 2, 2, 1], tf.float32, name="image")
    return tf.function(lambda image: {"total": factor * tf.reduce_sum(image, [1, 2, 3])}, input_signature=[images])

converter, file = PixelModelConverter(SimpleNamespace(batch_size=None)), Path("Format-Pixels/saved_model.pb")
converter.write(SimpleNamespace(function=function), file)
totals = converter.load(file)(np.arange(280, dtype=np.float32).reshape(70, 2, 2, 1))["total"]
print(json.dumps([totals.tolist(), file.is_file()]))
"""
SHADES = """
import json, sys
import tensorflow as tf
from my_augmentation import Shade
from kerasvision.data.augmentation import make_augmentation

# All light from the left and full strength; all light from the top and half of it; no shade.
numbers = tf.constant([[0.0, 1.0], [0.25, 0.5], [0.7, 0.0]])
batch = {"image": tf.fill([3, 3, 3, 1], 100.0), "label": tf.constant([4, 5, 6])}
shaded = make_augmentation([Shade(strength=0.8)])(batch, numbers)
print(json.dumps([shaded["image"][..., 0].numpy().tolist(), shaded["label"].numpy().tolist()]))
"""
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def text_of(name):
    return (EXAMPLES / name / "README.md").read_text(encoding="utf-8")


def sessions(name):
    """(command, what is shown below it) of an example, in order."""
    shown = "".join(text for language, text in FENCE.findall(text_of(name)) if language == "console")
    for part in re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def comparable(text):
    """Without numbers, names of runs and widths of columns, which differ from run to run."""
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", text)
    text = re.sub(r"\d[\d.,]*(e-?\d+)?", "N", text)
    return "".join(" ".join(line.split()) + "\n" for line in text.splitlines())


def is_shown(printed, shown):
    """Whether it is what was printed; three dots stand for any lines."""
    expected = re.escape(comparable(shown)).replace(re.escape("...\n"), r"(?:.*\n)*")
    return re.fullmatch(expected, comparable(printed)) is not None


def type_commands(folder, warm):
    """Types the commands of a README in a folder that holds the example."""
    with _shell.Shell(warm, folder) as shell:
        for command, shown in sessions(folder.name):
            type_command(shell, command, shown)


def type_command(shell, command, shown):
    done = shell.run(command)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    assert is_shown(done.stdout, shown), f"{command}\n{done.stdout}{done.stderr}"


def copied(name, folder):
    """The files of an example, as they are in the repository."""
    return shutil.copytree(
        EXAMPLES / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "runs", "saved_models")
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_command_runs_and_prints_what_is_shown(name, warm, tmp_path):
    type_commands(copied(name, tmp_path), warm)


@pytest.mark.parametrize("name", NAMES)
def test_the_stages_that_a_readme_shows_are_planned(name, digits_root, warm, tmp_path):
    folder, is_read = copied(name, tmp_path), name in OF_DIGITS
    if is_read:
        shutil.copytree(digits_root / "runs", folder / "runs")
    with _shell.Shell(warm, folder) as shell:
        for command, shown in sessions(name):
            if command.startswith("kerasvision run"):
                break
            if re.match(LIGHT, command):
                type_command(shell, command, shown)
        done = shell.run(re.sub(" --until .*", "", command.replace(" run ", " plan ", 1)))
    assert done.returncode == 0, done.stderr
    planned = dict(re.findall(r"^ (\w+) +(reuse|run|depends)\b", done.stdout, flags=re.MULTILINE))
    assert planned["example_gen"] == ("reuse" if is_read else "run")
    run = re.findall(r"^ (\w+) +ran\b", shown, flags=re.MULTILINE)
    assert run
    assert {planned[stage] for stage in run} <= {"run", "depends"}


def test_the_source_reads_each_slice_of_each_scan(monkeypatch, tmp_path):
    monkeypatch.chdir(copied("source", tmp_path))
    monkeypatch.syspath_prepend(tmp_path / "source")
    runpy.run_path("make_scans.py")
    from my_source import Scans, read_scans

    settings = Scans(folder="scans")
    assert [name for name, _ in settings.files()] == [f"patient{number:02d}.npz" for number in range(40)]
    records = list(read_scans(settings))
    assert len({record.name for record in records}) == 40 * 8
    assert {record.name.split("/")[0] == record.group for record in records} == {True}
    with np.load("scans/patient07.npz") as scan:
        labels = ["spot" if has_spot else "clear" for has_spot in scan["has_spot"]]
        assert [record.label for record in records if record.group == "patient07"] == labels
        pixels = np.asarray(Image.open(io.BytesIO(records[7 * 8 + 3].load())))
        np.testing.assert_array_equal(pixels, scan["slices"][3])


def test_the_augmentation_takes_light_from_one_side(warm, tmp_path):
    done = warm.run(SHADES, folder=copied("augmentation", tmp_path))
    assert done.returncode == 0, done.stderr
    (to_the_right, downwards, unchanged), labels = json.loads(done.stdout)
    # (1 -+ 1 / sqrt(2)) / 2 of the strength at the sides, and half of it in the middle.
    row = [100 * (1 - 0.8 * share) for share in (0.1464466, 0.5, 0.8535534)]
    assert to_the_right == [pytest.approx(row, rel=1e-5)] * 3
    half = [(100 + value) / 2 for value in row]
    assert downwards == [pytest.approx([value] * 3, rel=1e-5) for value in half]
    assert (unchanged, labels) == ([[100.0] * 3] * 3, [4, 5, 6])


def test_the_format_answers_more_images_than_a_request_takes(warm, tmp_path):
    done = warm.run(TOTALS, folder=copied("export_format", tmp_path))
    assert done.returncode == 0, done.stderr
    # Twice the sum of 4 n, 4 n + 1, 4 n + 2 and 4 n + 3.
    assert json.loads(done.stdout) == [[32.0 * number + 12 for number in range(70)], True]


def test_the_stage_lists_the_surest_mistakes(warm, tmp_path):
    done = warm.run(MISTAKES, folder=copied("stage", tmp_path))
    assert done.stdout.split("\n") == ["id,label,predicted,score", "c.png,4,9,0.8", " {'mistakes': 1}", ""], done.stderr


def test_the_task_learns_and_answers_the_number_of_a_label(warm, tmp_path):
    done = warm.run(NUMBERS, folder=copied("task", tmp_path))
    assert done.returncode == 0, done.stderr
    right, answers, loss, errors, score = json.loads(done.stdout)
    assert (right, answers) == ([10.0, 3.0, 10.0], [7.0, 3.0, 12.0])
    assert (loss, errors) == ([9.0, 0.0, 4.0], [3.0, 0.0, 2.0])
    # (3 + 0 + 2) / 3, and with the first image twice (2 * 3 + 0 + 2) / 4.
    assert score == pytest.approx([5 / 3, 2.0])


def test_the_metric_is_the_mean_distance_of_the_digits(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES / "metric")
    from my_metric import reading_error

    # 2 is read as 5, and 7 as 6: (3 + 1) / 2, and with the second image three times (3 + 3 * 1) / 4.
    scores, weights = np.eye(10)[[5, 6]], np.array([[1.0, 1.0], [1.0, 3.0]])
    assert reading_error(np.array([2, 7]), scores, weights).tolist() == [2.0, 1.5]


def test_every_folder_has_commands_and_is_listed():
    assert sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir()) == NAMES
    listed = re.findall(r"\]\((\w+)/README\.md\)", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert sorted(listed) == NAMES == sorted(name for name in NAMES if list(sessions(name)))


@pytest.mark.parametrize("name", NAMES)
def test_a_readme_names_its_files_and_every_block_is_run(name):
    text = text_of(name)
    files = {path.name for path in (EXAMPLES / name).iterdir() if path.is_file()} - {"README.md"}
    assert files == {found for found in re.findall(r"(\w+\.py)", text) if (EXAMPLES / name / found).exists()}
    assert {language for language, _ in FENCE.findall(text)} == {"console"}


@pytest.mark.parametrize("name", ["source", "network", "augmentation", "metric", "stage"])
def test_a_readme_shows_which_stages_an_edit_runs_again(name):
    edited = [shown for command, shown in sessions(name) if command.startswith("kerasvision plan")]
    assert re.search(rf" source file my_{name}: content changed\n", edited[-1])


def test_a_task_takes_about_35_lines():
    tree = ast.parse((EXAMPLES / "task" / "my_task.py").read_text(encoding="utf-8"))
    lines = ast.unparse(tree).splitlines()
    assert len([line for line in lines if line.strip()]) <= 35
