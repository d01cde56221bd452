"""Serves a saved model until asked to stop: `serve(Path("saved_models/digits"))`."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

import uvicorn

from kerasvision.errors import ConfigError
from kerasvision.serving.application import Application
from kerasvision.serving.batching import Batcher
from kerasvision.serving.connections import MAX_HEAD_BYTES, Protocol, Server
from kerasvision.serving.limits import Limits
from kerasvision.serving.measures import Measures
from kerasvision.serving.versions import Versions

log = logging.getLogger(__name__)


def serve(
    folder: Path,
    *,
    host: str,
    port: int,
    limits: Limits,
    engine: str | None = None,
    ready: Callable[[str], None] = lambda url: None,
) -> None:
    """Answers requests until SIGTERM or SIGINT; pending requests are answered before it ends.

    Args:
        folder: `saved_models/<name>`, or one version of it.
        host: the address to listen on; 127.0.0.1 can be reached from this machine only.
        port: 0 means any free port.
        limits: what to reject.
        engine: what computes the network, a name in `kerasvision.lookup.ENGINES`; None: TensorFlow.
        ready: called with the address when the server can answer.

    Raises:
        ConfigError: it cannot listen on that address, there is no saved model, or the package of the engine is missing.
        ExportError: no version is complete and equal to what was pushed, or has a network for the engine.
    """
    listening = _listen(host, port)
    try:
        _raise_file_limit()
        server, model = make_server(folder, limits=limits, engine=engine)
        # uvicorn raises the signal that stopped it again when it is done, but a requested stop is not a failure.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        address, bound = listening.getsockname()[:2]
        ready(f"http://{f'[{address}]' if ':' in address else address}:{bound}")
        warning = exposure(address)
        if warning:
            log.warning(warning)
        log.info("%s: version %d", model.name, model.current.version)
        server.run(sockets=[listening])
    finally:
        listening.close()


def exposure(address: str) -> str:
    """A warning about listening on an address; "" if only this machine can reach it.

    >>> exposure("127.0.0.1"), exposure("::1")
    ('', '')
    >>> exposure("0.0.0.0").partition(":")[0]
    'other machines reach 0.0.0.0, and there is no authentication'
    """
    parsed = ip_address(address.partition("%")[0])  # without an IPv6 zone
    if (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback:
        return ""
    return (
        f"other machines reach {address}, and there is no authentication: anyone who reaches it can query the model. Listen "
        "on 127.0.0.1, or put a proxy or a firewall in front of it"
    )


def make_server(folder: Path, *, limits: Limits, engine: str | None = None) -> tuple[Server, Versions]:
    """A server that is ready to run, and the model that it serves."""
    measures = Measures()
    versions = Versions(folder, limits=limits, measures=measures, engine=engine)
    batcher = Batcher(limits, measures)
    application = Application(versions=versions, batcher=batcher, limits=limits, measures=measures)

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        batcher.start()
        versions.start()
        yield
        await asyncio.to_thread(versions.stop)
        await asyncio.to_thread(batcher.stop)

    application.asgi.router.lifespan_context = lifespan
    config = uvicorn.Config(
        application.asgi,
        http=type("Protocol", (Protocol,), {"limits": limits}),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="error",  # otherwise every invalid request would be logged
        access_log=False,
        server_header=False,
        timeout_keep_alive=limits.keep_alive_seconds,
        timeout_graceful_shutdown=limits.stop_seconds,
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
    )
    return Server(config), versions


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listening = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        why = str(error.strerror).partition(" (while")[0]  # the rest repeats the address
        raise ConfigError(
            f"the address must be free and belong to this machine: {why}",
            received=f"{host}:{port}",
            hint="choose another with --port or --host",
        ) from error
    # Connections inherit this; asyncio sets it only on sockets made with the protocol's number. Without it, the second half
    # of an answer waits until the client acknowledges the first: 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _raise_file_limit() -> None:
    """Raises the limit of open files to the maximum: each connection is one, and many systems allow 1,024 by default."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
