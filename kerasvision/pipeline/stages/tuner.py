"""Searches for better settings with KerasTuner; trials are scored on the validation split."""

from pathlib import Path

from kerasvision.config.stages import TunerSettings
from kerasvision.pipeline.artifacts import Examples, HyperParameters, Out, Schema, TransformGraph


def tuner(
    examples: Examples,
    schema: Schema,
    transform_graph: TransformGraph,
    best_hyperparameters: Out[HyperParameters],
    *,
    settings: TunerSettings,
    work: Path,
) -> None:
    """Examples, TransformGraph -> HyperParameters. Trials and checkpoints go to `work`; a search begun there is continued.

    If KerasTuner's environment variables make this process a worker, only the chief, in another process, writes.
    """
    from kerasvision.tuning.page import write_search_page
    from kerasvision.tuning.records import save_best
    from kerasvision.tuning.session import tune
    from kerasvision.tuning.table import trials_table
    from kerasvision.tuning.worker import TrialData

    data = TrialData(examples=examples.data, schema=schema.file, transform=transform_graph.file)
    result = tune(settings, data, folder=work / "search", artifact=best_hyperparameters.search)
    if result is None:
        return
    save_best(result.best, best_hyperparameters.best)
    trials_table(result).to_csv(best_hyperparameters.trials, index=False)
    write_search_page(result, settings.search, file=best_hyperparameters.page)
    best_hyperparameters.properties.update(result.summary())
