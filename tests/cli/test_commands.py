"""Small commands, and their answers to mistakes: the rule, what was received, the way out, and the exit code."""

import json
import re
import sys
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "pipelines/digit.py"], 2, "there is no pipeline file pipelines/digit.py"),
        (["run", "pipelines/digits.py", "--set", "training.epoch=3"], 2, "no field 'epoch'; did you mean 'epochs'?"),
        (["run", "pipelines/digits.py", "--set", "model.name=resnet17"], 2, "did you mean 'resnet18'?"),
        (["run", "pipelines/digits.py", "--set", "name=../up"], 2, "and is not a path; received '../up'"),
        (["run", "pipelines/digits.py", "--until", "trainr"], 2, "has no stage 'trainr'; did you mean 'trainer'?"),
        (
            ["run", "pipelines/digits.py", "--only", "trainer", "--until", "trainer"],
            2,
            "--only cannot be combined with --from or --until",
        ),
        (["run", "pipelines/flowers.py", "--set", "source.path=/nowhere"], 3, "there is no folder /nowhere"),
        (["run", "pipelines/flowers.py", "--set", "source.path=README.md"], 3, "README.md is a file, not a folder"),
        (["run"], 2, "Missing argument 'PIPELINE'"),
        (["run", "pipelines"], 2, "pipelines is a folder. Name a pipeline file in it: pipelines/coco_captions.py, "),
        (
            ["train", "pipelines/digits.py"],
            2,
            "`kerasvision run pipelines/digits.py --until trainer` trains; without",
        ),
        (["--no-such", "train"], 2, "No such option: --no-such"),
        (["runs", "show", "2000"], 2, "there is no run '2000'"),
        (["runs", "why", "trainer"], 2, "never finished here"),
        (
            ["models", "show", "lenet6"],
            2,
            "no model is named 'lenet6'; did you mean 'lenet5'? By family: linear: linear; ",
        ),
        (["models", "show", "lenet5", "--image-shape", "28"], 2, "the form height,width,channels; received '28'"),
        (["new", "../up", "--images", "."], 2, "and is not a path; received '../up'"),
        (["new", "mine", "--images", "/nowhere"], 3, "there is no folder /nowhere"),
        (["data", "scan", "/nowhere"], 2, "there is no pipeline file or folder /nowhere"),
        (["compile", "pipelines/digits.py", "--to", "kubeflow"], 2, "--to kubeflow and --image require each other"),
        (["compile", "pipelines/digits.py", "--image", "vision:1"], 2, "--to kubeflow and --image require each other"),
        (["compile", "pipelines/digits.py", "--mount", "/data"], 2, "--volume and --mount require --to kubeflow"),
        (["compile", "pipelines/digits.py", "-o", "tests"], 2, "--out must name a file; received 'tests'"),
        (["compile", "pipelines/digits.py", "--to", "airflow", "--image", "a"], 2, "'airflow' is not"),
        (["predict", "/nowhere", "x.png"], 2, "is not a saved model: there is no such folder"),
        (["serve", "/nowhere", "--engine", "openvina"], 2, "no engine is named 'openvina'; did you mean 'openvino'?"),
        (["sample", "/nowhere"], 2, "give either --out, a picture of all images, or --folders"),
        (["sample", "/nowhere", "--out", "a.png"], 2, "is not a saved model: there is no such folder"),
        (
            ["sample", "/nowhere", "--out", "a.png", "--count", "0"],
            2,
            "Invalid value for '--count': Input should be",
        ),
        (
            ["sample", "/nowhere", "--out", "a.png", "--seed", "-1"],
            2,
            "Invalid value for '--seed': Input should be",
        ),
    ],
)
def test_mistake_exits_with_its_code_and_says_the_way_out(kerasvision, tmp_path, arguments, code, message):
    root = ["--root", tmp_path] if arguments[0] in ("run", "runs") and len(arguments) > 1 else []
    done = kerasvision(*arguments, *root)
    assert done.returncode == code
    assert message in re.sub(r"\s+", " ", done.stderr)
    assert "Traceback" not in done.stderr


def test_traceback_is_shown_on_request(kerasvision):
    assert "Traceback" in kerasvision("--traceback", "run", "pipelines/digit.py").stderr


