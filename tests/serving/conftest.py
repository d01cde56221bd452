"""A small SavedModel of plain TensorFlow, and a real server of it, on its own port, in a thread."""

import base64
import http.client
import json
import shutil
import socket
import threading
from contextlib import closing, contextmanager
from types import SimpleNamespace

import numpy as np
import pytest


def signatures(tf, offset):
    """Functions whose answers a reader can compute; all but `pair` have a free first axis."""
    module = tf.Module()
    module.offset = tf.Variable(offset)
    floats = tf.TensorSpec([None], tf.float32, name="x")

    def function(*specs):
        return lambda body: tf.function(body, input_signature=list(specs))

    @function(tf.TensorSpec([None], tf.string, name="image_bytes"))
    def serving_default(image_bytes):
        # Reads only PNG; the label is that of the channel with the largest share.
        valid = tf.strings.substr(tf.strings.join([image_bytes, "...."]), 1, 3) == "PNG"
        grey = tf.io.encode_png(tf.zeros((1, 1, 3), tf.uint8))
        pictures = tf.map_fn(
            lambda data: tf.reduce_mean(tf.cast(tf.io.decode_png(data, 3), tf.float32), (0, 1)),
            tf.where(valid, image_bytes, grey),
            fn_output_signature=tf.TensorSpec([3], tf.float32),
        )
        scores = tf.where(valid[:, None], pictures / 255.0 + module.offset, 0.0)
        top, order = tf.math.top_k(scores, 2)
        labels = tf.constant(["red", "green", "<b>blue</b>"])
        return {
            "scores": scores,
            "top_scores": top,
            "top_classes": tf.gather(labels, order),
            "valid": valid,
            "classes": tf.where(valid, tf.gather(labels, order[:, 0]), ""),
        }

    @function(tf.TensorSpec([None, 2, 2], tf.float32, name="image"))
    def total(image):
        return {"sum": tf.reduce_sum(image, (1, 2)) + module.offset}

    @function(floats, tf.TensorSpec([None, 2], tf.int32, name="n"))
    def two(x, n):
        return {"x": x, "n": n + 1}

    @function(floats)
    def logarithm(x):
        return {"y": tf.math.log(x)}

    @function(floats)
    def positive(x):
        with tf.control_dependencies([tf.debugging.assert_non_negative(x)]):
            return {"y": tf.identity(x) + 0.1}

    @function(tf.TensorSpec([None], tf.string, name="text"))
    def echo(text):
        return {"text": text, "raw_bytes": text}

    @function(tf.TensorSpec([2], tf.float32, name="x"))
    def pair(x):
        return {"y": tf.reduce_sum(x)}

    made = (serving_default, total, two, logarithm, positive, echo, pair)
    for each in made:
        setattr(module, each.__name__, each)
    return module, {each.__name__: each for each in made}


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory):
    """Two SavedModels that differ in their answers: `saved_models[0]`, and by 1 more, `saved_models[1]`."""
    import tensorflow as tf

    folders = []
    for offset in (0.0, 1.0):
        module, made = signatures(tf, offset)
        folders.append(tmp_path_factory.mktemp("saved") / "model")
        tf.saved_model.save(module, str(folders[-1]), made)
    return folders


@pytest.fixture(scope="session")
def png():
    """A PNG of one colour: `png(255, 0, 0, side=8)`."""
    from kerasvision.data.png import encode_png

    return lambda *colour, side=8: encode_png(np.full((side, side, 3), colour, np.uint8))


@pytest.fixture(scope="session")
def running():
    """`with running(folder, max_body_bytes=...) as server`: `server.ask(method, path, body)` gives a status and JSON."""

    @contextmanager
    def run(folder, **bounds):
        from kerasvision.serving.limits import Limits
        from kerasvision.serving.server import make_server

        server, versions = make_server(folder, limits=Limits(**bounds))
        listening = socket.create_server(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield SimpleNamespace(
                ask=asker(port), port=port, versions=versions, url=f"http://127.0.0.1:{port}", server=server, thread=thread
            )
        finally:
            server.should_exit = True
            thread.join(20)
            # If a connection is still open but no longer answered, the server would wait for it for ever.
            server.force_exit = True
            thread.join()
            listening.close()

    return run


def asker(port):
    def ask(method, path, body=None, headers=(), raw=False):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            data = json.dumps(body).encode() if isinstance(body, dict) else body
            connection.request(method, path, data, dict(headers))
            reply = connection.getresponse()
            text = reply.read()
            return reply.status, text if raw else json.loads(text)

    return ask


@pytest.fixture(scope="session")
def ask_at():
    """`ask_at(port)(method, path, body)`, for a server in another process."""
    return asker


@pytest.fixture(scope="session")
def b64():
    """Bytes in the protocol's JSON."""
    return lambda data: {"b64": base64.b64encode(data).decode()}


@pytest.fixture(scope="session")
def model_folder(saved_models, tmp_path_factory):
    """`saved_models/colours` with version 3, which no test changes."""
    folder = tmp_path_factory.mktemp("saved_models") / "colours"
    shutil.copytree(saved_models[0], folder / "3")
    return folder


@pytest.fixture(scope="session")
def server(model_folder, running):
    """A server of `colours`, version 3, for tests that do not change it."""
    with running(model_folder, max_body_bytes=200_000, max_pixels=10_000, max_instances=50) as started:
        yield started
