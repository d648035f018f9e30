"""CLIENT KILL: which connections are meant, and their end. Called by the CLIENT commands."""

from __future__ import annotations

from typing import Final

from kveik.command.arguments import SYNTAX, integer, shown
from kveik.command.sessions import DEFAULT_USER
from kveik.command.state import Client
from kveik.errors import CommandError
from kveik.model import OK

TYPES: Final = (b"normal", b"master", b"replica", b"slave", b"pubsub")


def kind_of(text: bytes) -> bytes:
    kind = text.lower()
    if kind not in TYPES:
        raise CommandError(f"ERR Unknown client type '{shown(text)}'")
    return b"replica" if kind == b"slave" else kind


def kill(client: Client, args: list[bytes]) -> object:
    """CLIENT KILL address | [ID n] [ADDR a] [LADDR a] [TYPE t] [USER u] [SKIPME yes|no]"""
    if len(args) == 3:
        old_form = Chosen()
        old_form.address = shown(args[2])
        if _kill(client, old_form) == 0:
            raise CommandError("ERR No such client")
        return OK
    return _kill(client, _chosen(args))


class Chosen:
    """Which connections CLIENT KILL means: those of which everything given is true."""

    def __init__(self) -> None:
        self.number = 0
        self.address = ""
        self.local = ""
        self.kind = b""
        self.spare = False  # whoever asks

    def fits(self, client: Client) -> bool:
        return (
            self.number in (0, client.number)
            and self.address in ("", client.address)
            and self.local in ("", client.local)
            and self.kind in (b"", client.kind())
        )


def _chosen(args: list[bytes]) -> Chosen:
    chosen = Chosen()
    chosen.spare = True
    if len(args) % 2 == 1:
        raise CommandError(SYNTAX)
    for at in range(2, len(args), 2):
        word = args[at].upper()
        value = args[at + 1]
        if word == b"ID":
            chosen.number = _positive(value)
        elif word == b"ADDR":
            chosen.address = shown(value)
        elif word == b"LADDR":
            chosen.local = shown(value)
        elif word == b"TYPE":
            chosen.kind = kind_of(value)
        elif word == b"USER":
            if value != DEFAULT_USER:
                raise CommandError(f"ERR No such user '{shown(value)}'")
        elif word == b"SKIPME" and value.upper() in (b"YES", b"NO"):
            chosen.spare = value.upper() == b"YES"
        else:
            raise CommandError(SYNTAX)
    return chosen


def _positive(text: bytes) -> int:
    try:
        number = integer(text)
    except CommandError:
        number = 0
    if number <= 0:
        raise CommandError("ERR client-id should be greater than 0")
    return number


def _kill(client: Client, chosen: Chosen) -> int:
    killed = 0
    for other in list(client.server.clients.values()):
        if not chosen.fits(other) or (other is client and chosen.spare):
            continue
        killed += 1
        if other is client:
            client.closing = True  # once it has been told
        else:
            other.cut()
    return killed
