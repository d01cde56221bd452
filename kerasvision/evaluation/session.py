"""One evaluation, from input files to output files: what the evaluator stage runs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from kerasvision.config.stages import EvaluatorSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.names import class_names
from kerasvision.data.splits import TEST, VALIDATION
from kerasvision.data.transform import ImageTransform
from kerasvision.data.validating.schema import DataSchema
from kerasvision.errors import DataError
from kerasvision.evaluation.epoch_pictures import read_epoch_pictures
from kerasvision.evaluation.evaluated import Evaluated
from kerasvision.evaluation.gate import Verdict, judge
from kerasvision.evaluation.page import Findings, write_evaluation_page
from kerasvision.evaluation.pixels import split_pixels
from kerasvision.evaluation.predictions import PredictedSplit, predict_split_from_bytes
from kerasvision.evaluation.reasons import reasons
from kerasvision.evaluation.samples import ShownExample, samples
from kerasvision.evaluation.score import evaluate, worst_rows
from kerasvision.evaluation.slices import EVERY, Slice, cut_into_slices, described_examples, values_in
from kerasvision.evaluation.tables import save_evaluation_tables
from kerasvision.evaluation.taught import lessons
from kerasvision.evaluation.variants import judge_variants, variant_table
from kerasvision.progress import say
from kerasvision.served.model import ServedModel
from kerasvision.tasks.base import Task, make_task


@dataclass(frozen=True)
class EvaluationFiles:
    """The input files of an evaluation.

    Attributes:
        examples: a prepared data set.
        manifest: `manifest.parquet` of the same ingest.
        schema: `schema.json`.
        transform: `transform.json`.
        history: `history.csv` of the training.
        saved_model: the SavedModel.
        network: `model.keras` of the trained network.
        baseline: the SavedModel of the last blessed model; None if no model was blessed yet.
        simple_scores: `simple_scores.csv`; None if the simple models were left out.
        simple_choices: `choices.csv` of the simple models; None if they chose nothing.
        certificate: `certificate.json`, whose facts the gate may bound; None if it is made later.
        export: `export.json` of the SavedModel, for the decisions that it contains; None: it contains none.
    """

    examples: Path
    manifest: Path
    schema: Path
    transform: Path
    history: Path
    saved_model: Path
    network: Path
    baseline: Path | None = None
    simple_scores: Path | None = None
    simple_choices: Path | None = None
    certificate: Path | None = None
    export: Path | None = None


@dataclass(frozen=True)
class Evaluator:
    """Evaluates models with the same examples, slices, task and settings."""

    task: Task
    examples: ExampleSet
    slices: Mapping[str, list[Slice]]
    expected: Mapping[str, tuple[str, ...]]
    settings: EvaluatorSettings

    def ask(self, model: ServedModel, split: str) -> PredictedSplit:
        """A model's answers for a split."""
        return predict_split_from_bytes(self.examples, split=split, task=self.task, saved_model=model)

    def with_reference(self, transform: ImageTransform) -> "Evaluator":
        """The evaluator with the images that the task compares its answers with."""
        return replace(self, task=self.task.with_reference(split_pixels(self.examples, transform)))

    def decided(self, answers: Mapping[str, PredictedSplit], served: Mapping[str, Any] | None) -> "Evaluator":
        """The evaluator with what the served model decides by; otherwise with what the task decides on the validation split.

        The second only if that split is measured.
        """
        if served:
            return replace(self, task=self.task.with_decisions(served))
        if VALIDATION not in answers:
            return self
        known = answers[VALIDATION]
        return replace(self, task=self.task.decided_on(truth=known.truth, predictions=known.predictions))

    def evaluate(self, predicted: PredictedSplit, split: str) -> Evaluated:
        """The results of these answers."""
        return evaluate(
            predicted,
            split=split,
            task=self.task,
            slices=self.slices[split],
            settings=self.settings.evaluation,
            expected=self.expected,
        )

    def variants(
        self, model: ServedModel, predicted: PredictedSplit, alone: Evaluated, *, transform: ImageTransform
    ) -> pd.DataFrame:
        """The model's scores with more views and with other models; see `variant_table`."""
        found = judge_variants(
            model,
            predicted,
            split=TEST,
            task=self.task,
            examples=self.examples,
            transform=transform,
            settings=self.settings.evaluation,
        )
        return variant_table(alone.judgement, found, self.settings.evaluation)

    def samples(self, model: ServedModel, known: Evaluated, *, transform: ImageTransform) -> list[ShownExample]:
        """Some test images as the task illustrates them."""
        return samples(known.judgement, task=self.task, examples=self.examples, model=model, transform=transform)

    def write(self, findings: Findings, *, folder: Path, transform: ImageTransform) -> None:
        """Writes the tables and the page."""
        save_evaluation_tables(findings.evaluated, findings.variants, settings=self.settings.evaluation, folder=folder)
        write_evaluation_page(
            findings,
            task=self.task,
            examples=self.examples,
            file=folder / "evaluation.html",
            significant_bits=transform.settings.significant_bits,
        )


