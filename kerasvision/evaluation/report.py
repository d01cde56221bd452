"""A whole run as one self-contained page: data, training, verdict, evaluation, proof, push, lineage.

It knows stages only by the files that they wrote, and nothing about the task: it includes the page of the evaluation and the
pictures of the statistics, and turns JSON files into tables. For a run that stopped half-way it shows what exists. Where a
file cannot be read, it says so.
"""

import csv
import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from kerasvision.dotted import leaves
from kerasvision.evaluation.advice.facts import gather
from kerasvision.evaluation.advice.rules import advice_on
from kerasvision.evaluation.bound_pages import bound_page, training_pictures
from kerasvision.evaluation.run_facts import RunFacts
from kerasvision.evaluation.shown_rules import urgent_rules
from kerasvision.whole_files import write_whole

MOST_CLASSES = 40
MOST_ROWS = 20
# The id of the element that contains the evaluation's page.
PLACE = "evaluation-page"
MODEL = "Model"
# The file of a model that was trained, or passed on, after the verdict.
FINAL = "final.json"
STATES = ("ran", "reused", "failed", "stopped", "killed", "running")
CANNOT_BE_SHOWN = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, jinja2.TemplateError)

# Returns what a section shows, or None if the run has nothing for it.
Maker = Callable[[RunFacts], dict[str, object] | None]


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes:
        name, title: its anchor and its heading.
        body: HTML.
        problem: why it cannot be shown; empty if it can.
    """

    name: str
    title: str
    body: str = ""
    problem: str = ""


def write_report(run: RunFacts, file: Path) -> None:
    """Writes the page; everything that somebody wrote, such as names of files and labels, is escaped.

    Args:
        run: the facts of the run.
        file: where to write the page. It replaces the old one only when it is complete.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(plain=shown_value, words=spaced)
    environment.globals.update(
        link=lambda path: os.path.relpath(path, file.parent), below_root=lambda path: os.path.relpath(path, run.root)
    )
    sections = [_section(name, title, make, run, environment) for name, (title, make) in SECTIONS.items()]
    page = environment.get_template("report.html").render(
        run=run,
        sections=[one for one in sections if one is not None],
        style=Markup(_style(run)),
        badges=_badges(run),
        headline=_headline(run),
        seconds=sum(stage.seconds for stage in run.stages if stage.state == "ran"),
        counts={state: sum(one.state == state for one in run.stages) for state in STATES},
        failed=[stage for stage in run.stages if stage.error],
    )
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(
        file,
        lambda temporary: temporary.write_text(page, encoding="utf-8", errors="replace"),
        suffix=f".{os.getpid()}.tmp",  # several processes may write a report of one run
    )


def flat(data: object) -> dict[str, object]:
    """Flattens nested data to dotted path -> value; lists become text.

    >>> flat({"a": {"b": 1}, "c": [2, 3], "d": {}})
    {'a.b': 1, 'c': '2, 3'}
    """
    found = leaves(data, lists=False)
    return {path: ", ".join(map(str, value)) if isinstance(value, list) else value for path, value in found if value != {}}


