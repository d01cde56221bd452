"""The files around the package agree with it: licence, citation, changes, contributing, and what GitHub reads."""

import hashlib
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

import kerasvision
from kerasvision.cli import app

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
GITHUB = ROOT / ".github"
# Of https://www.apache.org/licenses/LICENSE-2.0.txt
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
# The fields that a message, a title, authors and a version need, and the others used here, of
# https://github.com/citation-file-format/citation-file-format/blob/1.2.0/schema-guide.md
CFF_REQUIRED = {"cff-version", "message", "title", "authors"}
CFF_OPTIONAL = {"type", "abstract", "version", "license", "keywords"}


def read_yaml(file):
    return yaml.safe_load(file.read_text("utf-8"))


def test_licence_is_the_unmodified_apache_2_and_named_so():
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2
    assert (PROJECT["license"], PROJECT["license-files"]) == ("Apache-2.0", ["LICENSE"])


def test_citation_is_of_this_version_and_of_the_package():
    citation = read_yaml(ROOT / "CITATION.cff")
    assert CFF_REQUIRED <= citation.keys() <= CFF_REQUIRED | CFF_OPTIONAL
    assert (citation["cff-version"], citation["type"]) == ("1.2.0", "software")
    assert (citation["title"], citation["version"]) == (PROJECT["name"], kerasvision.__version__)
    assert (citation["license"], citation["authors"]) == (PROJECT["license"], PROJECT["authors"])
    assert citation["keywords"] == PROJECT["keywords"]


def test_changelog_names_this_version_and_every_command():
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"\nNo version is released yet. {kerasvision.__version__} will be the first" in text
    (listed,) = re.findall(r"\*\*Command line\.\*\* (.+?)\.", text, re.DOTALL)
    assert set(re.findall(r"`(\w+)`", listed)) == set(get_command(app).commands)


def test_contributing_names_files_that_are_there():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    words = {word for code in re.findall(r"`([^`\n]+)`", text) for word in code.split()}
    named = {word for word in words if re.fullmatch(r"[\w.]+/[\w./-]*", word) and not word.startswith(".venv/")}
    named |= set(re.findall(r"\]\(([^)]+)\)", text))
    assert {"README.md", "kerasvision/lookup.py", ".ci/run", "tests/conformance/catalogue.py"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_contributing_has_the_test_command_of_the_readme():
    command = re.search(r"^python3 -m venv .*pytest.*$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)[0]
    assert command in (ROOT / "CONTRIBUTING.md").read_text("utf-8").splitlines()


def test_ci_runs_its_script_on_every_python_that_is_supported():
    workflow = read_yaml(GITHUB / "workflows" / "ci.yml")
    (job,) = workflow["jobs"].values()
    assert job["steps"][-1] == {"run": ".ci/run"}
    pythons = [f"Programming Language :: Python :: {version}" for version in job["strategy"]["matrix"]["python"]]
    assert pythons == [line for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert workflow[True].keys() == {"push", "pull_request"}  # YAML reads `on` as true


@pytest.mark.parametrize("file", sorted((GITHUB / "workflows").glob("*.yml")), ids=lambda file: file.stem)
def test_workflow_pins_its_actions_and_may_only_read(file):
    used = [line.strip() for line in file.read_text("utf-8").splitlines() if "uses:" in line]
    assert used
    assert [line for line in used if not re.fullmatch(r"- uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line)] == []
    assert read_yaml(file)["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("file", sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda file: file.stem)
def test_issue_form_has_the_fields_that_github_requires(file):
    form = read_yaml(file)
    assert form.keys() == {"name", "description", "labels", "body"}
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    for field in form["body"]:
        assert field["type"] == "textarea"
        assert field.keys() <= {"type", "id", "attributes", "validations"}
        assert {"label"} <= field["attributes"].keys() <= {"label", "description", "render"}
    assert form["body"][0]["validations"] == {"required": True}
