"""The settings of `kveik serve`: the one table behind its flags, variables, file and help.

Called by `kveik serve`, and by the test that compares docs/configuration.md with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from kveik.cli.settings import Kind, Setting, SettingError, Values, toml_text, toml_texts
from kveik.engine.shape import codec_of
from kveik.limits import MAX_PASSWORD, MIN_MEMORY, SEGMENTS_PER_MEMORY
from kveik.model import COMPRESSIONS, DURABILITIES
from kveik.server.config import (
    DEFAULT_HOST,
    DEFAULT_PORT,
    Address,
    Config,
    check_memory,
    check_password,
    parse_address,
)
from kveik.sizes import exact_size, parse_size

ENTRY = 1024  # bytes that an entry is taken for where --memtable-size counts entries


def _text(text: str) -> str:
    if not text or "\x00" in text:
        raise ValueError(f"{text!r} is no name")
    return text


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise ValueError(f"{text!r} is no port: a number from 0 to 65535")
    return int(text)


def _size(text: str) -> int:
    size = parse_size(text)
    check_memory(size)
    return size


def _memtable(text: str) -> int:
    text = text.strip()
    return int(text) * ENTRY if text.isascii() and text.isdecimal() else parse_size(text)


def _size_toml(value: object) -> str:
    return toml_text(exact_size(cast(int, value)))


def _password(text: str) -> str:
    check_password(text)
    return text


def _choice(choices: tuple[str, ...], check: Callable[[str], object] | None = None) -> Kind:
    listed = ", ".join(choices)

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"invalid choice: {text!r} (choose from {listed})")
        if check is not None:
            check(text)
        return text

    return Kind(f"one of {listed}", read, toml_text)


TEXT = Kind("a string", _text, toml_text)
SIZES = 'a size such as "256MB", or a number of bytes'

SETTINGS = (
    Setting("host", TEXT, "address to listen on", DEFAULT_HOST),
    Setting(
        "port",
        Kind("a number from 0 to 65535", _port, str, whole=True),
        "port to listen on; 0 takes a free one",
        DEFAULT_PORT,
    ),
    Setting(
        "listen",
        Kind("a list of URLs", parse_address, toml_texts, many=True),
        "a listener as auto://HOST:PORT, or redis://, json://, frame:// or text:// to pin it to "
        "one protocol, or unix:///PATH[?protocol=redis], in place of --host and --port; may be "
        "given several times",
        metavar="URL",
        rivals=("host", "port"),
        tie=True,
    ),
    Setting("data-dir", TEXT, "the database", Config.data_dir, "DIR"),
    Setting(
        "durability",
        _choice(DURABILITIES),
        "when a write is acknowledged: once it is synced (always), at once and synced every second "
        "(interval), or at once and synced when the system likes (none)",
        Config.durability,
        "{" + ",".join(DURABILITIES) + "}",
    ),
    Setting(
        "snapshot-dir",
        TEXT,
        "where SNAPSHOT makes its copies; not set: the database's name with -snapshots",
        metavar="DIR",
    ),
    Setting(
        "memory",
        Kind(SIZES, _size, _size_toml, whole=True),
        "memory for what was written lately and for the cache; the process needs about 100 MB more",
        Config.memory,
        "SIZE",
    ),
    Setting(
        "memtable-size",
        Kind(SIZES.replace("bytes", "entries"), _memtable, _size_toml, whole=True),
        "in place of --memory: how much is gathered before it becomes a table, such as 4MB; a bare "
        "number counts entries, of 1 KB each",
        metavar="SIZE",
        rivals=("memory",),
    ),
    Setting(
        "compression",
        _choice(COMPRESSIONS, codec_of),
        "of what compaction writes: zstd (needs the package zstandard), zlib, auto (zstd where it "
        "is installed, else zlib) or none",
        Config.compression,
        "{" + ",".join(COMPRESSIONS) + "}",
    ),
    Setting(
        "password",
        Kind(f"text of at most {MAX_PASSWORD} bytes", _password, toml_text),
        "the password that clients must give (AUTH); not set: everybody may do everything. From "
        "the environment alone, as others see flags",
        secret=True,
    ),
    Setting(
        "password-file",
        TEXT,
        "a file whose first line is the password that clients must give (AUTH), in place of the "
        "environment's KVEIK_PASSWORD; without either everybody may do everything",
        metavar="FILE",
        rivals=("password",),
    ),
)


def config_of(values: Values) -> Config:
    """What the server is told; OSError or ValueError if the password's file is not as it should."""

    def text(name: str) -> str:
        return cast("str | None", values[name].value) or ""

    listen = cast("tuple[Address, ...] | None", values["listen"].value)
    if listen is None:
        listen = (Address("auto", text("host"), cast(int, values["port"].value)),)
    memtable = cast("int | None", values["memtable-size"].value)
    if memtable is None:
        memory = cast(int, values["memory"].value)
    else:
        memory = max(memtable * SEGMENTS_PER_MEMORY, MIN_MEMORY)
    path = text("password-file")
    return Config(
        text("data-dir"),
        listen,
        text("durability"),
        memory,
        text("compression"),
        text("snapshot-dir"),
        read_password(path) if path else text("password"),
    )


def read_password(path: str) -> str:
    with open(path, encoding="utf-8", errors="surrogateescape") as file:
        password = file.readline().rstrip("\r\n")
    if not password:
        raise SettingError(f"{path}: the first line is the password, and it is empty")
    return password
