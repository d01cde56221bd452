"""Which experiments can begin with the weights of the last blessed model, `model.weights="latest"`."""

from collections.abc import Mapping
from typing import Any

from kerasvision.errors import ConfigError

# The name of these weights.
LATEST = "latest"
# Options of networks that are the file of an earlier training. Any other option may be called "latest" too.
FILE_OPTIONS = ("proposer",)


def latest_options(options: Mapping[str, Any]) -> list[str]:
    """The options of a network that are the file of an earlier training.

    >>> latest_options({"proposer": "latest", "hidden": 8})
    ['proposer']
    """
    return [name for name in FILE_OPTIONS if options.get(name) == LATEST]


def check_latest(experiment: Any) -> None:
    """Rejects settings of an `Experiment` that do not go with weights that are looked up in the runs of this machine.

    Raises:
        ConfigError: the weights are "latest", and the experiment has a search, folds, a final training, frozen layers or
            several machines; or an option of the network is "latest".
    """
    for option in latest_options(experiment.model.options):
        raise ConfigError(
            f"model.options.{option}='latest' requires that another training of the same run comes before",
            hint="name a .keras file; or see kerasvision.pipeline.standard.standard_pipeline, trainings=",
        )
    if experiment.model.weights != LATEST:
        return
    training = experiment.training
    asked = {
        "search": (experiment.search, "each trial would begin with a network that has seen other settings"),
        "splits.folds": (experiment.splits.folds, "the last model has learned from the images of all other folds"),
        "training.final": (training.final, "the final network would not be trained as the judged one was"),
        "training.freeze": (training.freeze, "in the first run the frozen layers would stay random"),
        "training.strategy": (
            training.strategy == "multi_worker" or None,
            "each machine would look in its own runs, and may find another model",
        ),
    }
    for setting, (value, why) in asked.items():
        if value is not None:
            raise ConfigError(
                f"model.weights='latest' cannot be combined with {setting}: {why}",
                hint="set model.weights to the .keras file of an earlier training, or leave it out",
            )
