"""Fixtures of the search tests: trials that only compute a formula."""

import math
from types import SimpleNamespace

import pytest

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings, TunerSettings
from kerasvision.errors import KerasvisionError
from kerasvision.tuning.trials import Outcome

RATE, POOLING = "training.optimizer.learning_rate", "model.options.pooling"


def settings(space=None, *, augment=(), training=None, **plan):
    return TunerSettings(
        task=c.Classification(),
        model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
        training=training or c.Training(epochs=50, batch_size=16, optimizer=c.Sgd(momentum=0.9)),
        augment=augment,
        search=c.Search(space=space or {RATE: c.LogUniform(1e-4, 1.0)}, **plan),
    )


class Here:
    """Runs trials by a formula, (settings, epoch) -> measured values, and keeps the jobs.

    Args:
        formula: may raise; then the trial fails.
        count: trials at a time.
        pick: given the number of trials that are ready, returns which of them ends next.
    """

    def __init__(self, formula=None, *, count=1, pick=lambda ready: 0):
        self.formula, self.count, self.pick = formula or best_at_a_hundredth, count, pick
        self.jobs, self.ready, self.stopped = [], [], False
        self.most_begun_while_first_ran = 0

    @property
    def free(self):
        return self.count - len(self.ready)

    @property
    def tried(self):
        return [TrainerSettings.parse(job.settings) for job in self.jobs]

    @property
    def rates(self):
        return [tried.training.optimizer.learning_rate for tried in self.tried]

    def begin(self, job, *, devices=1):
        assert self.free > 0
        self.jobs.append(job)
        self.ready.append(job)
        if self.ready[0] is self.jobs[0]:
            self.most_begun_while_first_ran = len(self.jobs)

    def wait(self, seconds):
        assert self.ready, "nothing to wait for"
        return [self._outcome(self.ready.pop(self.pick(len(self.ready))))]

    def stop(self):
        self.stopped = True

    def interrupt(self):
        return []

    def _outcome(self, job):
        tried = TrainerSettings.parse(job.settings)
        try:
            rows = [{"epoch": epoch, **self.formula(tried, epoch)} for epoch in range(1, job.until_epoch + 1)]
        except KerasvisionError as error:
            return Outcome(job.id, error=str(error))
        return Outcome(job.id, rows=tuple(rows), seconds=1.0)


def best_at_a_hundredth(tried, epoch):
    """Better with every epoch, and with a learning rate closer to 0.01."""
    distance = abs(math.log10(tried.training.optimizer.learning_rate) + 2)
    return {"val_accuracy": 1 - distance / 10 - 0.1 / epoch, "val_log_loss": distance + 1 / epoch}


@pytest.fixture(scope="session")
def tuning():
    """`settings`, `Here`, and the varied paths."""
    return SimpleNamespace(settings=settings, Here=Here, RATE=RATE, POOLING=POOLING, formula=best_at_a_hundredth)
