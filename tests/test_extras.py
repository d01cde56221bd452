"""A message about a missing package ends with a command that works: for a clone, a repository or an index."""

import importlib.metadata
import json
import re
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

from kerasvision import extras

ROOT = Path(__file__).parents[1]
# Distributions whose packages have other names.
IMPORTED = {"mlflow_skinny": "mlflow", "openlineage_python": "openlineage"}


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """Installs kerasvision in site-packages, with this direct_url.json, or without one if it is None."""

    def install(record):
        monkeypatch.setattr(extras, "__file__", str(tmp_path / "site-packages" / "kerasvision" / "extras.py"))
        text = json.dumps(record) if record else None
        monkeypatch.setattr(importlib.metadata, "distribution", lambda name: SimpleNamespace(read_text=lambda file: text))

    return install


@pytest.fixture(autouse=True)
def environment_is_active(monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: str(Path(sys.executable).with_name(name)))


def test_the_table_of_extras_is_that_of_the_project():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for extra, packages in extras.EXTRAS.items():
        names = {re.match(r"[\w-]+", requirement)[0].replace("-", "_") for requirement in declared[extra]}
        assert {IMPORTED.get(name, name) for name in names} == set(packages), extra


def test_in_a_clone_the_clone_is_installed(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert extras.install_command("serve") == "pip install -e '.[serve]'"


def test_in_another_folder_the_clone_is_named(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert extras.install_command("formats", "subwords") == f"pip install -e '{ROOT}[formats,subwords]'"


@pytest.mark.parametrize(
    ("record", "command"),
    [
        (None, "pip install 'kerasvision[serve]'"),
        (
            {"url": "https://host/kerasvision.git", "vcs_info": {"vcs": "git", "commit_id": "abc1"}},
            "pip install 'kerasvision[serve] @ git+https://host/kerasvision.git@abc1'",
        ),
        (
            {"url": "file:///home/ann/kerasvision-1.whl", "archive_info": {}},
            "pip install 'kerasvision[serve] @ file:///home/ann/kerasvision-1.whl'",
        ),
        ({"url": "file:///home/ann/clone", "dir_info": {}}, "pip install 'kerasvision[serve] @ file:///home/ann/clone'"),
    ],
    ids=["index", "repository", "wheel", "folder"],
)
def test_elsewhere_it_comes_from_where_kerasvision_came_from(installed, record, command):
    installed(record)
    assert extras.install_command("serve") == command


def test_without_any_record_an_index_is_asked(installed, monkeypatch):
    installed(None)

    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", absent)
    assert extras.install_command("serve") == "pip install 'kerasvision[serve]'"


@pytest.mark.parametrize("found", [None, "/usr/bin/pip"])
def test_pip_is_that_of_this_environment_also_where_it_is_not_active(monkeypatch, found):
    monkeypatch.setattr("shutil.which", lambda name: found)
    monkeypatch.chdir(ROOT)
    assert extras.install_command("serve") == f"{sys.executable} -m pip install -e '.[serve]'"


def test_an_environment_without_pip_was_made_by_uv(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.chdir(ROOT)
    assert extras.install_command("serve") == f"uv pip install --python {sys.executable} -e '.[serve]'"


def test_the_error_names_the_packages_and_their_extras(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert str(extras.missing("transform", ["tokenizers"])) == (
        "transform requires the package tokenizers, which is not installed. Install with: pip install -e '.[subwords]'."
    )
    assert str(extras.missing("exporter", ["tokenizers", "onnx"])) == (
        "exporter requires the packages onnx, tokenizers, which are not installed. "
        "Install with: pip install -e '.[formats,subwords]'."
    )
    assert str(extras.missing("mine", ["other"])).endswith("Install with: pip install other.")
    assert str(extras.missing("mine", ["other", "onnx"])).endswith("Install with: pip install -e '.[formats]' other.")
