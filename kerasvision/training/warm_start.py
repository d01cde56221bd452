"""Begins a training with an earlier one's network: that of the last blessed model, or of the training before in a run."""

from pathlib import Path

import pandas as pd

from kerasvision.config.overrides import with_value, with_values
from kerasvision.config.stages import TrainerSettings
from kerasvision.config.warm_start import LATEST, latest_options
from kerasvision.errors import ConfigError, DataError
from kerasvision.progress import say

_COLUMNS = ["id", "sha256", "split", "fault"]


def with_latest_weights(
    settings: TrainerSettings, *, network: Path | None, manifest: Path, network_manifest: Path | None
) -> TrainerSettings:
    """The settings with a file, or with None, in place of "latest"; other settings as they are.

    Args:
        settings: of the training. Its weights and any option of its network may be "latest".
        network: the .keras file of the earlier training; None before the first.
        manifest: of the examples that are trained and judged on now.
        network_manifest: of the examples of the earlier training.

    Raises:
        ConfigError: an option is "latest", and there is no earlier training.
        DataError: an image that judges now was a training image then.
    """
    options = [f"model.options.{name}" for name in latest_options(settings.model.options)]
    asked = [*options, *(["model.weights"] if settings.model.weights == LATEST else [])]
    if not asked:
        return settings
    if network is None or network_manifest is None:
        if options:
            raise ConfigError(f"{options[0]}='latest' requires a stage with a base_model and base_examples")
        say("  no model of this pipeline is blessed yet: the weights begin at random")
        return with_value(settings, "model.weights", None)
    check_no_leak(pd.read_parquet(manifest, columns=_COLUMNS), pd.read_parquet(network_manifest, columns=_COLUMNS))
    say(f"  {' and '.join(asked)}: the network of an earlier training, {network}")
    return with_values(settings, dict.fromkeys(asked, str(network)))


def check_no_leak(now: pd.DataFrame, then: pd.DataFrame) -> None:
    """Checks that no image that judges now was a training image then: the scores would prove nothing.

    Args:
        now: the manifest of the present examples: id, sha256, split, fault.
        then: that of the examples of the earlier training.

    Raises:
        DataError: there are such images.

    >>> import pandas as pd
    >>> one = pd.DataFrame({"id": ["a", "b"], "sha256": ["1", "2"], "split": ["train", "test"], "fault": ["", ""]})
    >>> check_no_leak(one, one)
    >>> check_no_leak(one.assign(split=["test", "train"]), one)
    Traceback (most recent call last):
    ...
    kerasvision.errors.DataError: 1 image of the test split was a training image of the last blessed model, such as a, ...
    """
    learned = set(then.loc[(then["split"] == "train") & (then["fault"] == ""), "sha256"])
    judging = now[(now["split"] != "train") & (now["fault"] == "") & now["sha256"].isin(learned)]
    if len(judging):
        counted = f"{len(judging):,} images of the {' and '.join(sorted(set(judging['split'])))} split were training images"
        if len(judging) == 1:
            counted = f"1 image of the {judging['split'].iloc[0]} split was a training image"
        raise DataError(
            f"{counted} of the last blessed model, such as {judging['id'].iloc[0]}, so scores of a training that begins "
            "with its weights would prove nothing",
            hint="give splits the settings that they had then, or set model.weights=None for this training",
        )
