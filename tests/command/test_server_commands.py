"""INFO CONFIG SHUTDOWN COMMAND."""

from __future__ import annotations

import time

import pytest
from tests.command.desk import Desk

from kveik.command.info import SECTIONS
from kveik.command.registry import COMMANDS
from kveik.engine.lanes import ThreadLane
from kveik.engine.upkeep import Upkeep
from kveik.limits import MAX_BUFFERED, PUSH_BOUND
from kveik.model import NO_REPLY

# --- INFO ---------------------------------------------------------------------------------------


def info(desk: Desk, line: str = "INFO") -> dict[str, dict[str, str]]:
    """Section -> name -> value."""
    text = desk.run(line)
    assert isinstance(text, str)
    sections: dict[str, dict[str, str]] = {}
    for block in text.split("\r\n\r\n"):
        head, *lines = block.strip("\r\n").split("\r\n")
        if head:
            sections[head.removeprefix("# ")] = dict(entry.split(":", 1) for entry in lines)
    return sections


def test_info_has_sections_of_names_and_values(desk: Desk) -> None:
    sections = info(desk)
    expected = (
        "Server Clients Memory Persistence Stats Replication CPU Modules Errorstats Cluster Kveik"
    )
    assert list(sections) == [*expected.split(), "Keyspace"]
    assert sections["Server"]["redis_version"] == "7.0.15"
    assert sections["Replication"]["role"] == "master"


@pytest.mark.parametrize("line", ["INFO all", "INFO everything", "INFO cpu ALL"])
def test_info_of_everything_has_all_sections(desk: Desk, line: str) -> None:
    assert list(info(desk, line)) == list(SECTIONS)
    assert list(info(desk, "INFO default")) == list(info(desk))


def test_info_shows_the_sections_that_were_asked_for(desk: Desk) -> None:
    assert list(info(desk, "INFO server")) == ["Server"]
    assert list(info(desk, "INFO keyspace STATS")) == ["Stats", "Keyspace"]
    assert info(desk, "INFO nosuch") == {}


def test_info_counts_the_keys_of_the_databases_that_have_some(desk: Desk) -> None:
    desk.run("MSET a 1 b 2")
    desk.run("SELECT 3")
    desk.run("SET a 1")
    found = info(desk)["Keyspace"]
    assert {name: value.split(",")[0] for name, value in found.items()} == {
        "db0": "keys=2",
        "db3": "keys=1",
    }


def test_info_shows_what_is_committed_and_what_is_on_the_disk(desk: Desk) -> None:
    def persistence() -> tuple[str, str]:
        found = info(desk)["Persistence"]
        return found["kveik_last_lsn"], found["kveik_synced_lsn"]

    desk.run("SET a 1")
    desk.run("SET a 2")
    assert persistence() == ("2", "0")
    desk.write()
    desk.settle()
    assert persistence() == ("2", "2")


def test_info_says_why_there_are_no_more_writes(desk: Desk) -> None:
    assert info(desk)["Persistence"]["aof_last_write_status"] == "ok"
    assert info(desk)["Persistence"]["kveik_failure"] == "none"
    desk.store.fail(OSError(5, "Input/output error"))
    found = info(desk)["Persistence"]
    assert found["aof_last_write_status"] == "err"
    assert "Input/output error" in found["kveik_failure"]


def test_info_shows_what_the_server_counts(desk: Desk) -> None:
    server = desk.server
    server.now = server.started + 90_000
    server.connections, server.connections_ever, server.commands = 2, 30, 400
    server.used_memory = server.peak_memory = 1536 * 1024
    server.bytes_in, server.bytes_out, server.buffered = 50, 60, 70
    server.evicted, server.slow, server.refused = 8, 9, 10
    sections = info(desk)
    assert sections["Server"]["uptime_in_seconds"] == "90000"
    assert sections["Server"]["uptime_in_days"] == "1"
    assert sections["Clients"]["connected_clients"] == "2"
    assert sections["Stats"]["total_connections_received"] == "30"
    assert sections["Stats"]["total_commands_processed"] == "400"
    assert sections["Stats"]["total_net_input_bytes"] == "50"
    assert sections["Stats"]["total_net_output_bytes"] == "60"
    assert sections["Stats"]["evicted_clients"] == "8"
    assert sections["Stats"]["client_output_buffer_limit_disconnections"] == "9"
    assert sections["Stats"]["rejected_connections"] == "10"
    assert sections["Memory"]["kveik_buffered_bytes"] == "70"
    desk.run("CONFIG RESETSTAT")
    stats = info(desk)["Stats"]
    for name in ("total_net_input_bytes", "evicted_clients", "rejected_connections"):
        assert stats[name] == "0"
    assert sections["Memory"]["used_memory"] == "1572864"
    assert sections["Memory"]["used_memory_human"] == "1.50M"


