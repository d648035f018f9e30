"""`kveik get`, `put`, `delete` and `range` over a server and a directory, as real processes."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.program import call, good
from tests.support.server import Server

import kveik
from kveik.cli.notation import read_key, show_key
from kveik.errors import LimitError
from kveik.format.keys import encode_key


def test_what_is_put_is_shown(target: str) -> None:
    good("put", "-t", target, "greeting", "hello")
    assert good("get", "-t", target, "greeting") == "hello\n"
    good("put", "-t", target, "user", '{"name": "Ada", "born": [1815]}', "--json")
    shown = good("get", "-t", target, "user")
    assert shown == '{\n  "name": "Ada",\n  "born": [\n    1815\n  ]\n}\n'
    assert good("get", "-t", target, "user", "--raw") == '{"name":"Ada","born":[1815]}'


def test_bytes_are_escaped_and_raw_ones_are_not(target: str) -> None:
    good("put", "-t", target, "bin", "--file", "-", stdin=b"\x00\xff\n")
    assert good("get", "-t", target, "bin") == "b'\\x00\\xff\\n'\n"
    raw = good("get", "-t", target, "bin", "--raw")
    assert raw.encode("utf-8", "surrogateescape") == b"\x00\xff\n"


def test_nothing_in_a_value_steers_the_terminal(target: str) -> None:
    good("put", "-t", target, "evil", "\x1b[2J")
    good("put", "-t", target, "lines", "one\n\ttwo")
    assert good("get", "-t", target, "evil") == "'\\x1b[2J'\n"
    assert good("get", "-t", target, "lines") == "one\n\ttwo\n"
    assert good("range", "-t", target) == "evil\t'\\x1b[2J'\nlines\t'one\\n\\ttwo'\n"


def test_keys_of_every_kind_are_given_and_shown_alike(target: str) -> None:
    shown = ["plain", "('(text')", "(17)", "('order', 17, 1.5, b'\\xff', None)", "(b'\\xff')"]
    puts = [f"put {shlex.quote(key)} {number}" for number, key in enumerate(shown)]
    gets = [f"get {shlex.quote(key)}" for key in shown]
    said = good("shell", target, stdin="\n".join([*puts, *gets]).encode())
    assert said == "0\n1\n2\n3\n4\n"
    listed = good("range", "-t", target, "--keys").splitlines()
    assert sorted(listed) == sorted(shown)


def test_conditions_and_expiry(target: str) -> None:
    assert call("put", "-t", target, "a", "1", "--if-absent").code == 0
    said = call("put", "-t", target, "a", "2", "--if-absent")
    assert (said.code, said.err) == (1, "kveik: a has a value already\n")
    assert good("get", "-t", target, "a") == "1\n"
    good("put", "-t", target, "b", "1", "--ttl", "1000")
    assert '"expires": ' in good("range", "-t", target, "b", "--json")
    assert '"expires": ' not in good("range", "-t", target, "a", "b", "--json")


def test_ranges(target: str) -> None:
    lines = (f'{{"key": "{key}", "value": "{key}"}}' for key in ("a", "b:1", "b:2", "c"))
    good("load", target, stdin="\n".join(lines).encode())
    assert good("range", "-t", target, "b:1", "c", "--keys") == "b:1\nb:2\n"
    assert good("range", "-t", target, "b:2", "--keys") == "b:2\nc\n"
    assert good("range", "-t", target, "--prefix", "b:", "--keys", "--reverse") == "b:2\nb:1\n"
    said = call("range", "-t", target, "--limit", "2")
    assert said == (0, "a\ta\nb:1\tb:1\n", "kveik: the first 2 only (--limit)\n")
    assert good("range", "-t", target, "x", "y") == ""
    assert good("range", "-t", target, "y", "x") == ""


def test_keys_that_are_not_there_are_named(target: str) -> None:
    good("put", "-t", target, "a", "1")
    assert call("delete", "-t", target, "a", "b") == (1, "", "kveik: there is no key b\n")
    assert call("get", "-t", target, "a") == (1, "", "kveik: there is no key a\n")
    assert call("get", "-t", target, "a", "--raw") == (1, "", "kveik: there is no key a\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("get", "(x"), "'(x' is no key: a word in parentheses is a Python literal"),
        (("get", "({1})"), "a key is bytes, str, int"),
        (("get", ""), "a key has 1 to 65536 bytes"),
        (("get", "(" * 5000), "is no key"),
        (("put", "a"), "put needs a VALUE or --file, and not both"),
        (("put", "a", "b", "--file", "-"), "put needs a VALUE or --file, and not both"),
        (("put", "a", "{", "--json"), "the value is not valid JSON"),
        (("put", "a", "b", "--ttl", "0"), "'0' is no time"),
        (("put", "a", "b", "--ttl", "nan"), "'nan' is no time"),
        (("range", "--limit", "-1"), "'-1' is no limit"),
        (("range", "a", "b", "--prefix"), "a prefix has no END"),
        (("range", "(17)", "--prefix"), "nothing begins with (17)"),
    ],
)
def test_wrong_usage_gives_exit_code_2(
    tmp_path: Path, words: tuple[str, ...], complaint: str
) -> None:
    kveik.open(tmp_path / "data").close()
    said = call(*words, "-t", tmp_path / "data")
    assert said.code == 2
    assert complaint in said.err.splitlines()[-1]


def test_targets_that_cannot_be(tmp_path: Path) -> None:
    missing = call("get", "a", "-t", tmp_path / "none")
    assert (missing.code, len(missing.err.splitlines())) == (1, 1)
    assert "there is no directory" in missing.err
    assert "holds no database" in call("get", "a", "-t", tmp_path).err
    scheme = call("get", "a", "-t", "http://user:secret@host")
    assert scheme.code == 2
    assert "begins with redis://, rediss://, unix://" in scheme.err
    assert "secret" not in scheme.err
    nobody = call("get", "a", "-t", "redis://:secret@127.0.0.1:1")
    assert nobody.code == 1
    assert "127.0.0.1:1" in nobody.err
    assert "secret" not in nobody.err


def test_a_directory_that_a_server_has_hints_at_the_url(shared_server: Server) -> None:
    said = call("get", "a", "-t", shared_server.data_dir)
    assert said.code == 1
    assert f"is already open in process {shared_server.process.pid}" in said.err
    assert "name the server's URL" in said.err


def test_the_default_target_comes_from_the_environment(target: str) -> None:
    good("put", "a", "1", KVEIK_URL=target)
    assert good("get", "a", KVEIK_URL=target) == "1\n"


KEYS = st.recursive(
    st.one_of(
        st.binary(max_size=20),
        st.text(max_size=20),
        st.integers(),
        st.floats(allow_nan=False),
        st.booleans(),
        st.none(),
    ),
    lambda items: st.lists(items, max_size=3).map(tuple),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(KEYS)
def test_what_is_shown_of_a_key_names_it(key: object) -> None:
    try:
        stored = encode_key(key)
    except LimitError:
        return
    shown = show_key(stored)
    assert read_key(shown) == stored
    assert shown.isprintable()
