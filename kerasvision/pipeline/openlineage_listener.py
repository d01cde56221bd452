"""Sends OpenLineage events of a run: https://openlineage.io/docs/spec/object-model.

The pipeline and each of its stages are jobs. An artifact is a dataset: its name is the folder in which a stage keeps all
results of one output, and its version is the SHA-256 of the content. So the same dataset gets a new version in a later run.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import kerasvision
from kerasvision import extras
from kerasvision.config.listeners import OpenLineage
from kerasvision.errors import Interrupted
from kerasvision.pipeline.artifacts import Examples, Model, SavedModel
from kerasvision.pipeline.graph import Channel, Pipeline
from kerasvision.pipeline.launcher import Result
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.records import ArtifactRecord, RunRecord

# A package URL, https://github.com/package-url/purl-spec: events name the program that made them by a URI.
PRODUCER = f"pkg:generic/kerasvision@{kerasvision.__version__}"
START, COMPLETE, FAIL, ABORT = "START", "COMPLETE", "FAIL", "ABORT"


class OpenLineageListener(Listener):
    """Sends an event when the run and each of its stages begin, and another one when they end.

    Args:
        settings: the namespace of the jobs.

    Raises:
        ConfigError: openlineage-python is not installed.
    """

    def __init__(self, settings: OpenLineage) -> None:
        if find_spec("openlineage") is None:
            raise extras.missing("the listener open_lineage", ["openlineage"])
        from openlineage.client import OpenLineageClient

        self._client = OpenLineageClient()
        self._settings = settings
        self._outputs: dict[str, dict[str, ArtifactRecord]] = {}
        # Stages that have begun and not ended.
        self._open: dict[str, None] = {}

    def began(self, run: RunRecord, pipeline: Pipeline) -> None:
        """The pipeline begins."""
        self._run, self._pipeline = run, pipeline
        self._emit(START, None)

    def started(self, node: str) -> None:
        """A stage begins. Inputs that it looks up in earlier runs are not known yet."""
        self._open[node] = None
        self._emit(START, node, inputs=self._known_inputs(node))

    def finished(self, result: Result) -> None:
        """A stage ended. A reused result is marked by the tag `reused`: the stage wrote nothing in this run."""
        self._open.pop(result.node, None)
        self._outputs[result.node] = result.outputs
        self._emit(
            COMPLETE,
            result.node,
            facets=self._tags({"reused": "true"}) if result.reused else {},
            inputs=result.inputs.values(),
            outputs=result.outputs.values(),
            wrote=not result.reused,
        )

    def failed(self, node: str, error: BaseException) -> None:
        """A stage failed or was stopped."""
        self._open.pop(node, None)
        self._emit(_state(error), node, facets=self._error(error), inputs=self._known_inputs(node))

    def ended(self, error: BaseException | None) -> None:
        """The pipeline ends, and with it all stages that were running next to one that failed."""
        for node in self._open:
            self._emit(ABORT, node, inputs=self._known_inputs(node))
        self._emit(COMPLETE if error is None else _state(error), None, facets=self._error(error) if error else {})
        self._client.close(self._settings.timeout_seconds)

    def _known_inputs(self, node: str) -> list[ArtifactRecord]:
        """The inputs of a stage that this run has made or reused."""
        channels = [one for one in self._pipeline.node(node).inputs.values() if isinstance(one, Channel)]
        return [self._outputs[one.producer][one.key] for one in channels if one.key in self._outputs.get(one.producer, {})]

    def _emit(
        self,
        state: str,
        node: str | None,
        *,
        facets: Mapping[str, Any] | None = None,
        inputs: Iterable[ArtifactRecord] = (),
        outputs: Iterable[ArtifactRecord] = (),
        wrote: bool = False,
    ) -> None:
        """Sends an event of a stage, or of the whole pipeline if the node is None."""
        from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState

        about = {**(facets or {}), **({} if node is None else self._parent()), **self._engine()}
        self._client.emit(
            RunEvent(
                eventType=RunState[state],
                eventTime=datetime.fromtimestamp(self.now_ms / 1000, UTC).isoformat(timespec="milliseconds"),
                run=Run(runId=self._run_id(node), facets=about),
                job=Job(namespace=self._namespace, name=node or self._pipeline.name, facets=self._job_type(node)),
                inputs=[InputDataset(**self._dataset(one)) for one in inputs],
                outputs=[
                    OutputDataset(**self._dataset(one), outputFacets=self._statistics(one) if wrote else {})
                    for one in outputs
                ],
                producer=PRODUCER,
            )
        )

    @property
    def _namespace(self) -> str:
        return self._settings.namespace or self._pipeline.name

    def _run_id(self, node: str | None) -> str:
        """The same for all events of a stage or pipeline in a run, in whichever process they are sent."""
        name = "/".join(filter(None, ("kerasvision", self._run.pipeline, self._run.id, node)))
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name))

    # Facets.

    def _parent(self) -> dict[str, Any]:
        from openlineage.client.facet_v2 import parent_run as parent

        run = parent.Run(runId=self._run_id(None))
        job = parent.Job(namespace=self._namespace, name=self._pipeline.name)
        return {"parent": parent.ParentRunFacet(run=run, job=job, producer=PRODUCER)}

    def _engine(self) -> dict[str, Any]:
        from openlineage.client.facet_v2 import processing_engine_run as engine

        return {
            "processing_engine": engine.ProcessingEngineRunFacet(
                version=kerasvision.__version__, name="kerasvision", producer=PRODUCER
            )
        }

    def _job_type(self, node: str | None) -> dict[str, Any]:
        from openlineage.client.facet_v2 import job_type_job as job

        kind = "DAG" if node is None else "TASK"
        facet = job.JobTypeJobFacet(processingType="BATCH", integration="KERASVISION", jobType=kind, producer=PRODUCER)
        return {"jobType": facet}

    def _tags(self, values: Mapping[str, str]) -> dict[str, Any]:
        from openlineage.client.facet_v2 import tags_run as tags

        fields = [tags.TagsRunFacetFields(key=key, value=value, source="KERASVISION") for key, value in values.items()]
        return {"tags": tags.TagsRunFacet(tags=fields, producer=PRODUCER)}

    def _error(self, error: BaseException) -> dict[str, Any]:
        from openlineage.client.facet_v2 import error_message_run as message

        text = f"{type(error).__name__}: {error}"
        facet = message.ErrorMessageRunFacet(message=text, programmingLanguage="python", producer=PRODUCER)
        return {"errorMessage": facet}

    def _dataset(self, record: ArtifactRecord) -> dict[str, Any]:
        """Namespace, name and facets of an artifact. Source: https://openlineage.io/docs/spec/naming."""
        from openlineage.client.facet_v2 import dataset_type_dataset, dataset_version_dataset, datasource_dataset

        folder = record.uri.absolute()
        kind = "MODEL" if record.type in (Model.TYPE_NAME, SavedModel.TYPE_NAME) else "FILE"
        facets = {
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=record.digest, producer=PRODUCER),
            "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet(
                datasetType=kind, subType=record.type, producer=PRODUCER
            ),
            "dataSource": datasource_dataset.DatasourceDatasetFacet(
                name=str(record.id), uri=folder.as_uri(), producer=PRODUCER
            ),
            **self._schema(record),
        }
        return {"namespace": "file", "name": folder.parent.as_posix(), "facets": facets}

    def _schema(self, record: ArtifactRecord) -> dict[str, Any]:
        """The columns of the manifest of examples; other artifacts have no single table."""
        if (manifest := _manifest(record)) is None:
            return {}
        import pyarrow.parquet as pq
        from openlineage.client.facet_v2 import schema_dataset as schema

        columns = pq.read_schema(manifest)
        fields = [schema.SchemaDatasetFacetFields(name=one.name, type=str(one.type)) for one in columns]
        return {"schema": schema.SchemaDatasetFacet(fields=fields, producer=PRODUCER)}

    def _statistics(self, record: ArtifactRecord) -> dict[str, Any]:
        """How many files and bytes a stage wrote, and how many images."""
        from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

        sizes = [path.stat().st_size for path in record.uri.rglob("*") if path.is_file()]
        facet = statistics.OutputStatisticsOutputDatasetFacet(
            rowCount=_images(record), size=sum(sizes), fileCount=len(sizes), producer=PRODUCER
        )
        return {"outputStatistics": facet}


def _images(record: ArtifactRecord) -> int | None:
    """How many images examples have; None for another artifact."""
    if (manifest := _manifest(record)) is None:
        return None
    import pyarrow.parquet as pq

    faults = pq.read_table(manifest, columns=["fault"])["fault"].to_pylist()
    return sum(not fault for fault in faults)


def _manifest(record: ArtifactRecord) -> Path | None:
    """The list of images of examples; None for another artifact, or examples of a user's own stage without that list."""
    file = Examples(record.uri).manifest
    return file if record.type == Examples.TYPE_NAME and file.is_file() else None


def _state(error: BaseException) -> str:
    return ABORT if isinstance(error, KeyboardInterrupt | Interrupted) else FAIL
