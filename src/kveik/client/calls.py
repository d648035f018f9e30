"""What Client and AsyncClient ask a server for, and how they read what it answers.

A Call is made and read without a connection, so that both share it. Keys and values are encoded as
the embedded database does. Anything that is refused raises before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kveik.errors import LimitError
from kveik.format.keys import encode_bound, encode_key
from kveik.format.values import decode_value, encode_value
from kveik.limits import MAX_JSON, MAX_TTL
from kveik.model import BYTES, JSON, PICKLE, TEXT

Command = tuple[str | bytes | int, ...]

MISSING: Final = object()  # in place of a value or default that was not given
NAMES: Final = {BYTES: b"bytes", TEXT: b"text", JSON: b"json", PICKLE: b"pickle"}
KINDS: Final = {name: kind for kind, name in NAMES.items()}


@dataclass(frozen=True, slots=True)
class Call:
    """Commands that are sent together, and what makes a result of the list of their replies.

    Several are one transaction; none need no server. again: whether they may be sent once more
    where the answer was lost, as doing them twice is doing them once.
    """

    commands: list[Command]
    read: Callable[[list[Any]], Any]
    again: bool = True


# --- values and ranges ----------------------------------------------------------------------------


def typed(value: object) -> tuple[bytes, bytes]:
    """The name of a value's type, and its bytes."""
    kind, data = encode_value(value)
    if kind == JSON and len(data) > MAX_JSON:
        raise LimitError(f"a JSON value has at most {MAX_JSON} bytes, not {len(data)}")
    return NAMES[kind], data


def value_of(name: bytes | None, data: bytes, default: Any = None) -> Any:
    """The value of a type; default where there is none."""
    return default if name is None else decode_value(KINDS[name], data)


def _only(replies: list[Any], default: Any) -> Any:
    """The value that KV.GET of a single key has found."""
    name, data = replies[0]
    return value_of(name, data, default)


def milliseconds(ttl: float) -> int:
    if not 0 < ttl <= MAX_TTL:
        raise LimitError(f"a ttl is more than 0 and at most {MAX_TTL} seconds")
    return max(1, int(ttl * 1000))


def bounds(start: object, end: object) -> tuple[bytes, bytes | None]:
    """(low, high) of a range from start (included) to end (excluded), where None is no bound."""
    low = b"" if start is None else encode_bound(start)
    return low, None if end is None else encode_bound(end)


def ends(low: bytes, high: bytes | None) -> tuple[bytes, bytes]:
    """The same as KV.RANGE writes it."""
    return b"[" + low if low else b"-", b"+" if high is None else b"(" + high


def nothing(replies: list[Any]) -> None:
    """For what is done once it is answered."""


# --- single keys ----------------------------------------------------------------------------------


def get(key: object, default: Any) -> Call:
    return Call([("KV.GET", encode_key(key))], lambda replies: _only(replies, default))


def item(key: object) -> Call:
    def read(replies: list[Any]) -> Any:
        value = _only(replies, MISSING)
        if value is MISSING:
            raise KeyError(key)
        return value

    return Call([("KV.GET", encode_key(key))], read)


def contains(key: object) -> Call:
    return Call([("EXISTS", encode_key(key))], lambda replies: replies[0] > 0)


def put_command(key: object, value: object, ttl: float | None = None) -> Command:
    stored = encode_key(key)
    name, data = typed(value)
    if ttl is not None:
        return "KV.PUT", stored, name, data, "PX", milliseconds(ttl)
    if name == b"bytes":
        return "SET", stored, data  # the server's shortest way
    return "KV.PUT", stored, name, data


def put(key: object, value: object, ttl: float | None, if_equal: object, if_absent: bool) -> Call:
    """Whether it was written. A condition is not asked twice, as the first may have been met."""
    if not if_absent and if_equal is MISSING:
        return Call([put_command(key, value, ttl)], lambda replies: True)
    if if_absent and if_equal is not MISSING:
        raise TypeError("if_equal and if_absent exclude each other")
    name, data = typed(value)
    condition: Command = ("NX",) if if_absent else ("IF", *typed(if_equal))
    until: Command = () if ttl is None else ("PX", milliseconds(ttl))
    command = ("KV.PUT", encode_key(key), name, data, *condition, *until)
    return Call([command], lambda replies: replies[0] is not None, again=False)


