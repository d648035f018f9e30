"""A database as a dict: what collections.abc.MutableMapping promises, beside the order."""

from __future__ import annotations

import copy
import pickle
from collections.abc import ItemsView, Iterator, KeysView, Mapping, MutableMapping, ValuesView
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.support.embedded import opened

import kveik
from kveik.engine.database import Database

KEYS = st.sampled_from([b"a", b"aa", b"b", 7, 2.5, -7, ("t", 1), ("t", 2), ("t",), None, True])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=5,
)
VALUES = st.binary(max_size=20) | JSON
OPS = st.one_of(
    st.tuples(st.just("put"), KEYS, VALUES),
    st.tuples(st.just("delete"), KEYS, st.none()),
    st.tuples(st.just("pop"), KEYS, VALUES),
    st.tuples(st.just("setdefault"), KEYS, VALUES),
    st.tuples(st.just("update"), st.none(), st.dictionaries(KEYS, VALUES, max_size=5)),
    st.tuples(st.just("clear"), st.none(), st.none()),
    st.tuples(st.sampled_from(["flush", "compact", "reopen"]), st.none(), st.none()),
)


@settings(max_examples=25, deadline=None)
@given(ops=st.lists(OPS, max_size=25))
def test_it_does_what_a_dict_does(
    ops: list[tuple[str, object, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("model")
    db = opened(path)
    model: dict[object, object] = {}
    try:
        for kind, key, value in ops:
            if kind == "reopen":
                db.close()
                db = opened(path)
            else:
                apply(db, model, kind, key, value)
            assert len(db) == len(model)
            assert bool(db) == bool(model)
            assert db == model
            assert dict(db.items()) == model
            assert [db[key] for key in model] == list(model.values())
    finally:
        db.close()


def apply(db: Database, model: dict[object, object], kind: str, key: object, value: object) -> None:
    if kind == "put":
        db[key] = model[key] = value
    elif kind == "delete":
        assert db.delete(key) == (key in model)
        model.pop(key, None)
    elif kind == "pop":
        assert db.pop(key, value) == model.pop(key, value)
    elif kind == "setdefault":
        assert db.setdefault(key, value) == model.setdefault(key, value)
    elif kind == "update":
        assert isinstance(value, dict)
        db.update(value)
        model.update(value)
    elif kind == "clear":
        db.clear()
        model.clear()
    elif kind == "flush":
        db.flush()
    else:
        db.compact()


@pytest.fixture
def db(tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as db:
        yield db


def test_it_is_a_mutable_mapping_and_its_snapshot_a_mapping(db: Database) -> None:
    assert isinstance(db, MutableMapping)
    assert issubclass(kveik.Database, MutableMapping)
    with db.snapshot() as seen:
        assert isinstance(seen, Mapping)
        assert not isinstance(seen, MutableMapping)


def test_single_keys_behave_as_in_a_dict(db: Database) -> None:
    db["a"] = 1
    assert db["a"] == 1
    assert "a" in db
    assert b"a" in db
    assert "b" not in db
    with pytest.raises(KeyError, match="'b'"):
        db["b"]
    with pytest.raises(KeyError, match="'b'"):
        del db["b"]
    with pytest.raises(KeyError):
        db.pop("b")
    assert db.pop("b", None) is None
    del db["a"]
    assert not db


def test_a_stored_none_is_a_value(db: Database) -> None:
    db["k"] = None
    assert "k" in db
    assert db["k"] is None
    assert db.setdefault("k", 1) is None
    assert db.pop("k", 1) is None
    assert "k" not in db


def test_popitem_takes_the_last_key_and_an_empty_database_is_a_key_error(db: Database) -> None:
    db.update({"a": 1, "b": 2})
    assert db.popitem() == (b"b", 2)
    assert db.popitem() == (b"a", 1)
    with pytest.raises(KeyError, match="the database is empty"):
        db.popitem()


def test_update_takes_what_a_dict_takes_and_all_or_nothing(db: Database) -> None:
    db.update({"a": 1}, b=2)
    db.update([("c", 3)])
    db.update(d=4)
    db |= {"e": 5}
    assert db == {"a": 1, "b": 2, "c": 3, "d": 4, "e": 5}
    with pytest.raises(TypeError):
        db.update({"a": 9, "f": {1}})
    assert db["a"] == 1


def test_it_iterates_in_key_order_both_ways(db: Database) -> None:
    db.update({"b": 2, "c": 3, "a": 1})
    assert list(db) == [b"a", b"b", b"c"]
    assert list(reversed(db)) == [b"c", b"b", b"a"]
    assert list(db.keys()) == list(db)
    assert list(reversed(db.keys())) == list(reversed(db))
    assert list(db.values()) == [1, 2, 3]
    assert list(reversed(db.values())) == [3, 2, 1]
    assert list(db.items()) == [(b"a", 1), (b"b", 2), (b"c", 3)]
    assert list(reversed(db.items())) == [(b"c", 3), (b"b", 2), (b"a", 1)]


def test_views_are_python_s_and_live(db: Database) -> None:
    keys, values, items = db.keys(), db.values(), db.items()
    assert isinstance(keys, KeysView)
    assert isinstance(values, ValuesView)
    assert isinstance(items, ItemsView)
    db["a"] = 1
    assert len(keys) == len(values) == len(items) == 1
    assert "a" in keys
    assert 1 in values
    assert 2 not in values
    assert (b"a", 1) in items
    assert keys & {b"a", b"b"} == {b"a"}


def test_it_equals_a_mapping_with_the_same_keys_and_values(db: Database, tmp_path: Path) -> None:
    assert db == {}
    db.update({"a": 1, ("t", 2): [3]})
    assert db == {"a": 1, ("t", 2): [3]}
    assert db == {b"a": 1, ("t", 2): [3]}
    assert db != {"a": 1}
    assert db != {"a": 1, ("t", 2): [4]}
    assert db != {"a": 1, ("t", 2): [3], "z": 1}
    assert db != {"a": 1, b"a": 1, ("t", 2): [3]}
    assert db != {"a": 1, frozenset(): [3]}
    assert db != [("a", 1)]
    with opened(tmp_path / "other") as other:
        assert db != other
        other.update(db.items())
        assert db == other
        assert db.snapshot() == other


def test_none_as_a_key_is_not_the_end(db: Database) -> None:
    assert db != {None: None}
    db[None] = None
    assert db == {None: None}
    assert db != {}


def test_it_is_neither_hashed_nor_copied_nor_pickled(db: Database) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(db)
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            attempt(db)
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            attempt(db.snapshot())


def test_its_repr_tells_where_it_is_and_how_it_is(tmp_path: Path) -> None:
    with opened(tmp_path) as db:
        assert repr(db) == f"<kveik database {str(tmp_path)!r}, open>"
        seen = db.snapshot()
        assert repr(seen) == f"<kveik snapshot of {str(tmp_path)!r}, open>"
        seen.close()
        assert repr(seen) == f"<kveik snapshot of {str(tmp_path)!r}, closed>"
    assert repr(db) == f"<kveik database {str(tmp_path)!r}, closed>"
    with kveik.open(tmp_path, read_only=True) as db:
        assert repr(db) == f"<kveik database {str(tmp_path)!r}, open read-only>"
