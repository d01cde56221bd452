"""Published weights come from the cache or a download, or an error within seconds says why not. The server is local."""

import hashlib
import http.server
import socket
import threading
import time
from dataclasses import replace

import pytest

from kerasvision.config import keras_networks, published
from kerasvision.config.keras_networks import KERAS_NETWORKS
from kerasvision.config.published import PUBLISHED
from kerasvision.errors import ConfigError
from kerasvision.models import build, fetch
from kerasvision.models.fetch import published_file


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache of Keras; the host of the published addresses does not answer."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "cache"))
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setattr(published, "_HOST", f"http://127.0.0.1:{unused.getsockname()[1]}")
    (tmp_path / "cache" / "models").mkdir(parents=True)
    return tmp_path / "cache" / "models"


@pytest.fixture
def md5_of(monkeypatch):
    """Makes this content the published file of VGG-16 without head."""

    def publish(content):
        row = replace(PUBLISHED["vgg16"], md5_without_head=hashlib.md5(content).hexdigest())
        monkeypatch.setitem(PUBLISHED, "vgg16", row)

    return publish


@pytest.fixture
def serve(monkeypatch):
    """Starts a server that answers every request with `answer(handler)`."""
    servers = []

    def start(answer):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                answer(self)

            def log_message(self, *_):
                pass

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        monkeypatch.setattr(published, "_HOST", f"http://127.0.0.1:{servers[-1].server_port}")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def sent(content):
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"


def test_file_in_the_cache_is_used_without_a_network(cache, md5_of, small_vgg16):
    content = small_vgg16().read_bytes()
    md5_of(content)
    (cache / FILE).write_bytes(content)
    model = build("vgg16", image_shape=(32, 32, 3), num_classes=None, weights="imagenet", width=1 / 64)
    assert not any(weight.numpy().any() for weight in model.weights)


def test_file_that_is_not_the_published_one_is_told_and_kept(cache):
    (cache / FILE).write_bytes(b"another")
    with pytest.raises(ConfigError, match="must have the MD5 6d6bbae143d832006294945121d1f1fc; received"):
        published_file("vgg16", with_head=False)
    assert (cache / FILE).read_bytes() == b"another"


def test_without_a_network_the_place_of_the_file_is_told_at_once(cache):
    start = time.monotonic()
    with pytest.raises(ConfigError) as raised:
        published_file("vgg16", with_head=False)
    assert time.monotonic() - start < 2
    assert "its server cannot be reached" in str(raised.value)
    assert f"put it at {cache / FILE}" in str(raised.value)


def test_file_is_fetched_once(cache, md5_of, serve):
    content, requests = b"weights" * 1000, []

    def answer(handler):
        requests.append(handler.path)
        sent(content)(handler)

    serve(answer)
    md5_of(content)
    assert published_file("vgg16", with_head=False).read_bytes() == content
    assert published_file("vgg16", with_head=False) == cache / FILE
    assert requests == [f"/vgg16/{FILE}"]


@pytest.mark.parametrize(
    "answer", [sent(b"another"), lambda handler: handler.send_error(404), lambda handler: time.sleep(3)]
)
def test_download_that_fails_is_told_and_leaves_nothing(answer, cache, serve, monkeypatch):
    monkeypatch.setattr(fetch, "STALL_TIMEOUT_SECONDS", 0.5)
    serve(answer)
    with pytest.raises(ConfigError, match=f"cannot be downloaded: .* put it at {cache / FILE}"):
        published_file("vgg16", with_head=False)
    assert not (cache / FILE).exists()
    assert socket.getdefaulttimeout() is None


@pytest.fixture
def mobilenet_v3(cache, monkeypatch):
    """Makes this content the published file of a network of keras.applications, whose host does not answer."""
    monkeypatch.setattr(keras_networks, "_HOST", published._HOST)

    def publish(content):
        row = replace(KERAS_NETWORKS["keras/mobilenetv3_small"], digest=hashlib.md5(content).hexdigest())
        monkeypatch.setitem(KERAS_NETWORKS, "keras/mobilenetv3_small", row)
        return cache / row.url.rpartition("/")[2]

    return publish


def test_file_of_a_network_of_keras_applications_is_checked_in_the_cache(mobilenet_v3):
    file = mobilenet_v3(b"weights")
    with pytest.raises(ConfigError, match=f"{file.name} is not in .*, and its server cannot be reached.* put it at {file}"):
        published_file("keras/mobilenetv3_small", with_head=True)
    file.write_bytes(b"weights")
    assert published_file("keras/mobilenetv3_small", with_head=False) == file
    file.write_bytes(b"another")
    with pytest.raises(ConfigError, match="must have the MD5 .*; received"):
        published_file("keras/mobilenetv3_small", with_head=False)


def test_file_of_a_network_of_keras_applications_is_fetched(mobilenet_v3, serve, monkeypatch):
    serve(sent(b"weights"))
    monkeypatch.setattr(keras_networks, "_HOST", published._HOST)
    file = mobilenet_v3(b"weights")
    assert published_file("keras/mobilenetv3_small", with_head=False).read_bytes() == b"weights"
    assert file.is_file()


def test_file_without_a_published_hash_is_used_as_it_is(cache):
    file = cache / "mobilenet_1_0_224_tf_no_top.h5"
    file.write_bytes(b"weights")
    assert published_file("keras/mobilenet", with_head=False) == file


def test_network_without_published_weights_is_told():
    with pytest.raises(ConfigError, match="no weights are published for resnet18; did you mean"):
        build("resnet18", image_shape=(32, 32, 3), num_classes=10, weights="imagenet")
