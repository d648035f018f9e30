"""KeyValueDB: the five operations of the JSON lines database, in this process."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import kveik
from kveik import KeyValueDB
from kveik.errors import ClosedError, KveikError, LimitError, LockedError
from kveik.limits import MAX_KEY

VALUES: list[object] = [
    "text",
    "",
    1,
    -2.5,
    True,
    None,
    [1, [2]],
    {"a": {"b": None}},
    "ü\U0001f37a",
]


def test_put_read_and_delete(tmp_path: Path) -> None:
    with KeyValueDB(tmp_path) as db:
        assert db.put("mykey", "myvalue") is True
        assert db.read("mykey") == "myvalue"
        assert db.put("mykey", "another") is True
        assert db.read("mykey") == "another"
        assert db.delete("mykey") is True
        assert db.read("mykey") is None
        assert db.delete("mykey") is False


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_value_is_anything_json_can_say(tmp_path: Path, value: object) -> None:
    with KeyValueDB(tmp_path) as db:
        db.put("k", value)
        assert db.read("k") == value
        assert type(db.read("k")) is type(value)
        assert db.read_key_range("k", "k") == {"k": value}


def test_a_range_includes_both_ends_and_is_in_key_order(tmp_path: Path) -> None:
    with KeyValueDB(tmp_path) as db:
        for key in ("key3", "key1", "key5", "key2", "key4", "key33"):
            db.put(key, key.upper())
        assert list(db.read_key_range("key2", "key4").items()) == [
            ("key2", "KEY2"),
            ("key3", "KEY3"),
            ("key33", "KEY33"),
            ("key4", "KEY4"),
        ]
        assert list(db.read_key_range("key1", "key1")) == ["key1"]
        assert list(db.read_key_range("key31", "key32")) == []
        assert db.read_key_range("key4", "key2") == {}
        assert list(db.read_key_range("", "key2")) == ["key1", "key2"]
        assert db.read_key_range("", "") == {}


def test_a_range_of_text_is_in_the_order_of_its_code_points(tmp_path: Path) -> None:
    keys = ["Z", "a", "z", "é", "日本", "\U0001f37a"]
    with KeyValueDB(tmp_path) as db:
        for key in reversed(keys):
            db.put(key, None)
        assert list(db.read_key_range("A", "\U0010ffff")) == keys


def test_a_range_may_end_at_the_longest_key(tmp_path: Path) -> None:
    longest = "k" * MAX_KEY
    with KeyValueDB(tmp_path) as db:
        db.put(longest, 1)
        db.put("l", 2)
        assert db.read_key_range("a", longest) == {longest: 1}


def test_a_batch_is_put_whole_or_not_at_all(tmp_path: Path) -> None:
    with KeyValueDB(tmp_path) as db:
        assert db.batch_put(["k1", "k2", "k1"], ["v1", ["v2"], "v3"]) is True
        assert db.read_key_range("k1", "k2") == {"k1": "v3", "k2": ["v2"]}
        assert db.batch_put([], []) is True
        with pytest.raises(ValueError, match="2 keys for 1 values"):
            db.batch_put(["a", "b"], [1])
        for keys, values in ((["a", ""], [1, 2]), (["a", "b"], [1, {2}]), (["a", 7], [1, 2])):
            with pytest.raises((TypeError, LimitError)):
                db.batch_put(keys, values)
        assert db.read("a") is None


@pytest.mark.parametrize("key", [b"bytes", 1, None, ("a",)])
def test_a_key_that_is_no_text_is_a_type_error(tmp_path: Path, key: str) -> None:
    with KeyValueDB(tmp_path) as db:
        for call in (
            lambda: db.put(key, 1),
            lambda: db.read(key),
            lambda: db.delete(key),
            lambda: db.read_key_range(key, "z"),
            lambda: db.read_key_range("a", key),
            lambda: db.batch_put([key], [1]),
        ):
            with pytest.raises(TypeError, match="str"):
                call()


@pytest.mark.parametrize("key", ["", "\ud800", "k" * (MAX_KEY + 1)], ids=["empty", "lone", "long"])
def test_a_key_past_its_bounds_is_a_limit_error(tmp_path: Path, key: str) -> None:
    with KeyValueDB(tmp_path) as db:
        for call in (lambda: db.put(key, 1), lambda: db.read(key), lambda: db.delete(key)):
            with pytest.raises(LimitError):
                call()


def test_a_range_with_an_end_that_is_no_unicode_is_a_limit_error(tmp_path: Path) -> None:
    with KeyValueDB(tmp_path) as db:
        for start, end in (("a", "\ud800"), ("\ud800", "z")):
            with pytest.raises(LimitError):
                db.read_key_range(start, end)


def test_everything_is_there_after_reopening_and_deleted_keys_are_not(tmp_path: Path) -> None:
    with KeyValueDB(tmp_path / "data") as db:
        db.put("a", {"x": [1]})
        db.batch_put(["b", "c"], [2, 3])
        db.delete("b")
    with KeyValueDB(tmp_path / "data") as db:
        assert db.read_key_range("a", "z") == {"a": {"x": [1]}, "c": 3}


def test_the_directory_is_data_where_nobody_says_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with KeyValueDB() as db:
        db.put("k", 1)
    assert (tmp_path / "data" / "KVEIK").is_file()


def test_the_database_is_the_same_as_that_of_open(tmp_path: Path) -> None:
    with kveik.open(tmp_path) as db:
        db.put("text", "t")
        db.put(b"\xff", 1)  # a key that is no text
        db.put(7, "of another kind")
    with KeyValueDB(tmp_path) as db:
        assert db.read("text") == "t"
        assert db.read_key_range("", "\U0010ffff") == {"text": "t"}


def test_use_after_close_is_a_closed_error_and_the_directory_is_free(tmp_path: Path) -> None:
    db = KeyValueDB(tmp_path)
    with pytest.raises(LockedError):
        KeyValueDB(tmp_path)
    db.close()
    db.close()
    for call in (
        lambda: db.put("k", 1),
        lambda: db.read("k"),
        lambda: db.delete("k"),
        lambda: db.read_key_range("a", "b"),
        lambda: db.batch_put(["k"], [1]),
    ):
        with pytest.raises(ClosedError):
            call()
    KeyValueDB(tmp_path).close()


def test_many_threads_use_one_database(tmp_path: Path) -> None:
    errors: list[BaseException] = []

    def work(db: KeyValueDB, thread: int) -> None:
        try:
            for number in range(15):
                key = f"{thread:02}:{number:02}"
                db.put(key, [thread, number])
                assert db.read(key) == [thread, number]
                db.batch_put([f"{key}:a", f"{key}:b"], [1, 2])
                assert db.read_key_range(key, f"{key}:z") == {
                    key: [thread, number],
                    f"{key}:a": 1,
                    f"{key}:b": 2,
                }
                assert db.delete(f"{key}:a")
        except BaseException as error:
            errors.append(error)

    with KeyValueDB(tmp_path) as db:
        running = [threading.Thread(target=work, args=(db, thread)) for thread in range(12)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        assert errors == []
    with KeyValueDB(tmp_path) as db:
        keys = [f"{t:02}:{n:02}{tail}" for t in range(12) for n in range(15) for tail in ("", ":b")]
        assert list(db.read_key_range("", "99")) == keys


def test_its_errors_are_kveik_errors(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("Dear Ada")
    with pytest.raises(KveikError, match="letter"):
        KeyValueDB(tmp_path)
