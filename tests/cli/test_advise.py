"""`kerasvision advise`: text, JSON, and what it says about runs that do not exist or ended early."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from kerasvision.cli import app
from kerasvision.errors import ConfigError


def advise(*arguments):
    return CliRunner().invoke(app, ["advise", *map(str, arguments)])


def test_a_run_of_the_digits_that_fits_gets_advice_only_where_a_figure_says_so(digits_root):
    done = advise("--root", digits_root)
    assert done.exit_code == 0, done.output
    first = done.stdout.splitlines()[0]
    assert first.startswith("run ") and " of digits: " in first
    # 0.99 on training, validation and test images: neither bias nor variance, and nothing is missing.
    for word in ("does not fit", "does better on its training images", "not looked at", "simple model"):
        assert word not in done.stdout
    below = advise("--root", digits_root, "--human", 0.9)
    assert "The model is better than people on these images." in below.stdout and "people 0.900" in below.stdout


def test_json_has_the_same_content(digits_root):
    data = json.loads(advise("--root", digits_root, "--human", 0.9, "--json").stdout)
    assert data["pipeline"] == "digits" and data["not_looked_at"] == []
    (one,) = [one for one in data["advice"] if one["rule"] == "beyond_people"]
    assert set(one) == {"rule", "finding", "figures", "todo", "source"} and "people 0.900" in one["figures"]


def test_an_unknown_run_is_named_with_its_neighbours(digits_root):
    known = advise("--root", digits_root).stdout.split()[1]
    asked = known[:-1] + ("0" if known[-1] != "0" else "1")
    done = advise(asked, "--root", digits_root)
    assert isinstance(done.exception, ConfigError)
    assert f"there is no run {asked!r}; did you mean {known}?" in str(done.exception)
    assert "no pipeline has run here" in str(advise("--root", digits_root / "nowhere").exception)


@pytest.mark.parametrize(
    ("human", "message"),
    [
        ("0", "--human must be a positive number, such as 0.95; received 0.0"),
        ("95", "accuracy is a share, so the score of people must be at most 1; received 95.0"),
    ],
)
def test_a_score_of_people_that_cannot_be_one_is_refused(human, message, digits_root):
    done = advise("--root", digits_root, f"--human={human}")
    assert isinstance(done.exception, ConfigError) and message in str(done.exception)


def test_it_imports_neither_tensorflow_nor_pandas(digits_root):
    code = (
        "import sys; from kerasvision.pipeline.advice import advise_run; "
        f"assert advise_run(root={str(digits_root)!r})[1].metric == 'accuracy'; "
        "found = {'tensorflow', 'keras', 'pandas', 'sklearn'} & set(sys.modules); assert not found, found"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
