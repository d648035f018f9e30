"""KEYS DBSIZE KV.COUNT KV.DELRANGE and KV.RANGE over more entries than one step looks at."""

from __future__ import annotations

import gc

import pytest
from tests.command.desk import Desk

from kveik.command import ranges
from kveik.command.job import Job
from kveik.limits import MAX_FOLD, WALK_ROWS, WALK_TEXT
from kveik.model import BYTES, Pages

MANY = 3 * WALK_ROWS + 10
KEYS = [b"k%05d" % number for number in range(MANY)]


def fill(desk: Desk) -> None:
    desk.txn.begin(0)
    for key in KEYS:
        desk.txn.put(key, BYTES, key[1:])
    desk.store.commit(desk.txn.writes)


@pytest.fixture
def full(desk: Desk) -> Desk:
    """A desk with many keys, of which one more is in another database."""
    fill(desk)
    desk.run("SELECT 1")
    desk.run("SET other 1")
    desk.run("SELECT 0")
    return desk


def free(desk: Desk) -> bool:
    """Whether nothing is kept for a command that is done."""
    desk.store.fold()
    return all(memtable.holders == 0 for memtable in desk.store.view.memtables)


def test_the_collector_of_cycles_looks_at_no_part_of_a_reply_twice(full: Desk) -> None:
    """Hundreds of lists, gone through at once, would keep all others waiting."""
    full.txn.begin(0)
    job = ranges.kv_range(full.txn, [b"KV.RANGE", b"-", b"+", b"LIMIT", b"0", b"-1"])
    assert isinstance(job, Job)
    while job.step():
        pass
    pages = job.reply()
    assert isinstance(pages, Pages)
    assert len(pages.parts) > 2
    assert not any(gc.is_tracked(part) for part in pages.parts)


def test_keys_gives_those_that_match(full: Desk) -> None:
    assert full.run("KEYS *") == KEYS
    assert full.steps > 1
    assert full.run("KEYS k0000?") == KEYS[:10]
    assert full.run("KEYS k00001") == KEYS[1:2]
    assert full.steps == 0  # only those with the prefix are looked at
    assert full.run("KEYS *9") == [key for key in KEYS if key.endswith(b"9")]
    assert full.run("KEYS nothing*") == []
    assert free(full)


