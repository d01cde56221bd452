"""What the courses would say about a run: collects the facts from the store and asks the rules."""

from pathlib import Path

from kerasvision.evaluation.advice.advice import Advice
from kerasvision.evaluation.advice.facts import Facts, gather
from kerasvision.evaluation.advice.rules import advice_on
from kerasvision.evaluation.run_facts import RunFacts
from kerasvision.pipeline.local import RUNS_FOLDER
from kerasvision.pipeline.report import run_facts
from kerasvision.pipeline.store import opened


def advise_run(
    run_id: str = "latest", *, root: Path | str = ".", human: float | None = None
) -> tuple[RunFacts, Facts, list[Advice]]:
    """A run, the figures that were looked at, and the advice.

    Args:
        run_id: the beginning of a run's id, or `latest`.
        root: the folder of `runs/`.
        human: the score of people on such images, in the task's headline metric; None: what the run's settings say.

    Raises:
        ConfigError: no such run, or `human` does not fit the task's headline metric.
    """
    with opened(Path(root) / RUNS_FOLDER, read_only=True) as store:
        run = run_facts(run_id, store)
    facts = gather(run, human=human)
    return run, facts, advice_on(facts)
