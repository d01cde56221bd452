"""Everything that a page shows to type is accepted: every command, setting and part of a pipeline file."""

import ast
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

import kerasvision
from kerasvision import config as c
from kerasvision import introspection, lookup
from kerasvision.config.loading import load_experiment
from kerasvision.config.overrides import with_value
from kerasvision.errors import ConfigError
from kerasvision.pipeline.standard import standard_pipeline

_spec = importlib.util.spec_from_file_location("pages", Path(__file__).with_name("pages.py"))
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)

ROOT = pages.ROOT
BLOCKS = [block for page in pages.pages() for block in pages.blocks(page)]
PYTHON = [block for block in BLOCKS if block.language == "python"]
# The keywords of a part of a pipeline file, and the files in which it must be valid.
PIECES = {
    ("source", "task", "model", "gate"): ("shapes_detection",),
    ("source", "transform", "task", "model", "gate"): ("fashion_mnist_autoencoder",),
    ("source", "splits", "task", "model", "gate"): ("shapes_tags",),
    ("transform", "task", "model", "gate"): ("fashion_mnist_vae",),
    ("task", "model", "gate"): ("shapes_detection",),
    ("training",): ("coco_tags",),
    ("task", "model"): ("coco_captions", "shapes_captioner"),
    ("task",): ("shapes_regression",),
    ("model", "search"): ("shapes_detection",),
    ("search",): ("digits", "fashion_mnist_tuned"),
    ("gate",): ("digits", "flowers"),
    ("hooks",): ("digits",),
    ("listeners",): ("digits",),
    ("cluster",): ("digits",),
    ("object_store",): ("digits",),
    ("runner",): ("digits",),
    ("source",): ("flowers",),
    ("splits",): ("digits", "flowers"),
}
COMMANDS = rf"({'|'.join(pages.PROGRAMS)}|tensorboard|source) "
# What needs more than a page has, or minutes.
REASONS = r"(needs|installs|downloads|trains|starts|measures|the tests run it) \S"
SLOW = ("slow", "machines", "clone", "wheel", "first")
# Inline code of others, that only looks like a setting or a call of ours.
OF_OTHERS = {
    "model.predict",
    '["sea;side", "sun"]',
    '{"poodle": ["animal", "dog"], "rose": ["plant"]}',
    "tf.function",
    "tf.image.resize(antialias=True)",
    "TF_NUM_INTRAOP_THREADS=1",
    "kill -9",
    "pip install tfx==1.21.0 scikit-learn tensorboard",
    "ruff check",
    "ruff format --check",
    "POST /v1/models/digits:predict",
    '{"b64": ...}',
}
# Outputs of a served model, and the signatures that tests/export checks.
SERVED = {
    "valid=false",
    "labels.txt",
    "serving_default(image_bytes)",
    "serve_tensor(image)",
    "explain(image_bytes)",
    "score_captions(image_bytes, captions)",
    "sample(seed, number, label)",
    "restore(image_bytes, label)",
}
FILES = {".py", ".json", ".md", ".sqlite", ".png", ".html", ".toml", ".yaml", ".yml", ".keras", ".gz"}


def with_fields(experiment, **fields):
    return type(experiment).parse({name: getattr(experiment, name) for name in type(experiment).model_fields} | fields)


def pipeline_files():
    """Path as typed -> path of the file."""
    return {f"pipelines/{path.name}": path for path in (ROOT / "pipelines").glob("*.py")}


@pytest.fixture(scope="module")
def written_files(tmp_path_factory, petals):
    """Likewise, those that the commands of pages write."""
    folder = tmp_path_factory.mktemp("written")
    written = {"pipelines/petals.py": petals, "pipelines/digits_strict.py": pipeline_files()["pipelines/digits.py"]}
    for block in BLOCKS:
        if "file" in block.remarks:
            written[block.remarks["file"]] = folder / block.remarks["file"].replace("/", "-")
            written[block.remarks["file"]].write_text(block.text)
    return written


def pipeline(name):
    return load_experiment(pipeline_files()[f"pipelines/{name}.py"])


# --- Blocks


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_is_of_a_kind_that_is_checked(block):
    kinds = ["shown" in block.remarks, bool(block.script), block.language in ("python", "pycon")]
    assert sum(kinds) == 1, f"nothing checks this block:\n{block.text}"


@pytest.mark.parametrize("block", [block for block in BLOCKS if "shown" in block.remarks], ids=str)
def test_what_holds_the_blocks_that_are_shown_is_there(block):
    test = (ROOT / block.remarks["shown"]).read_text()
    assert block.text.split("\n")[0] in test.replace("\\n", "\n")


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.script or block.language == "pycon"], ids=str)
def test_every_block_that_can_be_typed_is_typed_by_a_test(block):
    assert block.typed, f"no test types this block; tests/pages.py says which remarks there are:\n{block.text}"


