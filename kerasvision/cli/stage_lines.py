"""Prints a line for each stage of a run while it runs, and the anomalies that it finds in the images."""

import json
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from kerasvision.cli.anomalies import print_anomalies

if TYPE_CHECKING:
    from kerasvision.pipeline.launcher import Result
    from kerasvision.pipeline.listener import Listener


# The end of the run prints the reasons, and `runs list` uses the others.
UNSAID = ("reason", "headline", "split")


def stage_lines(*, anomalies: bool = True) -> "Listener":
    """A listener that prints one line per stage on standard error while the run goes on.

    Args:
        anomalies: whether to print the anomalies of the images after the line of the stage that found them.
    """
    from kerasvision.errors import Interrupted
    from kerasvision.pipeline.listener import Listener

    console = Console(stderr=True, highlight=False)

    class Lines(Listener):
        """Prints one line per stage on standard error."""

        def started(self, node: str) -> None:
            console.print(f"[dim]{node} ...[/]")

        def waiting(self, node: str) -> None:
            console.print(f"another run is executing {node}; waiting for it")

        def remark(self, node: str, sentence: str) -> None:
            console.print(f"  {escape(sentence)}", soft_wrap=True)

        def finished(self, result: "Result") -> None:
            word = "reused" if result.reused else f"ran in {result.seconds:.1f} s"
            word += "; the chief has the result, and continues" if result.took_part else ""
            console.print(f"[green]{result.node}[/] {word}{_facts(result)}", soft_wrap=True)
            if anomalies:
                _print_anomalies(result, console)

        def failed(self, node: str, error: BaseException) -> None:
            how = "was stopped" if isinstance(error, (KeyboardInterrupt, Interrupted)) else "failed"
            console.print(
                f"[red]{node} {how}[/]. Finished stages are kept: run the same command again to continue from there.",
                soft_wrap=True,
            )

    return Lines()


def _print_anomalies(result: "Result", console: Console) -> None:
    """Prints the errors and warnings that a stage wrote. Its page also lists information."""
    from kerasvision.pipeline.artifacts import ExampleAnomalies

    for artifact in (record.open() for record in result.outputs.values()):
        if isinstance(artifact, ExampleAnomalies):
            found = json.loads(artifact.file.read_text(encoding="utf-8"))["anomalies"]
            print_anomalies([one for one in found if one["severity"] != "info"], artifact.file, console)


def _facts(result: "Result") -> str:
    """The properties of a stage's artifacts, in one line; the main score comes first."""
    facts = {name: value for record in result.outputs.values() for name, value in record.properties.items()}
    headline = str(facts.get("headline"))
    facts = {headline: facts[headline], **facts} if headline in facts else facts
    facts = {name: value for name, value in facts.items() if name not in UNSAID and not name.startswith("forced_")}
    shown = ", ".join(f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in facts.items())
    return escape(f" ({shown})") if shown else ""
