"""Conversations of several connections with Kveik and with a real Redis: the same bytes to each.

What Kveik means to differ in stands in tests/command/test_like_redis.py.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
from tests.command.conftest import server
from tests.server.bench import Bench, Transport
from tests.support.redis_server import PATIENCE, Line, Redis, arguments, encode

from kveik.format.rdb import pack
from kveik.server.session import Session

__all__ = ["server"]  # a fixture


class Connection:
    """One connection to the real Redis."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(path)

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            try:
                piece = self.socket.recv(size - len(data))
            except TimeoutError:
                return data + b"<and no more>"
            if not piece:
                return data + b"<closed>"
            data += piece
        return data

    def rest(self) -> bytes:
        data = b""
        while piece := self.socket.recv(1 << 16):
            data += piece
        return data


class Two:
    """The same connections to both servers, which are known by one letter each."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._bench = Bench()
        self._bench.server.connections = 2
        self._here: dict[str, int] = {}
        self._sessions: list[Session] = []
        self._transports: list[Transport] = []
        self._there: list[Connection] = []

    def say(self, who: str, line: Line) -> tuple[list[bytes], list[bytes]]:
        """What every connection hears of a request: of Kveik, and of Redis."""
        at = self._connect(who)
        data = encode(arguments(line))
        self._sessions[at].data_received(data)
        self._bench.loop.turn()
        self._there[at].socket.sendall(data)
        return self._heard()

    def greet(self, who: str) -> None:
        """Speak RESP3; the replies have the connection's number in them."""
        at = self._connect(who)
        data = encode([b"HELLO", b"3"])
        self._sessions[at].data_received(data)
        self._bench.loop.turn()
        self._transports[at].written = b""
        there = self._there[at].socket
        there.sendall(data + encode([b"ECHO", b"-greeted-"]))
        heard = b""
        while not heard.endswith(b"-greeted-\r\n"):
            heard += there.recv(1 << 16)

    def _connect(self, who: str) -> int:
        if who not in self._here:
            self._here[who] = len(self._there)
            session, transport = self._bench.connect()
            self._sessions.append(session)
            self._transports.append(transport)
            self._there.append(Connection(self._redis.path))
        return self._here[who]

    def _heard(self) -> tuple[list[bytes], list[bytes]]:
        here = []
        for transport in self._transports:
            here.append(transport.written)
            transport.written = b""
        pairs = zip(self._there, here, strict=True)
        return here, [there.exactly(len(data)) for there, data in pairs]

    def close(self) -> None:
        for connection in self._there:
            connection.socket.close()

    def end(self) -> tuple[list[bytes], list[bytes]]:
        """What is left for each."""
        here, there = [], []
        for connection in self._there:
            connection.socket.sendall(encode([b"QUIT"]))
            there.append(connection.rest())
        for session, transport in zip(self._sessions, self._transports, strict=True):
            session.data_received(encode([b"QUIT"]))
            self._bench.loop.turn()
            here.append(transport.written)
        return here, there


@pytest.fixture
def two(server: Redis) -> Iterator[Two]:
    server.reply([b"CONFIG", b"SET", b"requirepass", b""])  # a test may have failed
    server.renew()
    server.reply([b"CONFIG", b"SET", b"notify-keyspace-events", b""])
    both = Two(server)
    yield both
    both.close()


