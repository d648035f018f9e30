"""Replies of Redis' protocol (RESP2) as redis-cli shows them. Called by `kveik shell`."""

from __future__ import annotations

from typing import Any

from kveik.cli.packages import need
from kveik.errors import ServerError, UseError

# What changes what the connection says from then on, or never stops answering.
REFUSED = {
    "hello": "the shell speaks RESP2",
    "kv.watch": "the shell shows one reply a line: use redis-cli, or Client.watch",
    "monitor": "the shell shows one reply a line: use redis-cli",
    "psubscribe": "the shell shows one reply a line: use redis-cli",
    "select": "name the database in the URL: kveik shell redis://HOST:PORT/DB",
    "ssubscribe": "the shell shows one reply a line: use redis-cli",
    "subscribe": "the shell shows one reply a line: use redis-cli",
}

WORDS = (b"OK", b"PONG", b"QUEUED")  # of the protocol; redis-py does not tell them from data


class Raw:
    """A connection of its own, on which commands go out as they were typed."""

    def __init__(self, client: Any) -> None:
        from kveik.client import link

        self._link = link
        self._redis = need("redis", "redis")
        self._connection = link.apart(client.redis.connection_pool)

    def call(self, words: list[str]) -> Any:
        """The reply, as it came; ServerError, ConnectionError."""
        if words[0].lower() in REFUSED:
            raise UseError(f"{words[0]}: {REFUSED[words[0].lower()]}")
        sent = [word.encode("utf-8", "surrogateescape") for word in words]
        connection = self._connection
        try:
            connection.send_command(*sent)
            return connection.read_response()
        except self._redis.ResponseError as error:
            raise self._link.translated(error) from None
        except (self._redis.RedisError, OSError) as error:
            connection.disconnect()
            raise self._link.translated(error) from None
        except BaseException:  # Ctrl-C: what comes next on it would answer an earlier question
            connection.disconnect()
            raise

    def close(self) -> None:
        self._connection.disconnect()


def show(reply: object, indent: str = "") -> str:
    if reply is None:
        return "(nil)"
    if isinstance(reply, int):
        return f"(integer) {reply}"
    if isinstance(reply, bytes):
        return reply.decode() if reply in WORDS else quoted(reply)
    if isinstance(reply, Exception):
        return f"(error) {reply}"
    if isinstance(reply, list):
        if not reply:
            return "(empty array)"
        width = len(str(len(reply)))
        lines = []
        for number, item in enumerate(reply, 1):
            head = f"{number:>{width}}) "
            shown = show(item, indent + " " * len(head))
            lines.append((indent if number > 1 else "") + head + shown)
        return "\n".join(lines)
    return str(reply)


def quoted(data: bytes) -> str:
    """In quotes; but as it stands where it is lines of text, which are meant for people."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = data.decode("latin-1")
        shown = [c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in _escaped(text)]
        return '"' + "".join(shown) + '"'
    if "\r\n" in text and all(c.isprintable() or c in "\r\n" for c in text):
        return text.replace("\r\n", "\n").rstrip("\n")  # INFO, CLIENT LIST
    return '"' + "".join(c if c.isprintable() else repr(c)[1:-1] for c in _escaped(text)) + '"'


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def summary(raw: Raw, name: str) -> str:
    """What the server says of one of its commands."""
    try:
        documented = raw.call(["COMMAND", "DOCS", name])
    except ServerError:
        documented = []
    if not documented:
        raise UseError(f"there is no command {name!r}: help lists them")
    members = documented[1]
    told = dict(zip(members[::2], members[1::2], strict=False))
    return f"{name.upper()}: {told.get(b'summary', b'').decode()}"
