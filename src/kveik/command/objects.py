"""What a value is made of: OBJECT and MEMORY USAGE, for tools that ask. Called by the registry.

Kveik has one form of value, and does not count its uses; the answers are what fits best.
"""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import MAX_I64, SYNTAX, integer, shown
from kveik.command.command import Command, on_data
from kveik.engine.transaction import Transaction
from kveik.errors import CommandError
from kveik.model import Simple

EMBEDDED: Final = 44  # bytes up to which Redis keeps a value beside its head
OVERHEAD: Final = 120  # bytes of a value's objects in a memtable, beside the key and the value
NO_FREQUENCY: Final = (
    "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that "
    "when switching between policies at runtime LRU and LFU data will take some time to adjust."
)

_OBJECT_HELP: Final = """\
OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:
ENCODING <key>
    Return the kind of internal representation used in order to store the value
    associated with a <key>.
FREQ <key>
    Return the access frequency index of the <key>. The returned integer is
    proportional to the logarithm of the recent access frequency of the key.
IDLETIME <key>
    Return the idle time of the <key>, that is the approximated number of
    seconds elapsed since the last access to the key.
REFCOUNT <key>
    Return the number of references of the value associated with the specified
    <key>.
HELP
    Prints this help."""


def object_(txn: Transaction, args: list[bytes]) -> object:
    """OBJECT ENCODING|FREQ|IDLETIME|REFCOUNT key, OBJECT HELP"""
    word = args[1].upper()
    if word == b"HELP" and len(args) == 2:
        return [Simple(line.encode()) for line in _OBJECT_HELP.split("\n")]
    if word not in (b"ENCODING", b"FREQ", b"IDLETIME", b"REFCOUNT", b"HELP"):
        raise CommandError(f"ERR unknown subcommand '{shown(args[1])}'. Try OBJECT HELP.")
    if len(args) != 3 or word == b"HELP":
        part = word.decode().lower()
        raise CommandError(f"ERR wrong number of arguments for 'object|{part}' command")
    data = txn.data(args[2])
    if data is None:
        return None
    if word == b"FREQ":
        raise CommandError(NO_FREQUENCY)
    if word == b"IDLETIME":
        return 0
    return _encoding(data) if word == b"ENCODING" else 1


def _encoding(data: bytes) -> bytes:
    try:
        integer(data)
        return b"int"
    except CommandError:
        return b"embstr" if len(data) <= EMBEDDED else b"raw"


def usage(txn: Transaction, args: list[bytes]) -> object:
    """MEMORY USAGE key [SAMPLES count]"""
    at = 3
    while at < len(args):
        if args[at].upper() != b"SAMPLES" or at + 1 == len(args):
            raise CommandError(SYNTAX)
        if not 0 <= integer(args[at + 1]) <= MAX_I64:
            raise CommandError(SYNTAX)
        at += 2
    data = txn.data(args[2])
    return None if data is None else len(args[2]) + len(data) + OVERHEAD


COMMANDS: Final[list[Command]] = [
    on_data(
        object_,
        "OBJECT",
        -2,
        "readonly",
        "generic",
        "Tells what a value is made of.",
        since="2.2.3",
    ),
]