def shown_value(value: object) -> str:
    """A value as a page shows it.

    >>> [shown_value(value) for value in (1234, 0.123456, True, None, "<b>")]
    ['1,234', '0.1235', 'yes', 'none', '<b>']
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return "none" if value is None else str(value)


def spaced(name: object) -> str:
    """A name as words: `log_loss` as `log loss`."""
    return str(name).replace("_", " ")


def _section(name: str, title: str, make: Maker, run: RunFacts, environment: jinja2.Environment) -> Section | None:
    """A part of the page, or the problem with the files that it needs; None if the run has none of them."""
    try:
        data = make(run)
        if data is None:
            return None
        body = environment.get_template("report_section.html").render(name=name, data=data)
    except CANNOT_BE_SHOWN as error:
        return Section(name, title, problem=f"{type(error).__name__}: {error}")
    return Section(name, title, body=Markup(body))


def _badges(run: RunFacts) -> list[tuple[str, str]]:
    """(text, good or bad or open) for each verdict."""
    badges = []
    blessing, proof, pushed = (run.newest(kind) for kind in ("ModelBlessing", "InfraBlessing", "PushedModel"))
    if blessing is not None:
        verdict = str(blessing.properties.get("verdict", ""))
        badges.append((verdict.replace("_", " "), {"BLESSED": "good", "NOT_BLESSED": "bad"}.get(verdict, "open")))
    if proof is not None:
        good = proof.properties.get("blessed") == 1
        badges.append(("serves as trained" if good else "does not serve as trained", "good" if good else "bad"))
    if pushed is not None:
        good = pushed.properties.get("pushed") == 1
        badges.append(
            (f"pushed: {pushed.properties.get('pushed_destination')}" if good else "not pushed", "good" if good else "open")
        )
    model = run.newest(MODEL)
    if model is not None and "final_images" in model.properties:
        images = model.properties["final_images"]
        what = f"a network trained on all {images:,} images, which was not judged"
        badges.append((f"serves {what}" if _is_pushed(run) else f"not served: {what}", "open"))
    return badges


def _is_pushed(run: RunFacts) -> bool:
    pushed = run.newest("PushedModel")
    return pushed is not None and pushed.properties.get("pushed") == 1


def _headline(run: RunFacts) -> dict[str, object]:
    """The main numbers, the task's headline metric first, of the evaluator or, before it has run, of the trainer.

    With cross-validation: mean and deviation of that metric.
    """
    joined = run.newest("CrossValidation")
    if joined is not None and "headline" in joined.properties:
        known = joined.properties
        return {f"{known['headline']}, mean of {known['folds']} folds": known["mean"], "deviation": known["deviation"]}
    for kind in ("ModelEvaluation", MODEL):
        found = run.newest(kind)
        numbers = {k: v for k, v in found.properties.items() if isinstance(v, int | float)} if found else {}
        if found and numbers:
            main = str(found.properties.get("headline", ""))
            first = {main: numbers[main]} if main in numbers else {}
            return dict(islice((first | numbers).items(), 8))
    return {}


def _data(run: RunFacts) -> dict[str, object] | None:
    statistics, anomalies = run.newest("ExampleStatistics"), run.newest("ExampleAnomalies")
    settings = run.settings("example_gen")
    if statistics is None:
        return {"settings": settings, "counts": None} if settings else None
    summary = _json(statistics.folder / "statistics.json")
    counts = summary["counts"]
    classes = list(summary["classes"])
    of_all = {name: sum(split.get(name, 0) for split in counts.values()) for name in classes}
    shown = classes if len(classes) <= MOST_CLASSES else sorted(classes, key=lambda name: -of_all[name])[:MOST_CLASSES]
    page = statistics.folder / "statistics.html"
    return {
        "settings": settings,
        "counts": counts,
        # Statistics of an older version only count images by label.
        "images": summary.get("images") or {split: sum(of.values()) for split, of in counts.items()},
        "classes": classes,
        "shown": shown,
        "most": max((count for split in counts.values() for count in split.values()), default=0),
        "totals": list(_totals(summary)),
        "most_classes": MOST_CLASSES,
        "left_out": summary.get("quarantined", {}),
        "sides": (summary.get("min_side"), summary.get("max_side")),
        "formats": summary.get("formats", {}),
        "anomalies": _json(anomalies.folder / "anomalies.json")["anomalies"] if anomalies else None,
        "pictures": training_pictures(page) if page.is_file() else {},
        "page": page,
    }


def _totals(summary: Mapping[str, Any]) -> Iterator[tuple[str, str, list[tuple[str, int]]]]:
    """(what a name is, what is counted, the names with their numbers in all splits, the most frequent first)."""
    tags = Counter[str]()
    for of_split in summary.get("tags", {}).get("images", {}).values():
        tags.update(of_split)
    for one, things, counts in (("tag", "images", tags), ("class", "objects", Counter(summary.get("object_counts", {})))):
        if counts:
            yield one, things, counts.most_common()


def _training(run: RunFacts) -> dict[str, object] | None:
    # The judged network; the curves and the scores are its own.
    model, best = run.newest(MODEL, without=FINAL), run.newest("HyperParameters")
    if model is None and best is None:
        return None
    trials = best.folder / "trials.csv" if best else None
    history = model.folder / "history.csv" if model else None
    settings = model.folder / "settings.json" if model else None
    final, _ = _final(run)
    return {
        "final": final,
        "settings": flat(_json(settings)) if settings and settings.is_file() else {},
        "best": _json(best.folder / "best_hyperparameters.json") if best else {},
        "trials": _rows(trials) if trials and trials.is_file() else [],
        "epochs": _rows(history, most=None) if history and history.is_file() else [],
        # The page of the evaluation has the curves; for a run that did not get that far they are drawn here.
        "curves": _curves(history) if history and history.is_file() and run.newest("ModelEvaluation") is None else "",
    }


def _verdict(run: RunFacts) -> dict[str, object] | None:
    blessing = run.newest("ModelBlessing")
    if blessing is None:
        return None
    verdict = _json(blessing.folder / "verdict.json")
    shown = urgent_rules(verdict["rules"], outcome=lambda rule: rule["outcome"])
    _, about = _final(run)
    served = "served" if _is_pushed(run) else "not served"
    networks = {"judged": about["judged"], served: about["served"]} if about else {}
    return {**verdict, "rules": shown, "left_out_rules": len(verdict["rules"]) - len(shown), "networks": networks}


def _final(run: RunFacts) -> tuple[list[dict[str, object]], dict[str, Any] | None]:
    """The epochs of the final training, and its record; no epochs without such a training, and None without its stage."""
    model = run.newest(MODEL)
    if model is None or not (model.folder / FINAL).is_file():
        return [], None
    about = _json(model.folder / FINAL)
    return (_rows(model.folder / "history.csv", most=None) if about["trains"] else []), about


def _evaluation(run: RunFacts) -> dict[str, object] | None:
    evaluation, simple = run.newest("ModelEvaluation"), run.newest("SimpleScores")
    if evaluation is None:
        return {"simple": _rows(simple.folder / "simple_scores.csv"), "body": ""} if simple else None
    _, body = bound_page(evaluation.folder / "evaluation.html", place=PLACE)
    return {"simple": [], "body": Markup(body)}


def _style(run: RunFacts) -> str:
    """The style sheet of the evaluation's page; "" if that is missing or incomplete, which its section reports."""
    evaluation = run.newest("ModelEvaluation")
    try:
        return bound_page(evaluation.folder / "evaluation.html", place=PLACE)[0] if evaluation else ""
    except CANNOT_BE_SHOWN:
        return ""


