"""The trained network that a saved model was exported from: where the records of runs say that it is."""

from pathlib import Path
from typing import Any

from kerasvision.errors import StoreError
from kerasvision.pipeline.artifacts import Model, SavedModel
from kerasvision.pipeline.local import RUNS_FOLDER
from kerasvision.pipeline.store import opened
from kerasvision.served.versions import read_record


def network_behind(saved_model: Path) -> Path | None:
    """The `.keras` file of the training of a saved model; None if no record names one that still exists.

    A pushed version names it in its `version.json`, and `runs/` is looked for next to the folder of all saved models. For a
    saved model that an exporter wrote, the metadata store names it.

    Args:
        saved_model: a version in `saved_models/<name>/`, or the `Format-Serving` folder of an exporter.

    >>> network_behind(Path("/nowhere")) is None
    True
    """
    folder = saved_model.resolve()
    uri = _recorded(folder)
    if uri is not None:
        network = Model(folder.parents[2] / RUNS_FOLDER / uri).keras_file
    else:
        made_of = _exported_from(folder)
        network = Model(made_of).keras_file if made_of else folder
    return network if network.is_file() else None


def _recorded(version: Path) -> str | None:
    """The path of the trained model below `runs/`, from the lineage of a pushed version."""
    try:
        lineage: dict[str, Any] = read_record(version).get("lineage") or {}
        exported = lineage["inputs"]["saved_model"]
        exporter = next(one for one in lineage["executions"] if exported in one["outputs"].values())
        uris = {one["id"]: one["uri"] for one in lineage["artifacts"]}
        return str(uris[exporter["inputs"]["model"]])
    except (OSError, ValueError, LookupError, TypeError, StopIteration, AttributeError):
        return None  # no record, or one of another kind


def _exported_from(folder: Path) -> Path | None:
    """The folder of the trained model, from the store of the runs in whose artifacts a saved model lies."""
    runs = next((one for one in folder.parents if (one / "metadata.sqlite").is_file()), None)
    if runs is None:
        return None
    try:
        with opened(runs, read_only=True) as store:
            for run in store.runs():
                for execution in store.executions(run):
                    if any(SavedModel(made.uri).saved_model == folder for made in execution.outputs.values()):
                        return execution.inputs["model"].uri if "model" in execution.inputs else None
    except StoreError:
        return None
    return None
