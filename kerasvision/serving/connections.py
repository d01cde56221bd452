"""A client's connection: limits how long its head and its answer may take, and loses no request when the server stops.

What uvicorn 0.54 does not do by itself:

- A connection that sends nothing, or a byte now and then, would stay open for ever (`head_seconds`).
- So would one whose client never reads its answer (`write_seconds`).
- A client that closes its sending side (`shutdown(SHUT_WR)`) would get no answer; RFC 9112, section 9.6.
- When the server stops, pending answers would be sent without `Connection: close`, and idle connections would be closed at
  once, which loses the next request of a client that keeps its connection; RFC 9112, section 9.6.
- Data that is not HTTP would be answered in plain text, and would raise an error if an answer has begun.
"""

import asyncio
import json
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

import h11
import uvicorn
from uvicorn.protocols.http.flow_control import CLOSE_HEADER
from uvicorn.protocols.http.h11_impl import H11Protocol

from kerasvision.serving.limits import Limits

MAX_HEAD_BYTES = 16_384


class Protocol(H11Protocol):
    """One connection. `make_server` gives each server a subclass with its limits."""

    limits = Limits()
    _says_no_more = False
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None

    # asyncio gives a stream's protocol a Transport, and uvicorn's own expects one too.
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client connected."""
        super().connection_made(transport)
        # Pause writing as soon as the system does not accept all data, and until it does.
        transport.set_write_buffer_limits(high=0)
        if len(self.connections) > self.limits.max_connections:
            transport.abort()
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """The client sent data."""
        super().data_received(data)
        if self._is_answering:
            self._stop_waiting()
        elif self._head_timer is None:
            self._await_head()

    # uvicorn's own returns nothing; asyncio requires a truth value.
    def eof_received(self) -> bool:  # type: ignore[override]
        """The client will send no more. Returns whether the connection stays open: complete requests are answered first."""
        self._says_no_more = True
        return self._await_last_answer()

    def on_response_complete(self) -> None:
        """A request was answered; the next one, if it has arrived, is begun."""
        super().on_response_complete()
        if self._says_no_more and not self._await_last_answer():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is closed."""
        self._stop_waiting()
        self.resume_writing()
        # If the client broke off, uvicorn leaves this timer running, and with it everything that the connection refers to.
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads its answer more slowly than it is sent."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(self.limits.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """The client has read all of it."""
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None
        super().resume_writing()

    def shutdown(self) -> None:
        """The server stops. Answers requests that have arrived or arrive within `drain_seconds`, and then closes."""
        if self._is_answering:
            self._close_after_answer()
        else:
            self.loop.call_later(self.limits.drain_seconds, self._close_if_idle)

    def send_400_response(self, msg: str) -> None:
        """Explains what is wrong with data that is not HTTP; called while h11's error is handled."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # An answer has begun.
            return
        if self._is_answering:
            self.cycle.disconnected = True  # Its body was invalid: any answer to it comes too late.
        error = sys.exc_info()[1]
        status = HTTPStatus(getattr(error, "error_status_hint", 400))
        body = json.dumps({"error": f"Malformed request: {error or msg}"}).encode()
        length = str(len(body)).encode()
        headers = [(b"Content-Type", b"application/json"), (b"Content-Length", length), CLOSE_HEADER]
        response = h11.Response(status_code=status, headers=headers, reason=status.phrase.encode())
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    @property
    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _await_last_answer(self) -> bool:
        """Whether a request is being answered for a client that will send no more."""
        if not self._is_answering or self.cycle.more_body:
            return False
        if not self.conn.trailing_data[0]:
            self._close_after_answer()
        return True

    def _close_after_answer(self) -> None:
        self.cycle.keep_alive = False
        self.cycle.default_headers = [*self.cycle.default_headers, CLOSE_HEADER]

    def _close_if_idle(self) -> None:
        head_has_begun = bool(self.conn.trailing_data[0])
        if not (self._is_answering or head_has_begun):
            self.transport.close()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self.limits.head_seconds, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class Server(uvicorn.Server):
    """A uvicorn server that answers all accepted requests before it ends."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts waiting clients, stops listening, and waits for the pending answers."""
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE_HEADER]  # for all later answers
        for listening in sockets or ():
            await self._accept_all(listening)
        # At once, before anything is logged: a client that connects in between is reset.
        for server in self.servers:
            server.close()
        await super().shutdown(sockets)

    async def _accept_all(self, listening: socket.socket) -> None:
        """Accepts clients whose connection the system has already opened: closing now would lose what they have sent."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        await asyncio.sleep(0.01)  # asyncio finishes accepting first

        make: Callable[..., asyncio.Protocol] = self.config.http_protocol_class

        def connection() -> asyncio.Protocol:
            return make(config=self.config, server_state=self.server_state, app_state=self.lifespan.state, _loop=loop)

        with suppress(BlockingIOError):
            while True:
                client, _ = listening.accept()
                client.setblocking(False)
                await loop.connect_accepted_socket(connection, client)
