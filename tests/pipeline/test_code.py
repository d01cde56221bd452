"""A stage's code is found even without a plain import statement; loads that cannot be found are reported."""

import importlib
import os
import sqlite3
import sys
import textwrap
from contextlib import closing
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

from kerasvision import config as c
from kerasvision.config.keras_settings import settle_keras
from kerasvision.config.stages import stage_settings
from kerasvision.errors import ConfigError
from kerasvision.models import build
from kerasvision.pipeline import code
from kerasvision.pipeline.changes import fingerprint_changes
from kerasvision.pipeline.checks import check_pipeline
from kerasvision.pipeline.code import code_of, distribution_of
from kerasvision.pipeline.fingerprint import fingerprint, unseen_loads
from kerasvision.pipeline.standard import standard_pipeline
from kerasvision.pipeline.store import opened

NET = """
import keras


def net(*, image_shape, num_classes):
    ...
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """Writes modules into a folder of the import path."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def write(**modules):
        for name, source in modules.items():
            file = tmp_path / f"{name.replace('__', '/')}.py"
            file.parent.mkdir(exist_ok=True)
            file.write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        code._is_installed.cache_clear()
        return tmp_path

    yield write
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


def trainer(**model):
    experiment = c.Experiment(
        name="test",
        source=c.Digits(),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Classification(),
        model=c.Model(name="my_net:net", **model),
    )
    return standard_pipeline(experiment).nodes["trainer"]


def print_of(folder, **model):
    with opened(folder / "runs") as store:
        return fingerprint(trainer(**model), {}, store)


def changed(folder, change, **model):
    """What `runs why` would say after a change."""
    before = print_of(folder, **model).to_data()
    change()
    return fingerprint_changes(before, print_of(folder, **model))


# --- What is found


@pytest.mark.parametrize(
    "statement",
    [
        'importlib.import_module("my_helper")',
        'import_module("my_helper")',
        '__import__("my_helper")',
        'from importlib import import_module as get; get("my_helper")',
    ],
)
def test_module_imported_by_a_written_name_counts(statement, project):
    folder = project(my_net=f"import importlib\n\n\ndef net():\n    {statement}\n", my_helper="VALUE = 1\n")
    again = lambda: (folder / "my_helper.py").write_text("VALUE = 2\n")  # noqa: E731
    assert changed(folder, again) == ["source file my_helper: content changed"]


def test_relative_name_counts_from_its_package(project):
    folder = project(
        my_package__net='import importlib\nimportlib.import_module(".deeper", __package__)\n', my_package__deeper=""
    )
    (folder / "my_package" / "__init__.py").touch()
    assert set(code_of(["my_package.net"]).digests) == {"my_package", "my_package.net", "my_package.deeper"}


def test_package_without_init_counts(project):
    project(my_net="from my_space.inner import VALUE\n", my_space__inner="VALUE = 1\n")
    assert "my_space.inner" in code_of(["my_net"]).digests


def test_compiled_module_of_the_user_counts(project):
    folder = project(my_net="import my_fast\nfrom my_space import inner\n" + NET, my_space__other="")
    files = [folder / f"my_fast{EXTENSION_SUFFIXES[0]}", folder / "my_space" / f"inner{EXTENSION_SUFFIXES[-1]}"]
    for file in files:
        file.write_bytes(b"machine code")
    project()
    assert changed(folder, lambda: [file.write_bytes(b"other machine code") for file in files]) == [
        "source file my_fast: content changed",
        "source file my_space.inner: content changed",
    ]


def test_installed_package_that_a_users_module_imports_counts_with_its_version(project, monkeypatch):
    folder = project(my_net="import jinja2\nfrom PIL import Image\n" + NET)
    versions = print_of(folder).versions
    assert versions["Jinja2"] == importlib.metadata.version("jinja2")
    real = importlib.metadata.version
    newer = lambda: monkeypatch.setattr(  # noqa: E731
        "importlib.metadata.version", lambda name: "99" if name == "Jinja2" else real(name)
    )
    assert changed(folder, newer) == [f"version of Jinja2: {versions['Jinja2']} -> 99"]


