"""The same requests to Kveik's commands and to a real Redis: the replies are the same bytes.

Where Kveik means to differ stands in DEVIATIONS, with the reason.
"""

from __future__ import annotations

import time

import pytest
from tests.command.desk import Desk
from tests.support.redis_server import Line, Redis, arguments, encode

from kveik.errors import ProtocolError
from kveik.wire.replies import clean_line
from kveik.wire.resp import RequestDecoder

# Each is run from the start: no keys, a new connection.
CONVERSATIONS: dict[str, list[Line]] = {
    "get and set": [
        "GET k", "SET k v", "GET k", "get k", "gEt k", "SET k w", "GET k",
        [b"SET", b"\x00\xff\r\n", b"\r\n\x00\xff"], [b"GET", b"\x00\xff\r\n"],
        [b"SET", b"empty", b""], "GET empty", [b"SET", b"big", b"x" * 20_000], "GET big",
    ],
    "set with a condition": [
        "SET k 1 XX", "GET k", "SET k 2 NX", "SET k 3 NX", "GET k", "SET k 4 XX", "GET k",
        "SET k 5 nx", "SET k 6 Xx", "SET k 7 NX NX", "SET k 8 XX XX", "GET k",
    ],
    "set with get": [
        "SET k 1 GET", "SET k 2 GET", "SET k 3 GET GET", "SET k 4 NX GET", "GET k",
        "SET k 5 XX GET", "SET x 1 XX GET", "GET x", "SET x 1 NX GET", "GET x",
    ],
    "set with an expiry": [
        "SET k 1 EX 100", "GET k", "SET k 2 PX 100000", "GET k", "SET k 3 EXAT 9000000000", "GET k",
        "SET k 4 PXAT 9000000000000", "GET k", "SET k 5 KEEPTTL", "GET k", "SET k 6 px 100000 get",
        "SET k 7 PXAT 9223372036854775807", "GET k", "SET k 8 xx keepttl keepttl get", "GET k",
    ],
    "set with an expiry in the past": [
        "SET k v", "SET k w PXAT 1", "GET k", "EXISTS k", "TYPE k", "STRLEN k", "SET k x XX",
        "SET k x EXAT 1", "GET k", "SET k y PXAT 1 NX", "MGET k", "SET k z NX GET", "GET k",
    ],
    "set with options that do not go together": [
        "SET k old", "SET k v NX XX", "SET k v XX NX", "SET k v EX 1 PX 1", "SET k v EX 1 EXAT 1",
        "SET k v KEEPTTL EX 1", "SET k v EX 1 KEEPTTL", "SET k v FOO", "SET k v NX FOO",
        "SET k v EX", "SET k v PX", "SET k v NX EXAT", "SET k v 10", "GET k",
    ],
    "set with an expiry that is no number": [
        *(f"SET k v {unit} {number}"
          for unit in ("EX", "PX", "EXAT", "PXAT")
          for number in ("x", "1.5", "01", "+1", "-0", "0x10", "1e3", "9223372036854775808",
                         "99999999999999999999", "-9223372036854775809")),
        [b"SET", b"k", b"v", b"EX", b""], [b"SET", b"k", b"v", b"EX", b" 1"], "GET k",
    ],
    "set with an expiry out of range": [
        "SET k v EX 0", "SET k v PX 0", "SET k v EXAT 0", "SET k v PXAT 0", "SET k v EX -1",
        "SET k v PXAT -5", "SET k v EX 9223372036854775807", "SET k v EX 9223372036854775",
        "SET k v EXAT 9223372036854775807", "SET k v EXAT 9223372036854776",
        "SET k v PX 9223372036854775807", "SET k v EX -9223372036854775808", "GET k",
        "SET k v EXAT 9223372036854775", "GET k",
    ],
    "set with the same expiry option twice": ["SET k v EX 10 EX 20", "SET k v PX 1 PX 100000"],
    "set with several faults": [
        "SET k v EX x FOO", "SET k v EX 0 FOO", "SET k v EX x NX XX", "SET k v EX 0 EX",
    ],
    "several values": [
        "MGET k", "MSET a 1 b 2", "MGET a b nothing a", "MSET a 1 a 2", "GET a", "MSET a", "MSET",
        "MSET a 1 b", "GET a", "MGET", [b"MSET", b"a", b"\r\n", b"b", b""], "MGET a b",
    ],
    "lengths": ["STRLEN k", "SET k hello", "STRLEN k", [b"SET", b"k", b""], "STRLEN k"],
    "deleting": [
        "MSET a 1 b 2 c 3", "DEL a", "DEL a", "DEL b b nothing c", "MGET a b c", "DEL", "UNLINK",
        "MSET a 1 b 2", "UNLINK a a b", "DBSIZE",
    ],
    "keys": [
        "EXISTS k", "SET k v", "EXISTS k", "EXISTS k k nothing", "TYPE k", "TYPE nothing",
        "EXISTS", "TYPE", "TYPE a b",
    ],
    "databases": [
        "SET k zero", "SELECT 1", "GET k", "DBSIZE", "SET k one", "SELECT 15", "GET k", "SELECT 0",
        "GET k", "SELECT 16", "SELECT -1", "SELECT x", "SELECT 1.0", "SELECT 01", "SELECT", "GET k",
        "SELECT 1 2", "SELECT 99999999999999999999", "GET k", "SELECT 1", "GET k", "RESET", "GET k",
    ],
    "a database's number past 32 bits": ["SELECT 2147483648", "SELECT -99999999999"],
    "counting and flushing": [
        "DBSIZE", "MSET a 1 b 2", "DBSIZE", "SELECT 1", "SET c 3", "FLUSHDB", "DBSIZE", "SELECT 0",
        "DBSIZE", "FLUSHALL", "DBSIZE", "SET a 1", "FLUSHDB async", "FLUSHALL SYNC", "DBSIZE",
        "DBSIZE x", "FLUSHDB FOO", "FLUSHALL FOO", "FLUSHDB ASYNC SYNC", "FLUSHALL SYNC ASYNC",
    ],
    "patterns": [
        "KEYS *", "SET k v", "KEYS *", "KEYS k", "KEYS K", "KEYS ?", "KEYS ??", "KEYS [a-k]",
        "KEYS [^a-k]", "KEYS", "KEYS a b", "DEL k", "SET abc 1", "KEYS a*c", "KEYS *b*", "KEYS a",
        "KEYS abcd", "KEYS *d", [b"KEYS", b""], [b"KEYS", b"\\abc"], [b"KEYS", b"[a"],
        "SELECT 1", "KEYS *", "SET other 1", "KEYS *",
    ],
    "the connection": [
        "PING", "PING hello", "PING a b", [b"PING", b""], "ping", "ECHO hi", [b"ECHO", b"\r\n"],
        "ECHO", "ECHO a b",
    ],
    "names": [
        "CLIENT GETNAME", "CLIENT SETNAME me", "CLIENT GETNAME", "client getname",
        [b"CLIENT", b"SETNAME", b"a b"], [b"CLIENT", b"SETNAME", b"\x7f"], "CLIENT GETNAME",
        [b"CLIENT", b"SETNAME", b""], "CLIENT GETNAME", "CLIENT SETNAME !~", "CLIENT GETNAME",
        "RESET", "CLIENT GETNAME", "CLIENT", "CLIENT FOO", "CLIENT FOO x", "CLIENT ID x",
        "CLIENT GETNAME x", "CLIENT SETNAME",
    ],
    "hello": [
        "HELLO 1", "HELLO 4", "HELLO -3", "HELLO 3 FOO", "HELLO 3 foo bar", "HELLO 3 SETNAME",
        "HELLO 3 AUTH", "HELLO 3 AUTH x", [b"HELLO", b"3", b"SETNAME", b"a b"], "GET nothing",
    ],
    "hello with a version that is no number": ["HELLO x", "HELLO 03", "HELLO 99999999999999999999"],
    "passwords": ["AUTH", "AUTH x", "AUTH a b c"],
    "unknown commands": ["NOSUCH", [b""], [b"NO SUCH"], [b"NO\r\nSUCH"], [b"N" * 200]],
    "unknown commands with arguments": [
        "NOSUCH a", "NOSUCH a b c", "nosuch a", [b"", b"x"], [b"NOSUCH", b"a\r\nb"], "GETX k",
    ],
    "unknown commands with long arguments": [
        [b"NOSUCH", b"x" * 200], [b"NOSUCH", b"x" * 100, b"y" * 100],
        [b"NOSUCH", b"x" * 126, b"y"], [b"NOSUCH", *[b"a"] * 50], [b"N" * 200, b"x" * 200],
    ],
    "subcommands": [
        "COMMAND FOO", "COMMAND DOCS nosuch", "COMMAND INFO nosuch", "CONFIG GET",
        "CONFIG GET nosuch", "CONFIG GET databases", "CONFIG GET DATA*", "CONFIG", "INFO nosuch",
        "SHUTDOWN FOO", "SHUTDOWN NOW FOO",
    ],
    "subcommands that are unknown or too long": ["CONFIG FOO", "COMMAND COUNT x"],
    "a shutdown that contradicts itself": ["SHUTDOWN SAVE NOSAVE"],
    "killing": [
        "CLIENT KILL 1.2.3.4:5", "CLIENT KILL id x", "CLIENT KILL id 0", "CLIENT KILL id 999999999",
        "CLIENT KILL foo bar", "CLIENT KILL skipme maybe", "CLIENT KILL type foo",
        "CLIENT KILL user nosuch", "CLIENT KILL id 1 addr", "CLIENT KILL id -1", "CLIENT KILL",
        "CLIENT KILL addr 1.2.3.4:5", "CLIENT KILL laddr 1.2.3.4:5 type pubsub skipme yes",
        "CLIENT KILL type master", "CLIENT KILL type slave skipme no",
    ],
    "lists of clients": [
        "CLIENT LIST TYPE foo", "CLIENT LIST ID x", "CLIENT LIST ID 999999999", "CLIENT LIST FOO",
        "CLIENT LIST TYPE", "CLIENT LIST ID", "CLIENT LIST TYPE master", "CLIENT LIST TYPE pubsub",
        "CLIENT LIST TYPE normal x", "CLIENT LIST FOO BAR", "CLIENT INFO x",
    ],
    "pauses": [
        "CLIENT PAUSE", "CLIENT PAUSE x", "CLIENT PAUSE -1", "CLIENT PAUSE 0 foo",
        "CLIENT PAUSE 0 write", "CLIENT PAUSE 0 ALL", "CLIENT PAUSE 0", "CLIENT UNPAUSE",
        "CLIENT UNPAUSE x", "SET k v", "CLIENT PAUSE 0 WRITE x",
    ],
    "unblocking": [
        "CLIENT UNBLOCK", "CLIENT UNBLOCK x", "CLIENT UNBLOCK 99999", "CLIENT UNBLOCK 99 foo",
        "CLIENT UNBLOCK 99999 error", "CLIENT UNBLOCK 1 timeout x",
    ],
    "what a client wants": [
        "CLIENT NO-EVICT on", "CLIENT NO-EVICT off", "CLIENT NO-EVICT x", "CLIENT TRACKING off",
        "CLIENT TRACKING maybe", "CLIENT TRACKINGINFO", "CLIENT GETREDIR", "CLIENT CACHING yes",
        "CLIENT CACHING x", "CLIENT REPLY foo", "CLIENT REPLY", "CLIENT REPLY ON",
    ],
    "configuring": [
        "CONFIG SET a", "CONFIG SET a 1", "CONFIG SET timeout x", "CONFIG SET timeout -1",
        "CONFIG SET timeout 2147483648", "CONFIG SET maxclients 0",
        "CONFIG SET maxclients 4294967296",
        "CONFIG SET slowlog-max-len x", "CONFIG SET slowlog-max-len -1",
        "CONFIG SET slowlog-log-slower-than -2", "CONFIG SET notify-keyspace-events q",
        "CONFIG SET a 1 b", "CONFIG SET timeout 0 timeout 1", "CONFIG SET timeout 5 a 1",
        "CONFIG GET timeout", "CONFIG SET timeout 5 slowlog-max-len 7", "CONFIG GET timeout",
        "CONFIG SET TIMEOUT 0 slowlog-max-len 128", "CONFIG GET timeout nosuch",
        "CONFIG SET latency-monitor-threshold -1", "CONFIG GET slowlog-max-len",
        "CONFIG SET appendfsync", "CONFIG REWRITE", "CONFIG RESETSTAT", "CONFIG RESETSTAT x",
        "CONFIG SET notify-keyspace-events KEA", "CONFIG GET notify-keyspace-events",
        "CONFIG SET notify-keyspace-events gxE$", "CONFIG GET notify-keyspace-events",
        [b"CONFIG", b"SET", b"notify-keyspace-events", b""], "CONFIG GET notify-keyspace-events",
    ],
    "the slow log": [
        "CONFIG SET slowlog-log-slower-than -1", "SLOWLOG RESET", "SLOWLOG GET x", "SLOWLOG GET -2",
        "SLOWLOG GET -1", "SLOWLOG GET", "SLOWLOG GET 5", "SLOWLOG GET 1 2", "SLOWLOG LEN",
        "SLOWLOG RESET x", "SLOWLOG FOO", "SLOWLOG",
    ],
    "latency": [
        "LATENCY LATEST", "LATENCY HISTORY x", "LATENCY RESET", "LATENCY RESET a b",
        "LATENCY HISTOGRAM nosuch", "LATENCY FOO", "LATENCY", "LATENCY HISTORY", "LATENCY DOCTOR x",
    ],
    "memory": ["MEMORY PURGE", "MEMORY FOO", "MEMORY", "MEMORY PURGE x"],
    "roles and times": [
        "ROLE", "ROLE x", "TIME x", "LASTSAVE x", "WAIT x 0", "WAIT 0 x", "WAIT 0 -1", "WAIT 0 0",
        "WAIT -1 0", "WAIT", "WAIT 0", "WAIT 1 1",
    ],
    "saving": ["BGSAVE foo", "BGSAVE schedule x", "BGREWRITEAOF x", "SAVE x", "SAVE", "BGSAVE"],
    "scripts and functions": [
        "SCRIPT FLUSH", "SCRIPT FLUSH async", "SCRIPT FLUSH x", "SCRIPT EXISTS a b",
        "SCRIPT EXISTS", "SCRIPT FOO", "SCRIPT", "SCRIPT LOAD", "FUNCTION FLUSH",
        "FUNCTION FLUSH sync", "FUNCTION FLUSH foo", "FUNCTION LIST", "FUNCTION FOO",
        "FUNCTION FLUSH async sync",
    ],
    "the keys of commands": [
        "COMMAND GETKEYS get k", "COMMAND GETKEYS nosuch a", "COMMAND GETKEYS set a",
        "COMMAND GETKEYS mset a 1 b 2", "COMMAND GETKEYS ping x", "COMMAND GETKEYS get",
        "COMMAND GETKEYS config get x", "COMMAND GETKEYSANDFLAGS set k v",
        "COMMAND GETKEYSANDFLAGS del k v", "COMMAND GETKEYSANDFLAGS get k",
        "COMMAND GETKEYSANDFLAGS mget k j", "COMMAND GETKEYSANDFLAGS exists k",
    ],
    "lists of commands": [
        "COMMAND LIST x", "COMMAND LIST FILTERBY", "COMMAND LIST FILTERBY foo x",
        "COMMAND LIST FILTERBY PATTERN ec*", "COMMAND LIST FILTERBY MODULE x",
        "COMMAND LIST FILTERBY ACLCAT nosuch", "COMMAND LIST FILTERBY PATTERN x y",
        "COMMAND INFO config|nosuch nosuch|get", "COMMAND DOCS nosuch|x", "COMMAND COUNT x",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation_goes_as_with_redis(desk: Desk, redis: Redis, name: str) -> None:
    desk.now = int(time.time() * 1000)
    lines = CONVERSATIONS[name]
    requests = [arguments(line) for line in lines]
    replies = [desk.reply(args) for args in requests]
    expected = [redis.reply(args) for args in requests]
    assert list(zip(lines, replies, strict=True)) == list(zip(lines, expected, strict=True))


@pytest.mark.parametrize("name", ["get and set", "several values", "names", "subcommands"])
def test_a_conversation_goes_as_with_redis_in_resp3(desk: Desk, redis: Redis, name: str) -> None:
    hello = arguments("HELLO 3")
    assert without_id(desk.reply(hello)) == without_id(redis.reply(hello))
    for line in CONVERSATIONS[name]:
        args = arguments(line)
        assert (line, desk.reply(args)) == (line, redis.reply(args))


@pytest.mark.parametrize("line", ["HELLO", "HELLO 2", "HELLO 3", "HELLO 3 SETNAME me", "hello 2"])
def test_a_handshake_is_answered_as_by_redis(desk: Desk, redis: Redis, line: str) -> None:
    args = arguments(line)
    assert without_id(desk.reply(args)) == without_id(redis.reply(args))


def without_id(reply: bytes) -> list[bytes]:
    """The lines of a HELLO's reply, without the connection's number."""
    lines = reply.split(b"\r\n")
    del lines[lines.index(b"id") + 1]
    return lines


@pytest.mark.parametrize("line", ["QUIT", "quit now"])
def test_a_goodbye_is_answered_as_by_redis(desk: Desk, redis: Redis, line: str) -> None:
    args = arguments(line)
    assert desk.reply(args) == redis.last_words(encode(args))


# --- bytes that are no requests -----------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"*x\r\n",
        b"*1x\r\n",
        b"*\r\n",
        b"*+1\r\n",
        b"* 1\r\n",
        b"*01\r\n$4\r\nPING\r\n",
        b"*1\n$4\r\nPING\r\n",
        b"*99999999999999999999\r\n",
        b"*1\r\n$x\r\n",
        b"*1\r\n$\r\n",
        b"*1\r\n$-1\r\n",
        b"*1\r\n$04\r\nPING\r\n",
        b"*1\r\n$536870913\r\n",
        b"*1\r\n$99999999999999999999\r\n",
        b"*1\r\n+OK\r\n",
        b"*1\r\n:5\r\n",
        b"*1\r\n\r\n$4\r\nPING\r\n",
        b"a" * 65_600,
    ],
    ids=lambda data: repr(data[:20]),
)
def test_bytes_that_are_no_request_are_refused_in_redis_words(redis: Redis, data: bytes) -> None:
    decoder = RequestDecoder()
    decoder.feed(data)
    with pytest.raises(ProtocolError) as caught:
        decoder.next()
    assert b"-ERR " + clean_line(str(caught.value)) + b"\r\n" == redis.last_words(data)


