"""What a child process of a stage reports reaches the process of the run, in order and before its result."""

import multiprocessing
from functools import partial

import pytest

from kerasvision import progress
from kerasvision.progress import BarState, bar, report_bars, report_lines, say
from kerasvision.training import child

PIPE = partial(multiprocessing.Pipe, duplex=False)


@pytest.fixture(autouse=True)
def draws_itself(monkeypatch):
    """Undoes afterwards what a test changes."""
    monkeypatch.setattr(progress._Bars, "report", None)
    monkeypatch.setattr(progress._Bars, "report_line", None)


def test_a_child_reports_its_bars_and_lines():
    ours, theirs = PIPE()
    child.begin(quietly=False, reports=theirs)
    with bar("training", total=3):
        say("epoch 1/3")
    begun, line, ended = (ours.recv() for _ in range(3))
    assert (begun.description, begun.total, line, ended.ended) == ("training", 3, "epoch 1/3", True)


def test_all_that_a_child_reports_is_reported_further_before_the_end():
    bars, lines = [], []
    report_bars(bars.append)
    report_lines(lines.append)
    state = BarState(0, "training", total=3, begun=0, done=1)
    with child.reports_passed_on(PIPE) as reports:
        reports.send(state)
        for number in range(200):
            reports.send(f"epoch {number}")
    assert bars == [state]
    assert lines == [f"epoch {number}" for number in range(200)]


def test_a_child_that_never_reports_does_not_hold_up_the_end():
    report_bars(pytest.fail)
    report_lines(pytest.fail)
    with child.reports_passed_on(PIPE) as reports:
        reports.close()


def test_a_process_that_draws_itself_lets_its_child_draw():
    with child.reports_passed_on(PIPE) as reports:
        assert reports is None
