"""The gate: no reply shows what a crash could take back, and nobody waits who need not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.server import StartServer
from tests.support.steer import SteeredServer
from tests.support.tools import until
from tests.support.wire import ErrorReply, JsonLines, Resp, frame


@pytest.fixture
def steered(start_server: StartServer, tmp_path: Path) -> SteeredServer:
    return SteeredServer(start_server, tmp_path)


@pytest.fixture
def writer(steered: SteeredServer) -> Iterator[Resp]:
    with steered.server.resp() as connection:
        yield connection


@pytest.fixture
def reader(steered: SteeredServer, writer: Resp) -> Iterator[Resp]:
    """A second connection, with which syncs run beside the loop; a, b and c are safe."""
    with steered.server.resp() as connection:
        assert connection.call("MSET", "a", 1, "b", 2, "c", 3) == "OK"
        yield connection


@pytest.fixture
def lines(steered: SteeredServer, reader: Resp) -> Iterator[JsonLines]:
    with steered.server.json() as connection:
        assert connection.read("a") == "1"
        yield connection


def test_no_reply_leaves_before_its_sync(steered: SteeredServer, writer: Resp) -> None:
    steered.hold()
    steered.send_held(writer, "SET", "k", 1)
    assert writer.silent()
    steered.release()
    assert writer.reply() == "OK"


def test_no_reply_leaves_before_its_sync_beside_others(
    steered: SteeredServer, writer: Resp, reader: Resp, lines: JsonLines
) -> None:
    steered.hold()
    steered.send_held(writer, "SET", "k", 1)
    lines.send(b'{"command": "batch_put", "keys": ["x", "y"], "values": [1, 2]}\n')
    reader.send(frame("DEL", "c"))
    assert lines.silent()
    assert reader.silent(0)
    assert writer.silent(0)
    steered.release()
    assert writer.reply() == "OK"
    assert lines.reply() == {"status": "ok", "result": True}
    assert reader.reply() == 1


def test_replies_behind_a_held_one_keep_their_order(
    steered: SteeredServer, writer: Resp, reader: Resp
) -> None:
    steered.hold()
    steered.send_held(writer, "SET", "k", 1)
    writer.send(frame("PING") + frame("GET", "a") + frame("GET", "k"))
    assert writer.silent()
    steered.release()
    assert [writer.reply() for _ in range(4)] == ["OK", "PONG", b"1", b"1"]


ENDS: dict[str, tuple[bytes, bytes]] = {
    "QUIT": (frame("QUIT"), b"+OK\r\n"),
    "the end of input": (b"", b""),
    "SHUTDOWN": (frame("SHUTDOWN"), b""),
    "lost framing": (b"*x\r\n", b"-ERR Protocol error: invalid multibulk length\r\n"),
}


@pytest.mark.parametrize("case", ENDS)
def test_the_end_of_a_connection_waits_for_its_replies(
    steered: SteeredServer, writer: Resp, reader: Resp, case: str
) -> None:
    end, last = ENDS[case]
    steered.hold()
    steered.send_held(writer, "SET", "k", 1)
    writer.send(end)
    writer.finish()
    assert writer.silent(0.1)
    steered.release()
    assert writer.rest() == b"+OK\r\n" + last


def test_a_writer_that_leaves_before_its_sync_disturbs_nobody(
    steered: SteeredServer, writer: Resp, reader: Resp
) -> None:
    steered.hold()
    steered.send_held(writer, "SET", "k", 1)
    writer.send(frame("GET", "k"))
    writer.close()
    assert reader.call("GET", "a") == b"1"
    reader.send(frame("GET", "k"))
    steered.release()
    assert reader.reply() == b"1"


SHOWS_IT: dict[str, tuple[tuple[str, ...], tuple[str, ...], object]] = {
    "its value": (("SET", "a", "new"), ("GET", "a"), b"new"),
    "its length": (("SET", "a", "new"), ("STRLEN", "a"), 3),
    "that it is there": (("SET", "new", "1"), ("EXISTS", "new"), 1),
    "its type": (("SET", "new", "1"), ("TYPE", "new"), "string"),
    "it among others": (("SET", "new", "1"), ("MGET", "b", "new"), [b"2", b"1"]),
    "it in a range": (("SET", "bb", "1"), ("KV.RANGE", "[b", "(c"), [b"b", b"2", b"bb", b"1"]),
    "that it was deleted": (("DEL", "a"), ("GET", "a"), None),
    "that there is nothing to delete": (("DEL", "a"), ("DEL", "a"), 0),
    "a range without it": (("DEL", "b"), ("KV.RANGE", "[a", "[c"), [b"a", b"1", b"c", b"3"]),
    "that it was flushed": (("FLUSHALL",), ("GET", "a"), None),
    "that all was flushed": (("FLUSHDB",), ("KV.RANGE", "-", "+"), []),
    "how many there are": (("SET", "new", "1"), ("DBSIZE",), 4),
    "that it is taken": (("SET", "new", "1"), ("SET", "new", "2", "NX"), None),
}


@pytest.mark.parametrize("case", SHOWS_IT)
def test_a_reply_that_shows_an_unsynced_write_waits(
    steered: SteeredServer, writer: Resp, reader: Resp, case: str
) -> None:
    write, read, expected = SHOWS_IT[case]
    steered.hold()
    steered.send_held(writer, *write)
    reader.send(frame(*read))
    assert reader.silent(0.1)
    steered.release()
    assert reader.reply() == expected
    assert not isinstance(writer.reply(), ErrorReply)


def test_json_lines_that_show_an_unsynced_write_wait(
    steered: SteeredServer, writer: Resp, lines: JsonLines
) -> None:
    steered.hold()
    steered.send_held(writer, "MSET", "a", "new", "ab", "new")
    lines.send(b'{"command": "read", "key": "a"}\n')
    lines.send(b'{"command": "read_key_range", "start_key": "aa", "end_key": "b"}\n')
    assert lines.silent(0.1)
    steered.release()
    assert lines.reply()["result"] == "new"
    assert lines.reply()["result"] == {"ab": "new", "b": "2"}


def test_readers_of_other_keys_do_not_wait(
    steered: SteeredServer, writer: Resp, reader: Resp, lines: JsonLines
) -> None:
    steered.hold()
    steered.send_held(writer, "SET", "k", 1)
    assert reader.call("PING") == "PONG"
    assert reader.call("GET", "a") == b"1"
    assert reader.call("MGET", "b", "nothing") == [b"2", None]
    assert reader.call("KV.RANGE", "[a", "[c", "KEYSONLY") == [b"a", b"b", b"c"]
    assert lines.read("b") == "2"
    with steered.server.resp() as newcomer:
        assert newcomer.call("EXISTS", "a", "b", "c") == 3
    assert steered.holding()
    steered.release()
    assert writer.reply() == "OK"


def test_what_gathers_during_a_sync_goes_with_the_next(
    steered: SteeredServer, writer: Resp, reader: Resp
) -> None:
    others = [steered.server.resp() for _ in range(10)]
    steered.hold()
    steered.send_held(writer, "SET", "k", 1)
    for number, other in enumerate(others):
        other.send(frame("SET", f"k{number}", number))
    for other in others:
        assert other.silent(0.01)
    steered.release()
    assert writer.reply() == "OK"
    assert [other.reply() for other in others] == ["OK"] * 10


def fails(connection: Resp) -> bool:
    """Whether the reply is an error, after which the server may have closed the connection."""
    reply = connection.reply()
    return isinstance(reply, ErrorReply) and "Input/output error" in str(reply)


def fail_a_sync(steered: SteeredServer, connection: Resp) -> None:
    """One write, of the key "unsafe", whose sync fails."""
    steered.hold()
    steered.send_held(connection, "SET", "unsafe", 1)
    steered.switch("fail")
    steered.release()


def test_after_a_failed_sync_the_writer_gets_an_error_and_not_ok(
    steered: SteeredServer, writer: Resp
) -> None:
    assert writer.call("SET", "a", 1) == "OK"
    fail_a_sync(steered, writer)
    assert fails(writer)


def test_after_a_failed_sync_everybody_who_waits_gets_an_error(
    steered: SteeredServer, writer: Resp, reader: Resp, lines: JsonLines
) -> None:
    steered.hold()
    steered.send_held(writer, "SET", "a", "unsafe")
    reader.send(frame("GET", "a"))
    lines.send(b'{"command": "put", "key": "b", "value": "unsafe"}\n')
    assert reader.silent()
    steered.switch("fail")
    steered.release()
    assert fails(writer)
    assert fails(reader)
    answer = lines.reply()
    assert answer["status"] == "error"
    assert "Input/output error" in answer["message"]


@pytest.mark.parametrize("alone", [True, False], ids=["on the loop", "beside the loop"])
def test_after_a_failed_sync_writes_are_refused_and_safe_keys_are_read_on(
    steered: SteeredServer, alone: bool
) -> None:
    server = steered.server
    with server.resp() as connection:
        assert connection.call("MSET", "a", 1, "b", 2) == "OK"
        bystanders = [] if alone else [server.resp() for _ in range(2)]
        fail_a_sync(steered, connection)
        assert fails(connection)
    steered.switch("fail", False)  # also when the disk would work again
    for connection in [*bystanders, server.resp()]:
        reply = connection.call("SET", "a", 2)
        assert isinstance(reply, ErrorReply)
        assert "MISCONF" in str(reply)
        assert "Input/output error" in str(reply)
        assert isinstance(connection.call("DEL", "b"), ErrorReply)
        assert connection.call("MGET", "a", "b") == [b"1", b"2"]
    with server.json() as lines:
        assert lines.call(command="delete", key="a")["status"] == "error"
        assert lines.read("a") == "1"
    with server.resp() as connection:
        connection.send(frame("GET", "unsafe"))
        assert fails(connection)


def test_after_a_failed_sync_and_a_restart_everything_acknowledged_is_there(
    steered: SteeredServer, writer: Resp, reader: Resp
) -> None:
    for number in range(50):
        assert writer.call("SET", f"k{number}", number) == "OK"
    fail_a_sync(steered, writer)
    assert fails(writer)
    assert isinstance(reader.call("SET", "refused", 1), ErrorReply)
    steered.switch("fail", False)
    steered.server.terminate()
    steered.server.start()
    with steered.server.resp() as connection:
        for number in range(50):
            assert connection.call("GET", f"k{number}") == str(number).encode()
        assert connection.call("GET", "refused") is None
        assert connection.call("SET", "k0", "again") == "OK"


def test_a_failed_sync_is_shown_by_info(steered: SteeredServer, writer: Resp) -> None:
    fail_a_sync(steered, writer)
    assert fails(writer)
    with steered.server.resp() as connection:
        assert b"aof_last_write_status:err" in connection.call("INFO", "persistence")


def fill(connection: Resp, refused: Callable[[object], bool]) -> int:
    """Write until it is refused; how many writes were acknowledged."""
    value = b"x" * 10_000
    for number in range(1000):
        if refused(connection.call("SET", f"fill{number}", value)):
            return number
    raise AssertionError("10 MB were written where there was no room")


def test_a_full_disk_refuses_writes_keeps_reads_and_recovers_by_itself(
    start_server: StartServer, tmp_path: Path
) -> None:
    steered = SteeredServer(start_server, tmp_path, "--memory", "8MB")
    with steered.server.resp() as connection:
        steered.switch("full")
        done = fill(connection, lambda reply: isinstance(reply, ErrorReply))
        assert done > 10
        reply = connection.call("MSET", "fill0", b"new" * 5000, "more", b"x" * 10_000)
        assert isinstance(reply, ErrorReply)
        assert str(reply).startswith("MISCONF no room")
        assert connection.call("STRLEN", "fill0") == 10_000
        assert connection.call("EXISTS", "more") == 0
        steered.switch("full", False)
        assert connection.call("SET", "more", b"x" * 10_000) == "OK"
    steered.server.restart()
    with steered.server.resp() as connection:
        assert connection.call("DBSIZE") == done + 1


def test_a_stop_waits_for_the_sync_that_is_under_way(
    steered: SteeredServer, writer: Resp, reader: Resp
) -> None:
    steered.hold()
    steered.send_held(writer, "SET", "k", 1)
    steered.server.process.terminate()
    until(lambda: "stopping" in steered.server.stderr(), "it stops")
    assert writer.silent()
    steered.release()
    assert writer.reply() == "OK"
    assert steered.server.wait() == 0
