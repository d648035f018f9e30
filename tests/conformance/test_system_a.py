"""System A as its users write it: the start command, KVDBClient, KeyValueDB, the demo."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path

import pytest
from tests.support.server import Server, StartServer
from tests.support.tools import run
from tests.support.wire import JsonLines

from kveik import KeyValueDB, KVDBClient


@pytest.fixture
def db_server(start_server: StartServer) -> Server:
    """Started as `--host localhost --port ... --data-dir ...`."""
    return start_server("--host", "localhost")


def test_the_client_in_a_with_statement(db_server: Server) -> None:
    with KVDBClient(host="localhost", port=db_server.port) as client:
        client.put("user:1", {"name": "Alice", "age": 30})
        user = client.read("user:1")
        assert user == {"name": "Alice", "age": 30}

        client.batch_put(["key1", "key2", "key3"], ["value1", "value2", "value3"])
        results = client.read_key_range("key1", "key3")
        assert results == {"key1": "value1", "key2": "value2", "key3": "value3"}
        for key, value in results.items():
            assert value == key.replace("key", "value")

        assert client.delete("user:1")
        assert client.read("user:1") is None


def test_many_clients_write_at_once_and_nothing_is_lost(db_server: Server) -> None:
    def write(number: int) -> None:
        with KVDBClient("localhost", db_server.port) as client:
            for turn in range(20):
                client.put(f"client{number:02}:{turn:02}", {"turn": turn})

    threads = [threading.Thread(target=write, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with KVDBClient("localhost", db_server.port) as client:
        found = client.read_key_range("client", "client~")
    expected = {f"client{n:02}:{t:02}": {"turn": t} for n in range(10) for t in range(20)}
    assert list(found.items()) == sorted(expected.items())


def test_data_survive_a_restart_of_the_server(db_server: Server) -> None:
    with KVDBClient("localhost", db_server.port) as client:
        client.put("persistent", ["data", 1, None])
        client.put("deleted", 1)
        client.delete("deleted")
    db_server.restart()
    with KVDBClient("localhost", db_server.port) as client:
        assert client.read("persistent") == ["data", 1, None]
        assert client.read("deleted") is None


def test_the_embedded_database_in_a_with_statement(tmp_path: Path) -> None:
    with KeyValueDB(str(tmp_path / "data")) as db:
        assert db.put("user:1", {"name": "Alice"}) is True
        assert db.read("user:1") == {"name": "Alice"}
        assert db.batch_put(["k2", "k1", "k3"], ["v2", 1, None]) is True
        assert list(db.read_key_range("k1", "k3").items()) == [
            ("k1", 1),
            ("k2", "v2"),
            ("k3", None),
        ]
        assert db.delete("k1") is True
        assert db.delete("k1") is False
        with pytest.raises(ValueError, match="2 keys for 1 values"):
            db.batch_put(["k1", "k2"], ["v1"])
    with KeyValueDB(tmp_path / "data") as db:
        assert db.read("user:1") == {"name": "Alice"}
        assert db.read_key_range("k1", "k2") == {"k2": "v2"}


def test_the_embedded_database_in_the_default_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    db = KeyValueDB()
    db.put("k", "v")
    db.close()
    assert (tmp_path / "data").is_dir()
    with KeyValueDB("data") as again:
        assert again.read("k") == "v"


def test_the_embedded_database_serves_several_threads(tmp_path: Path) -> None:
    with KeyValueDB(tmp_path / "data") as db:

        def work(number: int) -> None:
            for turn in range(30):
                db.put(f"t{number}:{turn}", turn)
                db.batch_put([f"t{number}:a", f"t{number}:b"], [turn, turn])
                pair = db.read_key_range(f"t{number}:a", f"t{number}:b")
                if set(pair.values()) != {turn}:
                    torn.append(pair)

        torn: list[object] = []
        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not torn
        assert len(db.read_key_range("t", "u")) == 8 * 32


def test_what_a_server_wrote_the_embedded_database_reads(db_server: Server) -> None:
    with KVDBClient("localhost", db_server.port) as client:
        client.batch_put(["text", "json"], ["v", {"a": [1]}])
    db_server.terminate()
    with KeyValueDB(db_server.data_dir) as db:
        assert db.read_key_range("json", "text") == {"json": {"a": [1]}, "text": "v"}
        db.put("more", 1)
    db_server.start()
    with KVDBClient("localhost", db_server.port) as client:
        assert client.read("more") == 1


def test_the_demo_runs_every_operation_and_leaves_nothing(db_server: Server) -> None:
    command = (sys.executable, "-m", "kveik", "demo", "--host", "localhost")
    shown = run(*command, "--port", db_server.port)
    for operation in ("put", "read", "read_key_range", "batch_put", "delete"):
        assert f"  {operation}(" in shown
    assert "the server says: 1 keys for 0 values" in shown
    with JsonLines(db_server.port, "localhost") as lines:
        answer = lines.call(command="read_key_range", start_key="", end_key="~")
    assert answer == {"status": "ok", "result": {}}


def test_the_answers_are_json_objects_on_one_line_each(db_server: Server) -> None:
    with JsonLines(db_server.port, "localhost") as lines:
        lines.send(b'{"command": "put", "key": "k", "value": "two\\nlines"}\n')
        assert lines.line() == b'{"status": "ok", "result": true}\n'
        lines.send(b'{"command": "read", "key": "k"}\n')
        assert json.loads(lines.line()) == {"status": "ok", "result": "two\nlines"}
        lines.send(b'{"command": "sing"}\n')
        told = json.loads(lines.line())
        assert list(told) == ["status", "message"]
