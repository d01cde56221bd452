"""Requests are joined, each gets the answers for its own rows, and none suffers from the error or length of another."""

import asyncio
import threading
import time

import numpy as np
import tensorflow as tf

from kerasvision.serving.batch_sizes import MOST_QUEUES, TRIES
from kerasvision.serving.batching import Batcher
from kerasvision.serving.limits import Limits, Refused
from kerasvision.serving.loaded import ServedSignature, ServedVersion
from kerasvision.serving.measures import Measures
from kerasvision.serving.protocol import Asked

FLOATS = tf.TensorSpec([None], tf.float32)


class Gate:
    """A model `y = 2 x` that records its inputs, raises an error if x is negative, and can be made to wait."""

    def __init__(self):
        self.calls = []
        self.free = threading.Event()
        self.entered = threading.Event()
        self.free.set()

    def __call__(self, x):
        self.calls.append(x.numpy().tolist())
        self.entered.set()
        assert self.free.wait(20)
        if np.any(x.numpy() < 0):
            raise tf.errors.InvalidArgumentError(None, None, "no negative number")
        return {"y": 2 * x}


def signature(function, name="double"):
    return ServedSignature(name, {"x": FLOATS}, ("y",), True, function)


def asked(made, *values, pixels=0):
    return Asked(made, {"x": np.asarray(values, np.float32)}, (pixels,) * len(values), True)


async def behind(gate, batcher, made, requests):
    """The answers to requests that arrived while the model was working on another one."""
    gate.free.clear()
    gate.entered.clear()
    first = asyncio.ensure_future(batcher.answer(asked(made, 1000)))
    assert await asyncio.to_thread(gate.entered.wait, 20)
    waiting = [asyncio.ensure_future(batcher.answer(request)) for request in requests]
    await asyncio.sleep(0)
    gate.free.set()
    await first
    return await asyncio.gather(*waiting, return_exceptions=True)


def run(body, **bounds):
    """Runs `body(batcher, gate, signature of the gate)` in an event loop."""
    gate = Gate()
    batcher = Batcher(Limits(**bounds), Measures())
    batcher.start()
    try:
        return asyncio.run(body(batcher, gate, signature(gate))), gate
    finally:
        batcher.stop()


def values(answers):
    return [answer["y"].tolist() if isinstance(answer, dict) else str(answer) for answer in answers]


def test_what_waits_is_joined_and_split_again():
    async def body(batcher, gate, made):
        return await behind(gate, batcher, made, [asked(made, 1), asked(made, 2, 3), asked(made, 4)])

    answers, gate = run(body)
    assert values(answers) == [[2], [4, 6], [8]]
    assert gate.calls[1:] == [[1, 2, 3, 4]]


def test_a_batch_is_no_larger_than_allowed_and_a_long_request_lets_short_ones_pass():
    async def body(batcher, gate, made):
        return await behind(gate, batcher, made, [asked(made, *range(10)), asked(made, 20), asked(made, 21)])

    answers, gate = run(body, max_batch_size=4)
    assert values(answers) == [[2.0 * n for n in range(10)], [40], [42]]
    assert gate.calls[1:] == [[0, 1, 2, 3], [20, 21, 4, 5], [6, 7, 8, 9]]


def test_batches_get_the_size_at_which_the_model_is_fastest():
    """Rows per second: of 4 at a time 133, of 2 at most 1,000, of 1 at most 500."""
    calls = []

    def slow(x):
        calls.append(len(x))
        time.sleep(0.03 if len(x) > 2 else 0.002)
        return {"y": 2 * x}

    async def body(batcher, gate, made):
        return await batcher.answer(asked(signature(slow), *range(60)))

    run(body, max_batch_size=4)
    assert calls == [4] * TRIES + [2] * TRIES + [1] * TRIES + [2] * 16


def test_requests_that_cannot_be_joined_leave_what_was_measured():
    """More of them than there are remembered queues, each with a key of its own."""

    async def body(batcher, gate, made):
        alone = ServedSignature("alone", {"x": FLOATS}, ("y",), False, gate)
        await batcher.answer(asked(made, 1))
        await batcher.answer(asked(made, 1))  # The first has been measured when this one is answered.
        known = set(batcher._sizes._queues)
        await asyncio.gather(
            *(batcher.answer(Asked(alone, {"x": np.float32([1])}, (), True)) for _ in range(MOST_QUEUES + 1))
        )
        return known, set(batcher._sizes._queues)

    (before, after), _ = run(body)
    assert len(before) == 1
    assert after == before


def test_pixels_count_for_the_sizes_that_are_filled():
    """Of 8 rows, 100 pixels allow 2: these are measured, and one row at a time is as fast for a model without a cost."""

    async def body(batcher, gate, made):
        for _ in range(6):
            await batcher.answer(asked(made, *range(8), pixels=50))

    _, gate = run(body, max_batch_size=8, max_pixels=100)
    sizes = [len(call) for call in gate.calls]
    assert sizes[:TRIES] == [2] * TRIES
    assert 1 in sizes


