"""The server under load: one client with one image at a time against 32 clients, wrong answers, memory, hostile requests.

    python tests/benchmarks/serve.py
    python tests/benchmarks/serve.py --requests 1000 --hostile 0

A ResNet-18 with 10 classes at 64 x 64 is exported, and a separate process serves it; clients keep their connections. Rounds
of one client and of 32 take turns, so that a disturbance affects both; the ratio is the median over the rounds. Every answer
is compared with the SavedModel's own answer for that image alone. Memory is the server's resident set.
"""

import argparse
import asyncio
import base64
import contextlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import psutil
from PIL import Image

SIDE = 64
IMAGES = 200
PATH = "/v1/models/resnet18:predict"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000, help="requests of the many clients, over all rounds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--hostile", type=int, default=1000)
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="of `kerasvision serve`")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "resnet18"
        export(folder / "1")
        pictures = make_pictures()
        expected = own_answers(folder / "1", pictures)
        process, port = start(folder, arguments.options)
        try:
            measure(arguments, process, port, [as_body(picture) for picture in pictures], expected)
        finally:
            process.send_signal(signal.SIGTERM)
            print(f"exit code {process.wait(60)}")


def measure(
    arguments: argparse.Namespace, process: subprocess.Popen, port: int, bodies: list[bytes], expected: list[np.ndarray]
) -> None:
    """Runs the benchmark, and prints the results."""
    memory, one, many = [], [], []
    served = psutil.Process(process.pid)
    asyncio.run(ask(port, bodies[:100], clients=arguments.clients))
    per_round = arguments.requests // arguments.rounds
    for number in range(arguments.rounds):
        chosen = [(number * per_round + step) % len(bodies) for step in range(per_round)]
        one.append(asyncio.run(ask(port, [bodies[index] for index in chosen[:200]], clients=1)))
        many.append(asyncio.run(ask(port, [bodies[index] for index in chosen], clients=arguments.clients)))
        many[-1].check([expected[index] for index in chosen])
        memory.append(served.memory_info().rss / 2**20)
    for name, loads in (("1 client", one), (f"{arguments.clients} clients", many)):
        seconds = np.concatenate([load.seconds for load in loads])
        print(
            f"{name:10} {np.median([load.per_second for load in loads]):7.1f} images/s; milliseconds: "
            + ", ".join(f"p{share} {1000 * np.percentile(seconds, share):.1f}" for share in (50, 95, 99))
        )
    ratios = [several.per_second / single.per_second for several, single in zip(many, one, strict=True)]
    print(f"ratio {np.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)} rounds)")
    wrong, largest = sum(load.wrong for load in many), max(load.largest for load in many)
    print(f"wrong answers: {wrong} of {sum(map(len, [load.seconds for load in many])):,}; largest difference {largest:.1e}")
    print("memory after each round, MiB: " + ", ".join(f"{value:.0f}" for value in memory))
    if arguments.hostile:
        told = asyncio.run(be_hostile(port, arguments.hostile, PATH))
        print(f"{arguments.hostile} hostile requests: {told}; memory {served.memory_info().rss / 2**20:.0f} MiB")
        after = asyncio.run(ask(port, bodies[:100], clients=arguments.clients))
        after.check(expected[:100])
        print(f"and then: {len(after.seconds)} answers, {after.wrong} wrong")


# --- The model and its own answers


def export(folder: Path) -> None:
    import keras
    import tensorflow as tf

    from kerasvision import config as c
    from kerasvision import models
    from kerasvision.data.transform import ImageTransform
    from kerasvision.export.writing.saved_model import export_saved_model
    from kerasvision.tasks.base import make_task

    keras.utils.set_random_seed(0)
    network = models.build("resnet18", image_shape=(SIDE, SIDE, 3), num_classes=10)
    settings = c.Transform(image_size=(SIDE, SIDE), scale="zero_mean")
    transform = ImageTransform.fit(settings, tf.data.Dataset.from_tensors(make_pictures()[0]))
    export_saved_model(network, task=make_task(c.Classification(), tuple("0123456789")), transform=transform, folder=folder)


