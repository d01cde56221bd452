"""How long small requests wait while six bodies of 10 MB are sent at once, for different contents of these bodies.

    python tests/benchmarks/large_bodies.py

A separate process serves a model `y = x + 1`. One client repeatedly requests one number, and the six bodies follow two
seconds later. It prints milliseconds of the small requests: the median before, and the median and the longest during the
large requests.
"""

import asyncio
import contextlib
import importlib.util
import os
import signal
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

SIZE, COUNT = 10_000_000, 6
PATH = "/v1/models/adder:predict"
SMALL = b'{"instances": [1]}'
KINDS = {
    "900,000 keys": b'{"instances": [{' + b",".join(b'"k%d": 1' % number for number in range(900_000)) + b"}]}",
    "1,250,000 objects": b'{"instances": [' + b'{"a":1},' * (SIZE // 8) + b"1]}",
    "3,300,000 lists": b'{"instances": [' + b"[]," * (SIZE // 3) + b"1]}",
    "1,300,000 lists": b'{"instances": [' + b"[]," * 1_300_000 + b" " * (SIZE - 3_900_000) + b"1]}",
    "2,500,000 numbers": b'{"instances": [' + b"0.5," * (SIZE // 4) + b"1]}",
    "3,300,000 texts": b'{"instances": [' + b'"",' * (SIZE // 3) + b'""]}',
    "one image as text": b'{"instances": [{"b64": "' + b"QUJD" * (SIZE // 4) + b'"}]}',
    "colons in a text": b'{"instances": ["' + b"[{:," * (SIZE // 4) + b'"]}',
}


def main() -> None:
    serve = neighbour("serve")
    module = tf.Module()
    module.one = tf.Variable(1.0)
    module.add = tf.function(lambda x: {"y": x + module.one}, input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    with tempfile.TemporaryDirectory() as scratch:
        tf.saved_model.save(module, f"{scratch}/adder/1", {"serving_default": module.add})
        process, port = serve.start(Path(scratch) / "adder")
        try:
            for name, body in KINDS.items():
                asyncio.run(measure(serve, port, name, body))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


async def measure(serve: object, port: int, name: str, body: bytes) -> None:
    """Measures one kind of body, and prints a line."""
    seconds, done = [], asyncio.Event()
    client = asyncio.create_task(ask_on(serve, port, seconds, done))
    await asyncio.sleep(2)
    count = len(seconds)
    statuses = await asyncio.gather(*(send(serve, port, body) for _ in range(COUNT)))
    done.set()
    await client
    quiet, busy = 1000 * np.array(seconds[:count]), 1000 * np.array(seconds[count:])
    print(
        f"{name:20} answered {sorted(set(statuses))}; before {np.median(quiet):.1f} ms, while {np.median(busy):.1f} ms, "
        f"longest {busy.max():.0f} ms"
    )


async def ask_on(serve: object, port: int, seconds: list[float], done: asyncio.Event) -> None:
    """Sends one small request after the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while not done.is_set():
        began = time.perf_counter()
        writer.write(serve.request(PATH, SMALL))
        status, reply = await serve.read_reply(reader)
        assert (status, reply) == (200, b'{"predictions": [2.0]}'), reply
        seconds.append(time.perf_counter() - began)
    await serve.hang_up(writer)


async def send(serve: object, port: int, body: bytes) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(serve.request(PATH, body))
        return (await serve.read_reply(reader))[0]
    finally:
        with contextlib.suppress(ConnectionError):
            await serve.hang_up(writer)


def neighbour(name: str) -> object:
    """Imports another file of this folder as a module."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