def test_read_only_root_exits_6(kerasvision, tmp_path):
    # A file at this path replaces a folder without permission, because root may write everywhere.
    (tmp_path / "runs").write_text("")
    done = kerasvision("run", "pipelines/digits.py", "--root", tmp_path)
    assert done.returncode == 6
    assert "Choose another folder with --root." in re.sub(r"\s+", " ", done.stderr)


def test_help_names_every_command(kerasvision):
    text = kerasvision("--help").stdout
    commands = ("run", "plan", "stage", "push", "compile", "predict", "serve", "saved", "report", "new", "data", "doctor")
    for command in (*commands, "tune", "runs", "models"):
        assert re.search(rf"^  {command}\b", text, flags=re.MULTILINE), command


def test_models_show_adds_up(kerasvision):
    shown = kerasvision("models", "show", "lenet5", "--option", "activation=tanh").stdout
    assert "61,706 trainable weights, 61,706 in all (0.2 MiB in float32)" in shown
    assert "equal to Dive into Deep Learning: 61,706 trainable weights" in shown


def test_models_show_ends_with_the_maps_of_a_detector_of_two_stages(kerasvision):
    options = ("backbone=resnet9", "width=0.125", "anchor_sizes=[16]", "channels=8", "hidden=8")
    asked = [part for option in options for part in ("--option", option)]
    shown = kerasvision("models", "show", "faster_rcnn", "--image-shape", "32,64,3", "--classes", "5", *asked).stdout
    assert re.search(r"p3 +8 +4 x 8 +12x22, 16x16, 22x12 +80 x 80", shown)
    assert "\n96 anchors, from which at most 96 proposals are made; " in shown


def test_models_show_names_the_licence_of_the_weights(kerasvision):
    shown = kerasvision("models", "show", "keras/mobilenet").stdout
    assert "equal to keras.applications, with our head: 4,253,864 in all" in shown
    assert shown.splitlines()[-1] == "weights='imagenet': keras.applications (licence: Apache-2.0)"


def test_models_show_says_where_nothing_was_published(kerasvision):
    shown = kerasvision("models", "show", "lenet5", "--image-shape", "28x28x1", "--classes", "7").stdout
    assert "no size was published for these images and classes" in shown


def test_models_list_names_each_with_its_paper(kerasvision):
    shown = kerasvision("models", "list").stdout
    assert "1512.03385" in shown
    assert shown.splitlines()[-1].startswith("and 40 of keras.applications, such as keras/mobilenet, ")


def test_models_list_names_the_networks_of_keras_applications_with_the_licence_of_their_weights(kerasvision):
    shown = kerasvision("models", "list", "--keras").stdout
    assert re.search(
        r"keras/convnext_tiny +224 +32 +27,820,128 +MIT +Liu et al., 2022, https://arxiv.org/abs/2201.03545", shown
    )
    assert "lenet5" not in shown


def test_doctor_finds_nothing_wrong_here(kerasvision, tmp_path):
    done = kerasvision("doctor", "--root", tmp_path)
    assert done.returncode == 0, done.stdout
    assert "tensorflow" in done.stdout


