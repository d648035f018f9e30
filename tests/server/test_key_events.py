"""What other protocols and Kveik's own commands do to keys: who is told, and what a pause holds.

What Redis' commands tell is compared with Redis in test_talk_like_redis.py.
"""

from __future__ import annotations

import pickle

import pytest
from tests.server.bench import Bench, Transport
from tests.support.wire import frame

from kveik.server.session import Session

Event = tuple[bytes, bytes]


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.session.data_received(frame("CONFIG", "SET", "notify-keyspace-events", "EA"))
    bench.session.data_received(frame("PSUBSCRIBE", "__keyevent@0__:*"))
    bench.loop.turn()
    return bench


def message(request: object) -> bytes:
    data = pickle.dumps(request)
    return len(data).to_bytes(4, "big") + data


def heard(bench: Bench, pair: tuple[Session, Transport], data: bytes) -> list[Event]:
    """What the first connection is told when another one says this, as (event, key)."""
    bench.transport.written = b""
    pair[0].data_received(data)
    bench.loop.turn()
    words = bench.transport.written.split(b"\r\n")
    return [
        (word.partition(b":")[2], words[at + 2])
        for at, word in enumerate(words)
        if word.startswith(b"__keyevent@0__:") and not word.endswith(b":*")
    ]


@pytest.mark.parametrize(
    ("data", "events"),
    [
        (frame("KV.CAS", "k", "v", "w"), [(b"set", b"k")]),
        (frame("KV.CAS", "k", "v"), [(b"del", b"k")]),
        (frame("KV.CAS", "k", "x", "w"), []),
        (frame("KV.DELRANGE", "-", "+"), []),  # they are not named
        (frame("GETDEL", "k"), [(b"del", b"k")]),
    ],
    ids=["exchanged", "deleted", "not as expected", "a range", "GETDEL"],
)
def test_kv_commands_tell_what_they_do(bench: Bench, data: bytes, events: list[Event]) -> None:
    pair = bench.connect()
    assert heard(bench, pair, frame("SET", "k", "v")) == [(b"set", b"k")]
    assert heard(bench, pair, data) == events


def test_what_the_framed_protocol_does_is_told(bench: Bench) -> None:
    pair = bench.connect("frame")

    def told(**request: object) -> list[Event]:
        return heard(bench, pair, message(request))

    name = told(cmd="SET", key="k", value=1)[0][1]
    assert name.endswith(b"k")
    assert told(cmd="PUT", key="k", value=1) == [(b"set", name)]
    assert told(cmd="GET", key="k") == []
    items = told(cmd="BULKSET", items=[("a", 1), ("b", 2)])
    assert [event for event, _ in items] == [b"set", b"set"]
    assert told(cmd="BATCH_PUT", keys=["k"], values=[2]) == [(b"set", name)]
    assert told(cmd="DELETE", key="k") == [(b"del", name)]
    assert told(cmd="DELETE", key="k") == []
    assert told(cmd="BULKSET", items=[("a", 1), 5]) == []


def test_what_the_text_protocol_does_is_told(bench: Bench) -> None:
    pair = bench.connect("text")
    assert heard(bench, pair, b"SET k v\n") == [(b"set", b"k")]
    assert heard(bench, pair, b"GET k\n") == []
    assert heard(bench, pair, b"DELETE k\n") == [(b"del", b"k")]
    assert heard(bench, pair, b"DELETE k\n") == []


def test_what_json_lines_do_is_told(bench: Bench) -> None:
    pair = bench.connect("json")
    put = b'{"command": "batch_put", "keys": ["a", "b"], "values": [1, 2]}\n'
    assert heard(bench, pair, put) == [(b"set", b"a"), (b"set", b"b")]
    assert heard(bench, pair, b'{"command": "delete", "key": "a"}\n') == [(b"del", b"a")]


# --- CLIENT PAUSE -------------------------------------------------------------------------------

READS = {
    "frame": [message({"cmd": name, "key": "k"}) for name in ("get", "EXISTS", "NOSUCH")],
    "text": [b"GET k\n", b"PING\n", b"NOSUCH\n"],
    "json": [b'{"command": "read", "key": "k"}\n', b'{"command": "ping"}\n'],
}
WRITES = {
    "frame": [
        message({"cmd": "set", "key": "k", "value": 1}),
        message({"cmd": "Delete", "key": "k"}),
        message({"cmd": "BULKSET", "items": []}),
        message({"cmd": "BATCH_PUT", "keys": [], "values": []}),
    ],
    "text": [b"SET k v\n", b"DELETE k\n"],
    "json": [b'{"command": "put", "key": "k", "value": 1}\n'],
}


@pytest.mark.parametrize("protocol", READS)
def test_a_pause_of_writes_lets_reads_pass(protocol: str) -> None:
    bench = Bench()
    bench.session.data_received(frame("CLIENT", "PAUSE", "100000", "WRITE"))
    for data in READS[protocol]:
        session, transport = bench.connect(protocol)
        session.data_received(data)
        bench.loop.turn()
        assert transport.written, data
    for data in WRITES[protocol]:
        session, transport = bench.connect(protocol)
        session.data_received(data)
        bench.loop.turn()
        assert not transport.written, data
        bench.server.resume()
        bench.loop.turn()
        assert transport.written, data
        bench.session.data_received(frame("CLIENT", "PAUSE", "100000", "WRITE"))


@pytest.mark.parametrize("protocol", READS)
def test_a_pause_of_everything_holds_reads(protocol: str) -> None:
    bench = Bench()
    bench.session.data_received(frame("CLIENT", "PAUSE", "100000"))
    session, transport = bench.connect(protocol)
    session.data_received(READS[protocol][0])
    bench.loop.turn()
    assert not transport.written
