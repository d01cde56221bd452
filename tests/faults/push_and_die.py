"""A pipeline that only pushes, killed at each of its file operations in turn.

`python push_and_die.py FOLDER` prints, as JSON, a list of [operation, versions after the kill and what is wrong with them,
the same after the next run, what that run recorded, whether a third run reused it].
"""

import io
import json
import os
import shutil
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from kerasvision.config.stages import PusherSettings
from kerasvision.export.publishing import publish as publishing
from kerasvision.pipeline.artifacts import InfraBlessing, Model, ModelBlessing, Out, SavedModel
from kerasvision.pipeline.graph import Pipeline
from kerasvision.pipeline.local import run
from kerasvision.pipeline.store import Store
from kerasvision.served.versions import complaint, versions

NAMES = ("mkdir", "rename", "rmdir", "chmod")


def make(
    model: Out[Model], saved_model: Out[SavedModel], model_blessing: Out[ModelBlessing], infra_blessing: Out[InfraBlessing]
) -> None:
    """A fake blessed model."""
    folder = saved_model.saved_model
    (folder / "variables").mkdir(parents=True)
    (folder / "saved_model.pb").write_text("graph")
    (folder / "variables" / "variables.index").write_text("index")
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(b"x" * 1000)
    saved_model.record.write_text("{}")
    model.settings.write_text("{}")
    model_blessing.verdict.write_text(json.dumps({"verdict": "BLESSED", "reason": "all passed", "rules": []}))
    infra_blessing.certificate.write_text(json.dumps({"blessed": True}))
    for blessing in (model_blessing, infra_blessing):
        blessing.properties.update(blessed=1, reason="")


def pipeline():
    made = Pipeline("toy")
    inputs = made.add(make)
    keys = ("model", "saved_model", "model_blessing", "infra_blessing")
    outputs = {key: getattr(inputs, key) for key in keys}
    made.add("kerasvision.pipeline.stages.pusher:pusher", settings=PusherSettings(name="toy"), **outputs)
    return made


def watched(act):
    """Calls `act(operation, path)` before each file operation from the push on, and in the middle of each copy."""
    stack, begun = ExitStack(), []

    def told(operation, path):
        if begun:
            act(operation, path)

    def begin(work, original=publishing.push_token):
        begun.append(work)
        return original(work)

    def before(name, original):
        def operation(path, *arguments, **keywords):
            told(name, path)
            return original(path, *arguments, **keywords)

        return operation

    original_open = io.open

    def opened(path, mode="r", *arguments, **keywords):
        if set(mode) & set("wax+"):
            told(f"open {mode}", path)
        return original_open(path, mode, *arguments, **keywords)

    def copied(source, target, **_):
        data = Path(source).read_bytes()
        with Path(target).open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            told("copy half of", target)
            file.write(data[len(data) // 2 :])

    def publish(*arguments, original=Store.publish, **keywords):
        told("publish", "")
        original(*arguments, **keywords)
        told("after publishing", "")

    for name in NAMES:
        stack.enter_context(mock.patch.object(os, name, before(name, getattr(os, name))))
    stack.enter_context(mock.patch.object(io, "open", opened))
    stack.enter_context(mock.patch.object(shutil, "copyfile", copied))
    # A real flush takes milliseconds each time, and there is no power cut here.
    stack.enter_context(mock.patch.object(os, "fsync", lambda descriptor: None))
    stack.enter_context(mock.patch.object(publishing, "push_token", begin))
    stack.enter_context(mock.patch.object(Store, "publish", publish))
    return stack


def killed_at(number, root):
    """Runs a child that kills itself before the operation with this number; the operation, or None if it finished."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        seen = []

        def act(operation, path):
            seen.append(operation)
            if len(seen) > number:
                os.write(writing, f"{operation} {Path(path).name}".strip().encode())
                os.kill(os.getpid(), signal.SIGKILL)

        with watched(act):
            run(pipeline(), root=root)
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return pipe.read() or None


def state(root):
    """version -> what is wrong with it."""
    folder = root / "saved_models" / "toy"
    return {version: complaint(folder / str(version), thorough=True) for version in versions(folder)}


def all_kills(folder):
    run(pipeline(), root=folder / "prepared", until="make")
    results, number = [], 0
    while True:
        root = folder / str(number)
        shutil.copytree(folder / "prepared", root)
        operation = killed_at(number, root)
        if operation is None:
            return results
        after_kill = state(root)
        resumed = run(pipeline(), root=root)
        record = json.loads(resumed.artifact("pusher", "pushed_model").record.read_text())
        third = run(pipeline(), root=root)
        leavings = [path.name for path in root.rglob("*") if path.name.endswith((".tmp", ".copying"))]
        results.append([operation, after_kill, state(root), record["version"], third.stages[-1].reused, leavings])
        number += 1


if __name__ == "__main__":
    print(json.dumps(all_kills(Path(sys.argv[1]))))
