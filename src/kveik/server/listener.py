"""Sockets: bound before the data are opened, so a port in use is told at once.

Called by the app.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable
from typing import Any, cast

from kveik.errors import OpenError
from kveik.limits import ACCEPT_BATCH, BACKLOG, MAX_CONNECTIONS, SPARE_DESCRIPTORS
from kveik.server import socketfile
from kveik.server.config import Address


def bind(address: Address) -> list[socket.socket]:
    """Sockets bound to every address that the host's name stands for; OpenError if none can be."""
    if address.path:
        return [socketfile.bind(address.path)]
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise OpenError(f"cannot listen on {address}: {error.strerror}") from None
    sockets: list[socket.socket] = []
    port = address.port
    for family, kind, protocol, _, target in dict.fromkeys(found):
        try:
            bound = socket.socket(family, kind, protocol)
        except OSError:
            continue  # a family this machine does not have
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        try:
            bound.bind((target[0], port, *target[2:]))
        except OSError as error:
            for earlier in (*sockets, bound):
                earlier.close()
            raise OpenError(f"cannot listen on {address}: {_why(error)}") from None
        port = bound.getsockname()[1]  # port 0 chooses one; the other families take the same
        sockets.append(bound)
    if not sockets:
        raise OpenError(f"cannot listen on {address}: no usable address")
    return sockets


def _why(error: OSError) -> str:
    reason = (error.strerror or str(error)).lower()
    if error.errno == 98:
        return f"{reason} (is another server running? choose another port with --port)"
    return reason


async def listen(bound: socket.socket, session: Callable[[], object]) -> asyncio.Server:
    """Accept connections; each gets a new session."""
    loop = asyncio.get_running_loop()
    factory = cast("Callable[[], Any]", session)  # it has a protocol's methods, not its base class
    # asyncio accepts as many connections in one go as it is told of backlog.
    if bound.family == socket.AF_UNIX:
        server = await loop.create_unix_server(factory, sock=bound, backlog=ACCEPT_BATCH)
    else:
        server = await loop.create_server(factory, sock=bound, backlog=ACCEPT_BATCH)
    bound.listen(BACKLOG)
    return server


def most_connections() -> int:
    """How many connections the process may have open, its limit of open files raised if it can."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_CONNECTIONS + SPARE_DESCRIPTORS
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return min(MAX_CONNECTIONS, soft - min(SPARE_DESCRIPTORS, soft * 3 // 4))
