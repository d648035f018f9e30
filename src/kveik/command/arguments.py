"""Reading a command's arguments, with Redis' error texts. Called by the command modules."""

from __future__ import annotations

from kveik.errors import CommandError
from kveik.limits import DATABASES, MAX_REPLY

SYNTAX = "ERR syntax error"
NOT_AN_INTEGER = "ERR value is not an integer or out of range"
TOO_MUCH = f"ERR the reply would have more than {MAX_REPLY} bytes: ask for less"
TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
MAX_SHOWN = 128  # bytes of a request that an error repeats
MAX_I64 = (1 << 63) - 1
MAX_I32 = (1 << 31) - 1


def integer(text: bytes) -> int:
    """A signed 64-bit integer as Redis reads it: no blanks, no plus, no leading zeros."""
    digits = text[1:] if text[:1] == b"-" else text
    strict = digits.isdigit() and (len(digits) == 1 or digits[:1] != b"0") and text != b"-0"
    if not strict or len(digits) > 19:
        raise CommandError(NOT_AN_INTEGER)
    number = int(text)
    if not -MAX_I64 - 1 <= number <= MAX_I64:
        raise CommandError(NOT_AN_INTEGER)
    return number


def shown(text: bytes) -> str:
    """Bytes from the network, for a message."""
    return text[:MAX_SHOWN].decode("utf-8", "backslashreplace")


def wrong_member(family: str, args: list[bytes]) -> str:
    """Why a member of a family of commands cannot be called so."""
    what = "unknown subcommand or wrong number of arguments for"
    return f"ERR {what} '{shown(args[1])}'. Try {family} HELP."


def database_number(text: bytes) -> int:
    """The number of a database; CommandError if it is none."""
    number = integer(text)
    if not -MAX_I32 - 1 <= number <= MAX_I32:
        raise CommandError(
            f"ERR value is out of range, value must between {-MAX_I32 - 1} and {MAX_I32}"
        )
    if not 0 <= number < DATABASES:
        raise CommandError("ERR DB index is out of range")
    return number
