"""Every bound of Kveik, with its unit and its reason.

Imports nothing of ours; anybody may import it. A bound that is passed gives a LimitError,
a ProtocolError or a slower peer, never an out-of-memory kill.
"""

from __future__ import annotations

from typing import Final

KIB: Final = 1024
MIB: Final = 1024 * 1024

# --- data ---------------------------------------------------------------------------------------
MAX_KEY: Final = 64 * KIB  # bytes; several keys of any table block must fit the cache
MAX_VALUE: Final = 512 * MIB  # bytes; Redis' own bound for a string
MAX_COMMIT: Final = 1024 * MIB  # bytes of one log record; its length is a signed 32-bit number
DATABASES: Final = 16  # numbered databases, as in Redis; each is one lead byte of the stored key
MAX_TUPLE_DEPTH: Final = 16  # nested tuples in a Python key; the encoder recurses

# --- log ----------------------------------------------------------------------------------------
DEFAULT_MEMORY: Final = 256 * MIB  # bytes; what "memory" is where nobody says it
MIN_MEMORY: Final = 8 * MIB  # bytes; below it segments would be all header and rotation
SEGMENTS_PER_MEMORY: Final = 8  # a segment and its memtable (2.6 times as large) stay well inside
MAX_SPAN: Final = 4  # segments that a memtable of often overwritten keys may stand for
MIN_SEGMENT: Final = 1 * MIB  # bytes
MAX_SEGMENT: Final = 64 * MIB  # bytes; replaying one takes under a second
SYNC_INTERVAL: Final = 1.0  # seconds between syncs at durability "interval"; Redis' everysec
MAX_UNWRITTEN: Final = 64 * KIB  # bytes an embedded, unsynced writer gathers before one write
MAX_BACKLOG: Final = 1 * MIB  # bytes that may gather while the disk is busy; then writers wait
MAX_FROZEN: Final = 4  # memtables that wait to become tables; each is 2.6 times its segment
MAX_LAYERS: Final = 8  # parts into which snapshots divide a memtable; each read asks all of them
MAX_FOLD: Final = 10_000  # entries that are moved at once where such a part is no longer needed
RETRY_FULL: Final = 1000  # milliseconds until upkeep tries again on a full disk
UNPACED: Final = 0.5  # debt of the upkeep up to which writers are not slowed down
SLOWEST_PACE: Final = 5e-6  # seconds a byte at the highest debt: 200 KB/s
MAX_NAP: Final = 0.02  # seconds that one write is held up at most, to slow writers down
PAGE_ROWS: Final = 1000  # of a long range that are read at once, under one hold of the lock
PAGE_BYTES: Final = 1 * MIB  # of their values; a larger value is a page of its own
PAGE_STEPS: Final = 64  # chunks of each source looked at for them; they may be all tombstones
MAX_TTL: Final = 1 << 40  # seconds; 34,000 years, so that no expiry overflows

# --- tables -------------------------------------------------------------------------------------
MAX_OPEN_TABLES: Final = 256  # files; further tables are opened in place of the longest unused
READAHEAD_BLOCKS: Final = 32  # blocks that a long scan asks for at once
READAHEAD: Final = 1 * MIB  # bytes that a scan asks for, or hands out, at once; one block at least
LEVELS: Final = 7  # 0 to 6; with segments of 16 MiB the fifth takes 330 GiB
MIN_TABLE_SIZE: Final = 4 * MIB  # bytes; smaller tables would be too many files
MAX_TABLE_SIZE: Final = 32 * MIB  # bytes; larger ones would make steps between levels coarse
MAX_EDITS: Final = 1 * MIB  # bytes of the manifest behind its first edit; then it is written anew

# --- flush and compaction -----------------------------------------------------------------------
READ_SIZE: Final = 2 * MIB  # bytes read at a time from one file
CHUNK_SIZE: Final = 256 * KIB  # bytes of each source merged at a time
MAX_HELD: Final = 256 * KIB  # bytes of a value held; of a larger one only its place is
MAX_ATTEMPTS: Final = 3  # at a job whose worker dies; one that dies of the job would die for ever

# --- command line -------------------------------------------------------------------------------
MAX_DUMP_LINE: Final = 1024 * MIB  # bytes of a line of a dump; the largest value in base64 fits
LOAD_BYTES: Final = 1 * MIB  # bytes of entries that a load writes at once; a larger one goes alone
LOAD_ENTRIES: Final = 2000  # entries that a load writes at once
IMPORT_SCAN: Final = 500  # keys that an import asks for at once

