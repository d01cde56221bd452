"""What a run reports while it goes on."""

from kerasvision.pipeline.launcher import Result


class Listener:
    """Receives what a run does, as it happens. The base ignores it."""

    def started(self, node: str) -> None:
        """A stage is about to be launched."""

    def waiting(self, node: str) -> None:
        """Another run is at this stage; this one waits for it."""

    def remark(self, node: str, sentence: str) -> None:
        """Something about a stage that a person should read."""

    def finished(self, result: Result) -> None:
        """A stage ran or was reused."""

    def failed(self, node: str, error: BaseException) -> None:
        """A stage failed or was interrupted, and the run ends."""