def test_packages_of_the_toolkit_itself_add_no_versions(project):
    project(my_net=NET)
    assert "Jinja2" not in print_of(project()).versions


def test_package_is_known_by_the_name_that_python_imports():
    assert distribution_of("sklearn") == "scikit-learn"


def test_module_that_is_no_python_is_named(project):
    folder = project(my_net="def net(:\n")
    for read in (lambda: code_of(["my_net"]), lambda: c.Model(name="my_net:net")):
        with pytest.raises(ConfigError, match=f"{folder}/my_net.py, line 1, is not valid Python: "):
            read()


# --- What counts in a file

DOCUMENTED = '"""Networks."""\nimport my_layers\n\n\ndef net(*, image_shape, num_classes):\n    return my_layers.dense()\n'
LAYERS = 'WIDTH = 8  # units\n\n\ndef dense():\n    """A layer."""\n    return WIDTH\n'


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("my_net", '"""Networks."""', '"""Two networks."""'),
        ("my_net", "import my_layers\n", "import my_layers  # by hand\n\n"),
        ("my_layers", "# units", "# neurons"),
        ("my_layers", '"""A layer."""', '"""A dense layer."""'),
        ("my_layers", "WIDTH = 8 ", "WIDTH = (8)"),
    ],
)
def test_comments_docstrings_and_layout_of_a_users_code_do_not_count(module, old, new, project):
    folder = project(my_net=DOCUMENTED, my_layers=LAYERS)
    file = folder / f"{module}.py"
    assert changed(folder, lambda: file.write_text(file.read_text().replace(old, new))) == []
    assert new in file.read_text()


@pytest.mark.parametrize(("old", "new"), [("WIDTH = 8", "WIDTH = 9"), ("def dense():", "@staticmethod\ndef dense():")])
def test_edit_that_can_change_what_runs_counts_and_its_file_is_named(old, new, project):
    folder = project(my_net=DOCUMENTED, my_layers=LAYERS)
    file = folder / "my_layers.py"
    edit = lambda: file.write_text(file.read_text().replace(old, new))  # noqa: E731
    assert changed(folder, edit) == ["source file my_layers: content changed"]


def test_docstrings_count_where_some_of_the_code_reads_them(project):
    folder = project(my_net=DOCUMENTED + "\n\nTITLE = net.__doc__\n", my_layers=LAYERS)
    edit = lambda: (folder / "my_layers.py").write_text(LAYERS.replace("A layer.", "A dense layer."))  # noqa: E731
    assert changed(folder, edit) == ["source file my_layers: content changed"]


def test_code_that_begins_to_read_docstrings_is_named(project):
    folder = project(my_net=DOCUMENTED, my_layers=LAYERS)
    edit = lambda: (folder / "my_net.py").write_text(DOCUMENTED + "\n\nTITLE = net.__doc__\n")  # noqa: E731
    assert changed(folder, edit) == [
        "source files: code now reads docstrings or source text, so comments and layout count",
        "source file my_net: content changed",
    ]


def test_result_of_an_earlier_version_is_refused_in_words(project):
    folder = project(my_net=DOCUMENTED, my_layers=LAYERS)
    parts = print_of(folder).to_data()
    parts["code"] = {name: "0" * 64 for name in parts["code"] if name != "my_layers"}
    assert fingerprint_changes(parts, print_of(folder)) == [
        "an earlier version of kerasvision compared the bytes of source files, this one compares their syntax trees: "
        "the stage runs once more",
        "source file my_layers: new",
    ]


# --- When a file is read


def forget():
    """Makes this process forget what it has read, like a new process."""
    code._READ.clear()


def read_files(monkeypatch):
    """The names of the modules that are read from now on."""
    read, real = [], code.read_source
    monkeypatch.setattr(code, "read_source", lambda file, name: read.append(name) or real(file, name))
    return read


