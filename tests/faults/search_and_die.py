"""Searches that are killed again and again, and continue each time.

`python search_and_die.py files FOLDER ALGORITHM` searches with a formula, once undisturbed, and then with a kill -9 at every
file operation in turn; each process continues from what the one before left.

`python search_and_die.py trainings FOLDER ALGORITHM SEED COUNT DATA` searches with real trainings: once undisturbed, and
then ended COUNT times at random moments: kill -9 of the search, kill -9 of a process that trains, or SIGTERM.

Prints, as JSON, how the processes ended and the results. Children are forked after the imports, which are slow.
"""

import importlib.util
import json
import math
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
import warnings
from dataclasses import replace
from pathlib import Path

import keras_tuner  # noqa: F401

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings, TunerSettings
from kerasvision.errors import KerasvisionError
from kerasvision.tuning.search import search
from kerasvision.tuning.session import tune
from kerasvision.tuning.trials import Outcome
from kerasvision.tuning.worker import TrialData

RATE = "training.optimizer.learning_rate"


def beside(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def settings(algorithm, **plan):
    return TunerSettings(
        task=c.Classification(),
        model=c.Model(name="lenet5", options={"activation": "relu", "pooling": "max"}),
        training=c.Training(epochs=9, batch_size=16, optimizer=c.Adam(), checkpoint_minutes=1e-3, steps_per_call=1),
        augment=(c.PadCrop(pad=1),),
        search=c.Search(
            space={RATE: c.LogUniform(1e-5, 1e-1)}, algorithm=algorithm, objective="log_loss", stop_hopeless=True, **plan
        ),
    )


class Formula:
    """Trials that only compute a formula, at once; the last one to start ends first."""

    def __init__(self):
        self.ready, self.count = [], 2

    free = property(lambda self: self.count - len(self.ready))

    def begin(self, job, *, devices=1):
        self.ready.append(job)

    def wait(self, seconds):
        job = self.ready.pop()
        # Like a real trial, it leaves a file, which the next one of its round uses.
        (job.folder / "checkpoints").mkdir(parents=True, exist_ok=True)
        (job.folder / "checkpoints" / "state").write_text(job.id)
        distance = abs(math.log10(TrainerSettings.parse(job.settings).training.optimizer.learning_rate) + 3)
        rows = [{"epoch": epoch, "val_log_loss": distance + 1 / epoch} for epoch in range(1, job.until_epoch + 1)]
        return [Outcome(job.id, rows=tuple(rows), seconds=1.0)]


def told(result):
    """A result as plain data, without times."""
    trials = [replace(trial, seconds=0.0, attempts=1).to_data() for trial in result.trials]
    return json.loads(json.dumps({"best": result.best, "trials": trials, "seeds": [one.score for one in result.seeds]}))


def child(act, *, before=lambda: None):
    """Runs a function in its own process: (exit code, or minus the signal that ended it; what it returned)."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        code = 1
        try:
            warnings.simplefilter("ignore")
            before()
            answer = json.dumps(act()).encode()
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(answer)
            code = 0
        except KerasvisionError as error:
            print(error, file=sys.stderr)
            code = error.exit_code
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), json.loads(answer) if answer else None


def all_kills(folder, algorithm):
    """Kills at the first file operation, then at the second one after it, then at the third, and so on."""
    plan = settings(algorithm, trials=4, epochs=4, factor=2, parallel_trials=2)
    operations = beside("file_operations").Operations()

    def searched(name, number):
        operations._act = lambda *_: len(operations.seen) > number and os.kill(os.getpid(), signal.SIGKILL)
        with operations.watched():
            return told(search(plan, workers=Formula(), folder=folder / name / "search"))

    _, whole = child(lambda: searched("whole", math.inf))
    codes, resumed = [], None
    while resumed is None:
        number = 2 * len(codes) + 8  # opening the folder takes some operations, and the search must make progress
        code, resumed = child(lambda number=number: searched("resumed", number))
        codes.append(code)
    return codes, whole, resumed


def random_ends(folder, algorithm, seed, count, data):
    plan = settings(algorithm, trials=4, epochs=3, parallel_trials=2, retries=99, seeds=1)
    files = TrialData(data / "data", data / "schema.json", data / "transform.json")
    draw = random.Random(seed)

    def searched(name):
        return told(tune(plan, files, folder=folder / name / "search", artifact=folder / name / "artifact"))

    began = time.monotonic()
    _, whole = child(lambda: searched("whole"))
    took = time.monotonic() - began
    codes, results = [], []
    for _ in range(count):
        end = draw.choice(["search", "search", "worker", "terminate"])
        seconds = draw.uniform(0.25, 0.75) * took
        # If the search finished although one of its processes was killed, another one follows.
        name = f"resumed_{len(results)}"
        code, result = child(lambda name=name: searched(name), before=lambda end=end, seconds=seconds: ends_by(end, seconds))
        codes.append([end, code])
        results += [result] if result is not None else []
    code, result = child(lambda: searched(f"resumed_{len(results)}"))
    return [*codes, ["", code]], whole, [*results, result]


def ends_by(end, seconds):
    def act():
        time.sleep(seconds)
        workers = multiprocessing.active_children()
        if end == "worker" and workers:
            os.kill(random.choice(workers).pid, signal.SIGKILL)
        else:
            os.kill(os.getpid(), signal.SIGTERM if end == "terminate" else signal.SIGKILL)

    threading.Thread(target=act, daemon=True).start()


def main():
    kind, folder, algorithm = sys.argv[1], Path(sys.argv[2]), sys.argv[3]
    if kind == "files":
        print(json.dumps(all_kills(folder, algorithm)))
    else:
        print(json.dumps(random_ends(folder, algorithm, int(sys.argv[4]), int(sys.argv[5]), Path(sys.argv[6]))))


if __name__ == "__main__":
    main()
