"""One connection: bytes in, requests answered in order, replies out when the gate lets them.

asyncio calls it as a protocol (connection_made, data_received, pause_writing ...).
Invariants: replies leave in the order of their requests; no more than OUTPUT_BOUND bytes of replies
are gathered before reading stops; one connection answers at most REQUESTS_A_TURN requests before
others have their turn; once `_ended` is set nothing more is read or answered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from kveik.command import sessions
from kveik.command.state import Client
from kveik.errors import ProtocolError
from kveik.limits import OUTPUT_BOUND, PUSH_BOUND, REQUESTS_A_TURN
from kveik.native import i64
from kveik.server.dialects import Dialect, JsonDialect, RedisDialect
from kveik.server.host import Host, Parked
from kveik.wire import detect

AUTO: Final = "auto"

log = logging.getLogger("kveik")


class Session:
    def __init__(
        self,
        host: Host,
        loop: Any,
        number: i64,
        protocol: str,
        gone: Callable[[Session], None],
        load: Callable[[Parked, Callable[[Parked], None]], None],
    ) -> None:
        """protocol: "auto", "redis" or "json"; gone is called when the connection is lost.

        load reads what a parked command waits for, and calls back on the loop.
        """
        self._host = host
        self._gate = host.gate
        self._loop = loop
        self._protocol = protocol
        self._gone = gone
        self._load = load
        self._loading = False  # a command is parked
        self._transport: Any = None
        self._dialect: Dialect | None = None
        self._first = b""  # bytes that came before the protocol was known
        self._held: list[tuple[int, bytes]] = []  # replies behind the gate: (need, bytes)
        self._held_size: i64 = 0
        self._waiting = False  # at the gate
        self._full = False  # the transport takes no more for now
        self._reading = True
        self._again = False  # a turn is scheduled
        self._eof = False  # the peer sends no more
        self._ended = False  # close once everything has left
        self._delayed: Parked | None = None  # a command that waits for time to pass
        self._timer: Any = None
        self.client = Client(host.server, number, "")
        self.client.wake = self._wake
        self.client.cut = self.abort
        self.client.resume = self._resume
        self.client.busy = self._busy

    # --- called by asyncio ----------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        transport.set_write_buffer_limits(high=OUTPUT_BOUND)
        peer = transport.get_extra_info("peername")
        here = transport.get_extra_info("sockname")
        self.client.address = f"{peer[0]}:{peer[1]}" if isinstance(peer, tuple) else ""
        self.client.local = f"{here[0]}:{here[1]}" if isinstance(here, tuple) else ""
        sessions.enter(self.client)
        if self._protocol != AUTO:
            self._dialect = self._speak(self._protocol)
        if self._host.server.connections > self._host.server.most_connections:
            self._host.server.refused += 1
            self._turn_away("max number of clients reached")

    def data_received(self, data: bytes) -> None:
        if self._ended:
            return
        self.client.heard = True
        dialect = self._dialect
        try:
            if dialect is None:
                data = self._first + data
                dialect = self._detect(data)
                if dialect is None:
                    return
            dialect.feed(data)
        except ProtocolError as error:
            self._refuse(str(error))
            return
        if self._delayed is not None:
            self._pause()  # one read is taken, to see whether it is still there
        elif not self._again:
            self._turn()

    def eof_received(self) -> bool:
        """The peer has said all it had to say; what it asked for is still answered."""
        self._eof = True
        if self._dialect is None or self.client.waiting is not None:
            self._transport.close()
        elif not self._again:
            self._turn()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._held = []
        self._transport = None
        self._resume()
        sessions.leave(self.client)
        self._gone(self)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self._turn_soon()  # not now: asyncio is in the middle of its own bookkeeping

    # --- requests -------------------------------------------------------------------------------

    def _detect(self, data: bytes) -> Dialect | None:
        found = detect.detect(data)
        if found == detect.MORE:
            self._first = data[-1:]
            return None
        if found == detect.UNKNOWN:
            self._turn_away("this port speaks Redis' protocol (RESP) and JSON lines")
            return None
        self._first = b""
        self._dialect = self._speak(found)
        return self._dialect

    def _speak(self, protocol: str) -> Dialect:
        if protocol == detect.JSON:
            return JsonDialect(self._host, self.client)
        return RedisDialect(self._host, self.client)

    def _turn(self) -> None:
        """Answer what is there, within the bounds of a turn; go on later if more is left."""
        dialect = self._dialect
        if dialect is None or self._ended or self._loading:
            return
        left: i64 = REQUESTS_A_TURN
        done = False
        try:
            if self.client.outbox and not self._full and self._room(dialect):
                dialect.add_pushes()
            while left > 0 and not self._full and self._room(dialect):
                if not dialect.step():
                    done = dialect.parked is None
                    break
                left -= 1
                if self.client.closing:
                    self._ended = True
                    break
        except ProtocolError as error:
            self._refuse(str(error))
            return
        except Exception:
            # A bug of ours. Nothing half-made may stay behind: replies gather in a shared place.
            log.exception("connection %s: internal error", self.client.address)
            dialect.take()
            self._ended = True
            self._transport.abort()
            return
        self._send(dialect)
        if dialect.parked is not None:
            self._put_aside(dialect.parked)
        if done and self._eof:
            self._ended = True
        if self._ended:
            self._close_if_done()
        else:
            self._pace(done)

    def _room(self, dialect: Dialect) -> bool:
        return dialect.gathered() + self._held_size < OUTPUT_BOUND

    def _pace(self, done: bool) -> None:
        """Read on if everything is answered; otherwise answer the rest first."""
        if self._transport.is_closing():
            return
        if done and not self._reading:
            self._reading = True
            self._transport.resume_reading()
        elif not done and self._delayed is None:
            self._pause()
        if self._host.owed() > 0.0:
            self._rest()
        elif not (done or self._full or self._held or self._loading):
            self._turn_soon()  # resume_writing, release or _loaded call otherwise

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def _rest(self) -> None:
        """Upkeep is behind: writers are slowed down, a little each time."""
        if not self._again:
            self._again = True
            self._loop.call_later(self._host.pay(), self._next_turn)

    def _put_aside(self, parked: Parked) -> None:
        """The request goes on once its block is loaded, or once others have had their turn."""
        self._loading = True
        if parked.delay > 0.0:
            self._delayed = parked
            self._timer = self._loop.call_later(parked.delay, self._resume)
        elif parked.fault is None:
            self._loop.call_soon(self._loaded, parked)
        else:
            self._load(parked, self._loaded)

    def _resume(self) -> None:
        """The time is over for which a command waits, or need not pass any more."""
        parked = self._delayed
        if parked is not None:
            self._delayed = None
            self._timer.cancel()
            self._loop.call_soon(self._loaded, parked)

    def _busy(self) -> bool:
        """Whether something was asked for that is not answered yet."""
        return self._loading or self._full or len(self._held) > 0

    def _wake(self) -> None:
        """There is something to tell unasked."""
        if self.client.outbox_size > PUSH_BOUND:
            log.warning("connection %s reads too slowly: cut off", self.client.address)
            self.client.ended = True
            self.abort()
        elif not self._ended:
            self._turn_soon()

    def _loaded(self, parked: Parked) -> None:
        """What a parked command waited for is there."""
        self._loading = False
        if self._transport is None or self._ended:
            parked.let_go()
        elif not self._again:
            self._turn()

    def _turn_soon(self) -> None:
        if not self._again:
            self._again = True
            self._loop.call_soon(self._next_turn)

    def _next_turn(self) -> None:
        self._again = False
        self._turn()

    # --- replies --------------------------------------------------------------------------------

    def _send(self, dialect: Dialect) -> None:
        """Send the gathered replies, or hold them back until they are safe."""
        if dialect.gathered() == 0:
            return
        data = dialect.take()
        if dialect.need <= self._gate.safe and not self._held:
            self._transport.write(data)
            return
        self._held.append((dialect.need, data))
        self._held_size += len(data)
        self._wait()

    def _wait(self) -> None:
        if self._host.server.store.broken:
            self._fail()
        elif not self._waiting:
            self._waiting = True
            self._gate.wait(self)

    def release(self) -> None:
        """More is safe (or nothing will ever be): send what may leave now."""
        self._waiting = False
        if self._transport is None:
            return
        held = self._held
        safe: i64 = self._gate.safe
        ready: list[bytes] = []
        while held and held[0][0] <= safe:
            data = held.pop(0)[1]
            self._held_size -= len(data)
            ready.append(data)
        if ready:
            self._transport.write(ready[0] if len(ready) == 1 else b"".join(ready))
        if held:
            self._wait()
        elif self._ended:
            self._close_if_done()
        elif not (self._reading or self._again or self._loading):
            self._turn()

    def _turn_away(self, why: str) -> None:
        """Refuse the connection as a whole."""
        dialect = self._dialect or self._speak(detect.REDIS)
        self._transport.write(dialect.refusal(why))
        self._transport.close()
        self._ended = True

    # --- ends -----------------------------------------------------------------------------------

    def _refuse(self, text: str) -> None:
        """The framing is lost: say so after the replies before it, then close."""
        dialect = self._dialect
        if dialect is not None:
            self._send(dialect)
            self._held.append((dialect.need, dialect.refusal(text)))
        self._ended = True
        self.release()

    def _fail(self) -> None:
        """What the held replies show will never be safe: say why, and close."""
        dialect = self._dialect
        if dialect is not None:
            self._transport.write(dialect.refusal(self._host.server.store.failure))
        self._held = []
        self._held_size = 0
        self._ended = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._transport is not None and not self._held:
            self._transport.close()

    def abort(self) -> None:
        """Nothing more is answered, whatever was begun."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()

    def stop(self) -> None:
        """The server stops: answer what was begun, then close."""
        if self._delayed is not None:
            self.abort()  # it would wait for longer than the server does
        elif self._loading:
            self._eof = True
        elif self._transport is not None and not self._ended:
            self._ended = True
            self._close_if_done()