def test_file_is_read_anew_only_after_it_changed(project, monkeypatch):
    folder = project(my_net=DOCUMENTED, my_layers=LAYERS)
    # As if no file had been changed shortly before it was read.
    monkeypatch.setattr("kerasvision.pipeline.digests.SETTLED_NS", -1)
    forget()
    before = print_of(folder)
    forget()
    read = read_files(monkeypatch)
    assert print_of(folder) == before
    assert read == []
    forget()
    (folder / "my_layers.py").write_text(LAYERS.replace("8", "9"))
    assert fingerprint_changes(before.to_data(), print_of(folder)) == ["source file my_layers: content changed"]
    assert read == ["my_layers"]


def test_what_another_reader_said_does_not_count(project, monkeypatch):
    folder = project(my_net=DOCUMENTED, my_layers=LAYERS)
    monkeypatch.setattr("kerasvision.pipeline.digests.SETTLED_NS", -1)
    forget()
    print_of(folder)
    forget()
    monkeypatch.setattr(code, "_reader", lambda: "another version of Python")
    read = read_files(monkeypatch)
    print_of(folder)
    assert {"my_net", "my_layers", "kerasvision.training.fit"} <= set(read)


def test_store_that_knows_no_sources_yet_is_read(project):
    folder = project(my_net=DOCUMENTED, my_layers=LAYERS)
    before = print_of(folder)
    with closing(sqlite3.connect(folder / "runs" / "metadata.sqlite")) as database:
        database.execute("DROP TABLE SourceFile")
    forget()
    with opened(folder / "runs", read_only=True) as store:
        assert fingerprint(trainer(), {}, store) == before


def test_edit_before_a_module_is_loaded_counts_and_afterwards_only_with_a_reload(project):
    folder = project(my_net=DOCUMENTED, my_layers=LAYERS)
    layers = folder / "my_layers.py"
    name_of_edit = ["source file my_layers: content changed"]
    assert changed(folder, lambda: layers.write_text(LAYERS.replace("8", "9"))) == name_of_edit
    loaded = importlib.import_module("my_layers")
    assert changed(folder, lambda: layers.write_text(LAYERS.replace("8", "10"))) == []
    assert changed(folder, lambda: importlib.reload(loaded)) == name_of_edit


# --- What a person names


def test_file_folder_and_module_that_depends_on_names_count_by_their_content(project):
    folder = project(my_net=NET, my_table="VALUE = 1\n")
    (folder / "data").mkdir()
    (folder / "data" / "widths.json").write_text("[1]")
    (folder / "top.txt").write_text("a")
    named = ("data", "top.txt", "my_table")

    def change():
        (folder / "data" / "widths.json").write_text("[2]")
        (folder / "data" / "new.json").write_text("[]")
        (folder / "top.txt").write_text("b")
        (folder / "my_table.py").write_text("VALUE = 2\n")

    assert changed(folder, change, depends_on=named) == [
        "file depends_on/data/new.json: new",
        "file depends_on/data/widths.json: content changed",
        "file depends_on/top.txt: content changed",
        "source file my_table: content changed",
    ]


def test_hidden_and_linked_files_of_a_folder_that_depends_on_names_count(project):
    folder = project(my_net=NET)
    for name in ("data", "far"):
        (folder / name).mkdir()
        (folder / name / ".widths").write_text("1")
    (folder / "data" / "linked").symlink_to("../far")

    def change():
        (folder / "data" / ".widths").write_text("2")
        (folder / "far" / ".widths").write_text("2")

    assert changed(folder, change, depends_on=("data",)) == [
        "file depends_on/data/.widths: content changed",
        "file depends_on/data/linked/.widths: content changed",
    ]