def _advice(run: RunFacts) -> dict[str, object] | None:
    facts = gather(run)
    given = advice_on(facts)
    return {"given": given, "missing": facts.missing} if given or run.newest(MODEL) else None


def _serving(run: RunFacts) -> dict[str, object] | None:
    files = {
        "Proof": ("InfraBlessing", "certificate.json"),
        "Export": ("SavedModel", "export.json"),
        "Push": ("PushedModel", "pushed.json"),
        "Predictions": ("InferenceResult", "inference.json"),
    }
    records: dict[str, object] = {}
    for title, (kind, name) in files.items():
        if (made := run.newest(kind)) is not None:
            record = records[title] = _json(made.folder / name)
            if title == "Push" and "destination" in record:
                # The record has a path relative to itself; a person wants it relative to the root.
                record["destination"] = made.properties.get("pushed_destination", "")
    return records or None


def _lineage(run: RunFacts) -> dict[str, object] | None:
    return {"stages": run.stages} if run.stages else None


def _folds(run: RunFacts) -> dict[str, object] | None:
    found = run.newest("CrossValidation")
    return None if found is None else _json(found.folder / "cross_validation.json")


SECTIONS = {
    "verdict": ("Verdict", _verdict),
    "advice": ("Advice", _advice),
    "data": ("Data", _data),
    "training": ("Training", _training),
    "evaluation": ("Evaluation", _evaluation),
    "folds": ("Cross-validation", _folds),
    "serving": ("Serving", _serving),
    "lineage": ("Lineage", _lineage),
}


def _curves(history: Path) -> str:
    """The learning curves, drawn as the evaluator draws them."""
    # A run that has an evaluation does not need this import.
    from kerasvision.evaluation.curves import data_url, draw_history

    rows = _rows(history, most=None)
    columns = {name: [_number_or_nan(row[name]) for row in rows] for name in (rows[0] if rows else ())}
    return data_url(draw_history(columns)) if rows else ""


def _number_or_nan(cell: object) -> float:
    return float(cell) if isinstance(cell, int | float) else math.nan


def _json(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise ValueError(f"{file} does not contain a JSON object")
    return found


def _rows(file: Path, *, most: int | None = MOST_ROWS) -> list[dict[str, object]]:
    """The first rows of a CSV file, numbers as numbers."""
    with file.open(newline="", encoding="utf-8") as lines:
        return [{name: _number(cell) for name, cell in row.items()} for row in islice(csv.DictReader(lines), most)]


def _number(cell: str | list[str] | None) -> object:
    """The cell as a number, if it is one. A short row has None for missing cells, a long one a list of the extra cells."""
    if not isinstance(cell, str):
        return cell or ""
    try:
        return int(cell) if cell.isdecimal() else float(cell)
    except ValueError:
        return cell
