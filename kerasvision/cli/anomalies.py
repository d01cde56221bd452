"""Prints anomalies of the images, for `run` and `data scan`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from rich.console import Console
from rich.markup import escape

from kerasvision.shortened import and_more

COLOURS = {"error": "red", "warning": "yellow", "info": "dim", "fail": "red", "warn": "yellow", "pass": "green"}
# A screen has about 50 lines, and each anomaly may name a few images below its message.
MOST_SHOWN = 20


class ShownAnomaly(TypedDict):
    """One entry of anomalies.json."""

    severity: str
    code: str
    message: str
    examples: list[str]


def print_anomalies(anomalies: Sequence[ShownAnomaly], file: Path, console: Console) -> None:
    """Prints the worst anomalies with some of their images, and the file that lists the others.

    Args:
        anomalies: severity, code, message and examples of each, worst first, as in anomalies.json.
        file: the path of anomalies.json.
        console: where to print.
    """
    for anomaly in anomalies[:MOST_SHOWN]:
        severity = anomaly["severity"]
        lines = [f"[{COLOURS[severity]}]{severity}[/] {anomaly['code']}: {escape(anomaly['message'])}"]
        lines += [f"    {escape(name)}" for name in anomaly["examples"]]
        console.print("\n".join(lines), soft_wrap=True)
    if more := and_more(len(anomalies), most=MOST_SHOWN):
        console.print(f"{more}: {escape(os.path.relpath(file))}", soft_wrap=True)
