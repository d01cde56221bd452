"""The limits of a server, so that no request can bring it down."""

from dataclasses import dataclass

MEBIBYTE = 2**20


class Refused(Exception):
    """A request that gets no prediction.

    Args:
        status: of HTTP. 4xx: the request is wrong; 503: the client may try again.
        message: the text of `error` in the reply.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """The limits of a server.

    Attributes:
        max_body_bytes: of one request; more is rejected when the header announces it, or as soon as it has arrived.
        max_depth: of nested lists and objects; an array may have 64 axes.
        max_keys: keys and objects in one request, which take the longest to parse.
        max_values: numbers, texts and lists in one request: a parsed list takes up to twenty times its bytes.
        max_instances: rows of one request.
        max_pixels: of one image, as its header claims, and of all images decoded in one batch.
        max_batch_size: the most rows that the model gets at once; fewer, if it answers more rows per second then.
        max_delay_seconds: how long a free model waits for as many rows as the last batch had.
        max_waiting_rows: rows that may wait for the model; more are rejected until there is room.
        max_waiting_bytes: of all bodies that are held at once.
        max_connections: more are closed at once.
        head_seconds: from the opening of a connection, or the first byte of a later request, to the end of its head.
        body_seconds: from there to the end of its body.
        write_seconds: within which a client must read an answer, once the system's buffers are full.
        keep_alive_seconds: how long an idle connection stays open after a reply.
        drain_seconds: how long an idle connection may send one more request when the server is asked to stop.
        stop_seconds: how long pending requests may take when the server is asked to stop.
        look_seconds: between two checks for a new version.
    """

    max_body_bytes: int = 16 * MEBIBYTE
    max_depth: int = 64
    max_keys: int = 65_536
    max_values: int = 4_000_000
    max_instances: int = 1024
    max_pixels: int = 50_000_000
    max_batch_size: int = 32
    max_delay_seconds: float = 0.002
    max_waiting_rows: int = 4096
    max_waiting_bytes: int = 256 * MEBIBYTE
    max_connections: int = 1000
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    keep_alive_seconds: int = 60
    drain_seconds: float = 1.0
    stop_seconds: int = 30
    look_seconds: float = 1.0
