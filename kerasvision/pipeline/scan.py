"""Checks images before training: runs the stages up to the example validator, for a pipeline or a folder of images."""

import hashlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasvision import config as c
from kerasvision.config.listing import is_file, is_folder
from kerasvision.config.meant import instead_of_class_folders
from kerasvision.config.overrides import with_overrides
from kerasvision.data.label_counts import LabelCounts, label_counts
from kerasvision.errors import ConfigError, DataError
from kerasvision.pipeline.artifacts import ExampleAnomalies, Examples, ExampleStatistics
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.listener import Listener
from kerasvision.pipeline.local import RunResult, run
from kerasvision.pipeline.standard import load_pipeline, standard_pipeline

# Of images that can be used, and that ingest.last_spans leaves out.
LEFT_OUT = "left out"


@dataclass(frozen=True)
class Scan:
    """What a scan found.

    Attributes:
        name: of the pipeline; of a folder, one made of its path.
        examples, statistics, anomalies: what the stages wrote.
    """

    name: str
    examples: Examples
    statistics: ExampleStatistics
    anomalies: ExampleAnomalies

    @property
    def counts(self) -> list[LabelCounts]:
        """How many usable images, or objects, each class or tag has; empty without such annotations."""
        return label_counts(_read(self.statistics.summary))

    @property
    def images(self) -> dict[str, int]:
        """Split -> how many usable images, with or without labels."""
        images: dict[str, int] = _read(self.statistics.summary)["images"]
        return images

    @property
    def left_out(self) -> int:
        """How many images cannot be used."""
        return len(_read(self.statistics.summary)["quarantined"])

    @property
    def span(self) -> dict[str, Any]:
        """What changed since the previous examples."""
        return _read(self.examples.span)

    @property
    def spans(self) -> dict[int, dict[str, int]]:
        """Span -> split or `left out` -> how many of the images were added in it, of those that the source still has.

        Images that cannot be used count in no span. Empty for examples of an older version.
        """
        # Imported here, because other uses of a scan do not need it.
        import pyarrow.parquet as pq

        counts: dict[int, dict[str, int]] = {}
        if "span" not in pq.read_schema(self.examples.manifest).names:
            return counts
        for row in pq.read_table(self.examples.manifest, columns=["span", "split", "fault"]).to_pylist():
            if row["span"]:
                of_span = counts.setdefault(row["span"], {})
                where = LEFT_OUT if row["fault"] else row["split"]
                of_span[where] = of_span.get(where, 0) + 1
        return dict(sorted(counts.items()))

    @property
    def verdict(self) -> dict[str, Any]:
        """`verdict`, and `anomalies`, worst first: severity, code, message and some ids of each."""
        return _read(self.anomalies.file)


def scan(
    target: Path,
    *,
    overrides: Sequence[str] = (),
    root: Path | str = ".",
    purpose: str = "data scan",
    listener: Listener | None = None,
) -> Scan:
    """Checks every image of a pipeline's source, or of a folder of class folders.

    Args:
        target: a pipeline file, or a folder.
        overrides: texts of the form `splits.test=0.3`.
        root: the folder of `runs/`, which is created if necessary. Results there are reused.
        purpose: the command that needs the scan; its run is listed under this name.
        listener: receives the events.

    Raises:
        ConfigError: no such file or folder.
        DataError: the folder has COCO's, YOLO's or Pascal VOC's form.
        KerasvisionError: the source cannot be read at all, or the pipeline's policy does not allow its bad images.
    """
    if not is_folder(target) and not is_file(target):
        raise ConfigError(
            f"there is no pipeline file or folder {target} (looked in {Path.cwd()})",
            hint="name a pipeline file, or a folder with a folder of images per class",
        )
    pipeline = _pipeline_of_folder(target, overrides) if is_folder(target) else load_pipeline(target, overrides=overrides)
    return _scan_of(pipeline.name, run(pipeline, root=root, until="example_validator", purpose=purpose, listener=listener))


def _read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content


def _scan_of(name: str, result: RunResult) -> Scan:
    return Scan(
        name=name,
        examples=Examples(result.artifact("example_gen", "examples").uri),
        statistics=ExampleStatistics(result.artifact("statistics_gen", "statistics").uri),
        anomalies=ExampleAnomalies(result.artifact("example_validator", "anomalies").uri),
    )


def _pipeline_of_folder(folder: Path, overrides: Sequence[str]) -> Pipeline:
    """The standard graph for a folder. The stages after the validator never run, so their settings do not matter."""
    if form := instead_of_class_folders(folder):
        raise DataError("data scan reads a folder only if it has class folders", received=str(folder), hint=form)
    readable = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")[:40]
    digest = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:6]
    experiment = c.Experiment(
        name="-".join(filter(None, ("scan", readable, digest))),
        source=c.ImageFolder(path=folder),
        ingest=c.Ingest(policy="report"),
        transform=c.Transform(image_size=(32, 32)),
        task=c.Classification(),
        model=c.Model(name="lenet5"),
    )
    return standard_pipeline(with_overrides(experiment, overrides))
