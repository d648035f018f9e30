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
from kveik.limits import COUNT_EVERY, OUTPUT_BOUND, PUSH_BOUND, REQUESTS_A_TURN
from kveik.native import i64
from kveik.server.answering import speak
from kveik.server.buffers import Share
from kveik.server.dialects import Dialect
from kveik.server.gate import Waiter
from kveik.server.held import Held
from kveik.server.host import Host, Parked
from kveik.wire import detect
from kveik.wire.http import NOT_YET

AUTO: Final = "auto"

log = logging.getLogger("kveik")


class Session(Waiter):
    def __init__(
        self,
        host: Host,
        loop: Any,
        number: i64,
        protocol: str,
        gone: Callable[[Session], None],
        load: Callable[[Parked, Callable[[Parked], None]], None],
    ) -> None:
        """protocol: "auto" or one that `detect` names; gone is called when the connection is lost.

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
        self._put: Any = None  # its `write`, looked up once
        self._dialect: Dialect | None = None
        self._first = b""  # bytes that came before the protocol was known
        self._held = Held()
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
        self._share = Share(host.buffers, self)
        self.client.cut = self.abort
        self.client.resume = self._resume
        self.client.busy = self._waits

    # --- called by asyncio ----------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._put = transport.write
        transport.set_write_buffer_limits(high=OUTPUT_BOUND)
        told = transport.get_extra_info
        sessions.locate(self.client, told("peername"), told("sockname"))
        sessions.enter(self.client)
        if self._protocol != AUTO:
            self._dialect = speak(self._protocol, self._host, self.client)
        if self._host.server.connections > self._host.server.most_connections:
            self._host.server.refused += 1
            self._turn_away("max number of clients reached")

    def data_received(self, data: bytes) -> None:
        self._share.came(len(data))
        if self._ended:
            return
        self.client.heard = True
        dialect = self._dialect
        try:
            if dialect is None:
                data = self._first + data
                dialect = self._detect(data, False)
                if dialect is None:
                    return
                self._first = b""
            dialect.feed(data)
        except ProtocolError as error:
            self._refuse(str(error))
            return
        if self._delayed is not None:
            self._pause()  # one read is taken, to see whether it is still there
        elif not self._again:
            self._again = True
            self._gate.answer(self, len(data))
        self._share.look_after()

    def eof_received(self) -> bool:
        """The peer has said all it had to say; what it asked for is still answered."""
        self._eof = True
        if self._ended:
            return True
        if self.client.waiting is not None:
            self._transport.close()
            return True
        dialect = self._dialect
        try:
            if dialect is None:
                dialect = self._detect(self._first, True)
                if dialect is None:
                    self._transport.close()
                    return True
                dialect.feed(self._first)
            dialect.end()
        except ProtocolError as error:
            self._refuse(str(error))
            return True
        if not self._again:
            self._turn()
        return True

    def connection_lost(self, error: Exception | None) -> None:
        self._ended = True
        self._held.drop()
        self._transport = self._put = None
        if self._dialect is not None and not self._loading:
            self._dialect.drop()
        self._share.end()
        self._resume()
        sessions.leave(self.client)
        self._gone(self)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        self.client.heard = True  # it is still there
        self._turn_soon()  # not now: asyncio is in the middle of its own bookkeeping

    # --- requests -------------------------------------------------------------------------------

    def _detect(self, data: bytes, ended: bool) -> Dialect | None:
        found = detect.detect(data, ended)
        if found == detect.MORE:
            self._first = data.lstrip()
        elif found == detect.HTTP:
            self._transport.write(NOT_YET)
            self._transport.close()
            self._ended = True
        elif found == detect.UNKNOWN:
            self._turn_away("this port speaks RESP, JSON lines, length-prefixed pickles and text")
        else:
            self._dialect = speak(found, self._host, self.client)
        return self._dialect

    def _turn(self) -> None:
        """Answer what is there, within the bounds of a turn; go on later if more is left."""
        dialect = self._dialect
        if dialect is None or self._ended or self._loading:
            return
        try:
            if self.client.outbox:
                self._tell(dialect)
            done = self._answer(dialect)
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
        if done and self._eof:
            self._ended = True
        if self._ended:
            self._close_if_done()
        else:
            self._pace(done)
        self._share.look_after()

    def _tell(self, dialect: Dialect) -> None:
        """Gather what is to be told unasked, but not in the middle of a reply."""
        if dialect.pages is None and not self._full and self._room(dialect):
            dialect.add_pushes()

    def _answer(self, dialect: Dialect) -> bool:
        """Answer requests; whether there are no more."""
        left: i64 = REQUESTS_A_TURN
        while left > 0 and not self._full and self._room(dialect):
            answered = dialect.step()
            if answered == 0:
                if dialect.parked is None:
                    return True
                self._put_aside(dialect.parked)
                break
            left -= answered
            self._ended = self._ended or self.client.closing
            if self._ended or dialect.pages is not None:
                break
            if dialect.drained:
                return True
        return False

    def _room(self, dialect: Dialect) -> bool:
        return dialect.gathered() + self._held.size < OUTPUT_BOUND

    def _pace(self, done: bool) -> None:
        """Read on if everything is answered; otherwise answer the rest first."""
        if done and self._reading and not self.client.outbox and self._host.owed() == 0.0:
            return  # as nearly always
        if self._transport.is_closing():
            return
        if done and not self._reading:
            self._reading = True
            self._transport.resume_reading()
        elif not done and self._delayed is None:
            self._pause()
        if self._host.owed() > 0.0:
            self._rest()
        elif not (self._waits() or (done and not self.client.outbox)):
            self._turn_soon()  # resume_writing, release or _loaded call otherwise

    def _pause(self) -> None:
        if self._reading:
            self._reading = False
            self._transport.pause_reading()

    def _rest(self) -> None:
        """Upkeep is behind: writers are slowed down, a little each time."""
        if not self._again:
            self._again = True
            self._loop.call_later(self._host.pay(), self.go_on)

    def _put_aside(self, parked: Parked) -> None:
        """The request goes on once its block is loaded, or once others have had their turn."""
        self._loading = True
        if parked.delay > 0.0:
            self._delayed = parked
            self._timer = self._loop.call_later(parked.delay, self._resume)
        elif parked.loaded:
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

    def _waits(self) -> bool:
        """Whether an answer is owed that will come by itself."""
        return self._loading or self._full or not self._held.empty()

    def _wake(self) -> None:
        """There is something to tell unasked."""
        client = self.client
        if client.outbox_size > PUSH_BOUND and len(client.outbox) > 1:  # one may be larger
            if not self._ended:
                self._host.server.slow += 1
                log.warning("connection %s reads too slowly: cut off", client.address)
                client.ended = True
            self.abort()
        elif not self._ended:
            self._turn_soon()
            if client.outbox_size - self._share.size >= COUNT_EVERY:
                self._share.grown()

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
            self._loop.call_soon(self.go_on)

    def go_on(self) -> None:
        self._again = False
        self._turn()

    # --- replies --------------------------------------------------------------------------------

    def _send(self, dialect: Dialect) -> None:
        """Send the gathered replies, or hold them back until they are safe."""
        if dialect.gathered() == 0:
            return
        data = dialect.take()
        safe = dialect.need <= self._gate.safe and self._held.empty()
        if safe and self._host.server.connections <= 1:
            self._write(data)
        else:
            self._held.add(dialect.need, data)
            self._wait()

    def _write(self, data: bytes) -> None:
        self._share.left(len(data))
        self._put(data)

    def _wait(self) -> None:
        if self._held.need > self._gate.safe and self._host.server.store.broken:
            self._fail()
        elif not self._waiting:
            self._waiting = True
            self._gate.wait(self, self._held.need)

    def release(self) -> None:
        """More is safe (or nothing will ever be): send what may leave now."""
        self._waiting = False
        if self._transport is None:
            return
        if ready := self._held.take(self._gate.safe):
            self._write(ready)
        if not self._held.empty():
            self._wait()
        elif self._ended:
            self._close_if_done()
        elif not (self._again or self._loading) and (not self._reading or self.client.outbox):
            self._turn()

    def held(self) -> i64:
        """Bytes that are held back for it."""
        size: i64 = self._held.size + self.client.outbox_size
        if self._dialect is not None:
            size += self._dialect.waiting()
        if self._transport is not None:
            size += i64(self._transport.get_write_buffer_size())
        return size

    def _turn_away(self, why: str) -> None:
        """Refuse the connection as a whole."""
        dialect = self._dialect or speak(detect.REDIS, self._host, self.client)
        self._transport.write(dialect.refusal(why))
        self._transport.close()
        self._ended = True

    def _refuse(self, text: str) -> None:
        """The framing is lost: say so after the replies before it, then close."""
        dialect = self._dialect
        if dialect is not None:
            self._send(dialect)
            self._held.add(dialect.need, dialect.refusal(text))
        self._ended = True
        self.release()

    def _fail(self) -> None:
        """What the held replies show will never be safe: say why, and close."""
        dialect = self._dialect
        if dialect is not None:
            self._transport.write(dialect.refusal(self._host.server.store.failure))
        self._held.drop()
        self._ended = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._transport is not None and self._held.empty():
            self._transport.close()

    def abort(self) -> None:
        """Nothing more is answered, whatever was begun."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()

    def stop(self) -> None:
        """The server stops: answer what was begun, then close."""
        dialect = self._dialect
        if self._delayed is not None:
            self.abort()  # it would wait for longer than the server does
        elif self._loading or (dialect is not None and dialect.pages is not None):
            self._eof = True
        elif self._transport is not None and not self._ended:
            self._ended = True
            self._close_if_done()
