"""Records a run in MLflow: one run there for each run here. Source: https://mlflow.org/docs/latest/ml/tracking/.

docs/how-to/runs.md lists what MLflow gets, and under which names.
"""

import csv
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import kerasvision
from kerasvision import extras
from kerasvision.config.base import canonical_json
from kerasvision.config.listeners import Mlflow
from kerasvision.dotted import leaves
from kerasvision.errors import Interrupted
from kerasvision.pipeline.artifacts import Model, ModelBlessing, ModelEvaluation, PushedModel
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.records import RunRecord

# Settings on which no result depends.
WITHOUT_EFFECT = ("cluster", "hooks", "listeners")


class MlflowListener(Listener):
    """Records a run in MLflow, through its client alone: nothing that the user has set up for MLflow here is changed.

    Args:
        settings: where MLflow is.

    Raises:
        ConfigError: neither mlflow nor mlflow-skinny is installed.
    """

    def __init__(self, settings: Mlflow) -> None:
        if find_spec("mlflow") is None:
            raise extras.missing("the listener mlflow", ["mlflow"])
        from mlflow.tracking import MlflowClient

        self._client = MlflowClient(tracking_uri=settings.uri)
        self._id: str | None = None

    def began(self, run: RunRecord, pipeline: Pipeline) -> None:
        """Creates the run in MLflow; a stage in a process of its own continues the one that exists."""
        experiment = self._experiment(pipeline.name)
        known = self._client.search_runs([experiment], f"tags.`kerasvision.run` = '{run.id}'", max_results=1)
        if known:
            self._id = known[0].info.run_id
            self._client.update_run(self._id, status="RUNNING")
            return
        tags = {"kerasvision.run": run.id}
        made = self._client.create_run(experiment, start_time=run.started_ms, run_name=run.id, tags=tags)
        self._id = made.info.run_id
        settings = settings_of(pipeline)
        self._log_tags(
            {
                "kerasvision.version": kerasvision.__version__,
                "kerasvision.settings": hashlib.sha256(canonical_json(settings).encode()).hexdigest(),
                "mlflow.source.name": str(pipeline.origin.file) if pipeline.origin else pipeline.name,
            }
        )
        self._log_params(settings)

    def finished(self, result: Result) -> None:
        """Logs what a stage has measured, or the verdict, or what was pushed."""
        if self._id is None:  # the run could not be created, which was said
            return
        for record in result.outputs.values():
            artifact, known = record.open(), record.properties
            if isinstance(artifact, Model) and artifact.history.is_file():
                self._log_metrics(history_metrics(artifact.history, stage=result.node))
            elif isinstance(artifact, ModelEvaluation):
                self._log_metrics(score_metrics(artifact.scores, stage=result.node))
            elif isinstance(artifact, ModelBlessing):
                self._log_tags({"kerasvision.verdict": str(known.get("verdict", "")).lower().replace("_", " ")})
            elif isinstance(artifact, PushedModel) and known.get("pushed"):
                pushed = {"version": known["pushed_version"], "to": known["pushed_destination"]}
                self._log_tags({f"kerasvision.pushed_{name}": str(value) for name, value in pushed.items()})

    def ended(self, error: BaseException | None) -> None:
        """Ends the run in MLflow."""
        if self._id is None:
            return
        stopped = isinstance(error, KeyboardInterrupt | Interrupted)
        state = "FINISHED" if error is None else "KILLED" if stopped else "FAILED"
        if state == "FAILED":
            self._log_tags({"kerasvision.error": f"{type(error).__name__}: {error}"})
        self._client.set_terminated(self._id, status=state, end_time=self.now_ms)

    def _experiment(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        found: str = self._client.create_experiment(name) if known is None else known.experiment_id
        return found

    def _log_params(self, values: Mapping[str, str]) -> None:
        from mlflow.entities import Param
        from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_PARAMS_TAGS_PER_BATCH

        params = [Param(mlflow_key(name), cut(text, MAX_PARAM_VAL_LENGTH)) for name, text in values.items()]
        for part in _parts(params, MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(self._id, params=part)

    def _log_tags(self, values: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag
        from mlflow.utils.validation import MAX_TAG_VAL_LENGTH

        self._client.log_batch(self._id, tags=[RunTag(name, cut(text, MAX_TAG_VAL_LENGTH)) for name, text in values.items()])

    def _log_metrics(self, values: Mapping[tuple[str, int], float]) -> None:
        from mlflow.entities import Metric
        from mlflow.utils.validation import MAX_METRICS_PER_BATCH

        metrics = [Metric(mlflow_key(name), value, self.now_ms, step) for (name, step), value in values.items()]
        for part in _parts(metrics, MAX_METRICS_PER_BATCH):
            self._client.log_batch(self._id, metrics=part)


def settings_of(pipeline: Pipeline) -> dict[str, str]:
    """Path -> value of each setting, without those on which no result depends.

    The settings of a pipeline that a program made are those of its stages: `trainer.training.epochs`.
    """
    if pipeline.origin is not None:
        data: Mapping[str, Any] = {k: v for k, v in pipeline.origin.experiment.items() if k not in WITHOUT_EFFECT}
    else:
        data = {name: node.settings.to_data() for name, node in pipeline.nodes.items() if node.settings is not None}
    return {path: value if isinstance(value, str) else canonical_json(value) for path, value in leaves(data)}


def history_metrics(file: Path, *, stage: str) -> dict[tuple[str, int], float]:
    """(name, epoch) -> value of all that was measured after each epoch.

    Args:
        file: `history.csv` of a training.
        stage: the name of the stage that trained.
    """
    with file.open(encoding="utf-8", newline="") as stream:
        return {
            (f"{stage}/{column}", int(row["epoch"])): float(text)
            for row in csv.DictReader(stream)
            for column, text in row.items()
            if column != "epoch" and text
        }


def score_metrics(file: Path, *, stage: str) -> dict[tuple[str, int], float]:
    """(name, 0) -> value of each score and of its bounds.

    Args:
        file: `scores.json` of an evaluation.
        stage: the name of the stage that evaluated.
    """
    splits = json.loads(file.read_text(encoding="utf-8"))["splits"]
    return {
        (f"{stage}/{split}/{metric}{end}", 0): float(score[kind])
        for split, measured in splits.items()
        for metric, score in measured["scores"].items()
        for kind, end in (("score", ""), ("low", "_low"), ("high", "_high"))
        if score.get(kind) is not None and math.isfinite(score[kind])
    }


def mlflow_key(name: str) -> str:
    """A name that MLflow accepts: other signs than letters, digits and `_-.:/ ` become `_`, and 250 signs stay.

    >>> mlflow_key("evaluator/test/recall[St. Bernard]")
    'evaluator/test/recall_St. Bernard_'
    """
    return re.sub(r"[^\w\-.:/ ]", "_", name)[:250]


def cut(text: str, most: int) -> str:
    """A text of at most this many signs; the end of a longer one becomes "...".

    >>> cut("0123456789", 8), cut("0123", 8)
    ('01234...', '0123')
    """
    return text if len(text) <= most else text[: most - 3] + "..."


def _parts(values: list[Any], size: int) -> Iterator[list[Any]]:
    return (values[start : start + size] for start in range(0, len(values), size))
