"""A process that works for another process reports its bars to it, and the other process draws all bars."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from kerasvision import progress
from kerasvision.progress import BarState, Board, bar, report_bars, report_lines, say


@pytest.fixture
def reported(monkeypatch):
    """The states that this process reports, with a stopped clock."""
    monkeypatch.setattr(progress._Bars, "report", None)
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 0.0))
    states = []
    report_bars(states.append)
    return states


@pytest.fixture
def screen(monkeypatch):
    """What a board writes to a terminal with 100 columns."""
    stream = io.StringIO()
    monkeypatch.setattr(
        progress, "Console", lambda **_: Console(file=stream, force_terminal=True, width=100, color_system=None)
    )
    return stream


def state(done, *, number=0, ended=False):
    return BarState(number, "training", total=10, begun=0, done=done, ended=ended)


def test_first_and_last_state_of_a_bar_are_reported_however_short_it_lasts(reported):
    with bar("training", total=3, done=1) as advance:
        advance(1, note="loss 0.5")
        advance(1)
    assert [(one.done, one.note, one.ended) for one in reported] == [(1, "", False), (3, "loss 0.5", True)]
    assert {(one.description, one.total, one.begun) for one in reported} == {("training", 3, 1)}


def test_two_bars_of_a_process_are_told_apart(reported):
    with bar("one"), bar("two"):
        pass
    assert len({one.number for one in reported}) == 2


def test_board_draws_the_bars_of_all_processes(screen):
    board = Board()
    board.show("trainer", state(4))
    board.show("simple_models", state(7))
    board.hide()
    drawn = screen.getvalue()
    assert "trainer: training" in drawn and "4/10" in drawn
    assert "simple_models: training" in drawn and "7/10" in drawn


def test_hidden_board_draws_nothing_before_the_next_state(screen):
    board = Board()
    board.show("trainer", state(4))
    board.hide()
    before = len(screen.getvalue())
    board.hide()
    board.forget("nobody")
    assert "training" not in screen.getvalue()[before:]
    board.show("trainer", state(5))
    assert "5/10" in screen.getvalue()[before:]


def test_ended_bar_and_those_of_a_process_that_is_gone_disappear(screen):
    board = Board()
    for number in range(2):
        board.show("trainer", state(4, number=number))
    board.show("trainer", state(4, ended=True))
    board.forget("trainer")
    before = len(screen.getvalue())
    board.show("evaluator", state(1))
    assert "trainer" not in screen.getvalue()[before:]
    board.hide()


def test_a_line_is_printed_whole_and_as_it_is_while_a_bar_is_drawn(screen):
    text = "[bold]:cat: " + 30 * "long "
    with bar("training", total=3) as advance:
        advance(1)
        say(text)
    assert f"  {text}\n" in screen.getvalue().replace("\r", "")


def test_a_line_without_a_terminal_is_printed_alone(capsys):
    with bar("training", total=3) as advance:
        advance(1)
        say("epoch 1/3")
    assert capsys.readouterr().err == "  epoch 1/3\n"


def test_a_line_of_a_process_that_works_for_another_is_reported(monkeypatch, capsys):
    monkeypatch.setattr(progress._Bars, "report_line", None)
    said = []
    report_lines(said.append)
    say("epoch 1/3")
    assert said == ["epoch 1/3"]
    assert capsys.readouterr().err == ""
