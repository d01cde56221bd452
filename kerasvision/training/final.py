"""The final training: once a network is blessed, another one learns from all images, with the same settings.

The images that judged the first network teach the second, so nothing is left to judge the second by. It trains for as many
epochs as made the judged network's weights, because no validation split is left to choose them.
"""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from kerasvision.config.stages import TrainerSettings
from kerasvision.data.all_images import AllImages
from kerasvision.data.examples import ExampleSet
from kerasvision.data.splits import TEST, TRAIN
from kerasvision.errors import StageError
from kerasvision.training.session import TrainingFiles, train


@dataclass(frozen=True)
class FinalTraining:
    """Whether there is a final training, and how long it is.

    Attributes:
        trains: whether another network is trained.
        epochs: of each phase; empty without a training.
        reason: why it does not train; "" if it trains.
    """

    trains: bool
    epochs: tuple[int, ...] = ()
    reason: str = ""

    @classmethod
    def planned(cls, epochs: Path, *, refusals: Iterable[str]) -> Self:
        """The plan for a judged network.

        Args:
            epochs: `epochs.json` of the judged network.
            refusals: why it is not blessed; empty if it is.

        Raises:
            StageError: there is no `epochs.json`.
        """
        if reason := "; ".join(refusals):
            return cls(trains=False, reason=reason)
        if not epochs.is_file():
            raise StageError(
                f"a final training requires {epochs}, which the stage trainer writes",
                hint="let the stage of your pipeline that trains write it, or set training.final=None",
            )
        return cls(trains=True, epochs=tuple(json.loads(epochs.read_text(encoding="utf-8"))))

    @classmethod
    def load(cls, file: Path) -> Self:
        """Reads what `save` wrote."""
        data = json.loads(file.read_text(encoding="utf-8"))
        return cls(data["trains"], tuple(data["epochs"]), data["reason"])

    def save(self, file: Path) -> None:
        """Writes the plan as JSON."""
        _write(file, asdict(self))


def final_settings(settings: TrainerSettings) -> TrainerSettings:
    """The settings of the judged network without those that need a validation split.

    >>> from kerasvision import config as c
    >>> training = c.Training(epochs=9, keep="best", early_stopping=c.EarlyStopping())
    >>> settings = TrainerSettings(task=c.Classification(), model=c.Model(name="lenet5"), training=training, augment=())
    >>> final_settings(settings).training == c.Training(epochs=9)
    True
    """
    without = {"early_stopping": None, "keep": "last", "best_metric": None}
    return settings.model_copy(update={"training": settings.training.model_copy(update=without)})


def train_final(settings: TrainerSettings, files: TrainingFiles, *, plan: FinalTraining) -> None:
    """Trains on the images of all splits, and saves; a training that began in `files.work` is continued.

    The transform stays that of the judged network: what it was fitted on is the train split.

    Args:
        settings: those of the judged network.
        files: where to read and to write.
        plan: says how long to train.
    """
    train(final_settings(settings), files, final=plan.epochs)


def record_final(file: Path, *, plan: FinalTraining, examples: Path) -> int:
    """Writes which network was judged and which one is served, for people and in numbers; returns the number of images.

    Args:
        file: `final.json`.
        plan: whether another network was trained.
        examples: the prepared data set.
    """
    judged, images = ExampleSet(examples), AllImages(examples).count(TRAIN)
    train_images, test_images = judged.count(TRAIN), judged.count(TEST)
    total = sum(plan.epochs)
    of_judged = (
        f"the network that was trained on {train_images:,} of {images:,} images, by {test_images:,} test images that it had "
        "not seen"
    )
    if plan.trains:
        served = (
            f"another network, trained after the verdict on all {images:,} images, with the same settings, for "
            f"{total:,} epoch{'s' * (total != 1)}. It was not judged: no images are left that it has not seen. The scores "
            "are those of the judged network"
        )
    else:
        served = f"the judged network itself. None was trained on all images, because it was not blessed: {plan.reason}"
    numbers = {"train_images": train_images, "test_images": test_images, "all_images": images}
    _write(file, {**asdict(plan), **numbers, "judged": of_judged, "served": served})
    return images


def _write(file: Path, data: object) -> None:
    file.write_text(json.dumps(data, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
