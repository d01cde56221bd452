"""Requests that are too large, too slow or endless are rejected, and the server still answers."""

import gc
import http.client
import io
import json
import socket
import struct
import time
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kerasvision.serving.body import PIECE_BYTES, _object, cut, parse_pieces
from kerasvision.serving.headers import NOT_DECODABLE, gif_pixels, pixels_to_decode
from kerasvision.serving.limits import Refused
from kerasvision.serving.server import _listen

PREDICT = "/v1/models/colours:predict"


def gif(side, frames):
    """Frames of one colour, which take almost no bytes."""
    picture = Image.new("P", (side, side))
    picture.putpalette([0, 0, 0, 255, 255, 255])
    buffer = io.BytesIO()
    picture.save(buffer, "GIF")
    data = buffer.getvalue()
    colours_end = 13 + 3 * 2 ** ((data[10] & 7) + 1)
    return data[:colours_end] + frames * data[colours_end:-1] + data[-1:]


def raw(port, data, seconds=20.0):
    """The data received until the server closes the connection, and how long that took."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received, time.monotonic() - began


# --- Images


def test_a_header_that_claims_too_much_is_told_and_nothing_is_decoded(server, b64, png, make_images):
    huge = make_images.giant_header_png()
    claim = "the image's header claims 50,000 x 50,000 = 2,500,000,000 pixels, over the limit of 10,000"
    for count in (1, 2):
        status, reply = server.ask("POST", PREDICT, {"instances": [b64(huge)] * count})
        assert (status, reply["error"]) == (400, f"input image_bytes, item 0: {claim}")
    # If the model has no output that marks invalid rows.
    status, reply = server.ask("POST", PREDICT, {"signature_name": "echo", "instances": ["x", b64(huge)]})
    assert (status, reply["error"]) == (400, f"input text, item 1: {claim}")


def test_a_header_that_claims_too_much_disturbs_no_other_row(server, b64, png, make_images):
    huge, scans = make_images.giant_header_png(), jpeg_of_scans(200)
    status, reply = server.ask("POST", PREDICT, {"instances": [b64(huge), b64(png(255, 0, 0)), b64(scans)]})
    assert status == 200
    assert [(row["valid"], row["classes"]) for row in reply["predictions"]] == [(False, ""), (True, "red"), (False, "")]


def test_an_image_of_the_most_pixels_is_taken_and_one_more_is_not(server, b64, png):
    assert server.ask("POST", PREDICT, {"instances": [b64(png(1, 2, 3, side=100))]})[0] == 200
    assert server.ask("POST", PREDICT, {"instances": [b64(png(1, 2, 3, side=101))]})[0] == 400


def test_every_frame_of_a_gif_counts_since_all_are_decoded():
    data = gif(side=100, frames=20)
    assert gif_pixels(data) == 20 * 100 * 100
    assert pixels_to_decode(data, max_pixels=200_000) == 200_000
    with pytest.raises(Refused, match=r"claims 100 x 100, in all its frames = 200,000 pixels, over the limit of 199,999"):
        pixels_to_decode(data, max_pixels=199_999)


def test_a_frame_larger_than_its_gif_counts():
    descriptor = b"\x2c" + struct.pack("<HHHHB", 0, 0, 60_000, 50_000, 0)
    assert gif_pixels(b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + descriptor) == 3_000_000_000


@pytest.mark.parametrize("cut", [0, 6, 10, 14, 30, 100, 300])
def test_a_gif_that_ends_early_is_counted_to_its_end(cut):
    assert gif_pixels(gif(side=10, frames=3)[:cut]) <= 300


def jpeg_of_scans(more):
    """A progressive JPEG of 64 x 64 with this many more scans than it needs."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    scan = data[data.rindex(b"\xff\xda") : -2]
    return data[:-2] + more * scan + data[-2:]


def test_a_jpeg_of_many_scans_is_refused():
    assert pixels_to_decode(jpeg_of_scans(0), max_pixels=10_000) == 64 * 64
    with pytest.raises(Refused, match="scans, over the limit of 100"):
        pixels_to_decode(jpeg_of_scans(100), max_pixels=10_000)


