"""The commands of docs/ do what the pages say: every page is typed in order, in a folder of its own."""

import doctest
import importlib.util
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _module(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages, Shell = _module("pages"), _module("shell").Shell
TUTORIAL = "docs/tutorial.md"
# Their commands train networks or score them, which other tests do too: tests/training/devices, test_digits.py,
# test_saved.py, test_data.py, test_probes.py and test_tune.py. By default they are planned: page -> the stages that
# may be the first to run.
COMPUTES = {
    "docs/how-to/devices.md": {"trainer"},
    "docs/how-to/gate.md": {"evaluator"},
    "docs/how-to/own-images.md": {"example_gen"},
    "docs/how-to/training.md": {"trainer"},
    "docs/how-to/tune.md": {"tuner"},
}
# Commands that compute nothing.
LIGHT = r"sed |kerasvision (?:compile|new|plan|settings) "
FIRST_RUN = " stage                   seconds  where to look\n"
# Runs a session of Python as doctest does, and says what it got where that is not what was written.
DOCTEST = """
import doctest, sys
session = doctest.DocTestParser().get_doctest(sys.argv[1], {}, "page", "page", 0)
failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(session)
sys.exit(failed)
"""


def is_run(block):
    return not {"not run", "shown"} & set(block.remarks) and (
        block.script or block.language == "pycon" or "file" in block.remarks
    )


# README and CONTRIBUTING make environments and run these tests: CI gives the README's command.
TYPED = {
    page: [block for block in pages.blocks(page) if is_run(block)] for page in pages.pages() if page.startswith("docs/")
}
BLOCKS = {page: [block for block in blocks if "slow" not in block.remarks] for page, blocks in TYPED.items()}


def without_measured(text):
    """Without seconds, dates, probabilities, and the names of runs and executions, which differ from run to run.

    Stages that run side by side get their numbers in the order in which they begin.
    """
    text = re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "RUN", text)
    text = re.sub(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(\+00:00)?", "TIME", text)
    text = re.sub(r"(runs/artifacts(?:/[\w-]+)+)/\d+", r"\1/NUMBER", text)
    return re.sub(r"\b(\d+\.\d (s|min)\b|(?<=ran )\d+\.\d\b|[01]\.\d{4}\b)", "MEASURED", re.sub("ran +", "ran ", text))


def prints(shown, printed):
    """Whether this is what was printed, but for what is measured; three dots stand for anything."""
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    return doctest.OutputChecker().check_output(without_measured(shown), without_measured(printed), flags)


@pytest.fixture(scope="module")
def photos(tmp_path_factory, make_images):
    """`~/Pictures`: petals in folders of classes, two of them copies and one in two splits by its looks; and flowers."""
    pictures = tmp_path_factory.mktemp("home") / "Pictures"
    make_images.class_folder(pictures / "petals")
    flowers = make_images.class_folder(pictures / "flowers", splits=("train", "test"))
    pixels = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    picture = Image.fromarray(pixels).resize((40, 32), Image.Resampling.BICUBIC)
    picture.save(flowers / "train" / "cat" / "similar.png")
    picture.save(flowers / "test" / "cat" / "similar.jpg", quality=90)
    shutil.copy(flowers / "train" / "cat" / "similar.png", flowers / "train" / "cat" / "copy.png")
    return pictures


@pytest.fixture
def shell(tmp_path, digits_root, photos, warm):
    """A folder with the pipelines of the repository, in which pipelines/digits.py ran, and with photos in its home."""
    folder = tmp_path / "page"
    shutil.copytree(digits_root, folder)
    shutil.copytree(pages.ROOT / "pipelines", folder / "pipelines")
    shutil.copytree(photos, folder / "Pictures")
    with Shell(warm, folder) as shell:
        yield shell


def type_block(shell, block):
    """Types one block; a page's port is a free one here."""
    text = block.text.replace("8501", str(shell.port))
    if "file" in block.remarks:
        (shell.folder / block.remarks["file"]).write_text(block.text)
        return
    done = shell.python(DOCTEST, text) if block.language == "pycon" else shell.run(block.script)
    assert done.returncode == 0, f"{block}\n{block.text}\n{done.stdout}\n{done.stderr}"
    # The lines that say how far a command is come first.
    printed = done.stderr + done.stdout if block.output.startswith("...") else done.stdout
    assert not block.output or prints(block.output, printed), f"{block}\n{block.text}\nprinted:\n{printed}"
    if "meanwhile" in block.remarks:
        shell.wait_for_server()


def slow_if_it_computes(page):
    return pytest.param(page, marks=pytest.mark.slow) if page in COMPUTES else page


@pytest.mark.parametrize("page", [slow_if_it_computes(page) for page, blocks in BLOCKS.items() if blocks])
def test_a_page_can_be_typed_in_order(page, shell):
    for block in BLOCKS[page]:
        type_block(shell, block)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page, blocks in TYPED.items() if blocks != BLOCKS[page]])
def test_a_page_can_be_typed_in_order_with_its_slow_blocks(page, shell):
    for block in TYPED[page]:
        type_block(shell, block)


def succeeded(shell, command):
    """What a command prints that must succeed."""
    done = shell.run(command)
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("page", COMPUTES)
def test_what_a_page_computes_is_planned_on_the_images_that_were_read(page, shell):
    """Types what computes nothing, and then `plan` in place of `run` and `tune`."""
    first = []
    for block in BLOCKS[page]:
        commands = block.script.splitlines()
        if "file" in block.remarks or all(re.match(LIGHT, command) for command in commands):
            type_block(shell, block)
            commands = [command for command in commands if " plan " in command]
        for command in commands:
            planned = re.match(r"kerasvision (?:run|tune|plan) (pipelines/\S+)((?: --set \S+)*)(?!.*--find-)", command)
            if planned:
                plan = succeeded(shell, f"kerasvision plan {planned[1]}{planned[2]}")
                stages = re.findall(r"^ *(\w+) +(reuse|run)\b", plan, re.MULTILINE)
                first.append(next(stage for stage, state in stages if state == "run"))
            elif re.match(LIGHT, command):
                succeeded(shell, command)
    assert set(first) == COMPUTES[page]


def test_the_tutorial_is_typed():
    assert {block.language for block in BLOCKS[TUTORIAL]} == {"bash", "console", "pycon"}


def test_the_first_command_ends_with_the_table(digits_root):
    (shown,) = [block.text for block in pages.blocks(TUTORIAL) if block.text.startswith(FIRST_RUN)]
    assert prints(shown, (digits_root / "first_run.txt").read_text())


def test_what_a_page_shows_wrongly_is_noticed():
    assert prints("score 0.9812\ntrainer  ran  6.6  here\n3.2 s", "score 0.9913 \ntrainer  ran   10.2  here\n2.1 min\n")
    assert not prints("11 stages ran", "10 stages ran")
    assert not prints("97.7 MiB", "97.8 MiB")