def test_info_shows_what_the_engine_has_done(desk: Desk) -> None:
    desk.run("MSET a 1 b 2")
    assert info(desk)["Stats"]["kveik_watches"] == "0"
    desk.run("KV.WATCH a")
    assert info(desk)["Stats"]["kveik_watches"] == "1"
    engine = info(desk)["Kveik"]
    assert all(name.startswith("kveik_") for name in engine)
    assert engine["kveik_level_0"] == "tables=0,bytes=0,entries=0,tombstones=0"
    assert engine["kveik_memtable_entries"] == "2"
    assert (engine["kveik_cache_hits"], engine["kveik_stalled_seconds"]) == ("0", "0.000")
    lane = ThreadLane(desk.store.disk)
    desk.server.upkeep = upkeep = Upkeep(desk.store, lane, lane)
    desk.write()
    desk.settle()
    desk.store.rotate()
    desk.write()
    desk.settle()
    while (work := upkeep.due()) is not None:
        work.perform()
        upkeep.finish(work)
    assert desk.run("GET a") == b"1"
    engine = info(desk, "INFO kveik")["Kveik"]
    assert engine["kveik_level_0"].startswith("tables=1,")
    assert engine["kveik_flushes"] == "1"
    assert engine["kveik_table_searches"] == "1"


# --- CONFIG -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        ("port", {b"port": b"6379"}),
        ("PORT", {b"port": b"6379"}),
        ("p*", {b"port": b"6379"}),
        ("timeout slowlog-max-*", {b"timeout": b"0", b"slowlog-max-len": b"128"}),
        ("data* p?rt", {b"port": b"6379", b"databases": b"16"}),
        ("port port", {b"port": b"6379"}),
        ("nosuch", {}),
        ("[p]ort", {b"port": b"6379"}),
    ],
)
def test_config_get_shows_what_matches_a_pattern(
    desk: Desk, patterns: str, found: dict[bytes, bytes]
) -> None:
    assert desk.run(f"CONFIG GET {patterns}") == found


def test_config_get_of_a_pattern_that_is_no_text_finds_nothing(desk: Desk) -> None:
    assert desk.run("CONFIG GET", b"\xff") == {}


def test_config_get_of_a_pattern_longer_than_any_name_holds_nobody_up(desk: Desk) -> None:
    start = time.perf_counter()
    assert desk.run("CONFIG GET", b"*?" * 100_000) == {}
    assert time.perf_counter() - start < 0.5  # seconds; the server does nothing else meanwhile


def test_config_get_needs_a_pattern(desk: Desk) -> None:
    assert desk.error("CONFIG GET") == "ERR wrong number of arguments for 'config|get' command"


def test_a_parameter_that_is_fixed_takes_what_it_has(desk: Desk) -> None:
    assert desk.run("CONFIG SET port 6379 databases 16") == "OK"
    text = (
        "ERR CONFIG SET failed (possibly related to argument 'port') - can't set immutable config"
    )
    assert desk.error("CONFIG SET port 6380") == text
    assert desk.error("CONFIG SET timeout 5 port 6380") == text
    assert desk.run("CONFIG GET port timeout") == {b"port": b"6379", b"timeout": b"0"}


def test_what_is_set_is_what_the_server_does(desk: Desk) -> None:
    desk.run("CONFIG SET timeout 5 maxclients 7 slowlog-log-slower-than 0 slowlog-max-len 2")
    server = desk.server
    assert (server.idle_timeout, server.most_connections) == (5, 7)
    for _ in range(5):
        desk.run("PING")
    assert desk.run("SLOWLOG LEN") == 2


@pytest.mark.parametrize(("text", "size"), [("2097152", 2 << 20), ("64mb", 64 << 20)])
def test_what_connections_hold_back_together_is_bounded_as_set(
    desk: Desk, text: str, size: int
) -> None:
    shown = {b"maxmemory-clients": b"%d" % MAX_BUFFERED}
    assert desk.run("CONFIG GET maxmemory-clients") == shown
    assert desk.run(f"CONFIG SET maxmemory-clients {text}") == "OK"
    assert desk.server.most_buffered == size
    assert desk.run("CONFIG GET maxmemory-clients") == {b"maxmemory-clients": b"%d" % size}