@pytest.mark.parametrize("data", [b"", b"hello", b"\x00" * 50, b"II*\x00" + b"\x00" * 50])
def test_what_is_no_image_is_left_to_the_model(data):
    assert pixels_to_decode(data, max_pixels=1) == 0


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", b"BM", b"RIFF1234WEBP"])
def test_what_begins_like_an_image_and_has_no_header_is_not_decoded(data):
    assert pixels_to_decode(data, max_pixels=1) == NOT_DECODABLE


def test_where_the_model_cannot_say_so_a_broken_image_is_refused(server, b64):
    status, reply = server.ask("POST", PREDICT, {"signature_name": "echo", "instances": ["x", b64(b"\xff\xd8\xff")]})
    assert (status, reply["error"]) == (400, "input text, item 1: a truncated or corrupt image")


# --- Bodies


def head(*lines):
    return "\r\n".join([f"POST {PREDICT} HTTP/1.1", "Host: localhost", *lines, "", ""]).encode()


def test_a_body_that_is_announced_as_too_large_is_refused_before_it_comes(server):
    reply, _ = raw(server.port, head("Content-Length: 99999999999", "Expect: 100-continue"))
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert json.loads(reply.partition(b"\r\n\r\n")[2]) == {
        "error": "a body may have 200,000 bytes; received 99,999,999,999 or more"
    }


def test_a_body_that_turns_out_too_large_is_refused_on_the_way(server):
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    reply, _ = raw(server.port, head("Transfer-Encoding: chunked") + 4 * chunk + b"0\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 413 ")


def test_a_slightly_too_large_body_is_told_to_a_client_that_sends_first_and_reads_then(server):
    status, reply = server.ask("POST", PREDICT, b"x" * 300_000)
    assert (status, reply["error"]) == (413, "a body may have 200,000 bytes; received 300,000 or more")


def test_a_compressed_body_is_refused(server):
    assert server.ask("POST", PREDICT, b"x", headers={"Content-Encoding": "Identity"})[0] == 400
    status, reply = server.ask("POST", PREDICT, b"x", headers={"Content-Encoding": "gzip"})
    assert (status, reply["error"]) == (415, "the body must not be compressed")


def test_too_many_values_are_refused_before_they_are_read(model_folder, running):
    with running(model_folder, max_values=100) as server:
        status, reply = server.ask("POST", PREDICT, b'{"instances": [' + b"[]," * 100 + b"1]}")
        assert (status, "a request may have 100 values; received about 202" in reply["error"]) == (400, True)


def test_too_many_keys_are_refused_before_they_are_read(model_folder, running):
    with running(model_folder, max_keys=100) as server:
        body = b'{"instances": [{' + b",".join(b'"%d": 1' % number for number in range(99)) + b"}]}"
        status, reply = server.ask("POST", PREDICT, body)
        assert (status, "a request may have 100 keys and objects; received about 102" in reply["error"]) == (400, True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # By hand: colons and braces; commas and openings.
        (b'{"a": [1, 2, [3]]}', (3, 2, 5)),
        (b'{"[{:,": "]}:,"}', (1, 2, 1)),
        (rb'{"a\"[": "\\"}', (1, 2, 1)),
        (rb'["\\", [["\\\"[["]]]', (3, 0, 4)),
        (b"[[1]]," * 1_000_000 + b"1", (2, 0, 3_000_000)),
        (b'["' + b"[" * 3_000_000 + b'", {}]', (2, 1, 3)),
    ],
)
def test_what_stands_in_strings_does_not_count(text, expected):
    for piece_bytes in (7, PIECE_BYTES) if len(text) < 100 else (PIECE_BYTES,):
        pieces = list(cut(text, piece_bytes))
        found = max(piece.depth for piece in pieces), sum(p.keys for p in pieces), sum(p.values for p in pieces)
        assert found == expected


TEXTS = st.text('a"\\[]{}:,\u00e9', max_size=4)