# --- on purpose ---------------------------------------------------------------------------------

UNCONFIGURED = (
    b"-ERR AUTH <password> called without any password configured for the default user. "
    b"Are you sure your configuration is correct?\r\n"
)
UNKNOWN_SETINFO = b"-ERR unknown subcommand 'SETINFO'. Try CLIENT HELP.\r\n"

# What is asked, Kveik's reply, the beginning of Redis', and why they differ.
DEVIATIONS: list[tuple[Line, bytes, bytes, str]] = [
    (
        [b"SET", b"", b"v"],
        b"-ERR a key has 1 to 65536 bytes, not 0\r\n",
        b"+OK\r\n",
        "a key is at least one byte",
    ),
    (
        [b"SET", b"k" * 65_537, b"v"],
        b"-ERR a key has 1 to 65536 bytes, not 65537\r\n",
        b"+OK\r\n",
        "several keys of any block must fit the cache",
    ),
    (
        "CLIENT SETINFO LIB-NAME redis-py",
        b"+OK\r\n",
        UNKNOWN_SETINFO,
        "clients of today send it, and Redis knows it from 7.2 on",
    ),
    (
        "AUTH default secret",
        UNCONFIGURED,
        b"+OK\r\n",
        "no password can be set yet, and who gives one should hear of it",
    ),
    ("AUTH me secret", UNCONFIGURED, b"-WRONGPASS ", "the same"),
    ("HELLO 3 AUTH default secret", UNCONFIGURED, b"%7\r\n", "the same in a handshake"),
    (
        "CONFIG GET DATABASES",
        b"*2\r\n$9\r\ndatabases\r\n$2\r\n16\r\n",
        b"*2\r\n$9\r\nDATABASES\r\n$2\r\n16\r\n",
        "a parameter has one name, however it was asked for",
    ),
    (
        "CONFIG SET maxmemory 1gb",
        b"-ERR CONFIG SET failed (possibly related to argument 'maxmemory') - can't set immutable "
        b"config\r\n",
        b"+OK\r\n",
        "memory is bounded when the server starts",
    ),
    (
        "CONFIG SET notify-keyspace-events Km",
        b"-ERR CONFIG SET failed (possibly related to argument 'notify-keyspace-events') - misses "
        b"and new keys (m, n) are not told\r\n",
        b"+OK\r\n",
        "nobody counts what was not there",
    ),
    (
        "CLIENT TRACKING ON",
        b"-ERR CLIENT TRACKING is not supported: cache nothing, or for a short time\r\n",
        b"+OK\r\n",
        "who has read what is not kept",
    ),
    ("CLIENT NO-TOUCH ON", b"+OK\r\n", b"-ERR unknown subcommand", "Redis knows it from 7.2 on"),
    ("WAITAOF 0 0 0", b"*2\r\n:1\r\n:0\r\n", b"-ERR unknown command", "the same of WAITAOF"),
    (
        "SCRIPT LOAD x",
        b"-ERR Kveik runs no scripts\r\n",
        b"-ERR Error compiling script",
        "there are no scripts",
    ),
    (
        "COMMAND INFO echo",
        b"*1\r\n*10\r\n$4\r\necho\r\n:2\r\n*3\r\n$7\r\nloading\r\n$5\r\nstale\r\n$4\r\nfast\r\n"
        b":0\r\n:0\r\n:0\r\n*1\r\n$11\r\n@connection\r\n*0\r\n*0\r\n*0\r\n",
        b"*1\r\n*10\r\n$4\r\necho\r\n:2\r\n*3\r\n+loading\r\n+stale\r\n+fast\r\n:0\r\n:0\r\n:0\r\n",
        "names are data, and there are no categories of access without users",
    ),
    (
        [b"NOSUCH\xff"],
        b"-ERR unknown command 'NOSUCH\\xff', with args beginning with: \r\n",
        b"-ERR unknown command 'NOSUCH\xff', with args beginning with: \r\n",
        "an error's text is UTF-8",
    ),
]


@pytest.mark.parametrize(
    ("line", "kveiks", "redis_", "why"), DEVIATIONS, ids=[row[3] for row in DEVIATIONS]
)
def test_kveik_differs_on_purpose(
    desk: Desk, redis: Redis, line: Line, kveiks: bytes, redis_: bytes, why: str
) -> None:
    args = arguments(line)
    assert desk.reply(args) == kveiks
    assert redis.reply(args).startswith(redis_)
