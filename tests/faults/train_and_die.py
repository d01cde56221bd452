"""A small training that is killed again and again, and continues each time.

`python train_and_die.py DATA FOLDER SEED MOMENT...` trains once undisturbed and once with the moments, one after the
other, and leaves `whole.npz` and `resumed.npz` with all that the trainings gave. A moment is one of

    start      kill -9 while TensorFlow starts or the checkpoint is read
    step       kill -9 at a random time after the first step of the process
    save       kill -9 at a random file operation of a random checkpoint
    damage     as step, and then a bit of the newest checkpoint flips
    terminate  SIGTERM at a random time after the first step

Prints what happened at each moment: the exit code, and the newest checkpoint's step. Children are forked after the
imports, which take longer than the trainings.
"""

import importlib.util
import json
import os
import random
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasvision import config as c
from kerasvision.config.stages import TrainerSettings
from kerasvision.data.examples import ExampleSet
from kerasvision.data.transform import ImageTransform
from kerasvision.data.validating.schema import DataSchema
from kerasvision.errors import KerasvisionError
from kerasvision.training import fit as fit_module
from kerasvision.training.checkpointing.checkpoints import Checkpoints
from kerasvision.training.step import TrainStep

_spec = importlib.util.spec_from_file_location("file_operations", Path(__file__).with_name("file_operations.py"))
file_operations = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(file_operations)

EPOCHS = 4


def small_network(*, image_shape, num_classes):
    """Two layers, with what a checkpoint must not forget: moving statistics, and the state of the dropout's generator."""
    layers = keras.layers
    image = keras.Input(image_shape)
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(6, 5, 2, padding="same")(image)))
    x = layers.Dropout(0.3)(layers.Flatten()(layers.MaxPooling2D()(x)))
    return keras.Model(image, layers.Dense(num_classes)(x))


def settings():
    return TrainerSettings(
        task=c.Classification(),
        model=c.Model(name="train_and_die:small_network"),
        training=c.Training(
            epochs=EPOCHS,
            batch_size=8,
            optimizer=c.Sgd(learning_rate=0.05, momentum=0.9),
            schedule="cosine",
            clip_norm=1.0,
            average_decay=0.9,
            keep="best",
            steps_per_call=1,
            checkpoint_minutes=1e-4,
        ),
        augment=(c.PadCrop(pad=1), c.RandomFlip()),
    )


def train(data, work, result):
    # Autograph's reading of the source code takes half the time of such a small training, which does not need it.
    fitted = tf.autograph.experimental.do_not_convert(fit_module.fit)(
        settings(),
        examples=ExampleSet(data / "data"),
        classes=DataSchema.load(data / "schema.json").classes,
        transform=ImageTransform.load(data / "transform.json"),
        work=work,
    )
    weights = {f"weight {number}": weight for number, weight in enumerate(fitted.model.get_weights())}
    table = {f"history {name}": fitted.history[name].to_numpy() for name in fitted.history}
    np.savez(result, csv=(work / "logs" / "history.csv").read_text(), **weights, **table)


def after_first_step(act):
    """Calls a function in a thread when the process has made its first step."""
    original = TrainStep.run

    def run(self, *arguments):
        losses = original(self, *arguments)
        if TrainStep.run is run:
            TrainStep.run = original
            threading.Thread(target=act, daemon=True).start()
        return losses

    TrainStep.run = run


def later(seconds, number):
    def act():
        time.sleep(seconds)
        os.kill(os.getpid(), number)

    return act


def prepare(moment, draw, seconds):
    """Makes this process end at the given moment."""
    if moment == "start":
        threading.Thread(target=later(draw.uniform(0.1, 2.0), signal.SIGKILL), daemon=True).start()
    elif moment == "save":
        saves, operation = draw.randint(1, 3), draw.randint(1, 40)
        original = Checkpoints.save

        def save(self, *arguments, **keywords):
            save.count += 1
            if save.count < saves:
                return original(self, *arguments, **keywords)
            operations = file_operations.Operations()
            # If a save has fewer operations, the process survives it, and the next save is tried.
            operations._act = lambda *_: len(operations.seen) == operation and os.kill(os.getpid(), signal.SIGKILL)
            with operations.watched():
                return original(self, *arguments, **keywords)

        save.count = 0
        Checkpoints.save = save
    else:
        number = signal.SIGTERM if moment == "terminate" else signal.SIGKILL
        after_first_step(later(draw.uniform(0, seconds), number))


def child(data, work, result, *, moment, draw, seconds):
    """Runs a training in its own process; returns its exit code, or minus the signal that ended it."""
    process = os.fork()
    if process == 0:
        code = 1
        try:
            warnings.simplefilter("ignore")
            if moment is None:
                after_first_step((work / "stepped").touch)
            else:
                prepare(moment, draw, seconds)
            train(data, work, result)
            code = 0
        except KerasvisionError as error:
            print(error, file=sys.stderr)
            code = error.exit_code
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def newest(work):
    return max((int(path.name[5:13]) for path in (work / "checkpoints").glob("step-????????")), default=0)


def flip_a_bit(work, draw):
    folder = work / "checkpoints" / f"step-{newest(work):08d}"
    if folder.exists():
        file = draw.choice(sorted(folder.iterdir()))
        content = bytearray(file.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        file.write_bytes(content)


def main():
    data, folder, draw = Path(sys.argv[1]), Path(sys.argv[2]), random.Random(int(sys.argv[3]))
    assert child(data, folder / "whole", folder / "whole.npz", moment=None, draw=draw, seconds=0) == 0
    # The moments are spread over slightly less time than the steps take, so that most hit a running training.
    took = (folder / "whole.npz").stat().st_mtime - (folder / "whole" / "stepped").stat().st_mtime
    seconds = 1.2 * took / (len(sys.argv) - 3)
    told, work = [], folder / "resumed"
    for moment in [*sys.argv[4:], None]:
        code = child(data, work, folder / "resumed.npz", moment=moment, draw=draw, seconds=seconds)
        told.append([moment, code, newest(work)])
        if moment == "damage":
            flip_a_bit(work, draw)
        draw.random()
    print(json.dumps(told))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
