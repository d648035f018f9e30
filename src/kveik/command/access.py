"""Who may do what: the password, as all protocols but Redis' ask for it. Called by their requests.

Invariant: where a password is set, a connection that has not given it gets nothing but the answers
to `auth` and `ping`.
"""

from __future__ import annotations

import hmac

from kveik.command.state import Client
from kveik.errors import CommandError

NO_PASSWORD = "no password is set on this server"  # noqa: S105
WRONG = "the password is wrong"
REQUIRED = "authentication required"


def log_in(client: Client, password: object) -> None:
    """CommandError unless it is the server's password."""
    server = client.server
    if not server.password:
        raise CommandError(NO_PASSWORD)
    if isinstance(password, str):
        password = password.encode("utf-8", "surrogatepass")
    if not isinstance(password, bytes) or not hmac.compare_digest(password, server.password):
        raise CommandError(WRONG)
    client.authenticated = True
    client.settle()


def may_stop(client: Client) -> bool:
    """Whether it may end the server: it is on this machine, or has given the password."""
    server = client.server
    return client.authenticated and (client.loopback or bool(server.password))
