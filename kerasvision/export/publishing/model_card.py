"""A page about a pushed model, for people: data, scores, verdict, proof, lineage, use, limits.

After "Model Cards for Model Reporting" (Mitchell et al., 2019, https://arxiv.org/abs/1810.03993).
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from kerasvision.config.evaluation import views_text
from kerasvision.config.published import IMAGENET, origin_of
from kerasvision.dotted import set_leaves
from kerasvision.export.publishing.markdown import bullets, escape, table
from kerasvision.served.signatures import BYTES_SIGNATURE
from kerasvision.shortened import and_more, shortened

# Fewer test images than this say little about a class.
FEW_IMAGES = 30
MOST_ROWS = 50
MOST_METRICS = 4

# JSON that other stages wrote.
Data = Mapping[str, Any]

USE = """```python
from pathlib import Path

import tensorflow as tf

model = tf.saved_model.load(".")  # in this folder; TensorFlow alone is enough
answer = model.signatures["serving_default"](image_bytes=tf.constant([Path("photo.jpg").read_bytes()]))
print({name: value.numpy() for name, value in answer.items()})
```

```bash
kerasvision predict saved_models/NAME photo.jpg
kerasvision serve saved_models/NAME
curl -d "{\\"instances\\": [{\\"b64\\": \\"$(base64 -w0 photo.jpg)\\"}]}" http://localhost:8501/v1/models/NAME:predict
```
"""


@dataclass(frozen=True)
class CardFacts:
    """What the earlier stages wrote, as plain data; empty if a stage was left out.

    Attributes:
        name: of the model.
        pushed: by whom and when: `by`, `at`.
        verdict: `verdict.json`.
        certificate: `certificate.json`.
        settings: `settings.json` of the training.
        lineage: what `lineage_of` gives.
        statistics: `statistics.json`.
        scores: `scores.json`.
        slices: rows of `slices.csv`.
        exported: `export.json`.
        headline: the metric that says most about the model; "" if its task names none.
        simple: the best of the simplest models: its metric, such as `accuracy`, and `model`.
        transform: `transform.json`: what every image goes through.
        final: `final.json`: which network was judged, and which one is served; empty if they are the same.
        folds: `cross_validation.json`: mean and deviation over folds, and what is served; empty without cross-validation.
        forced: if a person pushed it although it was not blessed: `by`, `at`, `reason`.
    """

    name: str
    pushed: Data
    verdict: Data
    certificate: Data
    settings: Data
    lineage: Data
    statistics: Data = field(default_factory=dict)
    scores: Data = field(default_factory=dict)
    slices: tuple[Data, ...] = ()
    exported: Data = field(default_factory=dict)
    headline: str = ""
    simple: Data = field(default_factory=dict)
    transform: Data = field(default_factory=dict)
    final: Data = field(default_factory=dict)
    folds: Data = field(default_factory=dict)
    forced: Data | None = None

    @classmethod
    def read(cls, files: Mapping[str, Path], **known: Any) -> Self:
        """Reads the fields from files: field name -> path; files that do not exist are left out."""
        found = {name: file for name, file in files.items() if file.is_file()}
        return cls(**known, **{name: _read(file) for name, file in found.items()})


def model_card(facts: CardFacts) -> str:
    """The page, in Markdown. Names, labels and reasons are escaped."""
    sections = {
        "Data": _data(facts),
        "Images as the network sees them": _images(facts),
        "Scores": _scores(facts),
        "Slices of the test images": _slices(facts),
        "Gate": _gate(facts),
        "Proof": _proof(facts),
        "Answers": _answers(facts),
        "How to use it": USE.replace("NAME", facts.name),
        "Limits": bullets(_limits(facts)),
        "Settings": table(["setting", "value"], set_leaves(facts.settings).items()),
        "Lineage": _lineage(facts),
    }
    if facts.final:
        # Both sections are about the judged network, which is not the one in this folder.
        sections |= {title: _judged(facts) + sections[title] for title in ("Scores", "Gate") if sections[title]}
    body = "".join(f"\n## {title}\n\n{text}" for title, text in sections.items() if text)
    return f"# {escape(facts.name)}\n\n{_head(facts)}{body}"


def _head(facts: CardFacts) -> str:
    text = f"Pushed by {escape(facts.pushed['by'])}, {escape(facts.pushed['at'])}"
    run = facts.lineage.get("run")
    text += f", by run {escape(run)} of {escape(facts.lineage.get('pipeline'))}.\n" if run else ".\n"
    if facts.forced:
        by, reason = escape(facts.forced["by"]), escape(facts.forced["reason"])
        text = f"> **Pushed although it was not blessed**, by {by}: {reason}\n\n{text}"
    network = facts.settings.get("model")
    if isinstance(network, Mapping):
        text += f"\nNetwork: {escape(network.get('name'))}. Task: {escape(_kind(facts.settings.get('task')))}.\n"
        origin = origin_of(str(network.get("name"))) if network.get("weights") == IMAGENET else ""
        text += f"\nIt began with the weights of {escape(origin)}.\n" if origin else ""
    text += _headline(facts)
    text += _cross_validated(facts)
    if views := facts.exported.get("test_time"):
        text += f"\nIts answers are means over {escape(views_text(views, of='an image'))}.\n"
    if facts.final:
        text += f"\n- Judged: {escape(facts.final['judged'])}.\n- Served: {escape(facts.final['served'])}.\n"
    return text


def _headline(facts: CardFacts) -> str:
    """The score that says most about the model, on the test images."""
    test = facts.scores.get("splits", {}).get("test", {})
    found = test.get("scores", {}).get(facts.headline)
    if found is None:
        return ""
    confidence = 100 * float(facts.scores.get("confidence", 0.95))
    interval = f" ({confidence:g} % interval: {_interval(found)})" if _interval(found) else ""
    metric = escape(facts.headline.replace("_", " "))
    return f"\nOn {test['count']:,} test images, its {metric} is {found['score']:.4f}{interval}.\n"


def _cross_validated(facts: CardFacts) -> str:
    """Mean and deviation of that score over the folds, and which network is in this folder."""
    found = next((one for one in facts.folds.get("metrics", ()) if one["metric"] == facts.headline), None)
    if found is None:
        return ""
    metric, count = escape(facts.headline.replace("_", " ")), facts.folds["folds"]
    deviation = "" if found["deviation"] is None else f" +- {found['deviation']:.4f}"
    score = f"{found['mean']:.4f}{deviation}"
    return f"\nCross-validation: {metric} {score} over {count} folds. {escape(facts.folds['served'])}.\n"


def _judged(facts: CardFacts) -> str:
    """Which network the scores and the verdict are about."""
    return f"Judged: {escape(facts.final['judged'])}.\n\n"


def _data(facts: CardFacts) -> str:
    counts: Mapping[str, Mapping[str, int]] = facts.statistics.get("counts", {})
    sources = (execution["settings"] for execution in facts.lineage.get("executions", ()))
    source = [(key, value) for settings in sources for key, value in settings.items() if key.startswith("source.")]
    text = table(["source", "value"], [(key.removeprefix("source."), value) for key, value in source])
    # Statistics of an older version only count images by label.
    images = facts.statistics.get("images") or {split: sum(of.values()) for split, of in counts.items()}
    text += "\n" + table(["split", "images"], images.items())
    classes = list(facts.statistics.get("classes", ()))
    rows = [(name, *(of.get(name, 0) for of in counts.values())) for name in classes[:MOST_ROWS]]
    text += "\n" + table(["class", *counts], rows)
    if more := and_more(len(classes), most=MOST_ROWS, noun="classes"):
        text += f"\n{more}; see `assets/labels.txt`.\n"
    text += _objects(facts.statistics)
    left_out = facts.statistics.get("quarantined", {})
    if left_out:
        text += f"\nImages of the source that were left out: {len(left_out)}.\n"
    return text.strip() + "\n" if text.strip() else ""


def _images(facts: CardFacts) -> str:
    """The settings of the transform, and what was fitted to whole training images."""
    settings = set_leaves(facts.transform.get("settings", {})).items()
    fitted = facts.transform.get("whole_images", {}).items()
    rows = [*settings, *((f"fitted: {name.replace('_', ' ')}", value) for name, value in fitted)]
    return table(["setting", "value"], rows) if rows else ""


def _objects(statistics: Data) -> str:
    """How many objects each class has."""
    counts = statistics.get("object_counts") or {}
    crowds = statistics.get("crowd_counts") or {}
    rows = [(name, count, crowds.get(name, 0)) for name, count in counts.items()]
    more = and_more(len(rows), most=MOST_ROWS, noun="classes")
    return (f"\n{table(['class', 'objects', 'of these crowds'], rows[:MOST_ROWS])}" if rows else "") + (
        f"\n{more}; see `assets/labels.txt`.\n" if more else ""
    )


def _scores(facts: CardFacts) -> str:
    splits: Mapping[str, Data] = facts.scores.get("splits", {})
    rows = [
        (metric, split, one["count"], found["score"], _interval(found))
        for split, one in splits.items()
        for metric, found in one["scores"].items()
        if "[" not in metric
    ]
    confidence = 100 * float(facts.scores.get("confidence", 0.95))
    text = table(["metric", "split", "images", "score", f"{confidence:g} % interval"], rows)
    text += _scores_of_classes(splits.get("test", {}).get("scores", {}))
    if facts.simple:
        best = ", ".join(f"{escape(name)} {escape(value)}" for name, value in facts.simple.items())
        text += f"\nThe best of the simple models on the same images: {best}.\n"
    human = facts.scores.get("human") or {}
    for metric, value in (human.get("scores") or {}).items():
        text += f"\nPeople reach {escape(metric)} {escape(value)} ({escape(human.get('source') or 'no source given')}).\n"
    return text if rows else ""


def _scores_of_classes(scores: Mapping[str, Data]) -> str:
    """A row per class, and a column per metric that is named `metric[class]`."""
    named = [(match, found) for name, found in scores.items() if (match := re.fullmatch(r"(\w+)\[(.+)\]", name, re.DOTALL))]
    metrics = list(dict.fromkeys(match[1] for match, _ in named))
    classes: dict[str, dict[str, str]] = {}
    for match, found in named:
        interval = _interval(found)
        classes.setdefault(match[2], {})[match[1]] = f"{found['score']:.4f}" + (f" ({interval})" if interval else "")
    rows = [(name, *(of.get(metric) for metric in metrics)) for name, of in classes.items()]
    more = and_more(len(rows), most=MOST_ROWS, noun="classes")
    text = f"\n{table(['class, on test', *map(escape, metrics)], rows[:MOST_ROWS])}" if rows else ""
    return text + (f"\n{more}, in the run's report.\n" if more else "")


def _slices(facts: CardFacts) -> str:
    """A row per slice, and a column per metric of the whole split."""
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for row in facts.slices:
        if row.get("split", "test") == "test" and "[" not in row["metric"]:
            value = f"{row['value']} ({row['range']})" if row.get("range") else row["value"]
            found.setdefault((row["slice"], value, row["count"]), {})[row["metric"]] = float(row["score"])
    metrics = list(dict.fromkeys(metric for scores in found.values() for metric in scores))[:MOST_METRICS]
    rows = [
        (f"{kind}={value}", int(count), *(scores.get(metric) for metric in metrics))
        for (kind, value, count), scores in found.items()
    ]
    text = table(["slice", "images", *map(escape, metrics)], rows[:MOST_ROWS])
    more = and_more(len(rows), most=MOST_ROWS, noun="slices")
    return text + (f"\n{more}.\n" if more else "")


def _gate(facts: CardFacts) -> str:
    verdict = facts.verdict
    rules = [
        (rule["rule"], rule["outcome"], rule["value"], rule["bound"], rule.get("baseline"), rule.get("reason"))
        for rule in verdict.get("rules", ())
    ]
    text = f"**{escape(verdict['verdict'])}**: {escape(verdict['reason'])}.\n\n"
    text += "".join(f"{escape(remark)}\n\n" for remark in verdict.get("remarks") or ())
    # If there are many rules, the card shows those that did not pass first.
    rules = sorted(rules, key=lambda rule: rule[1] == "passed") if len(rules) > MOST_ROWS else rules
    text += table(["rule", "outcome", "value", "bound", "last blessed model", "reason"], rules[:MOST_ROWS])
    if more := and_more(len(rules), most=MOST_ROWS, noun="rules"):
        text += f"\n{more}, in the run's report.\n"
    if verdict.get("baseline"):
        identity = ", ".join(f"{escape(key)} {escape(value)}" for key, value in verdict["baseline"].items())
        text += f"\nCompared with the last blessed model: {identity}.\n"
    return text


def _proof(facts: CardFacts) -> str:
    certificate = facts.certificate
    text = "**{}**".format("INFRA_BLESSED" if certificate["blessed"] else "INFRA_NOT_BLESSED")
    text += "".join(f"; {escape(complaint)}" for complaint in certificate.get("complaints", ())) + ".\n\n"
    measured = [
        ("canary images sent as bytes in a fresh process", certificate.get("examples")),
        ("largest difference from the trained network", certificate.get("max_difference")),
        ("allowed difference", certificate.get("allowed_difference")),
    ]
    measured += [(name, value) for name, value in certificate.get("facts", {}).items() if name != "max_difference"]
    return text + table(["measured", "value"], measured)


def _answers(facts: CardFacts) -> str:
    """A row per output for encoded images. The first axis is that of the images."""
    outputs = facts.exported.get("signatures", {}).get(BYTES_SIGNATURE, {}).get("outputs", {})
    rows = [
        (name, one["dtype"], " x ".join("?" if side is None else str(side) for side in one["shape"][1:]), one["meaning"])
        for name, one in outputs.items()
    ]
    return table(["output", "type", "shape for an image", "meaning"], rows)


def _limits(facts: CardFacts) -> Iterator[str]:
    if facts.forced or facts.verdict["verdict"] != "BLESSED":
        yield f"It did not pass its gate: {escape(facts.verdict['reason'])}."
    if facts.final.get("trains"):
        yield "Its scores are those of the judged network. This one learned from the test images too, and was not judged."
    yield (
        "Its scores are for test images from the same source as its training images. They say nothing about other cameras, "
        "places and times."
    )
    if _finds_things(facts):
        yield "It knows only its own classes: it misses other things, or takes them for things of these classes."
    else:
        yield "It answers for every image, also for an image that shows nothing that it was trained on."
    tested = facts.statistics.get("counts", {}).get("test", {})
    few = [name for name, images in tested.items() if images < FEW_IMAGES]
    if few:
        named = shortened(map(escape, few), most=10)
        yield f"Fewer than {FEW_IMAGES} test images: {named}. Their scores are uncertain."
    if facts.exported.get("temperature") is None:
        yield "Its scores were not calibrated on validation images."
    elif facts.final.get("trains"):
        yield "Its scores were calibrated by the validation images of the judged network."
    for split, one in facts.scores.get("splits", {}).items():
        for metric, why in list(one.get("left_out", {}).items())[:10]:
            yield f"{escape(metric)} is unknown on {escape(split)}: {escape(why)}."


def _finds_things(facts: CardFacts) -> bool:
    """Whether an answer is a set of things that were found, which may be empty."""
    outputs = facts.exported.get("signatures", {}).get("serving_default", {}).get("outputs", {})
    return any("set" in one for one in outputs.values())


def _lineage(facts: CardFacts) -> str:
    lineage = facts.lineage
    if not lineage:
        return ""
    artifacts = {artifact["id"]: artifact for artifact in lineage["artifacts"]}
    executions = [
        (one["node"], one["id"], one["started"], one["code"][:12], _names(one["outputs"].values(), artifacts))
        for one in lineage["executions"]
    ]
    text = f"Run {escape(lineage['run'])}, execution {lineage['execution']} of {escape(lineage['node'])}.\n\n"
    text += table(["stage", "execution", "started", "code", "wrote"], executions)
    rows = [(f"{one['type']} {one['id']}", one["digest"], one["uri"]) for one in lineage["artifacts"]]
    text += "\n" + table(["artifact", "SHA-256 of its content", "below runs/"], rows)
    versions = {name: version for one in lineage["executions"] for name, version in one["versions"].items()}
    return text + "\n" + table(["package", "version"], sorted(versions.items()))


def _names(ids: Iterable[int], artifacts: Mapping[int, Data]) -> str:
    return ", ".join(f"{artifacts[number]['type']} {number}" for number in ids if number in artifacts)


def _interval(found: Data) -> str:
    return f"{found['low']:.4f} to {found['high']:.4f}" if "low" in found else ""


def _kind(task: object) -> object:
    return task.get("kind") if isinstance(task, Mapping) else task


def _read(file: Path) -> Any:
    text = file.read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines())) if file.suffix == ".csv" else json.loads(text)
