"""Who may do what: the password, which every protocol asks for in its own words.

Invariant: where a password is set, a connection that has not given it gets nothing but the answers
to `auth` and `ping`.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest

from kveik.command.state import Client
from kveik.errors import CommandError
from kveik.limits import MAX_REFUSALS

NO_PASSWORD = "no password is set on this server"  # noqa: S105
WRONG = "the password is wrong"
REQUIRED = "authentication required"


def log_in(client: Client, password: bytes, known: bool = True) -> bool:
    """Let a client in if that is the password, of a user that is known; who guesses is cut off."""
    # Of equal length, so that the time it takes says nothing of the password's.
    wanted = sha256(client.server.password).digest()
    if not compare_digest(sha256(password).digest(), wanted) or not known:
        client.refusals += 1
        client.closing = client.refusals >= MAX_REFUSALS
        return False
    client.refusals = 0
    client.authenticated = True
    client.settle()
    return True


def check_password(client: Client, password: object) -> None:
    """log_in, for who may send anything; CommandError if that is not the password."""
    if not client.server.password:
        raise CommandError(NO_PASSWORD)
    if isinstance(password, str):
        password = password.encode("utf-8", "surrogatepass")
    if not isinstance(password, bytes) or not log_in(client, password):
        raise CommandError(WRONG)


def may_stop(client: Client) -> bool:
    """Whether it may end the server: it is on this machine, or has given the password."""
    server = client.server
    return client.authenticated and (client.loopback or bool(server.password))
