"""The routes: TensorFlow Serving's REST protocol, Prometheus metrics, and a page to try the model.

    POST /v1/models/NAME[/versions/V]:predict
    GET  /v1/models/NAME[/versions/V]              the versions and their states
    GET  /v1/models/NAME[/versions/V]/metadata     the signatures
    GET  /metrics
    GET  /

A request that cannot be answered gets `{"error": "..."}` with a matching status.
"""

import asyncio
import gc
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jinja2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from kerasvision.serving.batching import Batcher
from kerasvision.serving.limits import Limits, Refused
from kerasvision.serving.loaded import ServedSignature, ServedVersion
from kerasvision.serving.measures import Measures
from kerasvision.serving.protocol import Asked, read_request, write_reply
from kerasvision.serving.versions import Versions

log = logging.getLogger(__name__)

# Reading a body of this size takes less time than handing it to a thread and back, and does not delay others.
SMALL_BODY_BYTES = 65_536
# The body of a client that sends too much is still read for this long, because otherwise the client would not read the
# error.
LINGER_SECONDS = 1.0
PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src blob:; "
    "connect-src 'self'",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[Request], Awaitable[Response]]


class Application:
    """The server's routes and answers.

    Args:
        versions: the model.
        batcher: runs the model.
        limits: what to reject.
        measures: what to count.
    """

    def __init__(self, *, versions: Versions, batcher: Batcher, limits: Limits, measures: Measures) -> None:
        self._versions, self._batcher, self._limits, self._measures = versions, batcher, limits, measures
        self._held_bytes = 0
        # One thread: two large bodies are not read at the same time, and small ones are read meanwhile.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="json")
        self._template = _template()
        model = "/v1/models/{name}"
        self.asgi = Starlette(
            routes=[
                *self._routes("predict", [model + ":predict", model + "/versions/{version}:predict"], self._predict, "POST"),
                *self._routes("metadata", [model + "/metadata", model + "/versions/{version}/metadata"], self._metadata),
                *self._routes("status", [model, model + "/versions/{version}"], self._status),
                *self._routes("metrics", ["/metrics"], self._metrics),
                *self._routes("page", ["/"], self._show_page),
            ],
            exception_handlers={HTTPException: self._unknown},
        )
        self.asgi.router.redirect_slashes = False

    def _routes(self, name: str, paths: list[str], handler: Handler, method: str = "GET") -> list[Route]:
        counted = self._counted(name, handler)
        return [Route(path, counted, methods=[method]) for path in paths]

    def _counted(self, name: str, handler: Handler) -> Handler:
        seconds = self._measures.seconds.labels(route=name)

        async def answer(request: Request) -> Response:
            began = time.perf_counter()
            try:
                response = await handler(request)
            except Refused as error:
                response = _refusal(error)
            except ClientDisconnect:
                response = _refusal(Refused(400, "the client closed the connection"))
            except Exception:
                log.exception("%s failed", request.url.path)
                response = _refusal(Refused(500, "the server failed; its log has the reason"))
            seconds.observe(time.perf_counter() - began)
            self._measures.requests.labels(route=name, status=str(response.status_code)).inc()
            return response

        return answer

    async def _predict(self, request: Request) -> Response:
        model = self._asked_model(request)
        body = await self._body(request)
        try:
            if len(body) <= SMALL_BODY_BYTES:
                asked = read_request(body, model.signatures, self._limits)
            else:
                loop = asyncio.get_running_loop()
                asked = await loop.run_in_executor(self._reader, _read_large, body, model.signatures, self._limits)
            outputs = await self._batcher.answer(asked)
        finally:
            self._held_bytes -= len(body)
        return _json(write_reply(outputs, by_rows=asked.by_rows))

    async def _metadata(self, request: Request) -> Response:
        model = self._asked_model(request)
        return _json(
            {
                "model_spec": {"name": self._versions.name, "signature_name": "", "version": str(model.version)},
                "metadata": {"signature_def": {"signature_def": model.signature_definitions}},
            }
        )

    async def _status(self, request: Request) -> Response:
        states = {self._versions.current.version: ("AVAILABLE", "OK", "")}
        states |= {version: ("END", "FAILED_PRECONDITION", fault) for version, fault in self._versions.faults.items()}
        if (loading := self._versions.loading) is not None:
            states[loading] = ("LOADING", "OK", "")
        version = self._version(request)
        if version is not None:
            if version not in states:
                raise Refused(404, f"Could not find version {version} of model {self._versions.name}")
            states = {version: states[version]}
        statuses = [
            {"version": str(number), "state": state, "status": {"error_code": code, "error_message": message}}
            for number, (state, code, message) in sorted(states.items(), reverse=True)
        ]
        return _json({"model_version_status": statuses})

    async def _metrics(self, request: Request) -> Response:
        return Response(self._measures.text(), media_type="text/plain; version=0.0.4")

    async def _show_page(self, request: Request) -> Response:
        page = self._template.render(name=self._versions.name, places=self._versions.current.places)
        return HTMLResponse(page, headers=PAGE_HEADERS)

    async def _unknown(self, request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        self._measures.requests.labels(route="unknown", status=str(status)).inc()
        path = request.url.path if len(request.url.path) <= 200 else request.url.path[:200] + "..."
        return _refusal(Refused(status, f"Malformed request: {request.method} {path}"))

    def _asked_model(self, request: Request) -> ServedVersion:
        version, current = self._version(request), self._versions.current
        if version not in (None, current.version):
            raise Refused(
                404,
                f"Servable not found for request: Specific({self._versions.name}, {version}); "
                f"version {current.version} is served",
            )
        return current

    def _version(self, request: Request) -> int | None:
        """The version that the path names; None if it names none. The name of the model must be right."""
        name, version = request.path_params["name"], request.path_params.get("version")
        if name != self._versions.name:
            raise Refused(404, f"Servable not found for request: Latest({name}); {self._versions.name} is served")
        if version is None:
            return None
        if not (version.isascii() and version.isdecimal() and len(version) < 20):
            raise Refused(400, f"Failed to convert version: {version[:40]} to numeric")
        return int(version)

    async def _body(self, request: Request) -> bytes:
        """The whole body. It counts as held; the caller must subtract it when done."""
        if request.headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(415, "the body must not be compressed")
        chunks, size = [], 0
        try:
            self._allow(_announced(request))
            async with asyncio.timeout(self._limits.body_seconds):
                async for chunk in request.stream():
                    chunks.append(chunk)
                    size += len(chunk)
                    self._held_bytes += len(chunk)
                    self._allow(size)
        except TimeoutError:
            self._held_bytes -= size
            raise Refused(408, f"the body did not arrive within {self._limits.body_seconds:g} seconds") from None
        except Refused:
            self._held_bytes -= size
            chunks.clear()
            await _linger(request)
            raise
        except BaseException:
            self._held_bytes -= size
            raise
        return b"".join(chunks)

    def _allow(self, size: int) -> None:
        if size > self._limits.max_body_bytes:
            raise Refused(413, f"a body may have {self._limits.max_body_bytes:,} bytes; received {size:,} or more")
        if self._held_bytes > self._limits.max_waiting_bytes:
            raise Refused(503, "too many bytes are waiting; try again later")


def _read_large(body: bytes, signatures: Mapping[str, ServedSignature], limits: Limits) -> Asked:
    """`read_request`, in the one thread that reads large bodies.

    Python's garbage collector is off meanwhile: it would walk through a million new lists again and again, for up to a
    second at a time in which nothing else runs, and parsed JSON has no cycles.
    """
    gc.disable()
    try:
        return read_request(body, signatures, limits)
    finally:
        gc.enable()


def _announced(request: Request) -> int:
    length = request.headers.get("content-length", "0")
    return int(length) if length.isdecimal() else 0


async def _linger(request: Request) -> None:
    """Reads what still arrives, for a moment, and discards it."""
    if "expect" in request.headers:
        return  # It asked for permission before it sent anything.
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while (await request.receive()).get("more_body"):
                pass
    except TimeoutError:
        pass


def _json(content: bytes | dict[str, object], status: int = 200, headers: dict[str, str] | None = None) -> Response:
    body = content if isinstance(content, bytes) else json.dumps(content, indent=1).encode()
    return Response(body, status, headers, media_type="application/json")


def _refusal(error: Refused) -> Response:
    headers = {"Retry-After": "1"} if error.status == 503 else {}
    if error.status in (408, 413, 415, 503):
        headers["Connection"] = "close"  # The body was not read to its end.
    return _json({"error": str(error)}, error.status, headers)


def _template() -> jinja2.Template:
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    return environment.from_string((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
