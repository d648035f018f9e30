"""Settings from flags, the environment and a TOML file, by one table of them.

The strongest source that has a setting wins: flag, environment, file, default. Settings that
exclude each other (`rivals`) count as one. Invariant: what `as_toml` writes is read back as the
same values. Called by `kveik serve`; standard library only.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

PREFIX = "KVEIK_"


class SettingError(ValueError):
    """What was set makes no sense; the text says where it stands and what was expected."""


class Rank(IntEnum):
    """Where a value comes from; the higher wins."""

    DEFAULT = 0
    FILE = 1
    ENVIRONMENT = 2
    FLAG = 3


@dataclass(frozen=True)
class Kind:
    """How values of a kind are read from text, and written to TOML.

    read: ValueError says what is wrong. whole: TOML may have it as a whole number. many: a list.
    """

    expected: str
    read: Callable[[str], object]
    toml: Callable[[object], str]
    whole: bool = False
    many: bool = False


@dataclass(frozen=True)
class Setting:
    """name: of the flag, behind --; of the entry in the file; KVEIK_NAME in the environment.

    default: None, and it is not set. rivals: names of settings that this one replaces. tie: what
    happens where a rival comes from the same source: this one wins, or (False) it is an error.
    """

    name: str
    kind: Kind
    help: str
    default: object = None
    metavar: str | None = None
    rivals: tuple[str, ...] = ()
    tie: bool = False
    secret: bool = False  # comes from the environment alone, and is never shown

    @property
    def flag(self) -> str:
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper().replace("-", "_")

    @property
    def member(self) -> str:
        return self.name.replace("-", "_")


@dataclass(frozen=True)
class Value:
    value: object
    rank: Rank
    origin: str  # for people: flag --port, environment KVEIK_PORT, file kveik.toml, default


Values = dict[str, Value]


def add_flags(parser: argparse.ArgumentParser, settings: Iterable[Setting]) -> None:
    for setting in settings:
        if setting.secret:
            continue
        parser.add_argument(
            setting.flag,
            dest=setting.member,
            type=_flag_type(setting.kind),
            action="append" if setting.kind.many else "store",
            metavar=setting.metavar,
            default=None,
            help=setting.help + _default_shown(setting),
        )


def _flag_type(kind: Kind) -> Callable[[str], object]:
    def read(text: str) -> object:
        try:
            return kind.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


def _default_shown(setting: Setting) -> str:
    if setting.default is None:
        return ""
    return f" (default: {default_text(setting)})".replace("%", "%%")


def default_text(setting: Setting) -> str:
    """A default as a person would write it as a flag."""
    return setting.kind.toml(setting.default).strip('"')


# --- the sources ----------------------------------------------------------------------------------


def gather(
    settings: Iterable[Setting],
    options: argparse.Namespace,
    environ: Mapping[str, str],
    path: str | None,
) -> Values:
    """The settings that are in effect, each from its strongest source. SettingError, OSError."""
    settings = list(settings)
    found: Values = {
        setting.name: Value(setting.default, Rank.DEFAULT, "default") for setting in settings
    }
    if path is not None:
        found |= _from_file(settings, path)
    found |= _from_environment(settings, environ)
    for setting in settings:
        given = getattr(options, setting.member, None)
        if given is not None:
            value = tuple(given) if setting.kind.many else given
            found[setting.name] = Value(value, Rank.FLAG, f"flag {setting.flag}")
    for setting in settings:
        _settle(setting, found)
    return found


def _from_environment(settings: list[Setting], environ: Mapping[str, str]) -> Values:
    """Variables that are empty are not set."""
    found: Values = {}
    for setting in settings:
        name = setting.variable
        text = environ.get(name, "")
        if not text:
            continue
        try:
            value = _read(setting.kind, text.split() if setting.kind.many else text)
        except ValueError as error:
            raise SettingError(f"the environment's {name}: {error}") from None
        found[setting.name] = Value(value, Rank.ENVIRONMENT, f"environment {name}")
    return found


def _from_file(settings: list[Setting], path: str) -> Values:
    with open(path, "rb") as file:
        try:
            entries = tomllib.load(file)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise SettingError(f"{path}: not valid TOML: {error}") from None
    known = {setting.name: setting for setting in settings if not setting.secret}
    found: Values = {}
    for name, entry in entries.items():
        setting = known.get(name)
        if setting is None:
            raise SettingError(f"{path}: unknown entry {name!r}: known are {', '.join(known)}")
        try:
            found[name] = Value(_read(setting.kind, entry), Rank.FILE, f"file {path}")
        except ValueError as error:
            raise SettingError(f"{path}: {name}: {error}") from None
    return found


def _read(kind: Kind, entry: object) -> object:
    """The value of an entry of a file, or of the words of a variable."""
    if kind.many:
        items = entry if isinstance(entry, list) else [entry]
        texts = [item for item in items if isinstance(item, str)]
        if not texts or len(texts) < len(items):
            raise ValueError(f"{_shown(entry)} is not {kind.expected}")
        return tuple(kind.read(text) for text in texts)
    if isinstance(entry, str):
        return kind.read(entry)
    if kind.whole and isinstance(entry, int) and not isinstance(entry, bool):
        return kind.read(str(entry))
    raise ValueError(f"{_shown(entry)} is not {kind.expected}")


def _shown(entry: object) -> str:
    return json.dumps(entry, default=str)


def _settle(setting: Setting, found: Values) -> None:
    """Of a setting and its rivals the one from the stronger source stays set."""
    mine = found[setting.name]
    rivals = [found[name] for name in setting.rivals]
    if not rivals or mine.rank == Rank.DEFAULT:
        return
    strongest = max(rivals, key=lambda rival: rival.rank)
    if strongest.rank == mine.rank and not setting.tie:
        raise SettingError(f"{mine.origin} is not allowed with {strongest.origin}: give one")
    if strongest.rank > mine.rank:
        found[setting.name] = Value(None, Rank.DEFAULT, f"{strongest.origin} is stronger")
    else:
        for name in setting.rivals:
            found[name] = Value(None, Rank.DEFAULT, f"{mine.origin} is in its place")


# --- as TOML --------------------------------------------------------------------------------------


def as_toml(settings: Iterable[Setting], values: Values) -> str:
    """The effective settings, each with where it comes from. SettingError: not to be written."""
    lines = []
    for setting in settings:
        value = values[setting.name]
        if value.value is None:
            why = "" if value.origin == "default" else f": {_comment(value.origin)}"
            lines.append(f"# {setting.name} is not set{why}")
        elif setting.secret:
            lines.append(f"# {setting.name}: not shown, from the {value.origin}")
        else:
            shown = setting.kind.toml(value.value)
            lines.append(f"{setting.name} = {shown}  # {_comment(value.origin)}")
    text = "\n".join(lines) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SettingError("a name that is no UTF-8 has no place in a TOML file") from None
    return text


def _comment(origin: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in origin)


def toml_text(value: object) -> str:
    """A TOML string: as JSON has it, but for what TOML wants escaped beside that."""
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_texts(value: object) -> str:
    assert isinstance(value, tuple)
    return "[" + ", ".join(toml_text(item) for item in value) + "]"
