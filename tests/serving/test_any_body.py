"""Every body gets an answer or a reason: never 500, and nothing in the log."""

import base64
import json
import logging

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kerasvision.serving.limits import Limits, Refused
from kerasvision.serving.loaded import ServedVersion
from kerasvision.serving.protocol import read_request, write_reply

PREDICT = "/v1/models/colours:predict"
NAMES = ("serving_default", "total", "two", "logarithm", "positive", "echo", "pair", "unknown", "")

numbers = st.integers() | st.floats() | st.sampled_from([0, 1, 2**31, -(2**63), 2**64, 10**400, 1e39])
texts = st.text(max_size=5) | st.sampled_from(["\ud800", "\x00", "BM", "GIF8"])
encoded = st.binary(max_size=20).map(lambda data: {"b64": base64.b64encode(data).decode()}) | st.just({"b64": "!"})
leaves = st.none() | st.booleans() | numbers | texts | encoded
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["x", "n", "image", "image_bytes", "text", "b64", "other"]), inner, max_size=3)
    ),
    max_leaves=12,
)
requests = st.fixed_dictionaries(
    {}, optional={"signature_name": st.sampled_from(NAMES), "instances": anything, "inputs": anything}
)
MIDDLES = [b"", b"\x00", b"\xff", b"1e999", b"[" * 70, b'{"a":1,"a":2}', b"true"]
GOOD = [
    b'{"signature_name": "two", "instances": [{"x": 1.5, "n": [1, 2]}, {"x": NaN, "n": [3, 4]}]}',
    b'{"signature_name": "echo", "inputs": {"text": ["a", {"b64": "QUJD"}, "\\ud800"]}}',
    b'{"signature_name": "total", "instances": [[[1, 2], [3e0, -Infinity]]]}',
]


@pytest.fixture(scope="module")
def answer(model_folder):
    """The status for a body, without a network."""
    model = ServedVersion(model_folder / "3", version=3)

    def get(body):
        try:
            asked = read_request(body, model.signatures, Limits())
        except Refused as error:
            return error
        rows = len(asked.pixels) or 1
        outputs = dict.fromkeys(asked.signature.outputs, np.zeros(rows))
        json.loads(write_reply(outputs, by_rows=asked.by_rows))
        return asked

    return get


def check(answered):
    """A rejected body has the status of a bad request, and a reason; every other body is a request that was read."""
    if isinstance(answered, Refused):
        assert answered.status == 400
        assert 0 < len(str(answered)) < 1000


@given(requests)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_json_is_read_or_refused_with_a_reason(answer, request_):
    check(answer(json.dumps(request_).encode("utf-8", "surrogatepass")))


@given(st.sampled_from(GOOD), st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_request_with_a_piece_cut_out_doubled_or_overwritten_is_read_or_refused(answer, body, data):
    start = data.draw(st.integers(0, len(body)))
    stop = data.draw(st.integers(start, min(len(body), start + 20)))
    middle = data.draw(st.sampled_from([*MIDDLES, body[start:stop] * 2]))
    check(answer(body[:start] + middle + body[stop:]))


@given(st.binary(max_size=60))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_refused_with_a_reason(answer, body):
    answered = answer(body)
    assert isinstance(answered, Refused)
    check(answered)


def test_hostile_bodies_over_the_network(server, caplog):
    caplog.set_level(logging.ERROR)
    heads = {"Content-Type": "application/json"}
    bodies = [*GOOD, *(body[:cut] for body in GOOD for cut in range(0, len(body), 7))]
    statuses = {server.ask("POST", PREDICT, body, headers=heads)[0] for body in bodies}
    assert statuses == {200, 400}
    for name in ("gzip", "br", "deflate", "GZIP", "identity, gzip"):
        status, reply = server.ask("POST", PREDICT, GOOD[0], headers={"Content-Encoding": name})
        assert (status, reply["error"]) == (415, "the body must not be compressed")
    assert not caplog.records