# Each line: who says it, and what. A connection is made when it first speaks.
CONVERSATIONS: dict[str, list[tuple[str, Line]]] = {
    "a transaction": [
        ("a", "MULTI"), ("a", "SET k v"), ("a", "GET k"), ("b", "GET k"), ("a", "EXISTS k j"),
        ("a", "DEL k"), ("a", "GET k"), ("a", "DBSIZE"), ("a", "EXEC"), ("b", "GET k"),
        ("a", "EXEC"), ("a", "MULTI"), ("a", "EXEC"), ("a", "PING"),
    ],
    "a transaction that is discarded": [
        ("a", "MULTI"), ("a", "SET k v"), ("a", "DISCARD"), ("a", "GET k"), ("a", "DISCARD"),
        ("a", "MULTI"), ("a", "MULTI"), ("a", "SET k v"), ("a", "EXEC"), ("b", "GET k"),
    ],
    "errors while a transaction is queued": [
        ("a", "MULTI"), ("a", "SET k v"), ("a", "NOSUCH x"), ("a", "SET k w"), ("a", "EXEC"),
        ("a", "GET k"), ("a", "MULTI"), ("a", "SET k"), ("a", "GET k"), ("a", "EXEC"),
        ("a", "MULTI"), ("a", "CLIENT FOO"), ("a", "EXEC"), ("a", "EXEC"),
        ("a", "MULTI"), ("a", "SUBSCRIBE"), ("a", "DISCARD"), ("a", "MULTI"), ("a", "EXEC"),
    ],
    "errors while a transaction is executed": [
        ("a", "MULTI"), ("a", "SET k v"), ("a", "SET k w FOO"), ("a", "MSET a 1 b"),
        ("a", "SET j 1 EX 0"), ("a", "GET k"), ("a", "SELECT 99"), ("a", "GET k"), ("a", "EXEC"),
        ("a", "MGET k j a"),
    ],
    "a transaction in several databases": [
        ("a", "SET k zero"), ("a", "MULTI"), ("a", "SELECT 1"), ("a", "GET k"), ("a", "SET k one"),
        ("a", "SELECT 2"), ("a", "SET k two"), ("a", "SELECT 0"), ("a", "GET k"),
        ("a", "SELECT 1"), ("a", "FLUSHDB"), ("a", "GET k"), ("a", "EXEC"), ("a", "GET k"),
        ("a", "SELECT 2"), ("a", "GET k"), ("a", "SELECT 0"), ("a", "GET k"),
    ],
    "a transaction of commands on the connection": [
        ("a", "MULTI"), ("a", "PING"), ("a", "ECHO hi"), ("a", "CLIENT SETNAME me"),
        ("a", "CLIENT GETNAME"), ("a", "CLIENT SETNAME"), ("a", "EXEC"), ("a", "MULTI"),
        ("a", "CLIENT GETNAME"), ("a", "UNWATCH"), ("a", "PING a b"), ("a", "COMMAND FOO"),
        ("a", "EXEC"), ("a", "CLIENT GETNAME"),
    ],
    "a watched key that is written": [
        ("a", "SET k v"), ("a", "WATCH k"), ("b", "SET k w"), ("a", "MULTI"), ("a", "SET k x"),
        ("a", "EXEC"), ("a", "GET k"), ("a", "MULTI"), ("a", "SET k x"), ("a", "EXEC"),
        ("a", "GET k"),
    ],
    "a watched key that is not written": [
        ("a", "WATCH k j"), ("b", "SET other w"), ("b", "GET k"), ("b", "DEL k"), ("a", "MULTI"),
        ("a", "SET k x"), ("a", "EXEC"), ("a", "GET k"),
    ],
    "a watched key that oneself writes": [
        ("a", "WATCH k"), ("a", "SET k v"), ("a", "MULTI"), ("a", "GET k"), ("a", "EXEC"),
        ("a", "WATCH k"), ("a", "MULTI"), ("a", "SET k w"), ("a", "EXEC"), ("a", "GET k"),
    ],
    "a watched key of another database": [
        ("a", "SELECT 1"), ("a", "WATCH k"), ("a", "SELECT 0"), ("b", "SET k zero"),
        ("a", "MULTI"), ("a", "PING"), ("a", "EXEC"), ("a", "SELECT 1"), ("a", "WATCH k"),
        ("b", "SELECT 1"), ("b", "SET k one"), ("a", "MULTI"), ("a", "PING"), ("a", "EXEC"),
    ],
    "watched keys and a flush": [
        ("a", "WATCH k"), ("b", "FLUSHALL"), ("a", "MULTI"), ("a", "PING"), ("a", "EXEC"),
        ("a", "SET k v"), ("a", "WATCH k"), ("b", "FLUSHDB"), ("a", "MULTI"), ("a", "PING"),
        ("a", "EXEC"), ("a", "SET k v"), ("a", "WATCH k"), ("b", "SELECT 3"), ("b", "FLUSHDB"),
        ("a", "MULTI"), ("a", "PING"), ("a", "EXEC"), ("a", "WATCH k"), ("b", "FLUSHALL"),
        ("a", "MULTI"), ("a", "PING"), ("a", "EXEC"),
    ],
    "watching no more": [
        ("a", "SET k v"), ("a", "WATCH k"), ("b", "SET k w"), ("a", "UNWATCH"), ("a", "MULTI"),
        ("a", "GET k"), ("a", "EXEC"), ("a", "WATCH k"), ("b", "SET k x"), ("a", "MULTI"),
        ("a", "UNWATCH"), ("a", "GET k"), ("a", "EXEC"), ("a", "WATCH k"), ("b", "SET k y"),
        ("a", "MULTI"), ("a", "DISCARD"), ("a", "MULTI"), ("a", "GET k"), ("a", "EXEC"),
        ("a", "WATCH k"), ("b", "SET k z"), ("a", "RESET"), ("a", "MULTI"), ("a", "GET k"),
        ("a", "EXEC"),
    ],
    "watching in a transaction": [
        ("a", "MULTI"), ("a", "WATCH k"), ("a", "GET k"), ("a", "EXEC"), ("a", "WATCH"),
        ("a", "UNWATCH x"), ("a", "EXEC x"), ("a", "MULTI x"), ("a", "DISCARD x"),
    ],
    "a transaction that is refused and watches a changed key": [
        ("a", "WATCH k"), ("b", "SET k v"), ("a", "MULTI"), ("a", "NOSUCH"), ("a", "EXEC"),
    ],
    "watched keys that expire": [
        ("a", "SET k v PXAT 1"), ("a", "WATCH k"), ("a", "MULTI"), ("a", "PING"), ("a", "EXEC"),
    ],
    "a reset in a transaction": [
        ("a", "MULTI"), ("a", "SET k v"), ("a", "RESET"), ("a", "GET k"), ("a", "EXEC"),
    ],
    "a goodbye in a transaction": [("a", "MULTI"), ("a", "SET k v")],
    "a transaction in RESP3": [
        ("a", "MULTI"), ("a", "GET k"), ("a", "EXEC"), ("a", "WATCH k"), ("b", "SET k v"),
        ("a", "MULTI"), ("a", "EXEC"),
    ],
    "channels": [
        ("a", "SUBSCRIBE x"), ("b", "PUBLISH x hello"), ("b", "PUBLISH y hello"),
        ("a", "SUBSCRIBE y x y"), ("b", "PUBLISH y there"), ("a", "UNSUBSCRIBE x"),
        ("b", "PUBLISH x gone"), ("a", "UNSUBSCRIBE nosuch"), ("a", "UNSUBSCRIBE"),
        ("a", "UNSUBSCRIBE"), ("b", "PUBLISH y gone"), ("a", "GET k"), ("a", "SUBSCRIBE"),
        ("b", "PUBLISH x"), ("b", "PUBLISH x y z"), ("b", [b"PUBLISH", b"\xff\r\n", b""]),
    ],
    "patterns": [
        ("a", "PSUBSCRIBE h?llo"), ("b", "PUBLISH hello 1"), ("b", "PUBLISH hallo 2"),
        ("b", "PUBLISH hllo 3"), ("a", "PSUBSCRIBE h*"), ("b", "PUBLISH hxo 3"),
        ("a", "SUBSCRIBE hxo"), ("b", "PUBLISH hxo 4"), ("a", "PUNSUBSCRIBE nosuch"),
        ("a", "PUNSUBSCRIBE h*"), ("a", "PUNSUBSCRIBE"), ("a", "PUNSUBSCRIBE"),
        ("b", "PUBLISH hello 5"), ("a", "UNSUBSCRIBE"), ("b", "PUBLISH hxo 6"),
    ],
    "shard channels": [
        ("a", "SSUBSCRIBE s"), ("b", "SPUBLISH s hello"), ("b", "PUBLISH s hello"),
        ("b", "PUBSUB SHARDCHANNELS"), ("b", "PUBSUB SHARDNUMSUB s t"), ("b", "PUBSUB CHANNELS"),
        ("a", "SUBSCRIBE s"), ("b", "PUBLISH s there"), ("b", "SPUBLISH s there"),
        ("a", "SUNSUBSCRIBE s"), ("a", "SUNSUBSCRIBE"), ("b", "SPUBLISH s gone"),
        ("b", "PUBSUB SHARDCHANNELS x*"),
    ],
    "what is subscribed to": [
        ("a", "SUBSCRIBE x"), ("c", "SUBSCRIBE x"), ("c", "PSUBSCRIBE p*"), ("a", "PSUBSCRIBE p*"),
        ("b", "PUBSUB CHANNELS"), ("b", "PUBSUB CHANNELS x*"), ("b", "PUBSUB CHANNELS y*"),
        ("b", "PUBSUB NUMSUB x y"), ("b", "PUBSUB NUMSUB"), ("b", "PUBSUB NUMPAT"),
        ("b", "PUBSUB NUMPAT x"), ("b", "PUBSUB CHANNELS a b"), ("b", "PUBSUB FOO"),
        ("b", "PUBSUB"), ("b", "PUBLISH x all"), ("a", "RESET"), ("b", "PUBSUB NUMSUB x"),
        ("b", "PUBSUB NUMPAT"), ("b", "PUBLISH x one"),
    ],
    "what a subscriber may ask": [
        ("a", "SUBSCRIBE x"), ("a", "GET k"), ("a", "SET k v"), ("a", "PING"), ("a", "PING hello"),
        ("a", "PING a b"), ("a", "MULTI"), ("a", "CLIENT ID"), ("a", "CONFIG GET x"),
        ("a", "NOSUCH"), ("a", "GET"), ("a", "PUBLISH x y"), ("a", "RESET"), ("a", "GET k"),
        ("a", "PSUBSCRIBE x"), ("a", "GET k"), ("a", "PUNSUBSCRIBE x"), ("a", "GET k"),
        ("a", "SSUBSCRIBE x"), ("a", "GET k"), ("a", "SUNSUBSCRIBE x"), ("a", "PING"),
    ],
    "messages in a transaction": [
        ("a", "SUBSCRIBE x"), ("b", "MULTI"), ("b", "PUBLISH x 1"), ("b", "SET k v"),
        ("b", "PUBLISH x 2"), ("b", "EXEC"), ("b", "MULTI"), ("b", "PUBLISH x 3"),
        ("b", "DISCARD"), ("b", "MULTI"), ("b", "PUBLISH x"), ("b", "EXEC"),
    ],
    "subscribing in RESP3": [
        ("a", "SUBSCRIBE x"), ("a", "GET k"), ("a", "PING"), ("a", "PUBLISH x self"),
        ("b", "PUBLISH x hello"), ("a", "PSUBSCRIBE x*"), ("b", "PUBLISH x both"),
        ("a", "MULTI"), ("b", "PUBLISH x between"), ("a", "GET k"),
        ("a", "EXEC"), ("a", "UNSUBSCRIBE"), ("a", "UNSUBSCRIBE"), ("a", "PUNSUBSCRIBE"),
        ("a", "SSUBSCRIBE s"), ("b", "SPUBLISH s hello"), ("a", "HELLO 2 FOO"),
    ],
    "no replies": [
        ("a", "CLIENT REPLY OFF"), ("a", "SET k v"), ("a", "GET k"), ("a", "NOSUCH"),
        ("a", "CLIENT REPLY ON"), ("a", "GET k"), ("a", "CLIENT REPLY SKIP"), ("a", "GET k"),
        ("a", "GET k"), ("a", "CLIENT REPLY SKIP"), ("a", "NOSUCH"), ("a", "PING"),
        ("a", "CLIENT REPLY"), ("a", "CLIENT REPLY FOO"), ("a", "CLIENT REPLY OFF"),
        ("a", "CLIENT REPLY SKIP"), ("a", "PING"), ("a", "CLIENT REPLY ON"), ("a", "PING"),
    ],
    "passwords are wanted": [
        ("a", 'CONFIG SET requirepass sesame'),
        ("a", 'CONFIG GET requirepass'),
        ("a", 'PING'),
        ("a", 'AUTH sesame'),
        ("a", 'AUTH x'),
        ("a", 'PING'),
        ("a", 'AUTH default sesame'),
        ("a", 'AUTH me sesame'),
        ("a", 'AUTH default x'),
        ("a", 'RESET'),
        ("a", 'PING'),
        ("a", 'GET k'),
        ("a", 'SET k v'),
        ("a", 'NOSUCH'),
        ("a", 'GET'),
        ("a", 'MULTI'),
        ("a", 'EXEC'),
        ("a", 'CLIENT ID'),
        ("a", 'HELLO'),
        ("a", 'HELLO 3'),
        ("a", 'HELLO x'),
        ("a", 'HELLO 3 AUTH default x'),
        ("a", 'HELLO 2 SETNAME me AUTH me sesame'),
        ("a", 'AUTH'),
        ("a", 'AUTH a b c'),
        ("a", 'CLIENT GETNAME'),
        ("a", 'RESET'),
        ("a", 'QUITE'),
        ("a", 'AUTH sesame'),
        ("a", 'GET k'),
        ("a", 'CLIENT GETNAME'),
        ("a", [b'CONFIG', b'SET', b'requirepass', b'']),
        ("a", 'RESET'),
        ("a", 'GET k'),
    ],
    "a transaction of one connection": [
        ("a", 'MULTI'),
        ("a", 'INFO nosuch'),
        ("a", 'CONFIG GET databases'),
        ("a", 'TIME x'),
        ("a", 'EXEC'),
        ("a", 'MULTI'),
        ("a", 'ROLE'),
        ("a", 'WAIT 1 0'),
        ("a", 'SCRIPT EXISTS a'),
        ("a", 'SAVE'),
        ("a", 'EXEC'),
        ("a", 'MULTI'),
        ("a", 'SHUTDOWN'),
        ("a", 'EXEC'),
        ("a", 'MULTI'),
        ("a", 'MONITOR x'),
        ("a", 'EXEC'),
    ],
    "the slow log counts": [
        ("a", 'CONFIG SET slowlog-log-slower-than -1'),
        ("a", 'SLOWLOG RESET'),
        ("a", 'CONFIG SET slowlog-log-slower-than 0'),
        ("a", 'PING'),
        ("a", 'SLOWLOG LEN'),
        ("a", 'SLOWLOG LEN'),
        ("a", 'CONFIG SET slowlog-log-slower-than 10000'),
        ("a", 'SLOWLOG RESET'),
        ("a", 'SLOWLOG LEN'),
    ],
    "silent to the end": [
        ("a", "CLIENT REPLY OFF"), ("a", "MULTI"), ("a", "SET k v"), ("a", "EXEC"),
        ("a", "CLIENT REPLY ON"), ("a", "GET k"),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_several_connections_hear_the_same_as_from_redis(two: Two, name: str) -> None:
    if name.endswith("RESP3"):
        two.greet("a")
        two.greet("b")
    for who, line in CONVERSATIONS[name]:
        here, there = two.say(who, line)
        assert (who, line, here) == (who, line, there)
    here, there = two.end()
    assert here == there


# --- notifications about keys -------------------------------------------------------------------

DUMPED = pack(b"dumped")
EVENTS: list[Line] = [
    "SET k v", "SET k w EX 100", "SET k x KEEPTTL", "SET k y NX", "SET j y NX", "GET k",
    "MSET a 1 b 2", "DEL a nothing", "UNLINK b", "DEL nothing", "FLUSHDB", "SET k v",
    "SET k w GET", "SETEX k 100 v", "PSETEX k 100000 v", "SETEX k 0 v", "SETNX k v", "SETNX new v",
    "GETSET k v", "GETSET new2 v", "MSETNX k 1 m 2", "MSETNX m1 1 m2 2",
    "APPEND k w", "APPEND new3 w", [b"APPEND", b"k", b""], [b"APPEND", b"new4", b""],
    "SETRANGE k 3 abc", [b"SETRANGE", b"k", b"3", b""], [b"SETRANGE", b"nothing", b"3", b""],
    "INCR n", "DECR n", "INCRBY n 5", "DECRBY n 5", "INCRBY n 0", "INCRBYFLOAT n 1.5",
    "INCRBYFLOAT n 0", "INCR k", "INCR n",
    "SETBIT bit 7 1", "SETBIT bit 7 1", "SETBIT bit 100 0", "SETBIT bit 100 0", "SETBIT bit2 7 0",
    "BITFIELD bit SET u8 0 5", "BITFIELD bit SET u8 0 5", "BITFIELD bit GET u8 0",
    "BITFIELD bit INCRBY u8 0 0", "BITFIELD bit SET u8 0 1 SET u8 8 2",
    "BITFIELD bit OVERFLOW FAIL INCRBY u2 0 5", "BITFIELD bit3 OVERFLOW FAIL INCRBY u2 0 5",
    "BITFIELD bit OVERFLOW SAT INCRBY u2 0 5", "BITFIELD_RO bit GET u8 0",
    "BITOP AND result k bit", "BITOP NOT result k", "BITOP OR result nothing", "EXISTS result",
    "BITOP OR result nothing",
    "COPY k copied", "COPY k copied", "COPY k copied REPLACE", "COPY k copied DB 5",
    "COPY k copied DB 5 REPLACE", "COPY nothing copied REPLACE", "MOVE copied 5", "MOVE n 5",
    "MOVE nothing 5", "RENAME k l", "RENAME l l", "RENAME nothing l", "RENAME l j",
    "RENAMENX j m1", "RENAMENX j k", "RENAMENX k k",
    "EXPIRE k 100", "EXPIRE k 200 NX", "EXPIRE k 200 GT", "EXPIRE nothing 100", "PEXPIRE k 100000",
    "PERSIST k", "PERSIST k", "PERSIST nothing", "EXPIREAT k 4000000000",
    "PEXPIREAT k 4000000000000", "EXPIRE k 0", "SET k v", "EXPIREAT k 1", "SET k v",
    "PEXPIREAT k -1", "SET k v",
    "GETEX k", "GETEX k EX 100", "GETEX k PERSIST", "GETEX k PERSIST", "GETEX k PXAT 1",
    "GETEX nothing EX 100", "SET k v", "GETDEL k", "GETDEL k",
    [b"RESTORE", b"k", b"0", DUMPED], [b"RESTORE", b"k", b"0", DUMPED],
    [b"RESTORE", b"k", b"100000", DUMPED, b"REPLACE"],
    [b"RESTORE", b"k", b"1", DUMPED, b"REPLACE", b"ABSTTL"],
    [b"RESTORE", b"k", b"1", DUMPED, b"REPLACE", b"ABSTTL"], "EXISTS k",
    "MULTI", "SET k v", "SET k w FOO", "INCR k", "RENAME k l", "EXEC",
    "SET k v PXAT 1", "SET l v PXAT 1", "SET l v EXAT 1 XX", "EXISTS k l",
    "SELECT 5", "FLUSHDB", "SELECT 0", "FLUSHDB",
]  # fmt: skip


@pytest.mark.parametrize("classes", ["KEA", "K$", "Eg", "KEx", "EA", "g$"])
def test_what_happens_to_keys_is_told_as_by_redis(two: Two, classes: str) -> None:
    def check(who: str, line: Line) -> None:
        here, there = two.say(who, line)
        assert (line, here) == (line, there)

    check("b", f"CONFIG SET notify-keyspace-events {classes}")
    check("a", "PSUBSCRIBE __key*__:*")
    for line in EVENTS:
        check("b", line)
    check("b", "SELECT 3")
    check("b", "MULTI")
    for line in EVENTS[:12]:
        check("b", line)
    check("b", "EXEC")
    check("b", "CONFIG SET notify-keyspace-events")
    two.say("b", [b"CONFIG", b"SET", b"notify-keyspace-events", b""])
    for line in EVENTS:
        check("b", line)
    here, there = two.end()
    assert here == there