def test_every_component_of_a_users_code_may_name_what_it_depends_on(project):
    folder = project()
    (folder / "a.txt").write_text("a")
    trained = c.Training(optimizer=c.Sgd(depends_on=("a.txt",)))
    experiment = c.Experiment(
        name="test",
        source=c.Digits(depends_on=("a.txt",)),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
        training=trained,
    )
    settings = stage_settings(experiment)
    for stage in ("example_gen", "trainer"):
        assert [name for name, _ in settings[stage].files()][-1] == "depends_on/a.txt"
    assert c.Training.parse(trained.to_data()) == trained
    assert "depends_on" not in str(c.Training().to_data())


def test_dependency_that_does_not_exist_is_refused_before_anything_runs(project):
    project(my_net=NET)
    node = trainer(depends_on=("data/widths.json",))
    with pytest.raises(ConfigError, match=r"files, folders or modules; received 'data/widths.json'. There is no file"):
        list(node.settings.files())


# --- What cannot be found


@pytest.mark.parametrize(
    ("line", "called"),
    [
        ("open('widths.json').read()", "open"),
        ("Path('widths.json').read_text()", "read_text"),
        ("exec(text)", "exec"),
        ("np.load('widths.npy')", "load"),
        ("np.loadtxt('widths.txt')", "loadtxt"),
        ("pkgutil.get_data('my_net', 'widths.txt')", "get_data"),
        ("from importlib import import_module as get; get(name)", "import_module"),
        ("importlib.import_module(name)", "import_module"),
        ("__import__(f'my_{name}')", "__import__"),
    ],
)
def test_load_that_goes_unseen_is_named_until_depends_on_names_it(line, called, project):
    folder = project(my_net=f"def net(*, image_shape, num_classes):\n    {line}\n")
    assert unseen_loads(trainer()) == (
        f"changes of what this code loads go unnoticed: my_net.py, line 2, calls {called}. "
        "Name it: depends_on=('data/table.json', 'my_module')"
    )
    (folder / "widths.json").write_text("[]")
    assert unseen_loads(trainer(depends_on=("widths.json",))) == ""


def test_plain_code_is_not_spoken_of(project):
    project(my_net=NET)
    assert unseen_loads(trainer()) == ""


# --- Keras' own settings


@pytest.fixture
def keras_home(tmp_path, monkeypatch):
    """Writes a keras.json, and makes Keras appear not to be imported."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    return lambda text: (tmp_path / "keras.json").write_text(text)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('"image_data_format": "channels_first"', "require Keras' image_data_format to be 'channels_last'; .*json says"),
        ('"floatx": "float64"', "require Keras' floatx to be 'float32'; .* says 'float64'"),
        ('"epsilon": 0.001', "require Keras' epsilon to be 1e-07; .* says 0.001"),
    ],
)
def test_keras_settings_that_change_results_are_refused(setting, message, keras_home):
    keras_home("{" + setting + "}")
    with pytest.raises(ConfigError, match=message):
        check_pipeline(
            standard_pipeline(
                c.Experiment(
                    name="test",
                    source=c.Digits(),
                    transform=c.Transform(image_size=(32, 32)),
                    task=c.Classification(),
                    model=c.Model(name="lenet5"),
                )
            )
        )


def test_backend_of_the_file_gives_way_and_that_of_the_environment_is_refused(keras_home, monkeypatch):
    keras_home('{"backend": "torch"}')
    settle_keras()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "")  # which Keras treats as unset
    settle_keras()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ConfigError, match="require the Keras backend 'tensorflow'; .* KERAS_BACKEND says 'jax'. Set KERAS"):
        settle_keras()


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"image_data_format": "channels_last", "epsilon": 1e-07}'])
def test_settings_that_change_nothing_pass(text, keras_home):
    keras_home(text)
    settle_keras()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"


def test_settings_of_a_keras_that_is_loaded_count_as_they_are():
    import keras

    settle_keras()
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ConfigError, match="Keras in this process says 'channels_first'"):
            settle_keras()
        with pytest.raises(ConfigError, match="and pipelines require Keras' image_data_format to be 'channels_last'"):
            build("resnet9", image_shape=(32, 32, 3), num_classes=10)
    finally:
        keras.config.set_image_data_format("channels_last")
