"""The commands of docs/ do what the pages say: every page is typed in order, in a folder of its own."""

import doctest
import functools
import http.server
import importlib.util
import re
import shutil
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasvision.config.loading import load_experiment


def _module(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[1] / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


pages, shells, stand_ins = _module("pages"), _module("shell"), _module("stand_ins")
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
# Their commands take the longest; tests of each command are in tests/cli and tests/models.
LONG = (
    "docs/tutorial.md",
    *(
        f"docs/how-to/{page}.md"
        for page in ("captions", "data", "detection", "explain", "networks", "runs", "serve", "transfer")
    ),
)
# Commands that compute nothing.
LIGHT = r"sed |kerasvision (?:advise|compile|new|plan|settings) "
FIRST_RUN = " stage                   seconds  where to look\n"
# Runs a session of Python as doctest does, and says what it got where that is not what was written.
DOCTEST = """
import doctest, sys
session = doctest.DocTestParser().get_doctest(sys.argv[1], {}, "page", "page", 0)
failed, _ = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE).run(session)
sys.exit(failed)
"""


# tests/requirements/test_installation.py types what makes environments.
TYPED = {page: [block for block in pages.blocks(page) if block.typed == "page"] for page in pages.pages()}
BLOCKS = {page: [block for block in blocks if not block.is_slow] for page, blocks in TYPED.items()}
SLOW = [page for page, blocks in TYPED.items() if page in COMPUTES or blocks != BLOCKS[page]]


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
def shell(tmp_path, digits_root, photos, found_objects, warm):
    """A folder with the pipelines of the repository, in which pipelines/digits.py ran, and with photos in its home.

    It also has a model that finds objects, `saved_models/parts`, and photos of parts.
    """
    folder = tmp_path / "page"
    shutil.copytree(digits_root, folder)
    shutil.copytree(pages.ROOT / "pipelines", folder / "pipelines")
    shutil.copytree(photos, folder / "Pictures")
    shutil.copytree(found_objects.saved_model, folder / "saved_models" / "parts" / "1")
    stand_ins.parts(folder)
    with shells.Shell(warm, folder) as shell:
        yield shell


def as_here(shell, script):
    """The script with the first run of this folder in place of the one that the page names."""
    first = min((shell.folder / "runs" / "reports").glob("*.html")).stem
    return re.sub(r"\b\d{8}-\d{4}\b", first, script)


def type_block(shell, block):
    """Types one block; a page's port is a free one here."""
    text = block.text.replace("8501", str(shell.port))
    if "file" in block.remarks:
        (shell.folder / block.remarks["file"]).write_text(block.text)
        return
    if "machines" in block.remarks:
        type_on_machines(shell, block)
        return
    done = shell.python(DOCTEST, text) if block.language == "pycon" else shell.run(as_here(shell, block.script))
    assert done.returncode == 0, f"{block}\n{block.text}\n{done.stdout}\n{done.stderr}"
    # The lines that say how far a command is come first.
    printed = done.stderr + done.stdout if block.output.startswith("...") else done.stdout
    assert not block.output or prints(block.output, printed), f"{block}\n{block.text}\nprinted:\n{printed}"
    if "meanwhile" in block.remarks:
        shell.wait_for_server()


def type_on_machines(shell, block):
    """Types each command on a machine of its own, all at the same time."""
    scripts = scripts_of_machines(block.script)
    machines = shells.Machines(shell.folder, files=("pipelines", "data"), count=len(scripts))
    codes, printed = machines.run(scripts, shell.timeout_seconds)
    assert set(codes) == {0}, f"{block}\n{codes}\n" + "\n---\n".join(printed)


def scripts_of_machines(script):
    """What is typed on each machine, with addresses of this one; an `export` is for all of them."""
    ports = [shells.free_port() for _ in range(3)]
    here = {"a:2222": f"127.0.0.1:{ports[0]}", "b:2222": f"127.0.0.1:{ports[1]}"}
    here |= {"10.0.0.1": "127.0.0.1", "PORT=8000": f"PORT={ports[2]}"}
    for there, address in here.items():
        script = script.replace(there, address)
    lines = script.replace("\\\n", "").splitlines()
    exports = [line for line in lines if line.startswith("export ")]
    commands = [line for line in lines if line not in exports]
    # The page says that the second machine has another index.
    if "TF_CONFIG" in script:
        commands.append(commands[0].replace('"index": 0', '"index": 1'))
    return ["\n".join([*exports, command]) for command in commands]


def test_each_machine_types_its_own_command_with_addresses_of_this_one():
    (devices,) = [block for block in TYPED["docs/how-to/devices.md"] if "machines" in block.remarks]
    first, second = scripts_of_machines(devices.script)
    assert second == first.replace('"index": 0', '"index": 1') != first
    assert re.findall(r"127\.0\.0\.1:\d+|2222", first) == re.findall(r"127\.0\.0\.1:\d+", first)
    (tune,) = [block for block in TYPED["docs/how-to/tune.md"] if "machines" in block.remarks]
    chief, worker = scripts_of_machines(tune.script)
    for script, name in ((chief, "chief"), (worker, "worker1")):
        assert script.startswith("export KERASTUNER_ORACLE_IP=127.0.0.1 KERASTUNER_ORACLE_PORT=")
        assert re.findall(r"TUNER_ID=(\w+) +kerasvision", script) == [name]


def test_the_pipelines_that_the_slow_tests_shorten_are_valid(tmp_path):
    shutil.copytree(pages.ROOT / "pipelines", tmp_path / "pipelines")
    stand_ins.shorten_pipelines(tmp_path)
    for name in stand_ins.SHORTER:
        assert load_experiment(tmp_path / "pipelines" / f"{name}.py").training.epochs <= 3


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=[pytest.mark.slow] if page in LONG else [])
        for page, blocks in BLOCKS.items()
        if blocks and page not in COMPUTES
    ],
)
def test_a_page_can_be_typed_in_order(page, shell):
    for block in BLOCKS[page]:
        type_block(shell, block)


