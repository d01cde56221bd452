"""The protocol is TensorFlow Serving's: requests in rows get answers in rows, and `error` says what is wrong."""

import base64
import json

import pytest

PREDICT = "/v1/models/colours:predict"


def predict(server, **body):
    return server.ask("POST", PREDICT, body)


def answer(server, **body):
    status, reply = predict(server, **body)
    assert status == 200, reply
    return reply


RED = {
    "scores": [1.0, 0.0, 0.0],
    "top_scores": [1.0, 0.0],
    "top_classes": ["red", "green"],
    "valid": True,
    "classes": "red",
}


@pytest.mark.parametrize("named", [False, True])
def test_rows_are_answered_by_rows(server, png, b64, named):
    picture = b64(png(255, 0, 0))
    instance = {"image_bytes": picture} if named else picture
    assert answer(server, instances=[instance]) == {"predictions": [RED]}


def test_columns_are_answered_by_columns(server, png, b64):
    picture = b64(png(255, 0, 0))
    columns = {name: [value] for name, value in RED.items()}
    assert answer(server, inputs=[picture]) == {"outputs": columns}
    assert answer(server, inputs={"image_bytes": [picture]}) == {"outputs": columns}


def test_the_order_of_rows_is_kept(server, png, b64):
    rows = answer(server, instances=[b64(png(0, 255, 0)), b64(png(0, 0, 255)), b64(png(255, 0, 0))])["predictions"]
    assert [row["classes"] for row in rows] == ["green", "<b>blue</b>", "red"]


def test_a_row_that_is_no_image_leaves_the_others_alone(server, png, b64):
    bad = [b64(b"garbage"), b64(b""), b64(png(255, 0, 0)[:12]), "a text"]
    rows = answer(server, instances=[b64(png(255, 0, 0)), *bad])["predictions"]
    assert rows[0] == RED
    assert [row["valid"] for row in rows[1:]] == [False] * 4
    assert [row["scores"] for row in rows[1:]] == [[0.0] * 3] * 4


def test_the_name_of_a_lone_output_is_dropped(server):
    image = [[1, 2], [3, 4.5]]
    assert answer(server, signature_name="total", instances=[image, image]) == {"predictions": [10.5, 10.5]}
    assert answer(server, signature_name="total", inputs=[image]) == {"outputs": [10.5]}


def test_several_inputs_are_named(server):
    rows = [{"x": 0.1, "n": [1, 2]}, {"x": 5, "n": [3, 4]}]
    expected = [{"n": [2, 3], "x": 0.1}, {"n": [4, 5], "x": 5.0}]
    assert answer(server, signature_name="two", instances=rows) == {"predictions": expected}
    columns = {"x": [0.1, 5], "n": [[1, 2], [3, 4]]}
    assert answer(server, signature_name="two", inputs=columns) == {"outputs": {"n": [[2, 3], [4, 5]], "x": [0.1, 5.0]}}


def test_an_output_named_bytes_is_base64_and_others_are_text(server):
    (row,) = answer(server, signature_name="echo", instances=["ä\U0001f600"])["predictions"]
    assert row == {"text": "ä\U0001f600", "raw_bytes": {"b64": base64.b64encode("ä\U0001f600".encode()).decode()}}


def test_base64_may_lack_its_padding_and_have_broken_lines(server):
    (row,) = answer(server, signature_name="echo", instances=[{"b64": "aGV\nsbG8gdGhlcmU"}])["predictions"]
    assert row["text"] == "hello there"


def test_what_is_no_number_is_a_token_of_its_own(server):
    status, text = server.ask("POST", PREDICT, {"signature_name": "logarithm", "instances": [-1, 0, 1]}, raw=True)
    assert (status, text) == (200, b'{"predictions": [NaN, -Infinity, 0.0]}')
    assert answer(server, signature_name="logarithm", instances=[float("inf")]) == {"predictions": [float("inf")]}


