"""Scores on the test split, compares with the last blessed model, and judges by the gate."""

from kerasvision.config.stages import EvaluatorSettings
from kerasvision.pipeline.artifacts import (
    Examples,
    Model,
    ModelBlessing,
    ModelEvaluation,
    Out,
    Schema,
    TransformGraph,
)


def evaluator(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    model: Model,
    evaluation: Out[ModelEvaluation],
    blessing: Out[ModelBlessing],
    baseline_model: Model | None = None,
    *,
    settings: EvaluatorSettings,
) -> None:
    """Examples, Model -> ModelEvaluation, ModelBlessing."""
    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.schema import DataSchema
    from kerasvision.data.transform import ImageTransform
    from kerasvision.evaluation.gate import judge
    from kerasvision.evaluation.page import write_evaluation_page
    from kerasvision.evaluation.score import save_judgement, score_baseline, score_network
    from kerasvision.tasks.base import make_task

    example_set = ExampleSet(examples.data)
    task = make_task(settings.task, DataSchema.load(schema.file).classes)
    judgement = score_network(
        model.keras_file, task=task, examples=example_set, transform=ImageTransform.load(transform_graph.file)
    )
    baseline = score_baseline(baseline_model.saved_model, task=task, examples=example_set) if baseline_model else None
    save_judgement(judgement, scores=evaluation.scores, predictions=evaluation.predictions, folder=evaluation.uri)
    verdict = judge(settings.gate, task=settings.task, scores=judgement.scores, baseline=baseline)
    verdict.save(blessing.uri)
    blessing.properties.update(blessed=int(verdict.blessed), verdict=verdict.verdict, reason=verdict.reason)
    # The scores of the whole split; those of single classes are in the file.
    evaluation.properties.update({name: value for name, value in judgement.scores.items() if "[" not in name})
    write_evaluation_page(
        judgement, verdict=verdict, task=task, history=model.history, examples=example_set, file=evaluation.page
    )
