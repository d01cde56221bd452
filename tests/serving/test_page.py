"""The page, in a browser: a picture that is dropped on it gets its labels, and errors are shown."""

import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest
import tensorflow as tf
from PIL import Image

from kerasvision.data.class_colors import class_color
from kerasvision.served.answers import write_answers
from kerasvision.tasks.detection.presentation import ANSWER

CHROMIUM = shutil.which("chromium")


class Browser:
    """Chromium over its pipe: commands and replies are JSON, each ended by a zero byte (Chrome DevTools Protocol)."""

    def __init__(self, process, write, read):
        self._process, self._write, self._read, self._number, self._buffer = process, write, read, 0, b""
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.requests = []

    _session = None

    def command(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            reply = self._next()
            if reply.get("method") == "Network.requestWillBeSent":
                self.requests.append(reply["params"]["request"]["url"])
            if reply.get("id") == self._number:
                assert "error" not in reply, reply
                return reply["result"]

    def _next(self):
        while b"\0" not in self._buffer:
            chunk = os.read(self._read, 65536)
            assert chunk, "the browser ended"
            self._buffer += chunk
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def value(self, expression):
        """The value of a JavaScript expression."""
        return self.command("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def wait_for(self, expression, seconds=60):
        """The value of an expression, once it is true."""
        deadline = time.monotonic() + seconds
        while not (value := self.value(expression)):
            assert time.monotonic() < deadline, self.value("document.documentElement.outerHTML")
            time.sleep(0.05)
        return value

    def drop(self, file):
        """Drops a file on the middle of the drop zone."""
        box = self.value("(({x, y, width, height}) => [x + width / 2, y + height / 2])(drop.getBoundingClientRect())")
        data = {"items": [], "files": [str(file)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.command("Input.dispatchDragEvent", type=kind, x=box[0], y=box[1], data=data)


@contextmanager
def started(profile):
    to_browser, write = os.pipe()
    read, from_browser = os.pipe()
    command = (
        f"exec {CHROMIUM} --headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run "
        f"--user-data-dir={profile} --remote-debugging-pipe 3<&{to_browser} 4>&{from_browser}"
    )
    process = subprocess.Popen(["bash", "-c", command], pass_fds=(to_browser, from_browser), stderr=subprocess.DEVNULL)
    os.close(to_browser)
    os.close(from_browser)
    try:
        yield Browser(process, write, read)
    finally:
        os.close(write)
        process.terminate()
        process.wait(30)
        os.close(read)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with started(tmp_path_factory.mktemp("profile")) as made:
        yield made


@pytest.fixture
def page(browser, server):
    """The page, freshly opened."""
    return opened(browser, server)


def opened(browser, server):
    browser.command("Network.enable")
    browser.requests.clear()
    browser.command("Page.enable")
    browser.command("Page.navigate", url=server.url + "/")
    browser.wait_for("document.readyState === 'complete' && typeof take === 'function'")
    return browser


@pytest.fixture(scope="module")
def objects_server(found_objects, running):
    """A server of a model that finds objects."""
    with running(found_objects.saved_model.parent) as started:
        yield started


@pytest.fixture
def objects_page(browser, objects_server, tmp_path):
    """Its page, after a picture of 400 x 200 was dropped on it."""
    page = opened(browser, objects_server)
    Image.new("RGB", (400, 200), (90, 140, 90)).save(tmp_path / "wide.png")
    page.drop(tmp_path / "wide.png")
    page.wait_for("state.textContent === '2 found'")
    return page


LINES = "[...document.querySelectorAll('#answer tr')].map((row) => row.innerText.trim().split(/\\s+/).join(' ')).join('\\n')"


def test_a_picture_that_is_dropped_gets_its_top_labels(page, server, png, tmp_path):
    (tmp_path / "blue.png").write_bytes(png(51, 0, 255))
    page.drop(tmp_path / "blue.png")
    # The label is text, whatever it looks like.
    assert page.wait_for(LINES) == "<b>blue</b> 1.000\nred 0.200"
    assert page.value("document.querySelector('#answer b')") is None
    assert page.value("picture.naturalWidth") == 8
    assert page.value("error.textContent + state.textContent") == ""
    # The page is self-contained: only the page, its answer and the picture's own bytes are fetched.
    own = {server.url + "/", server.url + "/v1/models/colours:predict"}
    assert {url for url in page.requests if not url.startswith("blob:")} - {server.url + "/favicon.ico"} == own


def test_a_picture_that_is_chosen_gets_them_too(page, png, tmp_path):
    (tmp_path / "green.png").write_bytes(png(0, 255, 0))
    root = page.command("DOM.getDocument")["root"]["nodeId"]
    field = page.command("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
    page.command("DOM.setFileInputFiles", nodeId=field, files=[str(tmp_path / "green.png")])
    assert page.wait_for(LINES).startswith("green 1.000")


def test_what_is_no_picture_is_told_and_the_next_one_is_answered(page, png, tmp_path):
    (tmp_path / "text.png").write_bytes(b"a text")
    page.drop(tmp_path / "text.png")
    assert page.wait_for("error.textContent") == "The model cannot read this as a picture."
    assert page.value(LINES) == ""
    (tmp_path / "red.png").write_bytes(png(255, 0, 0))
    page.drop(tmp_path / "red.png")
    assert page.wait_for(LINES).startswith("red 1.000")
    assert page.value("error.textContent") == ""


def test_what_the_server_refuses_is_shown(page, png, tmp_path):
    (tmp_path / "large.png").write_bytes(png(255, 0, 0, side=200))
    page.drop(tmp_path / "large.png")
    assert "claims 200 x 200 = 40,000 pixels, over the limit of 10,000" in page.wait_for("error.textContent")


# The place of an element relative to the picture, in hundredths of its sides: left, top, right, bottom.
PLACED = """
((element) => {
  const own = element.getBoundingClientRect(), all = picture.getBoundingClientRect();
  const x = (value) => Math.round(100 * (value - all.left) / all.width);
  const y = (value) => Math.round(100 * (value - all.top) / all.height);
  return [x(own.left), y(own.top), x(own.right), y(own.bottom)];
})
"""


def test_found_objects_are_framed_where_they_are_and_listed(objects_page):
    """See tests/export/found_objects.py: the cat is at 0.5, 0.25 to 1, 0.75; the third object has a score below 0.3."""
    assert objects_page.value(LINES) == "cat 0.980 at 200,50-400,150\ndog 0.500 at 0,0-200,100"
    places = objects_page.value(f"[...document.querySelectorAll('rect.frame')].map({PLACED})")
    assert sorted(places) == [[0, 0, 50, 50], [50, 25, 100, 75]]
    assert objects_page.value("[...tags.children].map((tag) => tag.textContent).sort()") == ["cat 0.98", "dog 0.50"]


def test_labels_are_inside_the_picture_and_legible(objects_page):
    for left, top, right, bottom in objects_page.value(f"[...tags.children].map({PLACED})"):
        assert left >= 0 and top >= 0 and right <= 100 and bottom <= 100
    assert objects_page.value("Math.min(...[...tags.children].map((tag) => tag.offsetHeight))") >= 14


def test_the_least_score_can_be_moved(objects_page):
    objects_page.value("score.value = 0.1; score.dispatchEvent(new Event('input'))")
    assert objects_page.value(LINES).splitlines()[2] == "猫 0.125 at 160,80-240,120"
    objects_page.value("score.value = 0.99; score.dispatchEvent(new Event('input'))")
    assert objects_page.value("[state.textContent, marks.children.length, tags.children.length]") == ["nothing found", 0, 0]


def test_objects_are_reached_by_the_keyboard(objects_page):
    """The tab key goes from the slider to the first object, whose frame is marked; and on to the second."""
    objects_page.value("score.focus()")
    marked = "[...document.querySelectorAll('rect.chosen')].map((rect) => rect.getAttribute('x'))"
    for x, name in (("0.5", "1, cat, 0.98, at 200,50-400,150"), ("0", "2, dog, 0.50, at 0,0-200,100")):
        for kind in ("rawKeyDown", "keyUp"):
            objects_page.command("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        assert objects_page.value("document.activeElement.getAttribute('aria-label')") == name
        assert objects_page.value(marked) == [x]


def test_an_image_in_which_nothing_is_found_says_so(objects_page, tmp_path):
    Image.new("RGB", (20, 40)).save(tmp_path / "high.png")
    objects_page.drop(tmp_path / "high.png")
    assert objects_page.wait_for("state.textContent === 'nothing found' && marks.children.length === 0")


def test_a_model_without_places_has_no_slider_and_no_frames(page, png, tmp_path):
    (tmp_path / "red.png").write_bytes(png(255, 0, 0))
    page.drop(tmp_path / "red.png")
    page.wait_for(LINES)
    assert page.value("[least.hidden, marks.children.length, document.body.className]") == [True, 0, ""]


def test_places_that_name_missing_outputs_are_ignored(found_objects, running, tmp_path):
    answers = {"places": {"corners": "corners", "labels": "classes", "scores": "scores", "count": "count", "shown_from": 0}}
    found_objects.module.changed(found_objects.saved_model, tmp_path / "m" / "1", answers)
    with running(tmp_path / "m") as started:
        assert 'data-places="{}"' in started.ask("GET", "/", raw=True)[1].decode()


@pytest.fixture(scope="module")
def maps_server(pixel_classes, running):
    """A server of a model that gives each pixel a class."""
    with running(pixel_classes.saved_model.parent) as started:
        yield started


# The colour of a pixel of the painting, and how much of it is seen.
PAINTED = "[...paint.getContext('2d').getImageData({}, {}, 1, 1).data]"


def test_classes_of_pixels_are_painted_over_the_picture_and_listed(browser, maps_server, tmp_path):
    """See tests/export/pixel_classes.py: background on the left, a cat above on the right, a 猫 below it."""
    page = opened(browser, maps_server)
    Image.new("RGB", (400, 200), (90, 140, 90)).save(tmp_path / "wide.png")
    page.drop(tmp_path / "wide.png")
    assert page.wait_for(LINES) == "background 0.500\ncat 0.250\n猫 0.250"
    assert page.value("[paint.width, paint.height, paint.hidden, strength.hidden, least.hidden]") == [
        400,
        200,
        False,
        False,
        True,
    ]
    assert page.value(f"({PLACED})(paint)") == [0, 0, 100, 100]
    # The background is not painted; the others have the colours of `class_color`, which the list shows too.
    assert page.value(PAINTED.format(100, 100))[3] == 0
    cat, third = (bytes.fromhex(class_color(number)[1:]) for number in (1, 2))
    assert page.value(PAINTED.format(300, 50)) == [*cat, 255]
    assert page.value(PAINTED.format(300, 150)) == [*third, 255]
    borders = page.value(
        "[...document.querySelectorAll('#answer td:first-child')].map((cell) => cell.style.borderLeftColor)"
    )
    assert borders[1] == f"rgb({cat[0]}, {cat[1]}, {cat[2]})"
    page.value("share.value = 0; share.dispatchEvent(new Event('input'))")
    assert page.value("paint.style.opacity") == "0"


def test_the_one_place_of_an_answer_is_framed_without_a_count(browser, running, tmp_path):
    """The answer has no label and no score: there is no slider."""
    model = located_object(tmp_path / "located" / "1")
    with running(model.parent) as started:
        page = opened(browser, started)
        Image.new("RGB", (400, 200)).save(tmp_path / "wide.png")
        page.drop(tmp_path / "wide.png")
        page.wait_for("state.textContent === '1 found'")
        assert page.value(LINES) == "object at 200,50-400,150"
        assert page.value(f"[...document.querySelectorAll('rect.frame')].map({PLACED})") == [[50, 25, 100, 75]]
        assert page.value("[least.hidden, tags.textContent]") == [True, "object"]


def located_object(folder):
    """A model that locates an object in the right half of every image, and gives it no class."""

    class Located(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def answer(self, image_bytes):
            rows = tf.shape(image_bytes)[0]
            return {"box": tf.tile([[0.25, 0.5, 0.75, 1.0]], [rows, 1]), "image_size": tf.tile([[200, 400]], [rows, 1])}

    module = Located()
    tf.saved_model.save(module, str(folder), {"serving_default": module.answer})
    write_answers(ANSWER, folder=folder)
    return folder