def test_a_signature_with_a_fixed_first_axis_is_asked_as_it_is(server):
    assert answer(server, signature_name="pair", inputs=[1, 2.5]) == {"outputs": 3.5}
    status, reply = predict(server, signature_name="pair", inputs=[1, 2, 3])
    assert (status, reply["error"]) == (400, "input x has the shape [3], expected (2,)")


def test_the_version_may_be_named(server):
    asked = {"signature_name": "logarithm", "instances": [1]}
    assert server.ask("POST", "/v1/models/colours/versions/3:predict", asked) == (200, {"predictions": [0.0]})


BAD_IMAGE = {"instances": [{"b64": "!"}]}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "JSON Parse error: Expecting value"),
        (b"{", "JSON Parse error"),
        (b"\xff\xfe", "JSON Parse error"),
        (b"[" * 100_000, "lists and objects may be nested 64 deep; received 65,536 or more"),
        (b'{"instances": ' + b"[" * 64 + b"]" * 64 + b"}", "lists and objects may be nested 64 deep; received 65"),
        (b'{"instances": ' + b'{"x":' * 64 + b"1" + b"}" * 65, "lists and objects may be nested 64 deep; received 65"),
        (b'{"instances": ' + b"[" * 63 + b"1" + b"]" * 63 + b"}", "input image_bytes takes strings"),
        (b'{"signature_name": "total", "instances": ' + b"[" * 63 + b"1" + b"]" * 63 + b"}", "has the shape [1, 1,"),
        (b'{"instances": [{}], "instances": [1]}', 'an object may have a key only once; received "instances" twice'),
        (b'{"instances": [{"b64": "eA", "b64": "eA"}]}', 'an object may have a key only once; received "b64" twice'),
        (b'{"instances": ["\xed\xa0\x80"]}', 'the body must be UTF-8 text. Send a file as {"instances": [{"b64": "..."}]}'),
        (b"\xff\xd8\xff\xe0" + b"[:{" * 99, 'received a JPEG file. Send it as {"instances": [{"b64": "..."}]}, with'),
        (b"BM" + bytes(99), "the body must be JSON; received a BMP file"),
        (b"--x\r\nContent-Disposition: form-data", "Expecting value: line 1 column 1 (char 0). Send a file as {"),
        (b'{"signature_name": "logarithm", "instances": [1e999]}', "the number 1e999 is too large; write Infinity if"),
        (b'{"signature_name": "logarithm", "instances": [Infinity, -1e400]}', "the number -1e400 is too large"),
        (b'{"signature_name": "logarithm", "instances": [1e39]}', "x takes float32; received 1e+39, which is too large"),
        (b'{"signature_name": "logarithm", "instances": [0.5, 1' + b"0" * 400 + b"]}", "received a number that is too"),
        ({"signature_name": "logarithm", "instances": [1, "x"]}, 'input x takes float32; received "x"'),
        ({"signature_name": "logarithm", "instances": [1, None]}, "input x takes float32; received null"),
        ({"signature_name": "two", "instances": [{"x": 1, "n": [3, 2**64]}]}, "takes int32; received a number that is too"),
        (b'{"signature_name": "two", "instances": [{"x": NaN, "n": [NaN, 2]}]}', "input n takes int32; received NaN"),
        ({"signature_name": "logarithm", "instances": [1, True]}, "float32; received true or false among its numbers"),
        ({"signature_name": "two", "instances": [{"x": 1, "n": [False, 2]}]}, "received true or false among its numbers"),
        (b'{"instances": [' + b"9" * 5000 + b"]}", "JSON Parse error: a whole number has more than 4,300 digits"),
        (b"[1]", "the body must be a JSON object"),
        (b"{}", "exactly one of 'instances' and 'inputs'"),
        ({"instances": [1], "inputs": [1]}, "exactly one of 'instances' and 'inputs'"),
        ({"instances": []}, "'instances' must be a list of at least one value"),
        ({"instances": {"b64": ""}}, "'instances' must be a list of at least one value"),
        ({"instances": ["x"] * 51}, "a request may have 50 instances; received 51"),
        ({"inputs": ["x"] * 51}, "a request may have 50 rows; received 51"),
        ({"inputs": []}, "there are no rows"),
        ({"signature_name": 1, "instances": [1]}, "'signature_name' must be a string"),
        ({"signature_name": "serve", "instances": [1]}, 'signature name: "serve" not found; there are echo, logarithm'),
        ({"instances": [1]}, 'takes strings or {"b64": "..."}; received 1'),
        ({"instances": [None]}, "received null"),
        ({"instances": [["x"]]}, "has the shape [1, 1], expected (None,)"),
        ({"inputs": "x"}, "has the shape [], expected (None,)"),
        (BAD_IMAGE, "unable to base64 decode"),
        ({"instances": ["iVBORw0KGgoAAAANSUhEUg=="]}, 'takes the base64 text of an image as {"b64": "..."}; received "iVB'),
        ({"inputs": {"image_bytes": ["/9j/4AAQSkZJRg=="]}}, 'takes the base64 text of an image as {"b64": "..."}'),
        ({"instances": [{"image_bytes": "data:image/png;base64,iVBORw0"}]}, 'the base64 text of an image as {"b64": "..."}'),
        ({"instances": [{"b64": "data:image/png;base64,iVBORw0"}]}, "Remove everything up to the comma of a data URL"),
        ({"instances": [{"b64": 1}]}, "must be an object with the keys image_bytes"),
        ({"instances": [{"picture": "x"}]}, "instance 0 must be an object with the keys image_bytes"),
        ({"instances": [{"image_bytes": "x"}, "x"]}, "instance 1 must be an object with the keys image_bytes"),
        ({"inputs": {"picture": ["x"]}}, 'must have the keys image_bytes; received ["picture"]'),
        ({"signature_name": "two", "instances": [1]}, "'instances' must name its values: two takes n, x"),
        ({"signature_name": "two", "inputs": [1]}, "'inputs' must name its values"),
        ({"signature_name": "two", "inputs": {"x": [1, 2], "n": [[1, 2]]}}, "differ in their number of rows"),
        ({"signature_name": "two", "instances": [{"x": 1, "n": [1.5, 2]}]}, "input n takes int32; received 1.5"),
        ({"signature_name": "two", "instances": [{"x": 1, "n": [2**31, 2]}]}, "takes int32, from -2147483648 to"),
        ({"signature_name": "two", "instances": [{"x": True, "n": [1, 2]}]}, "input x takes float32; received true"),
        ({"signature_name": "two", "instances": [{"x": "1", "n": [1, 2]}]}, 'input x takes float32; received "1"'),
        ({"signature_name": "total", "instances": [[[1, 2], [3]]]}, "has lists of unequal lengths"),
        ({"signature_name": "total", "instances": [[1, 2]]}, "has the shape [1, 2], expected (None, 2, 2)"),
        ({"signature_name": "total", "instances": [{"b64": "eA=="}]}, "input image takes float32; received"),
        ({"signature_name": "echo", "inputs": ["x", ["y"]]}, 'input text takes strings or {"b64": "..."}; received ["y"]'),
        ({"signature_name": "echo", "inputs": [["x"], ["y", "z"]]}, "input text has lists of unequal lengths"),
        ({"signature_name": "positive", "instances": [-1]}, "the model cannot use this input: assertion failed: []"),
    ],
)
def test_a_mistake_is_told_with_400(server, body, message):
    status, reply = server.ask("POST", PREDICT, body)
    assert status == 400
    assert message in reply["error"]
    assert list(reply) == ["error"]


