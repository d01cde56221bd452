"""Trains simple models, so that a network is always compared with something."""

from kerasvision.config.stages import SimpleModelsSettings
from kerasvision.pipeline.artifacts import Examples, Out, Schema, SimpleScores


def simple_models(examples: Examples, schema: Schema, scores: Out[SimpleScores], *, settings: SimpleModelsSettings) -> None:
    """Examples -> SimpleScores."""
    import pandas as pd

    from kerasvision import lookup
    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.validating.schema import DataSchema
    from kerasvision.evaluation.simple_models import best_simple_model, save_simple_scores, score_simple_models
    from kerasvision.tasks.base import make_task

    known, opened = DataSchema.load(schema.file), ExampleSet(examples.data)
    names = settings.task.names_to_fit()
    # As the transform fits them; both need the train split alone, so neither waits for the other.
    classes = known.classes if names is None else lookup.load(names.implementation)(names, opened)
    choices: list[pd.DataFrame] = []
    table = score_simple_models(
        opened,
        task=make_task(settings.task, classes),
        schema=known,
        settings=settings.simple_models,
        significant_bits=settings.significant_bits,
        choices=choices,
    )
    save_simple_scores(table, folder=scores.uri, choices=choices)
    scores.properties.update(best_simple_model(table))
