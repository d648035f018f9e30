"""As test_like_redis, for commands on strings, bits and keys."""

from __future__ import annotations

import random
import time

import pytest
from tests.command.desk import Desk
from tests.support.redis_server import Line, Redis, arguments

from kveik.command import (
    bitfield,
    bits,
    copies,
    dumps,
    expiry,
    lcs,
    numbers,
    pieces,
    scan,
    strings,
)
from kveik.format import rdb

FAR = 9_000_000_000  # a second that is far away

# Each is run from the start: no keys, a new connection.
CONVERSATIONS: dict[str, list[Line]] = {
    "append": [
        "APPEND k a", "APPEND k bc", "GET k", [b"APPEND", b"k", b""], "APPEND k", "GET k",
        [b"APPEND", b"new", b""], "EXISTS new", "SET n 10", "APPEND n 1", "INCR n",
    ],
    "counting": [
        "INCR k", "INCR k", "DECR k", "INCRBY k 10", "DECRBY k 3", "GET k", "INCRBY k -5",
        "DECRBY k -5", "SET k 9223372036854775807", "INCR k", "GET k", "DECR k",
        "SET k -9223372036854775808", "DECR k", "DECRBY k 1", "INCRBY k -1", "INCRBY k 1",
        "DECRBY k -9223372036854775808", "INCRBY k -9223372036854775808", "DECRBY k x", "SET k x",
        "INCR k", "SET k 1.0", "INCR k", [b"SET", b"k", b" 1"], "INCR k", [b"SET", b"k", b""],
        "INCR k", "SET k 01", "INCR k", "SET k -0", "INCR k", "SET k +1", "INCR k", "INCRBY k 1.5",
        "INCRBY k", "INCRBY k 99999999999999999999", "INCRBY nokey x", "INCR", "INCR a b",
        "DECRBY a", "SET k 00", "INCR k", "SET k 9223372036854775808", "INCR k",
    ],
    "counting in fractions": [
        "INCRBYFLOAT k 0.1", "INCRBYFLOAT k 0.2", "GET k", "INCRBYFLOAT k -0.3",
        "INCRBYFLOAT k 3.0e3", "SET k 10.50", "INCRBYFLOAT k 0.1", "INCRBYFLOAT k -5",
        "SET k 5.0e3", "INCRBYFLOAT k 2.0e2", "SET k 3", "INCRBYFLOAT k 1.1", "SET k 1e5",
        "INCRBYFLOAT k 0", "INCRBYFLOAT k 1e300", "SET k 1e4931", "INCRBYFLOAT k 1e4931",
        "STRLEN k", "SET k 1e4932", "INCRBYFLOAT k 1e4932", "INCRBYFLOAT k inf",
        "INCRBYFLOAT k -inf", "INCRBYFLOAT k infinity", "INCRBYFLOAT k nan", "INCRBYFLOAT k x",
        "INCRBYFLOAT k 1e", "INCRBYFLOAT k 1e99999", "INCRBYFLOAT k 1e-99999",
        [b"INCRBYFLOAT", b"k", b""], [b"INCRBYFLOAT", b"k", b" 1"], [b"INCRBYFLOAT", b"k", b"1 "],
        [b"INCRBYFLOAT", b"k", b"1\x00"], "SET k 0", "INCRBYFLOAT k 0x10", "INCRBYFLOAT k 0x1.8p1",
        "INCRBYFLOAT k .5", "INCRBYFLOAT k 1.", "INCRBYFLOAT k .", "INCRBYFLOAT k +1",
        "INCRBYFLOAT k -.5e-3", "INCRBYFLOAT k 0x", "INCRBYFLOAT k 1e-4940", "SET k x",
        "INCRBYFLOAT k 1", "SET k -0", "INCRBYFLOAT k 0", "INCRBYFLOAT k -0", "SET k 1",
        "INCRBYFLOAT k -1", "INCRBYFLOAT z -0", "INCRBYFLOAT k -1e-18", "INCRBYFLOAT k 1e-18",
        "SET k -1e-30", "INCRBYFLOAT k 0", "SET k 0.00000000000000001", "INCRBYFLOAT k 0",
        "SET k 123456789012345678901234567890", "INCRBYFLOAT k 1", "SET k 17179869184.1",
        "INCRBYFLOAT k 0.1", "SET k inf", "INCRBYFLOAT k 1", "INCRBYFLOAT k 1e-4970",
        [b"INCRBYFLOAT", b"q", b"0." + b"0" * 4800 + b"1"], [b"INCRBYFLOAT", b"q", b"1" * 4900],
        [b"INCRBYFLOAT", b"q", b"1" * 5119], [b"INCRBYFLOAT", b"q", b"0" * 5120],
        [b"INCRBYFLOAT", b"q", b"0" * 5118 + b"1"],
    ],
    "setting, the old way": [
        "SETNX k 1", "SETNX k 2", "GET k", "GETSET k 3", "GETSET new 1", "GET new",
        "MSETNX a 1 b 2", "MSETNX b 3 c 4", "MGET a b c", "MSETNX a", "MSETNX a 1 b",
        "MSETNX c 1 c 2", "GET c", "SETEX k 100 v", "TTL k", "PSETEX k 100000 w", "GET k",
        "SETEX k 0 v", "SETEX k -1 v", "SETEX k x v", "PSETEX k 0 v",
        "SETEX k 9223372036854775807 v", "PSETEX k 9223372036854775807 v", "SETEX k 10", "GET k",
        "GETSET k", "GETSET k plain", "TTL k",
    ],
    "taking": [
        "GETDEL k", "SET k v", "GETDEL k", "GETDEL k", "EXISTS k", "GETDEL", "GETDEL a b",
    ],
    "getting with an expiry": [
        "GETEX k", "SET k v", "GETEX k", "TTL k", "GETEX k EX 100", "TTL k", "GETEX k PERSIST",
        "TTL k", "GETEX k PX 100000", "TTL k", f"GETEX k EXAT {FAR}", "EXPIRETIME k",
        f"GETEX k PXAT {FAR}123", "PEXPIRETIME k", "GETEX k EX 0", "GETEX k EX x", "GETEX k EX -1",
        "GETEX k EX 1 PX 1", "GETEX k EX 1 PERSIST", "GETEX k PERSIST EX 1", "GETEX k FOO",
        "GETEX k NX", "GETEX k KEEPTTL", "GETEX k EX", "GETEX k PERSIST PERSIST", "TTL k",
        "GETEX nothing EX 0", "GETEX nothing EX x", "GETEX nothing FOO", "GETEX k EX 5 EX 200",
        "TTL k", "GETEX k PXAT 1", "EXISTS k", "GETEX k", "SET k v",
        "GETEX k EX 9223372036854775807", "GETEX k GET",
    ],
    "parts of values": [
        "GETRANGE k 0 -1", "SET k hello", "GETRANGE k 0 -1", "GETRANGE k 1 3", "GETRANGE k -3 -1",
        "GETRANGE k -1 -3", "GETRANGE k 3 1", "GETRANGE k 0 100", "GETRANGE k 5 10",
        "GETRANGE k 4 10", "GETRANGE k -100 2", "GETRANGE k -100 -50", "GETRANGE k 0 -100",
        "SUBSTR k 0 1", "GETRANGE k x 1", "GETRANGE k 0", "GETRANGE k 0 99999999999999999999",
        "GETRANGE k 0 9223372036854775807", "GETRANGE k -9223372036854775808 9223372036854775807",
        "GETRANGE nothing x 1", [b"SET", b"e", b""], "GETRANGE e 0 -1", "GETRANGE e 0 0",
    ],
    "writing parts": [
        "SETRANGE k 5 x", "GET k", "SETRANGE k 0 abc", "GET k", [b"SETRANGE", b"k", b"100", b""],
        "GET k", [b"SETRANGE", b"new", b"3", b""], "EXISTS new", "SETRANGE k -1 x",
        "SETRANGE k x y", "SETRANGE k 536870912 x", "SETRANGE k 536870911 xy",
        "SETRANGE k 9223372036854775807 x", [b"SETRANGE", b"k", b"9223372036854775807", b""],
        [b"SETRANGE", b"k", b"-1", b""], "SETRANGE k 0", "GET k", "SETRANGE n 2 5", "GET n",
    ],
    "common subsequences": [
        "MSET a ohmytext b mynewtext", "LCS a b", "LCS a b LEN", "LCS a b IDX",
        "LCS a b IDX MINMATCHLEN 4", "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
        "LCS a b WITHMATCHLEN IDX", "LCS a b LEN IDX", "LCS a b MINMATCHLEN",
        "LCS a b MINMATCHLEN x", "LCS a b FOO", "LCS a", "LCS a nothing", "LCS nothing nothing LEN",
        "LCS a nothing IDX", "LCS a b IDX MINMATCHLEN -1", "LCS a a IDX", "LCS a b LEN LEN",
        "LCS a b len minmatchlen 3", "LCS nothing b FOO",
    ],
    "common subsequences that are too long to find": [
        "SETRANGE a 20000 x", "SETRANGE b 10000 x", "LCS a b", "LCS a b LEN",
    ],
    "bits": [
        "SETBIT k 7 1", "GETBIT k 7", "GETBIT k 6", "GETBIT k 100", "SETBIT k 7 0", "GET k",
        "SETBIT k 7 0", "SETBIT k 100 0", "STRLEN k", "SETBIT k -1 1", "SETBIT k x 1",
        "SETBIT k 0 2", "SETBIT k 0 -1", "SETBIT k 0 x", "SETBIT k 4294967296 1",
        "GETBIT k 4294967296", "GETBIT k -1", "GETBIT k x", "GETBIT nothing 4294967295",
        "SETBIT k #0 1", "GETBIT k 0 1", "SETBIT k 0", "SETBIT k x x", "SETBIT k 0 01", "SET n 123",
        "GETBIT n 2", "SETBIT n 2 0", "GET n", "SETBIT new 0 0", "STRLEN new",
    ],
    "counting bits": [
        "BITCOUNT k", "SET k foobar", "BITCOUNT k", "BITCOUNT k 0 0", "BITCOUNT k 1 1",
        "BITCOUNT k 0 -1", "BITCOUNT k -2 -1", "BITCOUNT k 5 30 BIT", "BITCOUNT k 1 1 BYTE",
        "BITCOUNT k 0 -1 BIT", "BITCOUNT k -3 -1 bit", "BITCOUNT k 0", "BITCOUNT k 0 1 FOO",
        "BITCOUNT k 0 1 BIT x", "BITCOUNT k x 1", "BITCOUNT k 0 x", "BITCOUNT nothing x 1",
        "BITCOUNT nothing 0", "BITCOUNT nothing 0 1 FOO", "BITCOUNT k 3 1", "BITCOUNT k -1 -3",
        "BITCOUNT k -1 -3 FOO", "BITCOUNT k 100 200", "BITCOUNT k -100 -50", "BITCOUNT k 0 -100",
        "BITCOUNT k 10 5 BIT", "BITCOUNT k 47 47 BIT", "BITCOUNT k 48 50 BIT", [b"SET", b"e", b""],
        "BITCOUNT e", "BITCOUNT e 0 -1", "BITCOUNT e 0 -1 BIT",
    ],
    "finding bits": [
        "BITPOS k 1", "BITPOS k 0", "BITPOS k 2", "BITPOS k x", "BITPOS nothing 1 x y",
        "BITPOS nothing 0 x", [b"SET", b"k", b"\xff\xf0\x00"], "BITPOS k 0", "BITPOS k 1",
        "BITPOS k 1 2", "BITPOS k 1 2 2", "BITPOS k 0 0 0", "BITPOS k 0 0", "BITPOS k 1 7 15 BIT",
        "BITPOS k 1 12 15 BIT", "BITPOS k 0 0 7 BIT", "BITPOS k 0 5 12 bit", "BITPOS k 0 0 FOO",
        "BITPOS k 0 0 1 FOO", "BITPOS k 0 0 1 BIT x", "BITPOS k 0 x", "BITPOS k 0 0 x",
        "BITPOS k 1 5", "BITPOS k 1 2 1", "BITPOS k 1 -1 -1", "BITPOS k 1 -2 -1",
        "BITPOS k 1 -100 100", [b"SET", b"f", b"\xff\xff"], "BITPOS f 0", "BITPOS f 0 0",
        "BITPOS f 0 1", "BITPOS f 0 2", "BITPOS f 0 0 -1", "BITPOS f 0 0 15 BIT",
        "BITPOS f 0 3 9 BIT", [b"SET", b"e", b""], "BITPOS e 0", "BITPOS e 1", "BITPOS e 0 0",
        "BITPOS e 0 0 -1", "BITPOS k 1 0 -1 BYTE", [b"SET", b"z", b"\x00" * 9], "BITPOS z 1",
        "BITPOS z 1 3 70 BIT", "BITPOS z 0 3 70 BIT", "BITPOS z 2 0 0 FOO",
    ],
    "combining bits": [
        "SET a foobar", "SET b abcdef", "BITOP AND d a b", "GET d", "BITOP OR d a b", "GET d",
        "BITOP XOR d a b", "GET d", "BITOP NOT d a", "GET d", "BITOP NOT d a b", "BITOP FOO d a",
        "BITOP AND d a nothing", "GET d", "BITOP OR d a nothing b", "GET d", "BITOP AND d nothing",
        "EXISTS d", "BITOP AND d nothing other", "SET s xy", "BITOP XOR d a s", "GET d",
        "BITOP AND d a s", "GET d", "BITOP or s a s", "GET s", "BITOP AND d", "SET d x EX 100",
        "BITOP OR d a", "TTL d", "BITOP NOT d nothing", "BITOP XOR d a a a", "GET d",
    ],
    "bit fields": [
        "BITFIELD k", "BITFIELD k SET i8 0 100", "BITFIELD k GET i8 0 GET u4 0 GET u4 #1",
        "BITFIELD k INCRBY i8 0 100", "BITFIELD k OVERFLOW SAT INCRBY i8 0 100",
        "BITFIELD k OVERFLOW SAT INCRBY i8 0 -300", "BITFIELD k OVERFLOW FAIL INCRBY i8 0 -300",
        "BITFIELD k OVERFLOW FAIL SET u4 #3 16 GET u4 #3",
        "BITFIELD new OVERFLOW FAIL INCRBY u2 100 5", "STRLEN new",
        "BITFIELD k SET u63 #1 9223372036854775807", "BITFIELD k GET u63 #1 GET i64 5",
        "BITFIELD k SET i64 0 -1", "BITFIELD k INCRBY i64 0 -9223372036854775808",
        "BITFIELD k OVERFLOW SAT INCRBY i64 0 -1", "BITFIELD k INCRBY i64 0 -1",
        "BITFIELD k SET u8 0 -1", "BITFIELD k OVERFLOW SAT SET u8 0 -1",
        "BITFIELD k OVERFLOW SAT SET u8 0 256 SET i8 8 -200 SET i8 16 200", "GET k",
        "BITFIELD k GET u64 0", "BITFIELD k GET i65 0", "BITFIELD k GET u0 0",
        "BITFIELD k GET x8 0", "BITFIELD k GET 8 0", "BITFIELD k GET i8 -1", "BITFIELD k GET i8 x",
        "BITFIELD k GET i8 #x", "BITFIELD k GET i8 #-1", "BITFIELD k GET i8", "BITFIELD k SET i8 0",
        "BITFIELD k SET i8 0 x", "BITFIELD k FOO", "BITFIELD k OVERFLOW", "BITFIELD k OVERFLOW FOO",
        "BITFIELD k OVERFLOW SAT", "BITFIELD k GET i8 4294967296", "BITFIELD k GET i8 4294967295",
        "BITFIELD k GET u1 #1000000000", "BITFIELD_RO k GET i8 0", "BITFIELD_RO k SET i8 0 1",
        "BITFIELD_RO k OVERFLOW SAT GET u3 1", "BITFIELD_RO k", "BITFIELD_RO nothing GET i8 0",
        "BITFIELD nothing GET i8 0", "EXISTS nothing", "BITFIELD k GET I8 0",
        "BITFIELD k get u08 0", "BITFIELD k incrby u1 1 1 set u1 1 0 overflow wrap incrby u3 #2 9",
        "GET k",
    ],
    "expiring": [
        "EXPIRE k 100", "SET k v", "TTL k", "PTTL k", "TTL nothing", "PTTL nothing", "EXPIRETIME k",
        "PEXPIRETIME nothing", "EXPIRE k 100", "TTL k", "PERSIST k", "PERSIST k", "PERSIST nothing",
        "TTL k", f"EXPIREAT k {FAR}", "EXPIRETIME k", "PEXPIRETIME k", f"PEXPIREAT k {FAR}499",
        "EXPIRETIME k", f"PEXPIREAT k {FAR}500", "EXPIRETIME k", "PEXPIRETIME k",
        "PEXPIRE k 100000", "TTL k", "EXPIRE k x", "EXPIRE k", "EXPIRE k 9223372036854775807",
        "EXPIRE k 9223372036854775", "EXPIRE k -9223372036854775808", "EXPIREAT k 9223372036854776",
        "PEXPIRE k 9223372036854775807", "EXPIRE nothing 9223372036854775807", "EXPIRE k 1.5",
        "EXPIRE k 10 FOO", "EXPIRE k 10 NX XX", "EXPIRE k 10 GT LT", "EXPIRE k 10 NX GT",
        "EXPIRE k x FOO", "EXPIRE k x NX XX", "TTL k", "EXPIRE k 0", "EXISTS k", "SET k v",
        "EXPIRE k -1", "EXISTS k", "SET k v", "PEXPIREAT k 1", "EXISTS k", "SET k v",
        "PEXPIREAT k 9223372036854775807", "PEXPIRETIME k", "EXPIREAT k 9223372036854775",
        "EXPIRETIME k",
    ],
    "expiring on a condition": [
        "SET k v", "EXPIRE k 100 XX", "EXPIRE k 100 GT", "EXPIRE k 100 LT", "TTL k",
        "EXPIRE k 200 LT", "EXPIRE k 50 GT", "EXPIRE k 200 GT", "TTL k", "EXPIRE k 100 NX",
        "EXPIRE k 300 XX", "TTL k", "EXPIRE k 400 xx gt", "TTL k", "EXPIRE k 100 XX LT", "TTL k",
        "PERSIST k", "EXPIRE k 100 NX", "TTL k", "EXPIRE k -1 GT", "EXPIRE k -1 LT", "EXISTS k",
        "EXPIRE nothing 1 NX", f"SET k v EXAT {FAR}", f"EXPIREAT k {FAR} GT",
        f"EXPIREAT k {FAR} LT", f"PEXPIREAT k {FAR}001 GT", "PEXPIRETIME k", "EXPIRE k 10 XX XX",
        "EXPIRE k 10 NX NX",
    ],
    "what keeps an expiry and what does not": [
        "SET k 1 EX 100", "INCR k", "TTL k", "APPEND k 1", "TTL k", "SETRANGE k 0 2", "TTL k",
        "SETBIT k 1 1", "TTL k", "SET k 1 EX 100", "INCRBYFLOAT k 1.5", "TTL k",
        "BITFIELD k SET u8 0 49", "TTL k", "GETSET k 1", "TTL k", "SET k 1 EX 100", "MSET k 1",
        "TTL k", "SET k 1 EX 100", "RENAME k j", "TTL j", "COPY j k", "TTL k", "SET plain 1",
        "RENAME plain j", "TTL j", "SETNX k 1", "TTL k", "SET k 1", "TTL k",
    ],
    "copying": [
        "COPY a b", "SET a 1", "COPY a b", "COPY a b", "GET b", "SET a 2", "COPY a b REPLACE",
        "GET b", "COPY a a", "COPY a a REPLACE", "COPY a a DB 1", "COPY a a DB 1", "COPY a c DB 0",
        "COPY a b DB 16", "COPY a b DB -1", "COPY a b DB x", "COPY a b DB", "COPY a b FOO",
        "COPY a", "SELECT 1", "GET a", "COPY a z DB 0", "SELECT 0", "GET z", "COPY nothing x",
        "COPY nothing nothing", "COPY a q DB 2 REPLACE", "COPY a a DB 0",
    ],
    "moving": [
        "MOVE k 1", "SET k v EX 100", "MOVE k 1", "EXISTS k", "SELECT 1", "GET k", "TTL k",
        "SELECT 0", "SET k w", "MOVE k 1", "GET k", "MOVE k 0", "MOVE k 16", "MOVE k x",
        "MOVE k -1", "MOVE k 3000000000",
        "COPY k l DB 3000000000", "COPY k l DB -3000000000", "MOVE nothing 0", "MOVE k", "DBSIZE",
    ],
    "renaming": [
        "RENAME a b", "RENAMENX a b", "SET a 1", "RENAME a b", "GET a", "GET b", "RENAME b b",
        "RENAMENX b b", "SET c 2", "RENAMENX b c", "RENAMENX b d", "MGET a b c d", "RENAME d c",
        "GET c", "RENAME nothing nothing", "DBSIZE", "TOUCH c nothing c", "TOUCH", "RENAME a",
    ],
    "objects": [
        "OBJECT ENCODING k", "SET k 1", "OBJECT ENCODING k", "SET k abc", "OBJECT ENCODING k",
        "OBJECT REFCOUNT k", [b"SET", b"k", b"x" * 44], "OBJECT ENCODING k",
        [b"SET", b"k", b"x" * 45], "OBJECT ENCODING k", "OBJECT FREQ k", "OBJECT FREQ nothing",
        "OBJECT IDLETIME k", "OBJECT IDLETIME nothing", "OBJECT HELP", "OBJECT FOO",
        "OBJECT ENCODING", "OBJECT HELP x", "OBJECT", "OBJECT ENCODING a b", "MEMORY USAGE nothing",
        "MEMORY USAGE", "MEMORY FOO", "MEMORY USAGE k SAMPLES", "MEMORY USAGE k SAMPLES x",
        "MEMORY USAGE k FOO 1", "MEMORY USAGE k SAMPLES -1", "MEMORY USAGE nothing SAMPLES 1",
        "SET k 9223372036854775808", "OBJECT ENCODING k", "SET k 9223372036854775807",
        "OBJECT ENCODING k", "MEMORY USAGE nothing FOO",
    ],
    "dumping": [
        "DUMP k", "SET k 10", "DUMP k", "SET k -128", "DUMP k", "SET k 128", "DUMP k",
        "SET k -32768", "DUMP k", "SET k 32768", "DUMP k", "SET k -2147483648", "DUMP k",
        "SET k 2147483648", "DUMP k", "SET k hello", "DUMP k", [b"SET", b"k", b""], "DUMP k",
        "SET k 007", "DUMP k", "SET k -0", "DUMP k", [b"SET", b"k", bytes(range(100))], "DUMP k",
        [b"SET", b"k", random.Random(1).randbytes(20_000)], "DUMP k", "DUMP", "DUMP a b",
    ],
    "restoring what is broken": [
        "RESTORE k 0 x", "RESTORE k x x", "RESTORE k -1 x", [b"RESTORE", b"k", b"0", b""],
        "RESTORE k 0 x FOO", "RESTORE k 0 x IDLETIME", "RESTORE k 0 x IDLETIME -1",
        "RESTORE k 0 x FREQ 256", "RESTORE k 0 x FREQ x", "RESTORE k 0 x IDLETIME 1 FREQ 1",
        "RESTORE k 0", "SET k v", "RESTORE k x y", "RESTORE k 0 x REPLACE", "GET k",
        [b"RESTORE", b"k", b"0", b"\x00\x02ab\x0a\x00" + b"12345678", b"REPLACE"],
    ],
    "scanning": [
        "SCAN 0", "SET k v", "SCAN 0", "SCAN 0 MATCH k*", "SCAN 0 MATCH x*", "SCAN 0 COUNT 100",
        "SCAN 0 TYPE string", "SCAN 0 TYPE list", "SCAN 0 TYPE STRING", "SCAN x", "SCAN 1.0",
        "SCAN 0 COUNT 0", "SCAN 0 COUNT -1", "SCAN 0 COUNT x", "SCAN 0 COUNT", "SCAN 0 FOO",
        "SCAN 0 FOO x", "SCAN", "SCAN 0 MATCH", "SCAN 0 MATCH ?", "SCAN 99999999999999999999",
        "SCAN x FOO", "RANDOMKEY", "DEL k", "RANDOMKEY", "RANDOMKEY x", "SCAN 0 MATCH [k]",
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", CONVERSATIONS)
@pytest.mark.parametrize("protocol", ["2", "3"])
def test_a_conversation_goes_as_with_redis(
    desk: Desk,
    redis: Redis,
    name: str,
    protocol: str,
) -> None:
    desk.now = int(time.time() * 1000)
    lines = CONVERSATIONS[name]
    for each in (desk, redis):
        each.reply([b"HELLO", protocol.encode()])
    requests = [arguments(line) for line in lines]
    replies = [desk.reply(args) for args in requests]
    expected = redis.replies(requests)
    assert list(zip(lines, replies, strict=True)) == list(zip(lines, expected, strict=True))


# --- on purpose ---------------------------------------------------------------------------------

NEWER = b"\x00\x01v" + (11).to_bytes(2, "little")
NEWER += rdb.checksum(NEWER)
EMPTY_LIST = b"\x01\x00" + (10).to_bytes(2, "little")
EMPTY_LIST += rdb.checksum(EMPTY_LIST)

# What goes before, what is asked, Kveik's reply, the beginning of Redis', and why they differ.
DEVIATIONS: list[tuple[list[Line], Line, bytes, bytes, str]] = [
    (
        ["SET k v"],
        "SCAN 7",
        b"-ERR invalid cursor\r\n",
        b"*2\r\n$1\r\n0\r\n",
        "a cursor is one that SCAN has given: where any other leads nobody can say",
    ),
    (
        ["SET k v"],
        "SCAN -1",
        b"-ERR invalid cursor\r\n",
        b"*2\r\n$1\r\n0\r\n",
        "the same of one that is no number of SCAN's",
    ),
    (
        [],
        "SWAPDB 0 1",
        b"-ERR SWAPDB is not supported: a key is stored under its database's number\r\n",
        b"+OK\r\n",
        "all keys of both would have to be written again, in one commit",
    ),
    (
        ["SET k 5"],
        "OBJECT REFCOUNT k",
        b":1\r\n",
        b":2147483647\r\n",
        "no value is shared",
    ),
    (
        [],
        [b"RESTORE", b"k", b"0", EMPTY_LIST],
        b"-ERR the payload is no string: Kveik's values are strings\r\n",
        b"-ERR Bad data format\r\n",
        "what is wrong with it is that it is a list",
    ),
    (
        [],
        "HSET k f v",
        b"-ERR HSET works on hashes, which Kveik does not have: its values are strings\r\n",
        b":1\r\n",
        "there is one type of value",
    ),
    (
        [],
        [b"RESTORE", b"k", b"0", NEWER],
        b"+OK\r\n",
        b"-ERR DUMP payload version or checksum are wrong\r\n",
        "a string of a newer Redis is written in the same way",
    ),
    (
        [],
        "BITFIELD k OVERFLOW SAT SET i8 0 -9223372036854775808 GET i8 0",
        b"*2\r\n:0\r\n:-128\r\n",
        b"*2\r\n:0\r\n:127\r\n",
        "the least number is below all others; in Redis a subtraction overflows",
    ),
]


@pytest.mark.parametrize(
    ("before", "line", "kveiks", "redis_", "why"), DEVIATIONS, ids=[row[4] for row in DEVIATIONS]
)
def test_kveik_differs_on_purpose(
    desk: Desk,
    redis: Redis,
    before: list[Line],
    line: Line,
    kveiks: bytes,
    redis_: bytes,
    why: str,
) -> None:
    for each in before:
        desk.reply(arguments(each))
        redis.reply(arguments(each))
    assert desk.reply(arguments(line)) == kveiks
    assert redis.reply(arguments(line)).startswith(redis_)


# --- what is listed -----------------------------------------------------------------------------

MINE = sorted(
    command.name
    for module in (bitfield, bits, copies, dumps, expiry, lcs, numbers, pieces, scan, strings)
    for command in module.COMMANDS
)


@pytest.mark.parametrize("name", MINE)
def test_a_command_is_described_as_by_redis(desk: Desk, redis: Redis, name: str) -> None:
    args = [b"COMMAND", b"INFO", name.encode()]
    assert described(desk.reply(args)) == described(redis.reply(args))


def described(reply: bytes) -> list[bytes]:
    """Name, arity, flags and where the keys are, whether words of the protocol or data."""
    words = [word.removeprefix(b"+") for word in reply.split(b"\r\n") if word[:1] != b"$"]
    return words[: 5 + int(words[4][1:]) + 3]