@pytest.mark.parametrize("text", ["0", "x", "-1", "5%", "1" * 400, "9223372036854775808"])
def test_that_bound_is_always_there(desk: Desk, text: str) -> None:
    error = desk.error(f"CONFIG SET maxmemory-clients {text}")
    assert error.startswith("ERR CONFIG SET failed (possibly related to argument 'maxmemory-cl")
    assert desk.server.most_buffered == MAX_BUFFERED


def test_how_much_one_connection_may_hold_back_is_fixed(desk: Desk) -> None:
    limits = f"normal 0 0 0 slave 0 0 0 pubsub {PUSH_BOUND} 0 0"
    found = desk.run("CONFIG GET client-output-buffer-limit")
    assert found == {b"client-output-buffer-limit": limits.encode()}
    assert desk.run("CONFIG SET client-output-buffer-limit", limits.encode()) == "OK"
    error = desk.error("CONFIG SET client-output-buffer-limit", b"pubsub 0 0 0")
    assert error.endswith("can't set immutable config")


def test_no_more_connections_can_be_wanted_than_the_system_allows(desk: Desk) -> None:
    desk.server.connection_limit = 50
    assert desk.error("CONFIG SET maxclients 51").endswith(" clients, try with 50")
    assert desk.run("CONFIG SET maxclients 50") == "OK"


@pytest.mark.parametrize(
    ("classes", "shown"),
    [("KEA", "AKE"), ("gK", "gK"), ("Elg", "glE"), ("", ""), ("KEg$lshzxetd", "AKE")],
)
def test_classes_of_notifications_are_shown_in_order(desk: Desk, classes: str, shown: str) -> None:
    desk.run("CONFIG SET notify-keyspace-events", classes.encode())
    assert desk.run("CONFIG GET notify-*") == {b"notify-keyspace-events": shown.encode()}
    assert desk.server.notices.on == (shown not in ("",))
    assert desk.server.writes_plain == (not desk.server.notices.on)


def test_misses_and_new_keys_are_not_told(desk: Desk) -> None:
    text = desk.error("CONFIG SET notify-keyspace-events Em")
    assert text.endswith("misses and new keys (m, n) are not told")


# --- SHUTDOWN -----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ["", "SAVE", "nosave", "NOSAVE NOW FORCE"])
def test_shutdown_stops_the_server_without_a_reply(desk: Desk, options: str) -> None:
    assert desk.run(f"SHUTDOWN {options}") is NO_REPLY
    assert desk.stopped


@pytest.mark.parametrize("options", ["FOO", "NOSAVE FOO", "ABORT"])
def test_a_shutdown_with_other_options_stops_nothing(desk: Desk, options: str) -> None:
    assert desk.error(f"SHUTDOWN {options}") == "ERR syntax error"
    assert not desk.stopped


# --- COMMAND ------------------------------------------------------------------------------------

NAMES = [command.name.lower().encode() for command in COMMANDS]


def test_command_counts_and_lists_all_commands(desk: Desk) -> None:
    assert desk.run("COMMAND COUNT") == len(NAMES)
    assert desk.run("COMMAND LIST") == NAMES


@pytest.mark.parametrize("line", ["COMMAND", "COMMAND INFO"])
def test_command_describes_all_commands(desk: Desk, line: str) -> None:
    described = desk.run(line)
    assert isinstance(described, list)
    assert [entry[0] for entry in described] == NAMES
    assert all(len(entry) == 10 for entry in described)


def test_command_info_describes_the_commands_named(desk: Desk) -> None:
    described = desk.run("COMMAND INFO get NOSUCH MSET")
    assert isinstance(described, list)
    get, nothing, mset = described
    assert get[:6] == [b"get", 2, [b"readonly", b"fast"], 1, 1, 1]
    assert nothing is None
    assert mset[:6] == [b"mset", -3, [b"write", b"denyoom"], 1, -1, 2]


def test_command_docs_tells_what_a_command_is_for(desk: Desk) -> None:
    found = desk.run("COMMAND DOCS get nosuch")
    summary = b"Returns the value of a key."
    assert found == {b"get": {b"summary": summary, b"since": b"1.0.0", b"group": b"string"}}
    config = desk.run("COMMAND DOCS config")
    assert isinstance(config, dict)
    assert b"config|get" in config[b"config"][b"subcommands"]
    everything = desk.run("COMMAND DOCS")
    assert isinstance(everything, dict)
    assert list(everything) == NAMES


def test_an_unknown_subcommand_is_refused(desk: Desk) -> None:
    assert desk.error("COMMAND FOO") == "ERR unknown subcommand 'FOO'. Try COMMAND HELP."