def evaluate_model(
    files: EvaluationFiles,
    settings: EvaluatorSettings,
    *,
    folder: Path,
    baseline_identity: Mapping[str, object] | None = None,
) -> tuple[Verdict, Evaluated]:
    """Scores a served model, judges it by the gate, and writes the tables and the page.

    Args:
        files: the inputs.
        settings: the task, what is measured, and the gate.
        folder: where to write the tables and the page.
        baseline_identity: which model the baseline is, for the record.

    Returns:
        The verdict, and the model's results on the test split.

    Raises:
        ConfigError: a rule or a slice names something that was not measured.
        DataError: there is no test split.
        StageError: the model cannot read some images.
        ExportError: a SavedModel is damaged.
    """
    evaluator, transform = _evaluator(files, settings), ImageTransform.load(files.transform)
    model = ServedModel(files.saved_model)
    answers = {split: evaluator.ask(model, split) for split in evaluator.slices}
    evaluator = evaluator.with_reference(transform).decided(answers, _decisions(files.export))
    evaluated = {split: evaluator.evaluate(predicted, split) for split, predicted in answers.items()}
    baseline = None
    if files.baseline is not None:
        baseline = evaluator.evaluate(evaluator.ask(ServedModel(files.baseline), TEST), TEST)
    for remark in evaluated[TEST].judgement.remarks:
        say(f"{TEST}: {remark}")
    # Before anything is written, because a rule may name something that was not measured.
    verdict = judge(
        settings.gate,
        task=evaluator.task,
        evaluated=evaluated[TEST],
        baseline=baseline,
        facts=_facts(files.certificate),
        baseline_identity=baseline_identity,
    )
    known = evaluated[TEST]
    taught = lessons(evaluator.task, network=files.network, examples=evaluator.examples, transform=transform)
    explained = reasons(
        worst_rows(known.judgement, most=settings.evaluation.reasons),
        task=evaluator.task,
        network=files.network,
        examples=evaluator.examples,
        transform=transform,
    )
    findings = Findings(
        evaluated={**evaluated, TEST: known.with_tables(taught.tables)},
        verdict=verdict,
        settings=settings.evaluation,
        lessons=taught.figures,
        reasons=explained,
        variants=evaluator.variants(model, answers[TEST], known, transform=transform),
        simple=pd.read_csv(files.simple_scores) if files.simple_scores else None,
        choices=pd.read_csv(files.simple_choices) if files.simple_choices else None,
        history=pd.read_csv(files.history),
        epoch_pictures=read_epoch_pictures(files.history),
        samples=evaluator.samples(model, known, transform=transform),
    )
    evaluator.write(findings, folder=folder, transform=transform)
    return verdict, known


def _evaluator(files: EvaluationFiles, settings: EvaluatorSettings) -> Evaluator:
    """An evaluator for the splits that have examples. They are divided into slices before any model is asked."""
    examples = ExampleSet(files.examples)
    if not examples.count(TEST):
        raise DataError("there is no test split to evaluate on", hint="set splits.test above 0")
    manifest, wanted = pd.read_parquet(files.manifest), settings.evaluation
    every = EVERY | {kind for kind, _ in settings.gate.slices()}
    slices: dict[str, list[Slice]] = {}
    for split in wanted.splits:
        if examples.count(split):
            table = described_examples(examples, manifest, split=split, ids=examples.ids(split), slices=wanted.slices)
            slices[split] = cut_into_slices(table, bands=wanted.bands, every=every, kinds=wanted.slices)
    names = class_names(files.transform, labels=DataSchema.load(files.schema).classes)
    expected = values_in(manifest, splits=examples.splits, slices=wanted.slices)
    task = make_task(settings.task, names).seeing(ImageTransform.load(files.transform))
    return Evaluator(task, examples, slices, expected, settings)


def _decisions(export: Path | None) -> dict[str, Any] | None:
    if export is None or not export.is_file():
        return None
    decisions: dict[str, Any] | None = json.loads(export.read_text(encoding="utf-8")).get("decisions")
    return decisions


def _facts(certificate: Path | None) -> dict[str, float] | None:
    if certificate is None:
        return None
    facts: dict[str, float] = json.loads(certificate.read_text(encoding="utf-8"))["facts"]
    return facts
