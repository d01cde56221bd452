"""The pages of the reference hold every command, every option and every setting: they are made from the program."""

import doctest
import importlib.util
import re
from pathlib import Path

import pytest
from typer.main import get_command

from kerasvision.cli import app
from kerasvision.config.reference import every_group, every_setting

DOCS = Path(__file__).parent.parent / "docs"


def module_of(name):
    """A module of docs/, which is not a package."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages():
    return module_of("reference_pages")


@pytest.mark.parametrize("name", ["docstrings", "reference_pages"])
def test_doctests_pass_that_pytest_does_not_collect(name):
    failed, attempted = doctest.testmod(module_of(name))
    assert (failed, attempted > 0) == (0, True)


def sections(text):
    """Heading -> what is below it."""
    parts = re.split(r"^## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def every_command(command, name="kerasvision"):
    yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from every_command(inner, f"{name} {word}")


def test_every_command_has_a_section_with_all_its_options(pages):
    shown = sections(pages.commands_text())
    commands = dict(every_command(get_command(app)))
    assert list(shown) == list(commands)
    assert len(commands) > 25
    for name, command in commands.items():
        for parameter in command.params:
            assert all(option in shown[name] for option in parameter.opts if option.startswith("--")), (name, parameter.opts)


def test_every_setting_has_a_row_with_its_default(pages):
    shown = sections(pages.settings_text())
    assert list(shown) == [group.path or "The experiment" for group in every_group()]
    for setting in every_setting():
        group, _, name = setting.path.rpartition(".")
        rows = [line for line in shown[group or "The experiment"].splitlines() if line.startswith(f"| `{name}` |")]
        assert len(rows) == 1, setting.path
        assert (f" `{setting.default}` " if setting.default else "|  |") in rows[0]


def test_every_module_of_a_package_has_a_section(pages):
    shown = sections(pages.modules_text("kerasvision.config"))
    files = {file.stem for file in (DOCS.parent / "kerasvision" / "config").glob("*.py")} - {"__init__"}
    assert list(shown) == sorted(shown)
    assert shown.keys() == {"config", *(f"config.{name}" for name in files)}
    assert ".. automodule:: kerasvision.config.training\n" in shown["config.training"]


def test_pages_of_the_reference_use_what_is_made():
    text = "\n".join(file.read_text("utf-8") for file in (DOCS / "reference").glob("*.md"))
    directives = re.findall(r"^```\{(commands|settings|modules)\} ?(.*)$", text, re.MULTILINE)
    packages = ["kerasvision.config", "kerasvision.models", "kerasvision.pipeline.stages", "kerasvision.ops"]
    packages += ["kerasvision.data.sources", "kerasvision.tasks"]
    assert sorted(directives) == sorted([("commands", ""), ("settings", ""), *(("modules", name) for name in packages)])