@pytest.mark.parametrize("block", [block for block in BLOCKS if {*SLOW} & {*block.remarks}], ids=str)
def test_what_is_not_typed_at_once_says_why(block):
    (reason,) = [block.remarks[name] for name in SLOW if name in block.remarks]
    assert re.match(REASONS, reason)


def test_a_remark_that_there_is_not_leaves_the_block_as_it_is():
    """So a block cannot be left out by a remark that no test reads."""
    assert pages.FENCE.search("<!-- not run: it takes long -->\n```bash\nls\n```\n")[1] == ""


@pytest.mark.parametrize("block", PYTHON, ids=str)
def test_every_piece_of_a_pipeline_file_fits_into_one(block):
    if "file" in block.remarks:
        ast.parse(block.text)
        return
    if not block.text.startswith(" "):
        assert block.text in {path.read_text() for path in pipeline_files().values()}
        return
    fields = eval(f"dict(\n{block.text})", {"c": c})
    assert tuple(fields) in PIECES, f"name the pipelines that {', '.join(fields)} fits into"
    for name in PIECES[tuple(fields)]:
        experiment = with_fields(pipeline(name), **fields)
        assert ("tuner" in standard_pipeline(experiment).nodes) == (experiment.search is not None)


def test_a_piece_that_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="pad"):
        with_fields(pipeline("digits"), search=c.Search(space={"augment.0.pad": c.Int(0, 4)}))


# --- Commands


@pytest.fixture(scope="module")
def petals(tmp_path_factory, make_images):
    """pipelines/petals.py, as the command of a page writes it."""
    from typer.testing import CliRunner

    from kerasvision.cli import app

    folder = tmp_path_factory.mktemp("petals")
    make_images.class_folder(folder / "Pictures" / "petals")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(app, ["new", "petals", "--images", "Pictures/petals"])
    assert done.exit_code == 0, done.output
    return folder / "pipelines" / "petals.py"


@pytest.fixture
def accepts(written_files):
    """Refuses a call that its program would refuse."""
    check = {"kerasvision": _accepts_ours, "python": _accepts_script, "pip": _accepts_pip, "python3": _accepts_venv}
    check |= dict.fromkeys(("lint-imports", "mypy", "pytest", "ruff", "sphinx-build"), _accepts_tool)
    check["pre-commit"] = lambda call, _: _assert_words(call, ["install"])
    check["tensorboard"] = lambda call, _: _assert_words(call, ["--logdir", re.compile("runs/.*")])
    return lambda call: check[call.program](call, {**pipeline_files(), **written_files})


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.script], ids=str)
def test_every_command_of_a_block_is_accepted(block, accepts, tmp_path):
    files = {"pipelines/digits.py": (ROOT / "pipelines" / "digits.py").read_text()}
    for name in ("digits", "fashion_mnist_autoencoder"):
        files[f"runs/artifacts/{name}/trainer/model/7/Format-Keras/model.keras"] = ""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    calls = pages.calls(block.script, tmp_path)
    assert calls
    for call in calls:
        accepts(call)


@pytest.mark.parametrize("code", [code for code in pages.inline() if re.match(COMMANDS, code) and code not in OF_OTHERS])
def test_every_command_in_a_sentence_is_accepted(code, accepts, tmp_path):
    if re.fullmatch("kerasvision( [a-z]+)+", code) and the_command(code.split()[1:]):
        return
    if code == "source .venv/bin/activate":
        assert '"${VENV:=.venv}"' in pages.pages()["README.md"]
        return
    (call,) = pages.calls(code, tmp_path)
    accepts(call)


def _assert_words(call, expected):
    assert len(call.arguments) == len(expected), call
    for word, wanted in zip(call.arguments, expected, strict=True):
        assert re.fullmatch(wanted, word), call


def _accepts_venv(call, _):
    _assert_words(call, ["-m", "venv", re.escape(".venv")])