def test_a_text_with_half_a_surrogate_is_passed_on(server):
    status, reply = server.ask("POST", PREDICT, b'{"signature_name": "echo", "instances": ["\\ud800"]}')
    assert (status, reply["predictions"][0]["raw_bytes"]) == (200, {"b64": base64.b64encode(b"\xed\xa0\x80").decode()})


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v1/models/colors:predict", 404, "Servable not found for request: Latest(colors); colours is served"),
        ("POST", "/v1/models/colours/versions/2:predict", 404, "Specific(colours, 2); version 3 is served"),
        ("POST", "/v1/models/colours/versions/x:predict", 400, "Failed to convert version: x to numeric"),
        ("POST", f"/v1/models/colours/versions/{'9' * 5000}:predict", 400, "Failed to convert version: 999"),
        ("POST", "/v1/models/colours:classify", 405, "Malformed request: POST /v1/models/colours:classify"),
        ("GET", PREDICT, 404, "Servable not found"),
        ("GET", "/v1/models/colors", 404, "Servable not found"),
        ("GET", "/v1/models/colours/versions/2", 404, "Could not find version 2 of model colours"),
        ("GET", "/v1/models/colours/versions/2/metadata", 404, "Specific(colours, 2)"),
        ("GET", "/../../etc/passwd", 404, "Malformed request: GET /../../etc/passwd"),
        ("GET", "/v2", 404, "Malformed request: GET /v2"),
        ("DELETE", "/v1/models/colours", 405, "Malformed request: DELETE"),
    ],
)
def test_an_address_that_leads_nowhere_is_told(server, method, path, status, message):
    given, reply = server.ask(method, path, b"")
    assert (given, message in reply["error"]) == (status, True), reply