def test_long_keys_are_compared_a_few_at_a_time(desk: Desk) -> None:
    long = [b"%02d" % number + b"x" * (WALK_TEXT // 2) for number in range(20)]
    for key in long:
        desk.run("SET", key, b"v")
    assert desk.run("KEYS *x*") == long
    assert desk.steps >= 8


def test_counting(full: Desk) -> None:
    assert full.run("KV.COUNT - +") == MANY
    assert full.steps >= 3
    assert full.run("KV.COUNT [k00010 (k00020") == 10
    assert full.run("KV.COUNT [b [a") == full.run("KV.COUNT + -") == 0
    assert full.error("KV.COUNT a b") == "ERR min or max not valid string range item"
    assert free(full)
    assert full.run("DBSIZE") == MANY
    assert full.steps == 0  # the memtable knows


def test_dbsize_is_exact_where_the_memtable_alone_cannot_tell(full: Desk) -> None:
    snapshot = full.store.snapshot()  # divides the memtable
    full.run("SET k00000 again")
    full.run("DEL k00001")
    full.run("SET new v")
    assert full.run("DBSIZE") == MANY
    assert full.steps > 0
    full.run("KV.DELRANGE [k00002 +")
    assert full.run("DBSIZE") == 1
    snapshot.let_go()


@pytest.mark.parametrize("options", ["", "KEYSONLY"])
def test_a_long_range_with_an_offset_and_a_limit(full: Desk, options: str) -> None:
    def keys(line: str) -> list[bytes]:
        found = full.run(f"KV.RANGE {line} {options}")
        assert isinstance(found, list)
        return found if options else found[::2]

    assert keys("- + LIMIT 0 -1") == KEYS
    assert keys("+ - REV LIMIT 0 -1") == KEYS[::-1]
    assert keys("- + LIMIT 5 2500") == KEYS[5:2505]
    assert keys(f"- + LIMIT 1500 {WALK_ROWS}") == KEYS[1500 : 1500 + WALK_ROWS]
    assert keys("- + LIMIT 3000 -1") == KEYS[3000:]
    assert keys("- + LIMIT 9000 -1") == []
    assert keys("- + LIMIT 2000 0") == []
    assert free(full)


def test_pages_go_on_behind_the_last_key(full: Desk) -> None:
    found: list[bytes] = []
    low = b"-"
    while True:
        page = full.run("KV.RANGE", low, b"+", b"LIMIT", b"0", b"700", b"KEYSONLY")
        assert isinstance(page, list)
        if not page:
            break
        found += page
        low = b"(" + page[-1]
        full.run("SET k00000 again")  # what is written behind the reader changes nothing
    assert found == KEYS


def test_a_walk_shows_the_instant_at_which_its_command_ran(full: Desk) -> None:
    full.txn.begin(0)
    full._request.args = [b"KEYS", b"*"]
    job = full._request.perform(full.txn)
    assert job.step()
    full.run("FLUSHALL")
    full.run("SET zzz 1")
    while job.step():
        pass
    assert job.reply().count == MANY


def test_a_walk_within_a_transaction_sees_what_that_has_written(full: Desk) -> None:
    txn = full.txn
    txn.begin(0)
    txn.delete(KEYS[0])
    txn.put(b"new", BYTES, b"1")
    full._request.args = [b"KV.COUNT", b"-", b"+"]
    job = full._request.perform(txn)
    assert isinstance(job, Job)
    while job.step():
        pass
    assert job.reply() == MANY


# --- KV.DELRANGE --------------------------------------------------------------------------------


def test_a_range_is_deleted_by_one_commit(full: Desk) -> None:
    before = full.store.lsn()
    assert full.run("KV.DELRANGE [k00010 (k03000") == "OK"
    assert full.store.lsn() == before + 1
    assert full.run("KV.RANGE - + LIMIT 0 -1 KEYSONLY") == KEYS[:10] + KEYS[3000:]
    full.run("SELECT 1")
    assert full.run("GET other") == b"1"


def test_what_was_deleted_is_counted_if_that_is_asked_for(full: Desk) -> None:
    assert full.run("KV.DELRANGE - + COUNT") == MANY
    assert full.need == full.store.lsn()
    assert full.run("KV.COUNT - +") == 0
    assert full.run("KV.DELRANGE - + count") == 0
    full.run("MSET a 1 b 2 c 3")
    assert full.run("KV.DELRANGE (a [c COUNT") == 2
    assert full.run("KV.RANGE - +") == [b"a", b"1"]
    assert free(full)


@pytest.mark.parametrize("bounds", ["[b [a", "+ -", "(a (a", "[k (k"])
def test_an_empty_range_deletes_and_commits_nothing(desk: Desk, bounds: str) -> None:
    desk.run("MSET a 1 b 2 k 3")
    before = desk.store.lsn()
    assert desk.run(f"KV.DELRANGE {bounds}") == "OK"
    assert desk.run(f"KV.DELRANGE {bounds} COUNT") == 0
    assert desk.store.lsn() == before


@pytest.mark.parametrize("line", ["- + FOO", "- + COUNT COUNT", "- + COUNT x"])
def test_a_delrange_with_other_options_is_refused(desk: Desk, line: str) -> None:
    desk.run("SET k v")
    assert desk.error(f"KV.DELRANGE {line}") == "ERR syntax error"
    assert desk.error("KV.DELRANGE a b") == "ERR min or max not valid string range item"
    assert desk.run("GET k") == b"v"


# --- KV.CAS -------------------------------------------------------------------------------------


def test_a_value_is_exchanged_if_it_is_the_expected_one(desk: Desk) -> None:
    desk.run("SET k old")
    assert desk.run("KV.CAS k other new") == 0
    assert desk.run("KV.CAS k old new") == 1
    assert desk.run("GET k") == b"new"
    assert desk.run("KV.CAS nothing old new") == 0
    assert desk.run("KV.CAS nothing", b"", b"new") == 0
    assert desk.run("EXISTS nothing") == 0


def test_without_a_new_value_the_key_is_deleted(desk: Desk) -> None:
    desk.run("SET lock mine")
    assert desk.run("KV.CAS lock yours") == 0
    assert desk.run("KV.CAS lock mine") == 1
    assert desk.run("EXISTS lock") == 0


def test_an_exchange_ends_an_expiry_unless_told_to_keep_it(desk: Desk) -> None:
    desk.run("MSET a 1 b 1")
    desk.run("SET a 1 PX 100")
    desk.run("SET b 1 PX 100")
    assert desk.run("KV.CAS a 1 2") == desk.run("KV.CAS b 1 2 keepttl") == 1
    desk.now += 100
    assert desk.run("MGET a b") == [b"2", None]
    assert desk.run("KV.CAS b 2 3") == 0  # expired is absent


@pytest.mark.parametrize("line", ["k 1 2 FOO", "k 1 2 EX", "k 1 2 KEEPTTL x"])
def test_a_cas_with_other_options_is_refused(desk: Desk, line: str) -> None:
    desk.run("SET k 1")
    assert desk.error(f"KV.CAS {line}") == "ERR syntax error"
    assert desk.run("GET k") == b"1"


def test_a_json_value_is_compared_as_its_text(desk: Desk) -> None:
    desk.ask(command="put", key="k", value=[1, 2])
    assert desk.run("KV.CAS k [1,2] x") == 1


# --- JSON lines ---------------------------------------------------------------------------------


def test_a_long_range_in_json(full: Desk) -> None:
    found = full.ask(command="read_key_range", start_key="k00000", end_key="k02500")
    assert isinstance(found, dict)
    assert list(found) == [key.decode() for key in KEYS[:2501]]
    assert found["k00007"].data == b"00007"
    assert full.steps > 0


def test_many_new_keys_are_put_in_order_little_by_little(full: Desk) -> None:
    assert full.txn.noted() == MANY + 1
    assert full.run("KV.RANGE - + LIMIT 0 2 KEYSONLY") == KEYS[:2]
    assert full.steps >= MANY // WALK_ROWS
    assert full.txn.noted() == 0


def test_to_delete_very_many_looks_at_none_of_them(desk: Desk) -> None:
    desk.txn.begin(0)
    for number in range(MAX_FOLD + 1):
        desk.txn.put(b"%06d" % number, BYTES, b"v")
    desk.store.commit(desk.txn.writes)
    memtable = desk.store.active
    assert desk.run("KV.DELRANGE [000001 +") == "OK"
    assert len(memtable) == MAX_FOLD + 1  # it is hidden, not taken out
    desk.store.fold()
    assert len(memtable) == MAX_FOLD + 1
    assert desk.run("KV.RANGE - + KEYSONLY") == [b"000000"]
    assert desk.run("DBSIZE") == 1
    assert desk.run("FLUSHALL") == "OK"
    assert desk.run("DBSIZE") == 0


# --- SCAN and RANDOMKEY after many writes -------------------------------------------------------


def test_a_scan_puts_new_keys_in_their_places_step_by_step(full: Desk) -> None:
    assert full.run("SCAN 0 COUNT 10000") == [b"0", KEYS]
    assert full.steps > 1
    assert full.need == 1  # the commit that it shows
    assert full.run("SCAN 0 COUNT 10000") == [b"0", KEYS]
    assert full.steps == 0
    assert free(full)


def test_a_scan_goes_on_behind_such_a_step(full: Desk) -> None:
    cursor, found = pair(full.run("SCAN 0 COUNT 10"))
    assert found == KEYS[:10]
    cursor, found = pair(full.run("SCAN", cursor, b"COUNT", b"10"))
    assert found == KEYS[10:20]


def test_randomkey_puts_new_keys_in_their_places_step_by_step(full: Desk) -> None:
    assert full.run("RANDOMKEY") in KEYS
    assert full.steps > 1
    assert full.run("RANDOMKEY") in KEYS
    assert full.steps == 0
    assert free(full)


def test_an_error_of_such_a_scan_lets_go_of_everything(full: Desk) -> None:
    assert full.error("SCAN 0 COUNT 0") == "ERR syntax error"
    assert full.error("SCAN 77") == "ERR invalid cursor"
    assert free(full)


def test_a_transaction_scans_at_once_its_own_writes_included(full: Desk) -> None:
    for line in ("MULTI", "SCAN 0 COUNT 1", "RANDOMKEY", "SET a 1", "SCAN 0 COUNT 1", "EXEC"):
        reply = full.run(line)
    assert isinstance(reply, list)
    assert pair(reply[0])[1] == KEYS[:1]
    assert reply[1] in KEYS
    assert pair(reply[3])[1] == [b"a"]
    assert free(full)


def pair(reply: object) -> tuple[bytes, list[bytes]]:
    """A cursor and keys."""
    assert isinstance(reply, list)
    cursor, keys = reply
    return cursor, keys
