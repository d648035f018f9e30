"""Edits of the manifest: text that a person can read, and nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.format.infos import EDITS, edit_fields, info

from kveik.format.edit import (
    START,
    Edit,
    decode_edit,
    decode_manifest_head,
    edit_of,
    encode_edit,
    encode_edit_record,
    encode_manifest_head,
    find_edit,
    salvage_edit,
)
from kveik.format.record import EDIT, encode_mark, record_end, record_lsn, record_type
from kveik.format.segment import SegmentHead, encode_head
from kveik.limits import MAX_KEY

SALT = 0xFEEDFACE
ID = bytes(range(16))

TABLE: dict[str, Any] = {
    "level": 0,
    "number": 1,
    "size": 10,
    "entries": 1,
    "tombstones": 0,
    "low": "0061",
    "high": "0062",
    "root_offset": 4,
    "root_size": 6,
    "clears": 0,
    "expires": 0,
}


def text(**changes: object) -> bytes:
    """An edit that adds TABLE with these changes; a field that is None is left out."""
    table = {name: value for name, value in {**TABLE, **changes}.items() if value is not None}
    return json.dumps({"added": [table]}).encode()


@given(EDITS)
@settings(deadline=None)
def test_an_edit_comes_back(edit: Edit) -> None:
    assert edit_fields(decode_edit(encode_edit(edit))) == edit_fields(edit)


@given(EDITS)
@settings(deadline=None)
def test_an_edit_is_ascii_and_encoded_the_same_each_time(edit: Edit) -> None:
    encoded = encode_edit(edit)
    assert encoded.isascii()
    assert encode_edit(decode_edit(encoded)) == encoded


def test_what_changes_nothing_is_left_out() -> None:
    assert encode_edit(Edit([], [])) == b"{}"
    assert encode_edit(Edit([], [3], lsn=7)) == b'{"removed":[3],"lsn":7}'


def test_the_longest_keys_there_are_come_back() -> None:
    low = b"\x0f" + bytes(MAX_KEY)
    edit = decode_edit(encode_edit(Edit([(6, info(1, low, low + b"\0"))], [])))
    assert (edit.added[0][1].low, edit.added[0][1].high) == (low, low + b"\0")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "Expecting value"),
        (b"[]", "not an object"),
        (b"{", "property name"),
        (b"{} {}", "Extra data"),
        (b'{"log":\xff}', "not ASCII"),
        (b"[" * 100_000, "too deeply"),
        (b'{"log":1,"log":2}', "stands twice"),
        (b'{"logs":1}', "no field 'logs'"),
        (b'{"log":-1}', "log is not a whole number from 0"),
        (b'{"log":1.0}', "log is not a whole number"),
        (b'{"log":true}', "log is not a whole number"),
        (b'{"log":"1"}', "log is not a whole number"),
        (b'{"lsn":9223372036854775808}', "lsn is not a whole number"),
        (b'{"next_table":NaN}', "next_table is not a whole number"),
        (b'{"next_table":null}', "next_table is not a whole number"),
        (b'{"removed":3}', "removed is not a list"),
        (b'{"removed":[0]}', "removed is not a whole number from 1"),
        (b'{"removed":[3,3]}', "removed twice"),
        (b'{"added":{}}', "added is not a list"),
        (b'{"added":[3]}', "other fields"),
        (text(size=None), "other fields"),
        (text(colour=1), "other fields"),
        (text(level=7), "no level 7"),
        (text(level=-1), "level is not a whole number"),
        (text(number=0), "number 0"),
        (text(entries=False), "entries is not a whole number"),
        (text(low=""), "low is not the hex"),
        (text(low=61), "low is not the hex"),
        (text(low="006"), "low is not the hex"),
        (text(low="00 61"), "low is not the hex"),
        (text(low="00AB"), "low is not the hex"),
        (text(high="zz"), "high is not the hex"),
        (text(high="ff" * (MAX_KEY + 3)), "high is not the hex"),
        (text(high="0061"), "ends before it begins"),
        (text(root_size=0), "root of table 1"),
        (text(root_offset=5), "root of table 1"),
        (text(tombstones=2), "impossible counts"),
        (text(entries=0), "impossible counts"),
    ],
)
def test_what_is_no_edit_is_a_value_error_that_says_why(data: bytes, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        decode_edit(data)


def test_a_table_of_cleared_ranges_alone_is_one() -> None:
    assert decode_edit(text(entries=0, clears=1)).added[0][1].clears == 1


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["added", "removed", "log", *TABLE]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.binary(max_size=60) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
@settings(deadline=None)
def test_any_bytes_are_an_edit_or_a_value_error(data: bytes) -> None:
    try:
        edit = decode_edit(data)
    except ValueError:
        return
    assert edit_fields(decode_edit(encode_edit(edit))) == edit_fields(edit)


def test_a_manifests_head_is_a_segments_under_another_magic() -> None:
    head = decode_manifest_head(encode_manifest_head(SALT, ID))
    assert (head.number, head.size, head.salt, head.database_id, head.version) == (
        0,
        0,
        SALT,
        ID,
        1,
    )


def test_a_segments_head_is_no_manifests() -> None:
    with pytest.raises(ValueError, match="not a manifest"):
        decode_manifest_head(encode_head(SegmentHead(1, 64, SALT, ID)))


@pytest.mark.parametrize("size", [0, 1, 63])
def test_a_head_that_breaks_off_is_a_value_error(size: int) -> None:
    with pytest.raises(ValueError, match=f"manifest's head breaks off after {size} bytes"):
        decode_manifest_head(encode_manifest_head(SALT, ID)[:size])


@pytest.mark.parametrize("at", range(8, 64))
def test_a_flipped_byte_of_a_head_is_a_value_error(at: int) -> None:
    head = bytearray(encode_manifest_head(SALT, ID))
    head[at] ^= 1
    with pytest.raises(ValueError, match="manifest's head does not match"):
        decode_manifest_head(bytes(head))


def test_a_record_has_the_edits_number_and_type() -> None:
    record = encode_edit_record(7, Edit([], [3]), SALT)
    assert record_end(record, 0, SALT) == len(record)
    assert (record_lsn(record, 0), record_type(record, 0)) == (7, EDIT)
    assert edit_of(record, 0, len(record)).removed == [3]


def test_a_record_of_another_type_is_a_value_error() -> None:
    mark = encode_mark(1, SALT)
    with pytest.raises(ValueError, match="unknown record type 2"):
        edit_of(mark, 0, len(mark))


def test_every_payload_begins_with_the_bytes_that_are_searched_for() -> None:
    for edit in (Edit([], []), Edit([(0, info(1))], [2])):
        record = encode_edit_record(1, edit, SALT)
        assert (record.find(START), record.count(START)) == (16, 1)


def test_a_later_edit_is_found_wherever_it_stands() -> None:
    record = encode_edit_record(5, Edit([], [3]), SALT)
    for before in (b"", b"x", bytes(100), START * 5, record[:-1]):
        data = before + record + b"rest"
        assert find_edit(data, 0, SALT, 5) == len(before)
        assert find_edit(data, len(before) + 1, SALT, 5) == -1


def test_an_earlier_or_damaged_or_foreign_edit_is_not_found() -> None:
    record = encode_edit_record(5, Edit([], [3]), SALT)
    assert find_edit(record, 0, SALT, 6) == -1
    assert find_edit(record, 0, SALT + 1, 5) == -1
    assert find_edit(record[:-1] + b"!", 0, SALT, 5) == -1


# --- damaged text ---------------------------------------------------------------------------------


def test_of_a_damaged_edit_what_can_be_made_out_is_salvaged() -> None:
    edit = Edit([(0, info(5)), (2, info(6))], [3, 4], 7, 8, 9)
    text = encode_edit(edit)
    assert encode_edit(salvage_edit(text)) == text
    hurt = text.replace(b'"number":5', b'"numb\xff":5')
    found = salvage_edit(hurt)
    assert [(level, table.number) for level, table in found.added] == [(2, 6)]
    assert (found.removed, found.log, found.lsn, found.next_table) == ([3, 4], 7, 8, 9)
    assert encode_edit(salvage_edit(text[:40])) == b"{}"
