"""Images per second of `kerasvision serve` with 32 clients, for one network served in several ways.

    python tests/benchmarks/serve_engines.py
    python tests/benchmarks/serve_engines.py --model resnet18 --side 64 --requests 320 --rounds 3

The ways are those of `engines.py`: a SavedModel as it comes, its precisions, and OpenVINO as the engine. Each way has a
server process of its own, and only one of them is asked at a time, in turns. Printed are the median of the images per second
over the rounds, and the median of the ratios to the SavedModel as it comes within a round. The weights are random.
"""

import argparse
import asyncio
import contextlib
import io
import signal
import tempfile
from pathlib import Path

import engines
import numpy as np
import serve
from PIL import Image

from kerasvision import models
from kerasvision.lookup import ENGINES

PLAIN = "as it comes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="resnet50")
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--requests", type=int, default=128, help="of all clients in a round")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    shape = (arguments.side, arguments.side, 3)
    network = models.build(arguments.model, image_shape=shape, num_classes=1000)
    bodies = [serve.as_body(photo) for photo in photos(arguments.side, arguments.requests)]
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as servers:
        ports = {}
        for way, (folder, options) in written(network, Path(scratch), shape).items():
            process, ports[way] = serve.start(folder, options)
            servers.callback(process.wait, 60)
            servers.callback(process.send_signal, signal.SIGTERM)
        rates = {way: [] for way in ports}
        for number in range(arguments.rounds + 1):
            for way, port in ports.items():
                path = f"/v1/models/{folder_of(way)}:predict"
                load = asyncio.run(serve.ask(port, bodies, clients=arguments.clients, path=path))
                assert load.statuses == {200}, load.replies[0]
                if number:  # the first round warms up
                    rates[way].append(load.per_second)
    for way, measured in rates.items():
        ratio = np.median(np.divide(measured, rates[PLAIN]))
        print(f"{way}: {np.median(measured):.1f} images/s, {ratio:.2f} times {PLAIN}")


def folder_of(way: str) -> str:
    return way.replace(" ", "_").replace("=", "_")


def written(network, scratch: Path, shape: tuple[int, int, int]) -> dict[str, tuple[Path, list[str]]]:
    """Way -> (folder of the model, options of `kerasvision serve`)."""
    found = {}
    for way, precision in ((PLAIN, None), ("precision=float32", "float32"), ("precision=bfloat16", "bfloat16")):
        engines.export(network, scratch / folder_of(way) / "1", shape, precision)
        found[way] = (scratch / folder_of(way), [])
    for engine in ENGINES:
        folder = scratch / folder_of(engine)
        engines.export(network, folder / "1", shape, None)
        engines.write_network(network, folder / "1", shape, engine)
        found[engine] = (folder, ["--engine", engine])
    return found


def photos(side: int, count: int) -> list[bytes]:
    """JPEGs with smooth colours, all different."""
    random = np.random.default_rng(0)
    made = []
    for _ in range(count):
        buffer = io.BytesIO()
        coarse = Image.fromarray(random.integers(0, 256, (8, 8, 3), dtype=np.uint8))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        made.append(buffer.getvalue())
    return made


if __name__ == "__main__":
    main()
