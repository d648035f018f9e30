"""Tells a service manager (systemd, `Type=notify`) how things stand. Without one it does nothing.

Called by `kveik serve`.
"""

from __future__ import annotations

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send a line such as READY=1 to the socket that $NOTIFY_SOCKET names."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path:
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    # a manager that cannot be told decides by its own time-out; that is no reason not to serve
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(state.encode(), address)
