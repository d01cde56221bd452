"""The page of a search works offline, shows all results, and escapes all text."""

import re
from dataclasses import replace

import pytest

from kerasvision import config as c
from kerasvision.tuning.page import write_search_page
from kerasvision.tuning.plots import draw_best_so_far, draw_epochs, draw_parallel, draw_settings
from kerasvision.tuning.records import SearchResult, SeedScore, TrialRecord

RATE, KIND, MOMENTUM, PAD = (
    "training.optimizer.learning_rate",
    "training.optimizer",
    "training.optimizer.momentum",
    "augment.0.pad",
)
SEARCH = c.Search(
    space={
        MOMENTUM: c.Float(0.5, 0.99, when={KIND: "sgd"}),
        RATE: c.LogUniform(1e-4, 1.0),
        KIND: c.Choice("sgd", "adam", "$<b>x</b>"),
        PAD: c.Int(0, 4),
    }
)


def trial(number, score, *, error="", status="COMPLETED", seconds=60.0, **values):
    made = {RATE: 10.0 ** -(number % 4), KIND: "adam", PAD: number % 5, **values}
    history = () if score is None else ({"epoch": 1, "val_accuracy": score - 0.1}, {"epoch": 2, "val_accuracy": score})
    return TrialRecord(f"{number:04d}", status, score, seconds, 2, 1, made, history, error)


TRIALS = (
    trial(0, 0.5, **{KIND: "sgd", MOMENTUM: 0.9}),
    trial(1, None, status="FAILED", error="Traceback\n  of some length\nStageError: <script>alert(1)</script>"),
    trial(2, 0.8, **{KIND: "$<b>x</b>"}),
    trial(3, 0.7),
)


def result(trials=TRIALS, **fields):
    found = SearchResult({}, trials, "val_accuracy", "max", **fields)
    return replace(found, best=dict(found.ranked()[0].values))


def page_of(found, folder, search=SEARCH):
    write_search_page(found, search, file=folder / "search.html")
    return (folder / "search.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def plain_page(tmp_path_factory):
    """The page of `result()`: its plots take most of the time of a test."""
    return page_of(result(), tmp_path_factory.mktemp("page"))


def test_the_page_opens_alone_and_nothing_in_it_becomes_markup(plain_page):
    page = plain_page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page)
    assert "http" not in re.sub(r"base64,[^\"]+", "", page)
    assert "<b>" not in page
    assert "<script" not in page
    assert "StageError: &lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "of some length" not in page


def test_the_page_names_the_best_settings_and_every_trial(plain_page):
    page = plain_page
    assert re.search(r"0\.8000</strong>best accuracy, trial 0002", page)
    for path in (RATE, KIND, PAD):
        assert f"<code>{path}</code>" in page
    assert f"<code>{MOMENTUM}</code>" not in page  # not varied with the optimizer of the best trial
    assert all(f"<td>{one.id}</td>" in page for one in TRIALS)
    assert "<strong>1</strong>failed" in page
    assert "<strong>4.0</strong>minutes" in page
    assert "too few trials: 3 different settings have a score" in page


def test_a_best_value_at_the_end_of_its_range_is_told(plain_page, tmp_path):
    assert "may be better values beyond" not in plain_page
    assert "may be better values beyond" in page_of(result((trial(4, 0.9),)), tmp_path)  # a rate of 1, and a pad of 4


@pytest.mark.slow
def test_seeds_and_an_early_end_are_told_where_there_are_any(plain_page, tmp_path):
    plain = plain_page
    assert "seed" not in plain.split("<style>")[0] + plain.split("</style>")[1]
    assert "ended early" not in plain
    # By hand: mean 0.85, deviation 0.05 * sqrt(2).
    seeds = (SeedScore(0, 0.8, 9.0), SeedScore(1, 0.9, 9.0))
    page = page_of(result(seeds=seeds, ended="20 minutes were over"), tmp_path)
    assert "0.8500 ± 0.0707" in page
    assert "ended early: 20 minutes were over" in page


@pytest.mark.slow
def test_importance_is_shown_where_there_are_trials_enough(tmp_path):
    trials = tuple(trial(number, 0.5 + (number % 4) / 10, **{MOMENTUM: 0.5 + number / 100}) for number in range(40))
    page = page_of(result(trials), tmp_path)
    bars = re.findall(r"<td>(\w[\w.]*)</td><td class=\"left\"><div class=\"bar\">.*?<em>([\d.]+)</em>", page)
    assert bars[0][0] == "learning_rate"
    assert float(bars[0][1]) > 1  # permuted, it adds about twice the variance that it explains