@pytest.fixture
def served_weights(tmp_path):
    """A server with a file of weights for ResNet-50: the program that tells the command line of it."""
    md5 = stand_ins.resnet50_weights(tmp_path / "published")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "published")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield stand_ins.WEIGHTS_ARE_HERE.format(host=f"http://127.0.0.1:{server.server_port}", md5=md5)
        server.shutdown()


def prepare_benchmarks(shell, request):
    """Fewer seeds, epochs, images and rounds by options of the programs; the photos, script and weights that they need."""
    shutil.copytree(shell.folder / "data" / "flowers", shell.folder / "flowers")
    (shell.folder / "tests").symlink_to(pages.ROOT / "tests")
    (shell.folder / "short_keras.py").write_text(stand_ins.SHORT_KERAS)
    stand_ins.packaged_weights("efficientnet-lite2", shell.folder / "packages")
    shell.environment["PYTHONPATH"] += f":{shell.folder / 'packages'}"
    # The last of two equal options counts.
    fewer = """case "$1" in
    *flowers_defaults.py) set -- "$@" --seeds 1 --set training.epochs=1 ;;
    *benchmarks/detection.py) set -- "$@" --seeds 1 --epochs 1 --set training.warmup_epochs=0 ;;
    *features_once.py) set -- "$@" --images 16 --side 64 --rounds 1 ;;
    esac"""
    shells.add_program(shell.folder, "python", f'#!/bin/sh\n{fewer}\nexec {sys.executable} "$@"\n')


def prepare_transfer(shell, request):
    """Small images, and a download from this machine."""
    shell.before = request.getfixturevalue("served_weights")
    shell.environment["no_proxy"] = "127.0.0.1"
    # Keras makes this folder during its import, which the warm process did in another home. Without it, files go to /tmp.
    (shell.folder / ".keras").mkdir()
    stand_ins.shorten(shell.folder / "pipelines" / "flowers.py", {"(96, 96)": "(32, 32)", "pad=12": "pad=4"})


def prepare_devices(shell, request):
    """The programs that train without a pipeline."""
    (shell.folder / "examples").symlink_to(pages.ROOT / "examples")
    shells.add_program(shell.folder, "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')


PREPARED = {
    "docs/benchmarks.md": prepare_benchmarks,
    "docs/how-to/devices.md": prepare_devices,
    "docs/how-to/transfer.md": prepare_transfer,
}


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("page", SLOW)
def test_a_page_can_be_typed_in_order_with_all_its_blocks(page, shell, make_images, request):
    """With stand-ins for what the blocks need, and shorter pipelines where they would train for minutes."""
    shell.timeout_seconds = 1200
    stand_ins.shorten_pipelines(shell.folder)
    stand_ins.fashion_mnist(shell.folder / "data" / "fashion-mnist")
    stand_ins.flowers(make_images, shell.folder / "data" / "flowers")
    for name in ("one.jpg", "one.png", "two.png"):
        make_images.picture().save(shell.folder / name)
    if page in PREPARED:
        PREPARED[page](shell, request)
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
    (first,) = [block for page in pages.pages() for block in pages.blocks(page) if block.typed == "first"]
    assert (first.page, first.script) == (TUTORIAL, (digits_root / "first_command.txt").read_text())
    (shown,) = [block.text for block in pages.blocks(TUTORIAL) if block.text.startswith(FIRST_RUN)]
    assert prints(shown, (digits_root / "first_run.txt").read_text())


def test_what_a_page_shows_wrongly_is_noticed():
    assert prints("score 0.9812\ntrainer  ran  6.6  here\n3.2 s", "score 0.9913 \ntrainer  ran   10.2  here\n2.1 min\n")
    assert not prints("11 stages ran", "10 stages ran")
    assert not prints("97.7 MiB", "97.8 MiB")