VALUES = st.recursive(
    st.none() | TEXTS | st.integers(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
)


@given(VALUES)
@settings(max_examples=100)
def test_the_depth_and_the_keys_of_a_text_are_those_of_what_it_says(value):
    def depth(value):
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 0 if inner is None else 1 + max(map(depth, inner), default=0)

    def keys(value):
        if isinstance(value, dict):
            return 1 + len(value) + sum(map(keys, value.values()))
        return sum(map(keys, value)) if isinstance(value, list) else 0

    pieces = list(cut(json.dumps(value, ensure_ascii=False).encode(), 5))
    assert max(piece.depth for piece in pieces) == depth(value)
    assert sum(piece.keys for piece in pieces) == keys(value)


def read(text, parse):
    """The JSON value of a text; None if it is not JSON."""
    try:
        return parse(text)
    except (ValueError, Refused):
        return None


@given(VALUES, st.integers(1, 40))
@settings(max_examples=100)
def test_in_pieces_a_text_says_what_it_says_as_a_whole(value, piece_bytes):
    text = json.dumps(value, ensure_ascii=False).encode()
    assert parse_pieces(text, list(cut(text, piece_bytes))) == value


@given(VALUES, st.integers(1, 40), st.data())
@settings(max_examples=100)
def test_in_pieces_what_is_no_json_is_none(value, piece_bytes, data):
    text = json.dumps(value, ensure_ascii=False)
    place = data.draw(st.integers(0, len(text)))
    text = text[:place] + data.draw(st.text('[]{},:"\\ 1a', max_size=3)) + text[place + data.draw(st.integers(0, 3)) :]
    text = text.encode()

    def whole(text):
        return json.loads(text, object_pairs_hook=_object)

    assert read(text, lambda text: parse_pieces(text, list(cut(text, piece_bytes)))) == read(text, whole)


def test_python_collects_again_after_a_large_body(server):
    for body in (b'{"instances": [' + b"[]," * 50_000 + b"1]}", b'{"instances": [' + b" " * 100_000 + b"]"):
        assert server.ask("POST", PREDICT, body)[0] == 400
        assert gc.isenabled()


# --- Time and connections


@pytest.fixture(scope="module")
def hasty(model_folder, running):
    """A server with short time limits."""
    with running(model_folder, head_seconds=0.3, body_seconds=0.3, max_connections=5) as started:
        yield started


@pytest.mark.parametrize("start", [b"", b"POST", head("Content-Length: 5")[:-2]])
def test_a_connection_that_never_asks_is_closed(hasty, start):
    reply, seconds = raw(hasty.port, start)
    assert reply == b""
    assert 0.2 < seconds < 10


def test_a_head_that_comes_by_letters_is_closed(hasty):
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=20) as connection:
        with pytest.raises(OSError):
            for _ in range(1000):
                connection.sendall(b"G")
                time.sleep(0.02)


def test_a_second_request_gets_its_time_anew(hasty):
    asked = json.dumps({"signature_name": "total", "instances": [[[1, 2], [3, 4]]]}).encode()
    with closing(http.client.HTTPConnection("127.0.0.1", hasty.port, timeout=20)) as connection:
        for _ in range(3):
            connection.request("POST", PREDICT, asked)
            reply = connection.getresponse()
            assert reply.status == 200
            reply.read()
            time.sleep(0.2)
        connection.sock.sendall(b"POS")
        assert connection.sock.recv(65536) == b""


def test_a_body_that_does_not_come_is_told(hasty):
    reply, _ = raw(hasty.port, head("Content-Length: 5") + b"{")
    assert reply.startswith(b"HTTP/1.1 408 ")
    assert b"the body did not arrive within 0.3 seconds" in reply


def test_more_connections_than_allowed_are_closed_and_the_next_is_served_when_they_are_gone(hasty):
    held = [socket.create_connection(("127.0.0.1", hasty.port), timeout=20) for _ in range(12)]
    time.sleep(1)
    for connection in held:
        connection.close()
    assert hasty.ask("GET", "/v1/models/colours")[0] == 200


@pytest.mark.parametrize(
    "data",
    [b"\x00\xff" * 3000, b"GET / HTTP/x\r\n\r\n", b"A" * 100_000, head("Content-Length: -1"), head("Content-Length: x")],
)
def test_what_is_no_http_is_closed(hasty, data):
    try:
        reply, _ = raw(hasty.port, data)
    except ConnectionError:
        reply = b""
    assert reply == b"" or reply.startswith((b"HTTP/1.1 4", b"HTTP/1.1 505"))
    assert hasty.ask("GET", "/v1/models/colours")[0] == 200


def test_a_connection_does_not_wait_to_fill_its_packets():
    with closing(_listen("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()):
        connection, _ = listening.accept()
        with connection:
            assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
