"""What a run reports while it runs."""

from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.records import RunRecord


class Listener:
    """Receives the events of a run. The base class ignores them.

    Attributes:
        now_ms: when the event occurred, in milliseconds since 1970. `listeners` sets it, because it may pass an event on
            later; otherwise 0.
    """

    now_ms: int = 0

    def began(self, run: RunRecord, pipeline: Pipeline) -> None:
        """A run of a pipeline begins, or a stage of a run whose stages run in separate processes."""

    def started(self, node: str) -> None:
        """A stage is about to be launched."""

    def waiting(self, node: str) -> None:
        """Another run is executing this stage; this run waits for it."""

    def remark(self, node: str, sentence: str) -> None:
        """A sentence about a stage that a person should read."""

    def finished(self, result: Result) -> None:
        """A stage ran or was reused."""

    def failed(self, node: str, error: BaseException) -> None:
        """A stage failed or was interrupted, and the run ends."""

    def ended(self, error: BaseException | None) -> None:
        """The run that `began` ends; with an error if it failed or was interrupted."""