def test_new_writes_a_file_that_plans(kerasvision, tmp_path):
    from PIL import Image

    for label in ("cat", "dog"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(10):
            Image.new("RGB", (60, 50), (number, 0, 0)).save(tmp_path / "photos" / label / f"{number}.jpg")
    done = kerasvision("new", "pets", "--images", "photos", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 classes, 20 images in photos" in (tmp_path / "pipelines" / "pets.py").read_text()
    planned = kerasvision("plan", "pipelines/pets.py", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    again = kerasvision("new", "pets", "--images", "photos", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists already, and is not overwritten" in again.stderr


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_path_of_any_bytes_is_printed_and_comes_back(encoding, kerasvision, tmp_path):
    (tmp_path / "caf\udce9").mkdir()
    (tmp_path / "caf\udce9" / "größe.py").write_text(
        """
from kerasvision import config as c
EXPERIMENT = c.Experiment(name="test", source=c.ImageFolder(path="caf\\udce9"), transform=c.Transform(image_size=(32, 32)),
                          task=c.Classification(), model=c.Model(name="lenet5"))
""",
        encoding="utf-8",
    )
    done = kerasvision("compile", tmp_path / "caf\udce9" / "größe.py", cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr
    example_gen, *_ = json.loads(done.stdout)["nodes"]
    assert example_gen["settings"]["source"]["path"] == "caf\udce9"
    planned = kerasvision("plan", tmp_path / "caf\udce9" / "gone.py", cwd=tmp_path, PYTHONIOENCODING=encoding)
    assert planned.returncode == 2
    assert r"caf\udce9" in planned.stderr


@pytest.mark.parametrize("pipeline", sorted(REPOSITORY.glob("pipelines/*.py")), ids=lambda path: path.stem)
def test_compiled_pipeline_equals_the_golden_file(pipeline, request, kerasvision):
    golden = REPOSITORY / "tests" / "golden" / f"{pipeline.stem}.json"
    compiled = kerasvision("compile", pipeline).stdout
    if request.config.getoption("--update-golden"):
        golden.write_text(compiled)
    assert compiled == golden.read_text()


def test_compiled_file_for_kubeflow_equals_the_golden_file(request, kerasvision, tmp_path):
    golden = REPOSITORY / "tests" / "golden" / "digits.kubeflow.yaml"
    options = ("--to", "kubeflow", "--image", "registry.example/vision:1", "--set", "cluster.resources.trainer={'gpus': 1}")
    done = kerasvision("compile", "pipelines/digits.py", *options, "-o", tmp_path / "digits.yaml")
    assert done.stdout == f"wrote {tmp_path / 'digits.yaml'}\n"
    compiled = (tmp_path / "digits.yaml").read_text()
    if request.config.getoption("--update-golden"):
        golden.write_text(compiled)
    assert compiled == golden.read_text()


def test_tensorflow_is_quiet_while_it_is_imported_and_shows_why_it_fails(tmp_path):
    import subprocess

    (tmp_path / "tensorflow.py").write_text(
        "import os\nos.write(2, b'greeting\\n')\nif os.environ.get('FAIL'): raise RuntimeError('broken')\n"
    )
    code = "from kerasvision import quiet; quiet.install(); import tensorflow; print(tensorflow.__name__)"
    environment = {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}
    quiet = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert (quiet.stdout, quiet.stderr) == ("tensorflow\n", "")
    failing = {**environment, "FAIL": "1"}
    failed = subprocess.run([sys.executable, "-c", code], env=failing, capture_output=True, text=True, check=False)
    assert "greeting" in failed.stderr
    assert "RuntimeError: broken" in failed.stderr


def test_no_garbage_is_collected_while_tensorflow_is_imported_nor_of_its_objects_later(tmp_path):
    import subprocess

    (tmp_path / "tensorflow.py").write_text("import gc\nDURING, KEPT = gc.isenabled(), [[] for _ in range(1000)]\n")
    code = (
        "import gc; from kerasvision import quiet; quiet.install(); import tensorflow; "
        "print(tensorflow.DURING, gc.isenabled(), gc.get_freeze_count() > 1000)"
    )
    environment = {"PYTHONPATH": f"{tmp_path}:{REPOSITORY}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "False True True\n"


def test_ctrl_c_exits_130_and_the_next_run_goes_on(tmp_path):
    import os
    import signal
    import subprocess

    (tmp_path / "slow.py").write_text(
        "import time\n"
        "from kerasvision import config as c\n"
        "from kerasvision.pipeline.artifacts import Out, Schema\n"
        "from kerasvision.pipeline.graph import Pipeline\n"
        "EXPERIMENT = c.Experiment(name='slow', source=c.Digits(), transform=c.Transform(image_size=(32, 32)),\n"
        "    task=c.Classification(), model=c.Model(name='lenet5'))\n"
        "def wait(schema: Out[Schema]) -> None:\n"
        "    (schema.uri.parent / 'started').touch()\n"
        "    time.sleep(0 if (schema.uri.parent / 'go').exists() else 60)\n"
        "def pipeline(experiment):\n"
        "    made = Pipeline(experiment.name)\n"
        "    made.add(wait)\n"
        "    return made\n"
    )
    command = [sys.executable, "-c", "from kerasvision.cli import main; main()", "run", "slow.py"]
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    folder = tmp_path / "runs" / "artifacts" / "slow" / "wait" / "schema"
    while not (folder / "started").exists():
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "wait was stopped. Finished stages are kept: run the same command again" in stderr
    (folder / "go").touch()
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 0
