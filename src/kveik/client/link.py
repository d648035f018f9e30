"""Where Client and AsyncClient meet redis-py: options, pools, errors, and what goes over the wire.

redis-py opens, secures, authenticates and keeps the connections; its Retry tries again. A Call is
sent and read as one exchange, since only Kveik's clients know which may be sent again.
"""

from __future__ import annotations

import inspect
import socket
from contextlib import suppress
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from kveik.client.calls import Command
from kveik.errors import ConnectionError, KveikError, ServerError, TimeoutError

try:
    import redis as redis  # for its other users, too
    from redis.backoff import EqualJitterBackoff
except ImportError as error:
    raise ImportError(
        "kveik.Client and kveik.AsyncClient need the package redis: pip install redis"
    ) from error

try:
    from redis.maint_notifications import MaintNotificationsConfig
except ImportError:  # an older redis-py
    MaintNotificationsConfig = None  # type: ignore[assignment, misc]

URL: Final = "redis://127.0.0.1:6379"
TIMEOUT: Final = 30.0  # seconds for an answer; to count very many keys takes its time
CONNECT_TIMEOUT: Final = 5.0  # seconds
CONNECTIONS: Final = 50  # of one client; who wants another waits
FIRST_PAUSE: Final = 0.05  # seconds before the first retry; each pause is twice the last
LONGEST_PAUSE: Final = 1.0  # seconds
LOST: Final = (redis.ConnectionError, redis.TimeoutError, OSError)

Made = TypeVar("Made")


class Lost(Exception):
    """Nobody is there, or an answer was lost, and it may be tried again. error: for the end."""

    def __init__(self, error: KveikError) -> None:
        super().__init__(str(error))
        self.error = error


def retry(kind: type[Made], retries: int) -> Made:
    """redis-py's Retry, of its kind for asyncio or not, for what is Lost."""
    if retries < 0:
        raise ValueError(f"max_retries is 0 or more, not {retries}")
    made: Any = kind
    found: Made = made(EqualJitterBackoff(LONGEST_PAUSE, FIRST_PAUSE), retries, (Lost,))
    return found


def options_of(url: str, options: dict[str, Any]) -> dict[str, Any]:
    """redis-py's options, with Kveik's defaults; TypeError for those that would spoil values."""
    for name in ("decode_responses", "connection_pool"):
        if name in options:
            raise TypeError(f"{name} is no option of Kveik's clients")
    made: dict[str, Any] = {
        "socket_timeout": TIMEOUT,
        "max_connections": CONNECTIONS,
        "timeout": CONNECT_TIMEOUT,  # to wait for one of these
    }
    if urlsplit(url).scheme != "unix":
        made |= {"socket_connect_timeout": CONNECT_TIMEOUT, "socket_keepalive": True}
        if MaintNotificationsConfig is not None:
            # Kveik tells of no maintenance; and with this an idle connection would go unchecked.
            made["maint_notifications_config"] = MaintNotificationsConfig(enabled=False)
    return made | options


def shown(url: str) -> str:
    """The URL without its password."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def names(pool: Any) -> tuple[str, ...]:
    """What `get_connection` has to be given: before redis-py 5.3 the name of a command."""
    parameter = inspect.signature(pool.get_connection).parameters.get("command_name")
    needed = parameter is not None and parameter.default is inspect.Parameter.empty
    return ("KV.GET",) if needed else ()


def apart(pool: Any) -> Any:
    """A connection of its own, in RESP2, on which changes come between the replies."""
    kwargs = {name: v for name, v in pool.connection_kwargs.items() if not name.startswith("maint")}
    return pool.connection_class(**kwargs | {"protocol": 2})


def idle_only(pool: Any) -> dict[str, bool]:
    """Options of `pool.disconnect` that spare connections in use, as far as redis-py has any."""
    known = inspect.signature(pool.disconnect).parameters
    return {"inuse_connections": False} if "inuse_connections" in known else {}


def wake(connection: Any) -> None:
    """End a connection under a thread that reads from it, which sees the end and closes it."""
    opened = getattr(connection, "_sock", None)
    if opened is not None:
        with suppress(OSError):
            opened.shutdown(socket.SHUT_RDWR)


def translated(error: Exception) -> KveikError:
    """redis-py's error as Kveik's."""
    text = str(error)
    if isinstance(error, redis.AuthenticationError):
        return ServerError(text, "NOAUTH")
    if isinstance(error, (redis.TimeoutError, TimeoutError)):
        return TimeoutError(text or "timed out")
    if isinstance(error, (redis.ConnectionError, redis.InvalidResponse, OSError)):
        return ConnectionError(text)
    code = text.partition(" ")[0]
    return ServerError(text, code if code.isupper() else "")


def failed(error: Exception, again: bool = True) -> Exception:
    """What to raise for redis-py's error: Lost, if it may be tried again."""
    told = translated(error)
    return Lost(told) if again and isinstance(told, ConnectionError) else told


def packed(connection: Any, commands: list[Command]) -> Any:
    """The commands as bytes; several as one transaction."""
    if len(commands) > 1:
        return connection.pack_commands([("MULTI",), *commands, ("EXEC",)])
    return connection.pack_command(*commands[0])


class Replies:
    """The replies to commands as they come in: `want` says how many are still to be read."""

    def __init__(self, commands: list[Command]) -> None:
        self.want = 1 if len(commands) == 1 else len(commands) + 2
        self._single = len(commands) == 1
        self._refused: Exception | None = None
        self._last: Any = None

    def take(self, reply: Any) -> None:
        """reply: or the error that stands in its place."""
        self.want -= 1
        self._last = reply
        if isinstance(reply, Exception) and self._refused is None:
            self._refused = reply  # EXEC will only say that something was refused

    def result(self) -> list[Any]:
        """One reply for each command; raises what the server has refused."""
        found = [self._last] if self._single else self._last
        refused = self._refused
        if refused is None:
            refused = next((one for one in found if isinstance(one, Exception)), None)
        if refused is not None:
            raise translated(refused) from None
        return list(found)
