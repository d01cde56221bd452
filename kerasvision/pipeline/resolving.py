"""Finds the artifacts that a stage reads, whether its result can be reused, and why not."""

from collections.abc import Callable, Mapping

from kerasvision.pipeline.artifacts import Artifact
from kerasvision.pipeline.changes import fingerprint_changes
from kerasvision.pipeline.digests import tree_digest
from kerasvision.pipeline.fingerprint import Fingerprint, fingerprint
from kerasvision.pipeline.graph import Channel, LatestBlessed, LatestTraining, Node, Previous
from kerasvision.pipeline.records import ArtifactRecord
from kerasvision.pipeline.store import Store

Outputs = dict[str, dict[str, ArtifactRecord]]
# Whether an artifact can be used: `intact`, `obtainable`, or a function that brings it back if it is not here.
Usable = Callable[[ArtifactRecord, Store], bool]

# Why a stage runs if the store has no finished execution of it.
NEVER_FINISHED = "it has not finished here before"


def intact(artifact: ArtifactRecord, store: Store) -> bool:
    """Whether an artifact exists and its content is what was published."""
    try:
        return content_digest(artifact.open(), store) == artifact.digest
    except (OSError, ValueError, KeyError):
        return False


def is_gone(artifact: ArtifactRecord) -> bool:
    """Whether there is nothing where an artifact was. One that was altered, or lost some files, is not gone."""
    return not artifact.uri.exists() or not any(path.is_file() for path in artifact.uri.rglob("*"))


def obtainable(artifact: ArtifactRecord, store: Store) -> bool:
    """Whether an artifact is intact, or is gone and has a copy in an object store. The copy is not read."""
    if intact(artifact, store):
        return True
    # The version that a push has made belongs to the artifact, and is not copied.
    version = artifact.properties.get("pushed_destination") if artifact.properties.get("pushed") == 1 else None
    is_enough = version is None or (store.folder.parent / str(version)).exists()
    return bool(artifact.copies) and is_enough and is_gone(artifact)


def resolve_inputs(
    node: Node, done: Outputs, store: Store, pipeline: str, *, usable: Usable = obtainable
) -> dict[str, ArtifactRecord]:
    """The artifacts that a node reads. A baseline or an earlier training that does not exist yet is left out.

    Args:
        node: the stage.
        done: outputs of the nodes before.
        store: where runs are kept.
        pipeline: the pipeline's name.
        usable: which artifacts of earlier runs can be used.
    """
    inputs = {}
    for key, source in node.inputs.items():
        if isinstance(source, Channel):
            inputs[key] = done[source.producer][source.key]
        elif isinstance(source, LatestBlessed):
            exported = done[source.other_than.producer][source.other_than.key]
            blessed = (model for model in store.blessed_models(pipeline) if model.digest != exported.digest)
            newest = next((model for model in blessed if usable(model, store)), None)
            if newest is not None:
                inputs[key] = newest
    wanted = {key: source.key for key, source in node.inputs.items() if isinstance(source, LatestTraining)}
    return inputs | (_latest_training(node, wanted, inputs, store, pipeline, usable=usable) if wanted else {})


def _latest_training(
    node: Node,
    wanted: Mapping[str, str],
    inputs: dict[str, ArtifactRecord],
    store: Store,
    pipeline: str,
    *,
    usable: Usable,
) -> dict[str, ArtifactRecord]:
    """What the training of the newest blessed model read and wrote. A training that equals the coming one is ignored.

    Args:
        node: the stage that trains.
        wanted: input name -> key of that training.
        inputs: all other inputs.
        store: where runs are kept.
        pipeline: the pipeline's name.
        usable: which artifacts can be used.
    """
    now = fingerprint(node, {key: artifact.digest for key, artifact in inputs.items()}, store).key
    for saved_model in store.blessed_models(pipeline):
        exporter = store.producer(saved_model.id)
        makers = (store.producer(read.id) for read in (exporter.inputs.values() if exporter else ()))
        training = next((maker for maker in makers if maker is not None and maker.node == node.name), None)
        if training is None:
            continue
        parts = dict(store.fingerprint(training.id))
        parts["inputs"] = {name: digest for name, digest in parts["inputs"].items() if name not in wanted}
        known = {**training.inputs, **training.outputs}
        found = {name: known[key] for name, key in wanted.items() if key in known}
        is_other = Fingerprint.from_data(parts).key != now
        if is_other and len(found) == len(wanted) and all(usable(artifact, store) for artifact in found.values()):
            return found
    return {}


def resolve_history(
    node: Node, key: str, done: Outputs, store: Store, pipeline: str, *, usable: Usable
) -> dict[str, ArtifactRecord]:
    """The earlier artifacts that a node reads when it executes; those that do not exist are left out.

    Args:
        node: the stage.
        key: of its fingerprint.
        done: outputs of the nodes before.
        store: where runs are kept.
        pipeline: the pipeline's name.
        usable: which artifacts can be used.
    """
    found: dict[str, ArtifactRecord] = {}
    for name, source in node.inputs.items():
        if not isinstance(source, Previous):
            continue
        now = done[source.producer][source.key].digest if source.producer in done else None
        for earlier, outputs in store.earlier_outputs(pipeline, source.producer):
            artifact = outputs.get(source.key)
            if artifact is None or (artifact.digest == now if now else earlier == key):
                continue
            if usable(artifact, store):
                found[name] = artifact
                break
    return found


def reusable(node: Node, key: str, store: Store, *, usable: Usable = obtainable) -> dict[str, ArtifactRecord] | None:
    """The outputs of an execution with this key, if all of them can be used; None otherwise."""
    found = store.finished(key)
    if found is None or found[1].keys() != node.signature.outputs.keys():
        return None
    if not all(usable(artifact, store) for artifact in found[1].values()):
        return None
    return found[1]


def why_not_reusable(node: Node, print_: Fingerprint, store: Store, pipeline: str) -> list[str]:
    """What changed since the node's newest finished execution, a line each; or one line if the node has never finished."""
    found = store.finished(print_.key)
    if found is not None:
        return [f"output {key} is missing or was altered" for key, a in found[1].items() if not intact(a, store)]
    earlier = store.fingerprints(pipeline, node.name, limit=1)
    return fingerprint_changes(earlier[0][1], print_) if earlier else [NEVER_FINISHED]


def content_digest(artifact: Artifact, store: Store) -> str:
    """The digest of all contents of an artifact, in its folder and outside."""
    return tree_digest([artifact.uri, *artifact.external_paths()], store)
