"""After 10,000 requests of 32 clients and 1,000 harmful ones: no wrong answer, no more memory, and it still answers."""

import asyncio
import base64
import importlib.util
import json
import signal
from pathlib import Path

import numpy as np
import psutil
import pytest

BENCHMARK = Path(__file__).parent.parent / "benchmarks" / "serve.py"
PREDICT = "/v1/models/colours:predict"


@pytest.fixture(scope="module")
def clients():
    """The benchmark's clients."""
    spec = importlib.util.spec_from_file_location("serve_benchmark", BENCHMARK)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def served(clients, model_folder):
    process, port = clients.start(model_folder)
    yield process, port
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 0


def load(clients, port, png, count):
    """The number of wrong answers: the right answer follows from the picture's colour."""
    colours = np.random.default_rng(0).integers(0, 256, (100, 3))
    pictures = [base64.b64encode(png(*map(int, colour))).decode() for colour in colours]
    bodies = [json.dumps({"instances": [{"b64": pictures[number % 100]}]}).encode() for number in range(count)]
    told = asyncio.run(clients.ask(port, bodies, clients=32, path=PREDICT))
    told.check([colours[number % 100] / 255 for number in range(count)])
    return told.wrong


@pytest.mark.slow
def test_ten_thousand_answers_are_right_and_memory_is_flat(clients, served, png):
    process, port = served
    memory = psutil.Process(process.pid).memory_info
    assert load(clients, port, png, 2000) == 0
    before = memory().rss
    assert load(clients, port, png, 8000) == 0
    assert memory().rss - before < 30 * 2**20


@pytest.mark.slow
def test_a_thousand_hostile_requests_leave_it_serving(clients, served, png):
    process, port = served
    told = asyncio.run(clients.be_hostile(port, 1000, PREDICT))
    assert sum(told.values()) == 1000
    assert "no answer" not in told
    assert not any(status.startswith("5") for status in told), told
    assert load(clients, port, png, 200) == 0
    # A hundred such requests do not accumulate memory.
    memory = psutil.Process(process.pid).memory_info
    before = memory().rss
    asyncio.run(clients.be_hostile(port, 200, PREDICT))
    assert memory().rss - before < 100 * 2**20
    assert process.poll() is None