def _accepts_pip(call, _):
    if ".whl" in call.arguments[-1]:
        wheel = re.escape(f"kerasvision-{kerasvision.__version__}-py3-none-any.whl")
        _assert_words(call, ["install", rf"{wheel}(\[serve\])?"])
        return
    if call.arguments == ["install", "pre-commit"]:
        assert (ROOT / ".pre-commit-config.yaml").is_file()
        return
    _assert_words(call, ["install", "-e", r"\.\[\w+(,\w+)*\]"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {*call.arguments[-1][2:-1].split(",")} <= project["optional-dependencies"].keys(), call


def _accepts_tool(call, _):
    """What it is given of files is there, and the project has the tool for its tests."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    package = {"lint-imports": "import-linter", "sphinx-build": "sphinx"}.get(call.program, call.program)
    assert any(line.startswith((package + ">", package + "[")) for line in project["test"] + project["docs"]), call
    for word in call.arguments:
        assert "/" not in word or word.startswith("build/") or (ROOT / word).exists(), call


def _accepts_script(call, _):
    """A program of the repository that has these options; or the tests."""
    if call.arguments[:2] == ["-m", "build"]:
        _assert_words(call, ["-m", "build", "--wheel"])
        return
    if call.arguments[0] == "-m":
        _assert_words(call, ["-m", "pytest", "-n", "3", "--dist", "loadfile"])
        return
    assert_options(*call.arguments)


def assert_options(script, *words):
    source = (ROOT / script).read_text()
    texts = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    for word in words:
        if word.startswith("--"):
            assert word in texts or "parse_known_args" in source, f"{script} has no option {word}"
        elif word.startswith(("pipelines/", "tests/")):
            assert (ROOT / word).exists(), word
        elif script == "requirements/install.py":
            assert word in texts, f"{script} does not know {word}"


def the_command(words):
    """The command that these words begin with; they lose its name."""
    from typer.main import get_command

    from kerasvision.cli import app

    command = get_command(app)
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    return command


def _accepts_ours(call, files):
    """The command line takes these words, and the pipeline file these settings and stages."""
    words = list(call.arguments)
    command = the_command(words)
    given = command.make_context(command.name, words).params
    path = given.get("pipeline_file") or given.get("overfit") or given.get("distribute")
    if path is not None:
        experiment = load_experiment(files[str(path)], overrides=given["overrides"])
        stages = standard_pipeline(experiment).nodes
        assert {given.get("until"), given.get("start"), given.get("only")} <= {None, *stages}, call


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ("run pipelines/digits.py --sett a=1", "No such option: --sett"),
        ("run pipelines/digits.py --set training.epoch=1", "no field 'epoch'"),
        ("run pipelines/digits.py --until train", "train"),
        ("plan digits.py", "digits.py"),
        ("saved lost", "lost"),
    ],
)
def test_a_command_that_would_be_refused_is_noticed(accepts, words, refusal):
    with pytest.raises(Exception, match=refusal):
        accepts(pages.Call("kerasvision", words.split(), {}))


# --- What sentences name


def is_setting(code):
    """Whether it is a setting, a value of one, or a part of a pipeline file."""
    is_one = re.search(r"[=(\s{]|^c\.|^[a-z]+\.[a-z_]+$", code) and not re.match(f"{COMMANDS}|--", code)
    return is_one and Path(code).suffix not in FILES and code not in OF_OTHERS | SERVED


SETTINGS = sorted({code for code in pages.inline() if is_setting(code)})


@pytest.mark.parametrize("code", [code for code in SETTINGS if re.fullmatch(r"[a-z]+\.[a-z_]+(=.+)?", code)])
def test_every_path_of_a_setting_exists(code):
    part, _, field = code.partition("=")[0].partition(".")
    if part == "kerasvision":
        assert hasattr(importlib.import_module(part), field)
        return
    if part == "tool":
        assert field in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
        return
    annotation = c.Experiment.model_fields[part].annotation
    assert any(field in kind.model_fields for kind in kinds_of(annotation)), code


def kinds_of(kind):
    """A family of settings (a source, a task) and all its members."""
    return [kind, *(member for child in kind.__subclasses__() for member in kinds_of(child))]


OPTIONS_OF_NETWORKS = frozenset().union(*(introspection.keywords(lookup.MODELS.path(name)) for name in lookup.MODELS))


@pytest.mark.parametrize("code", [code for code in SETTINGS if re.fullmatch(r"[a-z_]+=.+", code)])
def test_every_value_of_a_setting_is_accepted(code):
    name, _, text = code.partition("=")
    # A text without quotes is written as after --set.
    is_python = re.match(r"[\d\"\[(]|True|c\.", text)
    value = eval(text.replace("...", "'anywhere'"), {"c": c}) if is_python else text
    search = c.Search(space={"training.epochs": c.Int(1, 2)})
    photos = c.Coco(path="coco", annotations=("captions", "instances", "panoptic"))
    holders = [pipeline("digits"), c.Training(freeze="backbone"), search, photos]
    held = [with_value(holder, name, value) for holder in holders if name in type(holder).model_fields]
    assert held or name in OPTIONS_OF_NETWORKS, code


@pytest.mark.parametrize("code", [code for code in SETTINGS if re.match(r"[A-Z]|c\.", code)])
def test_every_class_of_a_pipeline_file_exists(code):
    eval(f"c.{code.removeprefix('c.')}", {"c": c})


def test_every_command_without_its_program_exists(accepts):
    commands = [code for code in SETTINGS if re.fullmatch("[a-z]+ [a-z]+", code)]
    assert commands
    for code in commands:
        accepts(pages.Call("kerasvision", [*code.split(), "pipelines/digits.py"], {}))


def test_every_setting_is_of_a_kind_that_is_checked():
    kinds = r"[a-z]+\.[a-z_]+(=.+)?|[a-z_]+=.+|(c\.)?[A-Z]\w+\(.*\)|c\.\w+|[a-z]+ [a-z]+"
    assert [code for code in SETTINGS if not re.fullmatch(kinds, code)] == [], "nothing checks these"
    assert set(pages.inline()) >= OF_OTHERS | SERVED
