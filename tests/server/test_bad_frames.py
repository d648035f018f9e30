"""Bad messages of the length-prefixed protocol and lines of the text protocol: an error each,
nothing run, nothing lost, and everybody else is served on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.plain import BOMBS, BROKEN, exploits
from tests.support.server import Server
from tests.support.tools import until
from tests.support.wire import Framed, Resp, message

from kveik.limits import MAX_FRAME

SET = {"cmd": "SET", "key": "kept", "value": "lost"}


@pytest.fixture(scope="module")
def bystander(shared_server: Server) -> Iterator[Framed]:
    """Another client, connected all the while."""
    with shared_server.framed() as connection:
        assert connection.call("SET", key="kept", value=("safe",)) == "OK"
        yield connection


def assert_served(server: Server, bystander: Framed) -> None:
    assert bystander.call("GET", key="kept") == ("safe",)
    with server.framed() as newcomer:
        assert newcomer.call("GET", key="kept") == ("safe",)


def framed(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def test_nothing_of_a_hostile_pickle_runs(
    shared_server: Server, bystander: Framed, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    with shared_server.framed() as connection:
        for name, (data, opcode) in exploits(str(touched)).items():
            connection.send(framed(data))
            answer = connection.reply()
            assert answer["error"] == "UNSAFE_PICKLE", name
            assert opcode in answer["message"], name
        for name, data in BROKEN.items():
            connection.send(framed(data))
            assert connection.reply()["error"] == "INVALID_REQUEST", name
        assert connection.call("GET", key="kept") == ("safe",)
    assert not touched.exists()
    assert_served(shared_server, bystander)


def test_bombs_are_refused_and_take_little(shared_server: Server, bystander: Framed) -> None:
    before = shared_server.resident()
    with shared_server.framed() as connection:
        for name, data in BOMBS.items():
            connection.send(framed(data))
            code = connection.reply()["error"]
            assert code in ("MESSAGE_TOO_LARGE", "INVALID_REQUEST"), name
        assert connection.call("GET", key="kept") == ("safe",)
    assert shared_server.resident() - before < 400 << 20
    assert_served(shared_server, bystander)


def test_a_message_too_large_is_told_at_once_and_left_out(
    shared_server: Server, bystander: Framed
) -> None:
    with shared_server.framed() as connection:
        assert connection.call("PING") == "PONG"
        connection.send((MAX_FRAME + 1).to_bytes(4, "big"))
        assert connection.reply()["error"] == "MESSAGE_TOO_LARGE"
        connection.send(bytes(MAX_FRAME + 1))
        assert connection.call("GET", key="kept") == ("safe",)
        connection.send(b"\xff\xff\xff\xff")
        assert connection.reply()["error"] == "MESSAGE_TOO_LARGE"
    assert_served(shared_server, bystander)


def test_a_client_may_vanish_at_every_byte_of_a_request(
    shared_server: Server, bystander: Framed
) -> None:
    data = message(SET)
    for end in range(len(data)):
        with shared_server.framed() as connection:
            connection.send(data[:end])
            if end % 2:
                connection.finish()
                assert connection.rest() == b""
    assert_served(shared_server, bystander)


def test_half_messages_that_never_end_take_what_has_come(
    shared_server: Server, bystander: Framed
) -> None:
    before = shared_server.resident()
    crowd = [shared_server.framed() for _ in range(50)]
    for connection in crowd:
        connection.send(message({"cmd": "PING"}))
        connection.send(MAX_FRAME.to_bytes(4, "big") + b"x" * 1000)
        assert connection.reply() == "PONG"
    assert shared_server.resident() - before < 50 << 20
    assert_served(shared_server, bystander)
    for connection in crowd:
        connection.close()


def test_requests_in_a_pipeline_are_answered_in_order(shared_server: Server) -> None:
    with shared_server.framed() as connection:
        wanted = []
        data = b""
        for number in range(500):
            data += message({"cmd": "SET", "key": ("p", number % 7), "value": {number}})
            data += message({"cmd": "GET", "key": ("p", number % 7)})
            wanted += ["OK", {number}]
        connection.send(data)
        assert [connection.reply() for _ in wanted] == wanted


def test_a_client_that_leaves_before_its_answers_are_read_disturbs_nobody(
    shared_server: Server, bystander: Framed
) -> None:
    assert bystander.call("SET", key="large", value="x" * 100_000) == "OK"
    for _ in range(5):
        with shared_server.framed() as connection:
            connection.send(message({"cmd": "GET", "key": "large"}) * 200)
        assert_served(shared_server, bystander)


def test_a_request_byte_by_byte(shared_server: Server) -> None:
    with shared_server.framed() as connection, shared_server.resp() as other:
        for byte in message({"cmd": "EXISTS", "key": "kept"}):
            connection.send(bytes((byte,)))
            assert other.call("PING") == "PONG"
        assert connection.reply() is True


# --- the text protocol --------------------------------------------------------------------------


def test_bad_lines_get_one_error_each(shared_server: Server, bystander: Framed) -> None:
    with shared_server.text() as connection:
        for line in (b"FLY", b"SET kept", b"SET kept \xfe", b"GET kept kept", b"\xff\xfbSET kept"):
            connection.send(line + b"\r\n")
            assert connection.reply()["status"] == "ERROR"
        assert connection.call("PING") == {"status": "OK", "message": "PONG"}
    assert_served(shared_server, bystander)


def test_a_line_too_long_is_told_and_ends_the_connection(
    shared_server: Server, bystander: Framed
) -> None:
    with shared_server.text() as connection:
        connection.send(b"SET kept " + b"x" * (64 * 1024 * 1024 + 1))
        assert "at most 67108864 bytes" in json.loads(connection.rest())["message"]
    assert_served(shared_server, bystander)


def test_a_text_client_may_vanish_at_every_byte_of_a_line(
    shared_server: Server, bystander: Framed
) -> None:
    line = b"SET kept lost"
    for end in range(len(line)):
        with shared_server.text() as connection:
            connection.send(line[:end])
    assert_served(shared_server, bystander)


@pytest.mark.parametrize("line", [b"SET kept lo", b"DELETE kept", b"FLUSH", b"SHUTDOWN"])
def test_a_last_line_without_its_end_changes_nothing(
    shared_server: Server, bystander: Framed, line: bytes
) -> None:
    with shared_server.text() as connection:
        connection.send(line)
        connection.finish()
        assert "has no end" in json.loads(connection.rest())["message"]
    assert_served(shared_server, bystander)


def test_a_last_line_without_its_end_is_answered(shared_server: Server) -> None:
    with shared_server.text() as connection:
        connection.send(b"SET last 1\nGET last")
        connection.finish()
        answers = [json.loads(line) for line in connection.rest().splitlines()]
    assert [answer["status"] for answer in answers] == ["OK", "OK"]
    assert answers[1]["value"] == 1


def test_a_shutdown_answers_and_ends_cleanly(server: Server) -> None:
    with server.text() as connection:
        assert connection.call("SET k v")["status"] == "OK"
        assert connection.call("SHUTDOWN") == {"status": "OK", "message": "Server shutting down"}
        assert connection.rest() == b""
    assert server.wait() == 0
    server.start()
    with server.text() as connection:
        assert connection.get("k") == "v"


def test_flush_and_snapshot_hold_up_nobody(server: Server) -> None:
    with server.text() as connection, server.resp() as other:
        for number in range(200):
            connection.send(b"SET k%d %s\n" % (number, b"x" * 1000))
        for _ in range(200):
            assert connection.reply()["status"] == "OK"
        connection.send(b"FLUSH\nSNAPSHOT\nSNAPSHOT\nGET k7\n")
        for _ in range(50):
            assert other.call("SET", "mine", "1") == "OK"
            assert other.call("GET", "k8") == b"x" * 1000
        assert connection.reply()["status"] == "OK"
        first, second = connection.reply()["message"], connection.reply()["message"]
        assert connection.reply()["value"] == "x" * 1000
    folder = server.data_dir.with_name("data-snapshots")
    copies = sorted(folder.iterdir())
    assert len(copies) == 2
    for copy, told in zip(copies, sorted([first, second]), strict=True):
        assert told == f"Snapshot made in {copy}"
    assert list(server.data_dir.glob("*.tbl"))
    server.terminate()
    copy = Server(copies[0], server.data_dir.parent)
    copy.start()
    try:
        with copy.resp() as connection:
            assert connection.call("GET", "k199") == b"x" * 1000
    finally:
        copy.terminate()


def test_who_leaves_during_a_snapshot_disturbs_nobody(server: Server) -> None:
    with server.text() as connection:
        connection.call("SET k v")
    for _ in range(5):
        with server.text() as connection:
            connection.send(b"SNAPSHOT\nFLUSH\n")
    with server.text() as connection:
        assert connection.call("SNAPSHOT")["status"] == "OK"
        assert connection.get("k") == "v"
    folder = server.data_dir.with_name("data-snapshots")
    until(lambda: all((copy / "KVEIK").exists() for copy in folder.iterdir()), "copies are made")


def test_a_place_for_snapshots_may_be_given(start_server: object, tmp_path: Path) -> None:
    server = start_server("--snapshot-dir", str(tmp_path / "safe"))  # type: ignore[operator]
    with server.text() as connection:
        told = connection.call("SNAPSHOT")["message"]
    (copy,) = (tmp_path / "safe").iterdir()
    assert str(copy) in told


def test_where_no_snapshot_can_be_made_is_told(start_server: object, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    server = start_server("--snapshot-dir", str(tmp_path / "file"))  # type: ignore[operator]
    with server.text() as connection:
        answer = connection.call("SNAPSHOT")
        assert answer["status"] == "ERROR"
        assert "no snapshot can be made" in answer["message"]
        assert connection.call("SET k v")["status"] == "OK"


def test_a_keys_of_many_waits_for_no_one_and_no_one_for_it(shared_server: Server) -> None:
    with shared_server.framed() as connection, Resp(shared_server.port) as other:
        assert connection.call("BULKSET", items=[(("n", n), n) for n in range(20_000)]) == "OK"
        connection.send(message({"cmd": "GET_RANGE", "start": ("n", 0), "end": ("n", 1 << 60)}))
        for _ in range(20):
            assert other.call("SET", "meanwhile", "1") == "OK"
        found = connection.reply()
    assert found == [(("n", n), n) for n in range(20_000)]
