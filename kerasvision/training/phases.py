"""The phases of a training: a head on frozen layers first, then, with `training.fine_tune`, more layers at a lower rate.

Both phases are one training: steps and epochs are counted on, the history has the rows of both, and checkpoints are in the
same folder. A checkpoint says at which step its phase began, so a resumed training builds only the phase that it needs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from kerasvision.config.stages import TrainerSettings
from kerasvision.training.checkpointing.best_weights import BestWeights
from kerasvision.training.checkpointing.checkpoints import Checkpoints
from kerasvision.training.devices.workers import WorkerGroup
from kerasvision.training.logs.history import EpochLog
from kerasvision.training.loop import Progress
from kerasvision.training.transfer import without_auxiliary_heads


def phases(settings: TrainerSettings) -> tuple[TrainerSettings, ...]:
    """The settings of each phase; the settings themselves if there is only one.

    >>> from kerasvision import config as c
    >>> settings = TrainerSettings(
    ...     task=c.Classification(),
    ...     model=c.Model(name="resnet18"),
    ...     training=c.Training(freeze="backbone", features="once", fine_tune=c.FineTuning(freeze="c4")),
    ...     augment=(c.RandomFlip(),),
    ... )
    >>> [(phase.training.freeze, len(phase.augment)) for phase in phases(settings)]
    [('backbone', 0), ('c4', 1)]
    """
    if settings.training.fine_tune is None:
        return (settings,)
    # Both phases train the same network, whether or not the second freezes a part of it.
    model = without_auxiliary_heads(settings.model)
    return tuple(
        TrainerSettings(
            task=settings.task,
            model=model,
            training=training,
            augment=() if training.features == "once" else settings.augment,
        )
        for training in settings.training.phases
    )


@dataclass(frozen=True)
class Handover:
    """What a phase leaves to the next one.

    Attributes:
        progress: steps done, and the history of all epochs so far.
        callbacks: those of the phase.
    """

    progress: Progress
    callbacks: Sequence[keras.callbacks.Callback]

    def take_over(self, callbacks: Sequence[keras.callbacks.Callback]) -> None:
        """Gives the next phase's callbacks the rows of the logs and the best score.

        So `keep="best"` keeps the best epoch of both phases. Early stopping starts to count again.

        Args:
            callbacks: made like those of the phase before, after their `on_train_begin`. Their network has the weights with
                which the phase before ended.
        """
        for former, following in zip(self.callbacks, callbacks, strict=True):
            if isinstance(former, EpochLog) and isinstance(following, EpochLog):
                following.rows = former.rows
            elif isinstance(former, BestWeights) and isinstance(following, BestWeights) and former.best is not None:
                following.best, following.best_epoch = former.best, former.best_epoch
                following.best_weights = [np.array(array) for array in following.model.get_weights()]


def began_at(work: Path | None, *, identity: Mapping[str, Any], workers: WorkerGroup) -> int:
    """The step at which the phase of the newest checkpoint began, from 0; 0 if there is no checkpoint.

    Args:
        work: folder of the training; None: it has no checkpoints.
        identity: of the training.
        workers: those that train. Only the chief has checkpoints.
    """
    if work is None:
        return 0

    def chiefs() -> int:
        found = Checkpoints(work / "checkpoints", identity=identity).latest()
        return int(found.state["began"]) if found else 0

    return int(workers.chiefs(chiefs))
