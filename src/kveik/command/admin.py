"""Commands on the server: SHUTDOWN TIME ROLE, and SCRIPT and FUNCTION, of which there are none.

Called through the registry.
"""

from __future__ import annotations

import time
from typing import Final

from kveik.command.arguments import SYNTAX, wrong_member
from kveik.command.command import Command, family, member, on_client
from kveik.command.state import Client
from kveik.errors import CommandError
from kveik.model import NO_REPLY, OK

_WHEN: Final = (b"ASYNC", b"SYNC")
_SHUTDOWN_WORDS: Final = frozenset((b"SAVE", b"NOSAVE", b"NOW", b"FORCE"))


def shutdown(client: Client, args: list[bytes]) -> object:
    """SHUTDOWN [SAVE | NOSAVE] [NOW] [FORCE]: what was acknowledged is on the disk either way."""
    words = {word.upper() for word in args[1:]}
    if not words <= _SHUTDOWN_WORDS or {b"SAVE", b"NOSAVE"} <= words:
        raise CommandError(SYNTAX)
    client.closing = True
    client.server.stop()
    return NO_REPLY


def time_(client: Client, args: list[bytes]) -> object:
    now = time.time_ns() // 1000
    return [b"%d" % (now // 1_000_000), b"%d" % (now % 1_000_000)]


def role(client: Client, args: list[bytes]) -> object:
    return [b"master", 0, []]


def script_exists(client: Client, args: list[bytes]) -> object:
    return [0] * (len(args) - 2)


def script_flush(client: Client, args: list[bytes]) -> object:
    """SCRIPT FLUSH [ASYNC | SYNC]"""
    if len(args) > 3 or (len(args) == 3 and args[2].upper() not in _WHEN):
        raise CommandError("ERR SCRIPT FLUSH only support SYNC|ASYNC option")
    return OK


def script_load(client: Client, args: list[bytes]) -> object:
    raise CommandError("ERR Kveik runs no scripts")


def function_flush(client: Client, args: list[bytes]) -> object:
    """FUNCTION FLUSH [ASYNC | SYNC]"""
    if len(args) > 3:
        raise CommandError(wrong_member("FUNCTION", args))
    if len(args) == 3 and args[2].upper() not in _WHEN:
        raise CommandError("ERR FUNCTION FLUSH only supports SYNC|ASYNC option")
    return OK


def function_list(client: Client, args: list[bytes]) -> object:
    return []


_NONE: Final = "scripting"
COMMANDS: Final[list[Command]] = [
    family(
        "FUNCTION",
        _NONE,
        "A container for function commands: there are no functions.",
        [
            member(
                on_client(
                    function_flush, "FUNCTION|FLUSH", -2, "noscript", _NONE, "Deletes nothing."
                ),
                "[ASYNC|SYNC]",
            ),
            member(
                on_client(function_list, "FUNCTION|LIST", -2, "noscript", _NONE, "Lists nothing."),
                "",
            ),
        ],
        "7.0.0",
    ),
    on_client(
        role,
        "ROLE",
        1,
        "noscript loading stale fast",
        "server",
        "Returns that this is a master without replicas.",
        since="2.8.12",
    ),
    family(
        "SCRIPT",
        _NONE,
        "A container for script commands: there are no scripts.",
        [
            member(
                on_client(
                    script_exists, "SCRIPT|EXISTS", -3, "noscript", _NONE, "Knows of no script."
                ),
                "<sha1> [<sha1> ...]",
            ),
            member(
                on_client(script_flush, "SCRIPT|FLUSH", -2, "noscript", _NONE, "Deletes nothing."),
                "[ASYNC|SYNC]",
            ),
            member(
                on_client(
                    script_load,
                    "SCRIPT|LOAD",
                    3,
                    "noscript stale",
                    _NONE,
                    "Refused: no scripts are run.",
                ),
                "<script>",
            ),
        ],
        "2.6.0",
    ),
    on_client(
        shutdown,
        "SHUTDOWN",
        -1,
        "admin noscript loading stale no_multi allow_busy",
        "server",
        "Syncs what is left and stops the server.",
    ),
    on_client(
        time_,
        "TIME",
        1,
        "loading stale fast",
        "server",
        "Returns the server's time.",
        since="2.6.0",
    ),
]
