"""What a run reports while it runs."""

from kerasvision.pipeline.launcher import Result


class Listener:
    """Receives the events of a run. The base class ignores them."""

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
