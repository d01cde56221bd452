"""What README.md shows below a command is what the command prints."""

import importlib.util
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

_spec = importlib.util.spec_from_file_location("readme", Path(__file__).parents[1] / "readme.py")
readme = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(readme)

SESSIONS = {block.script.split("\n")[0]: block.output for block in readme.blocks() if block.output}
PLAN = "kerasvision plan pipelines/digits.py --set training.epochs=30"
SHOW = "kerasvision models show resnet50 | tail -2"
SCAN = "kerasvision data scan ~/Pictures/flowers"


def without_measured(text):
    """Without trailing blanks, seconds, and the names of runs and executions, which differ from run to run.

    Stages that run side by side get their numbers in the order in which they begin.
    """
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", text)
    text = re.sub(r"(runs/artifacts(?:/\w+)+)/\d+", r"\1/NUMBER", text)
    lines = [re.sub(r"(?<= )\d+\.\d(?=( s)?( |$))", "SECONDS", line.rstrip()) for line in text.splitlines()]
    return [re.sub(" +", " ", line) for line in lines]


def test_every_output_is_compared():
    assert set(SESSIONS) == {PLAN, SHOW, SCAN}


def test_the_first_command_ends_with_the_table(digits_root):
    (shown,) = [block.text for block in readme.blocks() if block.text.startswith(" stage                   seconds")]
    assert without_measured((digits_root / "first_run.txt").read_text()) == without_measured(shown)


def test_a_plan_says_what_would_run_and_why(digits_root, kerasvision):
    planned = kerasvision(*shlex.split(PLAN)[1:], "--root", digits_root).stdout
    assert [line.rstrip() for line in planned.splitlines()] == SESSIONS[PLAN].splitlines()


def test_a_network_is_shown_with_its_size(kerasvision):
    shown = kerasvision(*shlex.split(SHOW.partition(" | ")[0])[1:])
    assert shown.stdout.splitlines()[-2:] == SESSIONS[SHOW].splitlines()


def test_a_compiled_pipeline_has_every_stage_and_setting(kerasvision):
    compiled = kerasvision("compile", "pipelines/digits.py").stdout
    assert compiled == (readme.ROOT / "tests" / "golden" / "digits.json").read_text()


@pytest.mark.parametrize("command", ["runs list", "runs show", "runs lineage", "runs why trainer", "saved list", "report"])
def test_commands_without_a_pipeline_answer_after_the_first_one(digits_root, kerasvision, command):
    assert f"kerasvision {command}" in readme.TEXT or f"`{command.split()[1]}`" in readme.TEXT
    done = kerasvision(*command.split(), "--root", digits_root)
    assert (done.returncode, bool(done.stdout)) == (0, True), done.stderr


def test_a_scan_says_what_it_shows(kerasvision, make_images, tmp_path):
    folder = make_images.class_folder(tmp_path / "flowers", splits=("train", "test"))
    random = np.random.default_rng(0)
    for number in range(3):
        picture = Image.fromarray(random.integers(0, 256, (4, 5, 3), np.uint8)).resize((40, 32), Image.Resampling.BICUBIC)
        picture.save(folder / "train" / "cat" / f"similar-{number}.png")
        picture.save(folder / "test" / "cat" / f"similar-{number}.jpg", quality=90)
    (folder / "train" / "cat" / "copy.png").write_bytes((folder / "train" / "cat" / "similar-0.png").read_bytes())
    done = kerasvision("data", "scan", folder, cwd=tmp_path)
    for line in SESSIONS[SCAN].splitlines():
        assert re.search(pattern(line), done.stdout, flags=re.MULTILINE), f"{line}\n\n{done.stdout}"


def pattern(line):
    """The line with any numbers and any paths, and with anything for dots at its end."""
    words = [r"\S+" if "/" in word else re.sub(r"\d+", r"\\d+", re.escape(word)) for word in line.split(" ")]
    return "^" + " ".join(words).replace(re.escape("..."), ".*") + "$"
