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
WITHOUT_EFFECT = ("cluster", "hooks", "listeners", "object_store", "runner")


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
        self._run, self._pipeline = run, pipeline
        self._id_of_run()

    def _id_of_run(self) -> str:
        """The id of the run in MLflow, which is created if it is not there: a server may come back later."""
        if self._id is None:
            self._id = self._created(self._run, self._pipeline)
        return self._id

    def _created(self, run: RunRecord, pipeline: Pipeline) -> str:
        experiment = self._experiment(pipeline.name)
        known = self._client.search_runs([experiment], f"tags.`kerasvision.run` = '{run.id}'", max_results=1)
        if known:
            found: str = known[0].info.run_id
            self._client.update_run(found, status="RUNNING")
            return found
        tags = {"kerasvision.run": run.id}
        made = self._client.create_run(experiment, start_time=run.started_ms, run_name=run.id, tags=tags)
        new: str = made.info.run_id
        settings = settings_of(pipeline)
        self._log_tags(
            new,
            {
                "kerasvision.version": kerasvision.__version__,
                "kerasvision.settings": hashlib.sha256(canonical_json(settings).encode()).hexdigest(),
                "mlflow.source.name": str(pipeline.origin.file) if pipeline.origin else pipeline.name,
            },
        )
        self._log_params(new, settings)
        return new

    def finished(self, result: Result) -> None:
        """Logs what a stage has measured, or the verdict, or what was pushed."""
        run = self._id_of_run()
        for record in result.outputs.values():
            artifact, known = record.open(), record.properties
            if isinstance(artifact, Model) and artifact.history.is_file():
                self._log_metrics(run, history_metrics(artifact.history, stage=result.node))
            elif isinstance(artifact, ModelEvaluation):
                self._log_metrics(run, score_metrics(artifact.scores, stage=result.node))
            elif isinstance(artifact, ModelBlessing):
                self._log_tags(run, {"kerasvision.verdict": str(known.get("verdict", "")).lower().replace("_", " ")})
            elif isinstance(artifact, PushedModel) and known.get("pushed"):
                pushed = {"version": known["pushed_version"], "to": known["pushed_destination"]}
                self._log_tags(run, {f"kerasvision.pushed_{name}": str(value) for name, value in pushed.items()})

    def ended(self, error: BaseException | None) -> None:
        """Ends the run in MLflow."""
        run = self._id_of_run()
        stopped = isinstance(error, KeyboardInterrupt | Interrupted)
        state = "FINISHED" if error is None else "KILLED" if stopped else "FAILED"
        self._client.set_terminated(run, status=state, end_time=self.now_ms)
        if state == "FAILED":
            self._log_tags(run, {"kerasvision.error": f"{type(error).__name__}: {error}"})

    def _experiment(self, name: str) -> str:
        known = self._client.get_experiment_by_name(name)
        found: str = self._client.create_experiment(name) if known is None else known.experiment_id
        return found

    def _log_params(self, run: str, values: Mapping[str, str]) -> None:
        from mlflow.entities import Param
        from mlflow.utils.validation import MAX_PARAM_VAL_LENGTH, MAX_PARAMS_TAGS_PER_BATCH

        params = [Param(mlflow_key(name), cut(text, MAX_PARAM_VAL_LENGTH)) for name, text in values.items()]
        for part in _parts(params, MAX_PARAMS_TAGS_PER_BATCH):
            self._client.log_batch(run, params=part)

    def _log_tags(self, run: str, values: Mapping[str, str]) -> None:
        from mlflow.entities import RunTag
        from mlflow.utils.validation import MAX_TAG_VAL_LENGTH

        tags = [RunTag(name, cut(text, MAX_TAG_VAL_LENGTH)) for name, text in values.items()]
        self._client.log_batch(run, tags=tags)

    def _log_metrics(self, run: str, values: Mapping[tuple[str, int], float]) -> None:
        from mlflow.entities import Metric
        from mlflow.utils.validation import MAX_METRICS_PER_BATCH

        metrics = [Metric(mlflow_key(name), value, self.now_ms, step) for (name, step), value in values.items()]
        for part in _parts(metrics, MAX_METRICS_PER_BATCH):
            self._client.log_batch(run, metrics=part)


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
    """A name that MLflow accepts: characters other than letters, digits and `_-.:/ ` become `_`; it is cut at 250.

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