def test_the_status_names_the_version(server):
    told = {"version": "3", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
    for path in ("/v1/models/colours", "/v1/models/colours/versions/3"):
        assert server.ask("GET", path) == (200, {"model_version_status": [told]})


def test_the_metadata_are_those_of_tensorflow_serving(server):
    status, reply = server.ask("GET", "/v1/models/colours/metadata")
    assert status == 200
    assert reply["model_spec"] == {"name": "colours", "signature_name": "", "version": "3"}
    pair = reply["metadata"]["signature_def"]["signature_def"]["pair"]
    # TensorFlow may number the node as it likes.
    assert pair["outputs"]["y"].pop("name").endswith(":0")
    assert pair == {
        "inputs": {
            "x": {
                "dtype": "DT_FLOAT",
                "name": "pair_x:0",
                "tensor_shape": {"dim": [{"size": "2", "name": ""}], "unknown_rank": False},
            }
        },
        "outputs": {"y": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [], "unknown_rank": False}}},
        "method_name": "tensorflow/serving/predict",
        "defaults": {},
    }


def test_the_measures_count_requests_by_status(server):
    def counted():
        _, text = server.ask("GET", "/metrics", raw=True)
        lines = dict(line.rsplit(" ", 1) for line in text.decode().splitlines() if not line.startswith("#"))
        names = [f'kerasvision_requests_total{{route="predict",status="{status}"}}' for status in (200, 400)]
        return [float(lines.get(name, 0)) for name in names], lines

    predict(server, **BAD_IMAGE)
    (good, bad), _ = counted()
    predict(server, **BAD_IMAGE)
    predict(server, signature_name="logarithm", instances=[1])
    (good_after, bad_after), lines = counted()
    assert (good_after - good, bad_after - bad) == (1, 1)
    assert lines["kerasvision_model_version"] == "3.0"
    assert float(lines["kerasvision_batch_rows_count"]) > 0
    assert lines["kerasvision_waiting_rows"] == "0.0"


def test_replies_are_what_a_strict_reader_reads(server, png, b64):
    _, text = server.ask("POST", PREDICT, {"instances": [b64(png(10, 20, 30))]}, raw=True)

    def refuse(token):
        raise AssertionError(token)

    json.loads(text, parse_constant=refuse)