def test_a_batch_decodes_no_more_pixels_than_one_image_may_have():
    async def body(batcher, gate, made):
        requests = [asked(made, 1, 2, pixels=60), asked(made, 3, pixels=40), asked(made, 4, pixels=100)]
        return await behind(gate, batcher, made, requests)

    answers, gate = run(body, max_pixels=100)
    assert values(answers) == [[2, 4], [6], [8]]
    assert gate.calls[1:] == [[1, 3], [4], [2]]


def test_the_one_that_makes_the_model_raise_fails_alone():
    async def body(batcher, gate, made):
        return await behind(gate, batcher, made, [asked(made, 1), asked(made, -1), asked(made, 2), asked(made, 3, 4)])

    answers, _ = run(body)
    assert values(answers) == [[2], "the model cannot use this input: no negative number", [4], [6, 8]]
    assert answers[1].status == 400


def test_the_rest_of_a_long_request_that_failed_is_not_asked():
    async def body(batcher, gate, made):
        answers = await behind(gate, batcher, made, [asked(made, -1, 2, 3, 4, 5), asked(made, 6)])
        return answers, await batcher.answer(asked(made, 7))

    (answers, after), gate = run(body, max_batch_size=2)
    assert values([*answers, after]) == ["the model cannot use this input: no negative number", [12], [14]]
    assert not {3, 4, 5} & {value for call in gate.calls for value in call}


def test_signatures_take_turns():
    other_calls = []

    async def body(batcher, gate, made):
        def three(x):
            other_calls.append(len(gate.calls))
            return {"y": 3 * x}

        other = signature(three, "triple")
        requests = [asked(made, 1, 2, 3, 4), asked(other, 5)]
        return await behind(gate, batcher, made, requests)

    answers, gate = run(body, max_batch_size=2)
    assert values(answers) == [[2, 4, 6, 8], [15]]
    # The other request was answered after the first batch of the long one, not after all of it.
    assert (other_calls, gate.calls[1:]) == ([2], [[1, 2], [3, 4]])


def test_more_than_may_wait_is_refused_with_503():
    async def body(batcher, gate, made):
        return await behind(gate, batcher, made, [asked(made, 1, 2), asked(made, 3, 4), asked(made, 5)])

    answers, _ = run(body, max_waiting_rows=3)
    assert values(answers) == [[2, 4], "2 rows are waiting; try again later", [10]]
    assert answers[1].status == 503


def test_a_fault_of_the_model_is_500_and_the_next_is_answered(caplog):
    async def body(batcher, gate, made):
        def broken(x):
            raise RuntimeError("no memory\nat all")

        try:
            await batcher.answer(asked(signature(broken), 1))
        except Refused as error:
            return error, await batcher.answer(asked(made, 1))

    (error, answer), _ = run(body)
    assert (error.status, str(error)) == (500, "the model failed: no memory")
    assert values([answer]) == [[2]]
    assert "the model failed: RuntimeError: no memory" in caplog.text


def test_a_model_that_mixes_its_rows_is_asked_for_one_request_at_a_time():
    async def body(batcher, gate, made):
        mixing = signature(lambda x: {"y": tf.reduce_sum(x)[None]})
        gate_first = await behind(gate, batcher, made, [asked(mixing, 1, 2), asked(mixing, 3)])
        too_long = await asyncio.gather(batcher.answer(asked(mixing, 1, 2, 3, 4, 5)), return_exceptions=True)
        return gate_first, too_long

    (answers, (too_long,)), _ = run(body, max_batch_size=4)
    assert values(answers) == [[3], [3]]
    assert (too_long.status, "does not answer row by row" in str(too_long)) == (500, True)


def test_a_single_client_never_waits():
    async def body(batcher, gate, made):
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(20):
            await batcher.answer(asked(made, number))
        return loop.time() - began

    seconds, _ = run(body, max_delay_seconds=5.0)
    assert seconds < 5.0


def test_as_many_as_last_time_are_awaited():
    async def body(batcher, gate, made):
        await behind(gate, batcher, made, [asked(made, 1), asked(made, 2)])
        first = asyncio.ensure_future(batcher.answer(asked(made, 3)))
        await asyncio.sleep(0.05)
        return await asyncio.gather(first, batcher.answer(asked(made, 4)))

    answers, gate = run(body, max_delay_seconds=20.0)
    assert values(answers) == [[6], [8]]
    assert gate.calls[-1] == [3, 4]


def test_what_waits_is_answered_before_the_end():
    async def body(batcher, gate, made):
        gate.free.clear()
        waiting = [asyncio.ensure_future(batcher.answer(asked(made, number))) for number in range(3)]
        await asyncio.sleep(0)
        stopping = asyncio.ensure_future(asyncio.to_thread(batcher.stop))
        await asyncio.sleep(0.05)
        gate.free.set()
        answers = await asyncio.gather(*waiting)
        await stopping
        return answers

    answers, _ = run(body)
    assert values(answers) == [[0], [2], [4]]


def test_a_signature_is_one_graph_whatever_the_number_of_rows(saved_models):
    total = ServedVersion(saved_models[0], version=1).signatures["total"]
    # Such a function has only the graph that it was saved with, and cannot trace another.
    assert isinstance(total.function, tf.types.experimental.ConcreteFunction)
    for rows in (1, 2, 3, 7, 32):
        assert total({"image": np.ones((rows, 2, 2), np.float32)})["sum"].tolist() == [4.0] * rows