@pytest.mark.parametrize(
    ("trials", "by_epoch"),
    [
        (TRIALS[:1], True),
        pytest.param(TRIALS[:2], True, marks=pytest.mark.slow),
        pytest.param(tuple(replace(one, history=()) for one in TRIALS), False, marks=pytest.mark.slow),
        (tuple(replace(one, history=({"epoch": 1, "val_loss": 0.3},)) for one in TRIALS), False),
    ],
)
def test_few_trials_and_trials_without_history_have_a_page_too(trials, by_epoch, tmp_path):
    assert ("Trials by epoch" in page_of(result(trials), tmp_path)) == by_epoch


# --- Plots show what was tried


def test_the_best_so_far_never_gets_worse_and_time_adds_up():
    (axes,) = draw_best_so_far(result()).axes
    minutes, best = axes.lines[0].get_data()
    assert list(minutes) == [1, 2, 3, 4]
    assert list(best) == [0.5, 0.5, 0.8, 0.8]
    least = SearchResult({}, TRIALS, "val_log_loss", "min")
    assert list(draw_best_so_far(least).axes[0].lines[0].get_ydata()) == [0.5, 0.5, 0.5, 0.5]


def test_a_score_that_is_far_out_is_drawn_at_the_edge():
    usual = [trial(number, 0.5 + number / 100) for number in range(8)]
    blown_up = SearchResult({}, (*usual, trial(9, 1e9)), "val_log_loss", "min")
    # By hand: the quartiles are 0.52 and 0.56, and three times their distance above the upper one is 0.68.
    assert draw_best_so_far(blown_up).axes[0].collections[0].get_offsets()[:, 1].max() == pytest.approx(0.68)
    first = SearchResult({}, (trial(9, 1e9), *usual), "val_log_loss", "min")
    assert draw_best_so_far(first).axes[0].get_ylim()[1] < 0.7


def test_trials_are_drawn_by_epoch_the_best_one_last_and_so_on_top():
    (axes,) = draw_epochs(result()).axes
    drawn = [list(line.get_ydata()) for line in axes.lines]
    assert [line[-1] for line in drawn] == [0.5, 0.7, 0.8]
    assert [line[0] for line in drawn] == pytest.approx([0.4, 0.6, 0.7])
    assert [list(line.get_xdata()) for line in axes.lines] == [[1, 2]] * 3


@pytest.mark.parametrize("direction", ["max", "min"])
def test_a_line_of_the_parallel_coordinates_goes_through_its_trials_values(direction):
    found = SearchResult({}, TRIALS, "val_accuracy", direction)
    axes = draw_parallel(found, dict(SEARCH.in_order())).axes[0]
    order = [RATE, KIND, PAD, MOMENTUM]
    assert [path for path, _ in SEARCH.in_order()] == order
    lines = [list(line.get_ydata()) for line in axes.lines if len(line.get_ydata()) == 5]
    assert len(lines) == 3
    best = lines[-1]
    # By hand, for trial 2: 0.01 is half way from 0.0001 to 1; the third of three choices; 2 of 0 to 4; no momentum.
    # For trial 0: 1 is the upper end; the first choice; 0 of 0 to 4; 0.9 of 0.5 to 0.99.
    expected = [0.5, 1.0, 0.5, -0.12, 1.0] if direction == "max" else [1.0, 0.0, 0.0, 0.4 / 0.49, 1.0]
    assert best == pytest.approx(expected, abs=0.031)


def test_each_setting_has_its_picture_with_the_trials_that_varied_it():
    figure = draw_settings(result(), SEARCH.space)
    drawn = {axes.get_xlabel(): axes for axes in figure.axes if axes.get_xlabel()}
    assert list(drawn) == ["momentum", "learning_rate", "optimizer", "0.pad"]
    points = {name: len(axes.collections[0].get_offsets()) for name, axes in drawn.items()}
    assert points == {"momentum": 1, "learning_rate": 3, "optimizer": 3, "0.pad": 3}
    assert drawn["learning_rate"].get_xscale() == "log"
    assert [text.get_text() for text in drawn["optimizer"].get_xticklabels()] == ["sgd", "adam", "$<b>x</b>"]