def cas(key: object, expected: object, new: object, keep_ttl: bool) -> Call:
    """Whether the value was the expected one, and now is the new one, or deleted."""
    stored = encode_key(key)
    condition = ("IF", *typed(expected))
    if new is MISSING:
        command: Command = ("KV.DEL", stored, *condition)
    else:
        keep: Command = ("KEEPTTL",) if keep_ttl else ()
        command = ("KV.PUT", stored, *typed(new), *condition, *keep)
    return Call([command], lambda replies: replies[0] not in (None, 0), again=False)


def delete_command(key: object) -> Command:
    return "DEL", encode_key(key)


def delete(key: object) -> Call:
    return Call([delete_command(key)], lambda replies: replies[0] > 0)


def pop(key: object, default: Any) -> Call:
    """Not sent again: the value might be gone with the answer that was lost."""

    def read(replies: list[Any]) -> Any:
        value = _only(replies, default)
        if value is MISSING:
            raise KeyError(key)
        return value

    stored = encode_key(key)
    return Call([("KV.GET", stored), ("DEL", stored)], read, again=False)


def setdefault(key: object, default: Any) -> Call:
    stored = encode_key(key)
    commands: list[Command] = [("KV.PUT", stored, *typed(default), "NX"), ("KV.GET", stored)]
    return Call(commands, lambda replies: _only(replies[1:], None))


# --- several keys ---------------------------------------------------------------------------------


def get_many(keys: Iterable[object], default: Any) -> Call:
    stored = [encode_key(key) for key in keys]

    def read(replies: list[Any]) -> list[Any]:
        if not replies:
            return []
        found = iter(replies[0])
        return [value_of(name, data, default) for name, data in zip(found, found, strict=True)]

    return Call([("KV.GET", *stored)] if stored else [], read)


def put_many(items: Mapping[Any, Any] | Iterable[tuple[Any, Any]]) -> Call:
    pairs = items.items() if isinstance(items, Mapping) else items
    words: list[bytes] = []
    for key, value in pairs:
        words += (encode_key(key), *typed(value))
    return Call([("KV.MPUT", *words)] if words else [], nothing)


def delete_range_command(start: object, end: object) -> Command | None:
    """None where there is nothing between the two."""
    low, high = bounds(start, end)
    return None if high is not None and low >= high else ("KV.DELRANGE", *ends(low, high))


def delete_range(start: object, end: object) -> Call:
    command = delete_range_command(start, end)
    return Call([] if command is None else [command], nothing)


def count(start: object, end: object) -> Call:
    low, high = bounds(start, end)
    empty = high is not None and low >= high
    command: Command = ("KV.COUNT", *ends(low, high))
    return Call([] if empty else [command], lambda replies: replies[0] if replies else 0)


# --- the server -----------------------------------------------------------------------------------


def ping() -> Call:
    return Call([("PING",)], lambda replies: True)


def sync() -> Call:
    return Call([("SAVE",)], nothing)


def info(section: str) -> Call:
    return Call([("INFO", section)], lambda replies: _figures(replies[0]))


def stats() -> Call:
    return Call([("INFO", "kveik")], lambda replies: _of_engine(_figures(replies[0])))


def _figures(text: bytes) -> dict[str, Any]:
    """The lines of INFO: numbers as numbers, `a=1,b=2` as a dict, everything else as text."""
    found: dict[str, Any] = {}
    for line in text.decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith("#"):
            found[name] = _figure(value)
    return found


def _figure(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    parts = [part.partition("=") for part in text.split(",")]
    if not all(equals for _, equals, _ in parts):
        return text
    return {name: _figure(value) for name, _, value in parts}


def _of_engine(figures: dict[str, Any]) -> dict[str, Any]:
    """As the embedded database names them."""
    named = {name.removeprefix("kveik_"): value for name, value in figures.items()}
    levels = [name for name in named if name.startswith("level_")]
    return {"levels": [named.pop(name) for name in levels], **named}
