"""A custom format: the network as one frozen graph, run by TensorFlow 1's session; and two wrong formats."""

import json
from typing import ClassVar

import numpy as np
import tensorflow as tf
from pydantic import Field
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from kerasvision import config as c


class FrozenGraph(c.Format):
    """The settings."""

    implementation: ClassVar[str] = "frozen_format:FrozenGraphConverter"
    file: ClassVar[str] = "Format-Frozen/graph.pb"

    brighter: float = Field(default=0.0, description="spoils the answers")


class FrozenGraphConverter:
    """Writes `graph.pb`, and next to it the names of its inputs and outputs."""

    def __init__(self, settings):
        self._brighter = settings.brighter

    def write(self, exported, file):
        frozen = convert_variables_to_constants_v2(exported.function(None).get_concrete_function())
        names = sorted(exported.numbers(tf.zeros((1, *exported.image_shape))))
        file.write_bytes(frozen.graph.as_graph_def().SerializeToString())
        tensors = dict(zip(names, [tensor.name for tensor in frozen.outputs], strict=True))
        (file.parent / "names.json").write_text(json.dumps({"input": frozen.inputs[0].name, "outputs": tensors}))

    def load(self, file):
        names = json.loads((file.parent / "names.json").read_text())
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(tf.compat.v1.GraphDef.FromString(file.read_bytes()), name="")

        def ask(images):
            with tf.compat.v1.Session(graph=graph) as session:
                return session.run(names["outputs"], {names["input"]: images + np.float32(self._brighter)})

        return ask


class Forgetful(c.Format):
    """A format whose converter writes nothing."""

    implementation: ClassVar[str] = "frozen_format:ForgetfulConverter"
    file: ClassVar[str] = "Format-Forgetful/model"


class ForgetfulConverter:
    def __init__(self, settings):
        pass

    def write(self, exported, file):
        pass

    def load(self, file):
        raise AssertionError("there is no file to load")


class Mute(c.Format):
    """Its converter cannot load what it writes."""

    implementation: ClassVar[str] = "frozen_format:MuteConverter"
    file: ClassVar[str] = "Format-Mute/model"


class MuteConverter:
    def __init__(self, settings):
        pass

    def write(self, exported, file):
        file.touch()


class Silent(c.Format):
    """A format whose file answers with another output, or with another shape."""

    implementation: ClassVar[str] = "frozen_format:SilentConverter"
    file: ClassVar[str] = "Format-Silent/model"

    output: str


class SilentConverter:
    def __init__(self, settings):
        self._output = settings.output

    def write(self, exported, file):
        file.touch()

    def load(self, file):
        return lambda images: {self._output: np.zeros((len(images), 1), np.float32)}