# --- server: per connection ---------------------------------------------------------------------
MAX_ARGUMENTS: Final = 1024 * 1024  # of one RESP request; Redis' own bound
MAX_REQUEST: Final = MAX_COMMIT  # bytes of one RESP request
MAX_INLINE: Final = 64 * KIB  # bytes of one inline command or length line; Redis' own bound
MAX_LINE: Final = 64 * MIB  # bytes of one JSON line; parsing takes several times as much memory
MAX_JSON: Final = MAX_LINE  # bytes of a JSON value in a RESP request, which is parsed as a line is
MAX_NESTING: Final = 128  # levels of a JSON value; the parser recurses
MAX_FRAME: Final = 64 * MIB  # bytes of one framed message, either way; as for a JSON line
MAX_PICKLE_OBJECTS: Final = 1_000_000  # opcodes of one pickle; an empty set, one byte, takes 216
MAX_EXPANDED: Final = 128 * MIB  # bytes of a pickle's data where each reference counts in full
MAX_COLLISIONS: Final = 64  # keys of one dict or set with the same hash; each looks at all others
MAX_DIGITS: Final = 4300  # of a number written as text; parsing is quadratic. Python's own bound
MAX_PREFACE: Final = 8 * KIB  # bytes of a first line that are read to tell HTTP from text
MAX_REPLY: Final = MAX_VALUE  # bytes of one reply; what asks for more is refused
OUTPUT_BOUND: Final = 1 * MIB  # bytes of replies not yet sent; past it nothing more is read
PUSH_BOUND: Final = 32 * MIB  # bytes told unasked and not yet sent; past it the reader is cut off
WALK_ROWS: Final = 1000  # entries a long command looks at before others' turn (about 1 ms)
WALK_NOTED: Final = 2000  # new keys that a range may put in their places at once (about 2 ms)
WALK_BYTES: Final = 256 * KIB  # of their values; a larger value is a step of its own
WALK_CHUNKS: Final = 4  # of each source that such a step looks at; they may be all tombstones
WALK_LOADS: Final = 16  # blocks in the system's memory that such a step may fetch
WALK_TEXT: Final = 16 * KIB  # bytes of keys that such a step compares with a pattern
ITEM_SIZE: Final = 48  # bytes that a gathered key or value takes beside its own
SMALL_READ: Final = 8 * KIB  # bytes that are answered together with what others have sent
REQUESTS_A_TURN: Final = 1000  # of one connection before others have their turn (about 1 ms)

# --- server: in all -----------------------------------------------------------------------------
MAX_CONNECTIONS: Final = 10_000  # open at once; Redis' own default
SPARE_DESCRIPTORS: Final = MAX_OPEN_TABLES + 64  # kept for the engine; connections get the rest
BACKLOG: Final = 1024  # connections that wait to be accepted
MAX_BUFFERED: Final = MAX_REQUEST + MAX_REPLY  # bytes held back for all connections together
COUNT_EVERY: Final = 16 * KIB  # bytes in and out after which a connection counts what it holds back
MAX_FEEDS: Final = 1000  # KV.WATCHes at once; each reads the log for itself
FEED_PAGE: Final = 128 * KIB  # bytes of the log that a KV.WATCH reads at a time (about 1 ms)
FEED_COMMIT: Final = 64 * MIB  # bytes of the largest log record that a KV.WATCH tells
FEED_HISTORY: Final = 4  # ended segments that a server keeps for KV.WATCH ... FROM
ACCEPT_BATCH: Final = 4  # accepted in one go; less than the spare, so files never run out
STOP_GRACE: Final = 5.0  # seconds that replies may take to drain at a graceful stop
RANGE_LIMIT: Final = 1000  # entries of KV.RANGE where no LIMIT is given
MAX_WILD: Final = 1 * KIB  # bytes of a pattern behind its first wildcard; each text pays for them
SCAN_COUNT: Final = 10  # entries that SCAN looks at where no COUNT is given; Redis' own default
MAX_SCAN_COUNT: Final = 10_000  # entries that one SCAN looks at, whatever its COUNT (about 2 ms)
SCAN_BYTES: Final = 256 * KIB  # of keys that one SCAN looks at; patterns are tried on each byte
RANDOM_STEPS: Final = 400  # chunks that RANDOMKEY looks at where it meets deleted keys alone
SCAN_STEPS: Final = 16  # chunks of each source one page of SCAN looks at; they may be tombstones
MAX_CURSORS: Final = 10_000  # of SCAN that are remembered; two of each iteration that goes on
MAX_CURSOR_BYTES: Final = 8 * MIB  # of the keys that they stand for
MAX_LCS: Final = MAX_VALUE // 4  # pairs of bytes that LCS compares; Redis' own bound

# --- server: what clients have it keep ----------------------------------------------------------
MAX_QUEUED: Final = 256 * KIB  # commands of one MULTI; running them takes about a second
MAX_QUEUE: Final = 256 * MIB  # bytes of commands after MULTI, of all connections together
MAX_WATCHED: Final = 128 * KIB  # keys that are watched at once; a FLUSHALL looks at each
MAX_SUBSCRIPTIONS: Final = 1024 * KIB  # to channels, of all connections together
MAX_PATTERNS: Final = 10_000  # subscribed to, of all connections; each PUBLISH looks at each
MAX_PASSWORD: Final = 512  # bytes; Redis' own bound
MAX_REFUSALS: Final = 10  # wrong passwords in a row until the connection is closed
MAX_SLEEP: Final = 1e9  # seconds that a command waits at most; a timer takes no more
SLOWLOG_TIME: Final = 10_000  # microseconds from which a command is slow, unless set; Redis' own
SLOWLOG_ENTRIES: Final = 128  # slow commands kept, unless set; Redis' own
MAX_SLOWLOG: Final = 100_000  # of them that can be asked for, each at most 5 KB
SLOWLOG_ARGUMENTS: Final = 32  # of a slow command that are kept; Redis' own
SLOWLOG_ARGUMENT: Final = 128  # bytes of each; Redis' own
MAX_LATENCIES: Final = 160  # slow moments of one kind that are kept; Redis' own
MAX_ERRORS: Final = 128  # kinds of errors that are counted, by their code

# --- clients ------------------------------------------------------------------------------------
MAX_ANSWER: Final = MAX_COMMIT  # bytes of a JSON line; a server's largest reply, half of it escaped
CLIENT_CONNECTIONS: Final = 10  # of one client, unless it is told otherwise; who wants more waits
