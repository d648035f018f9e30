"""MONITOR: every command of everybody, as it was performed, without passwords.

Commands of administration are not shown, and those of other protocols neither. Called through the
registry; `feed` by the requests.
"""

from __future__ import annotations

import time
from typing import Final

from kveik.command.command import Command, on_client
from kveik.command.measures import concealed
from kveik.command.state import Client
from kveik.model import OK, Push, Simple

# Bytes as Redis shows them between double quotes.
_SHOWN: Final[list[bytes]] = [
    bytes((byte,)) if 32 <= byte < 127 else b"\\x%02x" % byte for byte in range(256)
]
for _byte, _text in (
    (b'"', b'\\"'),
    (b"\\", b"\\\\"),
    (b"\n", b"\\n"),
    (b"\r", b"\\r"),
    (b"\t", b"\\t"),
    (b"\a", b"\\a"),
    (b"\b", b"\\b"),
):
    _SHOWN[_byte[0]] = _text


def monitor(client: Client, args: list[bytes]) -> object:
    client.monitors = True
    client.server.monitors[client] = None
    client.server.settle()
    return OK


def forget(client: Client) -> None:
    """Tell it nothing any more."""
    if client.monitors:
        client.monitors = False
        del client.server.monitors[client]
        client.server.settle()


def feed(command: Command, client: Client, args: list[bytes]) -> None:
    """Tell those who monitor of a command."""
    if "admin" in command.flags or "skip_monitor" in command.flags:
        return
    server = client.server
    words = b" ".join([b'"%s"' % shown(arg) for arg in concealed(args)])
    place = f"{time.time():.6f} [{client.database} {client.address}] ".encode()
    push = Push(Simple(place + words), len(words), server.store.lsn())
    for listener in list(server.monitors):
        listener.push(push)


def shown(data: bytes) -> bytes:
    """Bytes as they stand between double quotes."""
    return b"".join([_SHOWN[byte] for byte in data])


COMMANDS: Final[list[Command]] = [
    on_client(
        monitor,
        "MONITOR",
        1,
        "admin noscript loading stale no_multi",
        "server",
        "Shows every command that the server performs.",
    ),
]
