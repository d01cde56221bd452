"""Searches for better settings with KerasTuner; trials are scored on the validation split."""

from kerasvision.config.stages import TunerSettings
from kerasvision.pipeline.artifacts import Examples, HyperParameters, Out, Schema, TransformGraph


def tuner(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    best_hyperparameters: Out[HyperParameters],
    *,
    settings: TunerSettings,
) -> None:
    """Examples, TransformGraph -> HyperParameters."""
    from functools import partial

    from kerasvision.data.examples import ExampleSet
    from kerasvision.data.schema import DataSchema
    from kerasvision.data.transform import ImageTransform
    from kerasvision.training.fit import fit
    from kerasvision.tuning.search import save_best, search

    fitted = partial(
        fit,
        examples=ExampleSet(examples.data),
        classes=DataSchema.load(schema.file).classes,
        transform=ImageTransform.load(transform_graph.file),
    )
    best, trials = search(
        settings, try_settings=lambda tried: fitted(tried).history, folder=best_hyperparameters.search
    )
    save_best(best, best_hyperparameters.best)
    trials.to_csv(best_hyperparameters.trials, index=False)
