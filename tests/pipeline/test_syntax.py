"""An edit that cannot change what the code does keeps its digest; every other edit changes it."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasvision import lookup
from kerasvision.pipeline.code import code_digests
from kerasvision.pipeline.source import SourceCode, read_source
from kerasvision.pipeline.syntax import reads_own_text, syntax_digest

NET = '''"""A network."""

from __future__ import annotations

import keras

SIZES = (3, 5)


@keras.saving.register_keras_serializable()
class Net(keras.Model):
    """Two layers."""

    width: int = 8

    def call(self, x, training=False):
        """Logits."""
        "not a docstring"
        return self.last(x) + 1  # a bias


def net(*, image_shape: tuple, num_classes: int = 10):
    # Built as in the paper.
    name = f"net{num_classes}"
    return Net(name=name)
'''


def digest(source):
    return syntax_digest(ast.parse(source))


def edited(old, new):
    assert NET.count(old) == 1
    return NET.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  # a bias", ""),
        ("    # Built as in the paper.\n", "    # Built otherwise.\n    # By hand.\n"),
        ('"""A network."""\n', '"""The network of the paper."""\n'),
        ('"""A network."""\n', ""),
        ('    """Two layers."""\n', '    "Three layers."\n'),
        ('        """Logits."""\n        "not', '        r"""Logits, (N, classes)."""\n        "not'),
        ("\n\n\n@keras", "\n\n\n\n\n\n@keras"),
        ("SIZES = (3, 5)", "SIZES = (\n    0x3,\n    5,\n)"),
        ("self.last(x) + 1", "((self.last(x)) +\n                1)"),
        ('"not a docstring"', "u'not a ' 'docstring'"),
        ("import keras\n", "import keras;\n"),
    ],
    ids=lambda text: repr(text)[:30],
)
def test_comments_docstrings_and_layout_do_not_count(old, new):
    assert digest(edited(old, new)) == digest(NET)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("(3, 5)", "(3, 6)"),
        ("(3, 5)", "(3, 5.0)"),
        ("(3, 5)", "[3, 5]"),
        ("(3, 5)", "(3, (5,))"),
        ("(x) + 1", "(x) - 1"),
        ("training=False", "training=True"),
        ("training=False", "training=0"),
        ("num_classes: int = 10", "num_classes: int = 11"),
        ("*, image_shape", "image_shape"),
        ("@keras.saving.register_keras_serializable()\n", ""),
        ("serializable()", "serializable('my')"),
        ("image_shape: tuple", "image_shape: list"),
        ("    width: int = 8", "    width: float = 8"),
        ("    width: int = 8", "    width = 8"),
        ("from __future__ import annotations\n", ""),
        ("import keras\n", "import keras as k\n"),
        ('"not a docstring"', '"not a docstring at all"'),
        ('f"net{num_classes}"', 'f"net{num_classes!r}"'),
        ('f"net{num_classes}"', '"net{num_classes}"'),
        ("Net(name=name)", "Net(name='name')"),
        ("    return Net(name=name)", "    return\n    Net(name=name)"),
        ("    return Net(name=name)", "return Net(name=name)"),
    ],
    ids=lambda text: repr(text)[:30],
)
def test_everything_else_counts(old, new):
    try:
        changed = digest(edited(old, new))
    except SyntaxError:
        changed = ""
    assert changed != digest(NET)


def test_order_of_definitions_counts():
    assert digest("def a(): ...\ndef b(): ...") != digest("def b(): ...\ndef a(): ...")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("f(a, [b])", "f([a, b])"),
        ("f(a)(b)", "f(a, b)"),
        ("if a:\n  if b: c\nelse: d", "if a:\n  if b: c\n  else: d"),
        ("try: a\nexcept: b\nelse: c", "try: a\nexcept: b\nfinally: c"),
        ("x = 'a'", "x = a"),
        ("x = b'a'", "x = 'a'"),
        ("x = 1", "x = True"),
        ("x = None", "x = 'None'"),
        ("x = 'a Name b'", "x = 'a'"),
        ("lambda: (yield)", "lambda: None"),
        ("[*a]", "[a]"),
        ("f(**a)", "f(*a)"),
        ("x: int", "x: int = None"),
    ],
)
def test_different_programs_have_different_digests(one, other):
    assert digest(one) != digest(other)


def test_one_digest_in_every_process():
    """The digest does not depend on the order of sets, on hashes of texts, or on addresses."""
    code = f"import ast; from kerasvision.pipeline.syntax import syntax_digest; print(syntax_digest(ast.parse({NET!r})))"
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin", "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == digest(NET)


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.binary(), st.integers() | st.text())
def test_two_constants_have_one_digest_only_if_they_are_the_same(one, other):
    same = repr(one) == repr(other)
    assert (digest(f"x = {one!r}") == digest(f"x = {other!r}")) == same


def test_very_long_sums_and_very_large_numbers_are_read():
    assert digest("x = " + "+".join(["a"] * 900)) != digest("x = " + "+".join(["a"] * 899))
    assert digest("x = 0x" + "f" * 9000) != digest("x = 0x" + "f" * 8999 + "e")


def test_encoding_of_a_file_counts_only_where_it_changes_a_text():
    latin = "# -*- coding: latin-1 -*-\nx = 'ä'\n"
    assert digest(latin.encode("latin-1")) == digest("x = 'ä'\n")
    assert digest(latin.encode("utf-8")) != digest("x = 'ä'\n")


# --- Code that reads docstrings or source text


@pytest.mark.parametrize(
    "line",
    [
        "parser(description=__doc__)",
        "net.__doc__.splitlines()",
        "getattr(net, '__doc__')",
        "inspect.getsource(net)",
        "from inspect import getdoc as read",
        "import doctest",
        "from doctest import testmod",
        "Settings.model_json_schema()",
    ],
)
def test_code_that_reads_docstrings_or_source_is_found(line):
    assert reads_own_text(ast.walk(ast.parse(line)))


def test_plain_code_is_not_taken_for_a_reader():
    assert not reads_own_text(ast.walk(ast.parse(NET)))


def test_no_stage_or_network_of_this_project_reads_docstrings_or_source():
    """If one did, all code would count byte by byte."""
    paths = [table.path(name) for table in (lookup.STAGES, lookup.MODELS, lookup.COMPONENTS) for name in table]
    digests = code_digests({path.partition(":")[0] for path in paths})
    assert len(digests) > 200
    assert [name for name, found in digests.items() if "text:" in found] == []


def test_what_a_source_says_is_kept_as_text(tmp_path):
    file = tmp_path / "net.py"
    file.write_text("from . import a\nopen('x')\n")
    said = read_source(file, "own.net")
    assert said.imports == ("own", "own.a")
    assert said.unseen == ("net.py, line 2, calls open",)
    assert SourceCode.from_text(said.to_text()) == said