def make_pictures() -> list[bytes]:
    """JPEGs of 64 x 64 with smooth colours, all different."""
    generator = np.random.default_rng(0)
    made = []
    for _ in range(IMAGES):
        coarse = Image.fromarray(generator.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        buffer = io.BytesIO()
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        made.append(buffer.getvalue())
    return made


def own_answers(folder: Path, pictures: list[bytes]) -> list[np.ndarray]:
    """The SavedModel's answers in this process, for one image at a time."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["serving_default"]
    return [signature(image_bytes=tf.constant([picture]))["scores"].numpy()[0] for picture in pictures]


def as_body(picture: bytes) -> bytes:
    return json.dumps({"instances": [{"b64": base64.b64encode(picture).decode()}]}).encode()


def start(folder: Path, options: list[str] = ()) -> tuple[subprocess.Popen, int]:
    """Starts a server process; yields it and its port."""
    code = "from kerasvision.cli import main; main()"
    command = [sys.executable, "-c", code, "serve", str(folder), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    return process, int(line.rsplit(":", 1)[1])


# --- Well-behaved clients


@dataclass
class Load:
    """The answers that clients got.

    Attributes:
        seconds: of each request.
        per_second: requests per second.
        replies: bodies, in the order of the requests.
        wrong: number of answers that are missing or differ by more than 1e-5 from the right one.
        largest: the largest difference.
    """

    seconds: np.ndarray
    per_second: float
    replies: list[bytes]
    wrong: int = 0
    largest: float = 0.0
    statuses: set[int] = field(default_factory=set)

    def check(self, expected: list[np.ndarray]) -> None:
        """Counts wrong answers."""
        for reply, wanted in zip(self.replies, expected, strict=True):
            try:
                difference = float(np.max(np.abs(np.array(json.loads(reply)["predictions"][0]["scores"]) - wanted)))
            except (ValueError, LookupError, TypeError):
                difference = np.inf
            self.largest = max(self.largest, difference)
            self.wrong += not difference <= 1e-5


async def ask(port: int, bodies: list[bytes], *, clients: int, path: str = PATH) -> Load:
    """Sends every body once; each client sends its next request after the answer to the last."""
    seconds, replies, statuses = np.zeros(len(bodies)), [b""] * len(bodies), set()
    numbers = iter(range(len(bodies)))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            began = time.perf_counter()
            writer.write(request(path, bodies[number]))
            status, replies[number] = await read_reply(reader)
            statuses.add(status)
            seconds[number] = time.perf_counter() - began
        await hang_up(writer)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return Load(seconds, len(bodies) / (time.perf_counter() - began), replies, statuses=statuses)


def request(path: str, body: bytes) -> bytes:
    return b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b" % (path.encode(), len(body), body)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Closes a connection that may be closed already."""
    writer.transport.abort()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def read_reply(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")), 0)
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


# --- Hostile clients


async def be_hostile(port: int, count: int, path: str) -> dict[str, int]:
    """Sends garbage, bombs, wrong, huge and endless requests, 50 at a time; returns how many got which answer."""
    told: dict[str, int] = {}
    gate = asyncio.Semaphore(50)
    kinds = hostile_requests(path)

    async def one(number: int) -> None:
        data, ends = kinds[number % len(kinds)]
        async with gate:
            outcome = await send(port, data, ends)
        told[outcome] = told.get(outcome, 0) + 1

    await asyncio.gather(*(one(number) for number in range(count)))
    return told


async def send(port: int, data: bytes, ends: bool) -> str:
    """The status, or how the connection ended. An endless request stays open for a second, and is not finished."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        if not ends:
            await asyncio.sleep(1)
            return "left open"
        async with asyncio.timeout(60):
            status, _ = await read_reply(reader)
            return str(status)
    except (asyncio.IncompleteReadError, ConnectionError):
        return "closed"
    except TimeoutError:
        return "no answer"
    finally:
        await hang_up(writer)


def hostile_requests(path: str) -> list[tuple[bytes, bool]]:
    """(bytes, whether they are a complete request)."""
    garbage = np.random.default_rng(1).bytes(5000)
    images = [garbage, b"", giant_png(), png_bomb(), gif_bomb(), scans_bomb(), make_pictures()[0][:200]]
    bodies = [
        b"", b"{", b"null", garbage, b"[" * 200_000, b'{"instances": ' + b"[" * 50_000, b'{"instances": [1e999, "x", {}]}',
        b'{"instances": [' + b"9" * 100_000 + b"]}", b'{"signature_name": "x", "instances": [1]}',
        b'{"instances": [' + b",".join([b'"x"'] * 5000) + b"]}", b'{"instances": [' + b"[]," * 2_000_000 + b"1]}",
        b'{"signature_name": "serve_tensor", "instances": [[1]]}', *map(as_body, images),
    ]  # fmt: skip
    raw = [
        garbage,
        b"GET / HTTP/9.9\r\n\r\n",
        b"A" * 100_000,
        b"POST " + b"/x" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n" % path.encode(),
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n" % path.encode(),
        b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n" % path.encode(),
        b"GET /v1/models/%00%ff/../.. HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/models/\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    open_ended = [
        b"",
        b"POST ",
        b"POST %b HTTP/1.1\r\nHost: x\r\n" % path.encode(),
        b"POST %b HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{" % path.encode(),
        b"POST %b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{" % path.encode(),
    ]
    ended = [(request(path, body), True) for body in bodies] + [(data, True) for data in raw]
    return ended + [(data, False) for data in open_ended]


def giant_png() -> bytes:
    """A header of 50,000 x 50,000 without data after it."""
    head = b"IHDR" + struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


def png_bomb() -> bytes:
    """A valid image of 8,000 x 8,000 black pixels, in 190 kB."""
    buffer = io.BytesIO()
    Image.new("RGB", (8000, 8000)).save(buffer, "PNG")
    return buffer.getvalue()


def gif_bomb(frames: int = 200, side: int = 2000) -> bytes:
    """Many large frames, each of one colour."""
    picture = Image.new("P", (side, side))
    picture.putpalette([0, 0, 0, 255, 255, 255])
    buffer = io.BytesIO()
    picture.save(buffer, "GIF")
    data = buffer.getvalue()
    colours_end = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:colours_end] + frames * data[colours_end:-1] + data[-1:]


def scans_bomb() -> bytes:
    """A progressive JPEG that repeats its last scan 1,000 times."""
    buffer = io.BytesIO()
    Image.new("RGB", (2000, 2000)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + 1000 * scan + data[-2:]


if __name__ == "__main__":
    main()
