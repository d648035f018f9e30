"""`kveik dump` and `kveik load`: nothing is lost on the way, and what breaks off goes on."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.program import KVEIK, call, good
from tests.support.server import Server
from tests.support.tools import environment, library, until

import kveik
from kveik.cli import dump_csv, dump_lines
from kveik.cli.dump_lines import Entry
from kveik.cli.main import main
from kveik.cli.records import last_complete, records
from kveik.errors import UseError
from kveik.format.values import encode_value
from kveik.model import BYTES, JSON, PICKLE, TEXT

MANY = 30_000
LATER = 4_000_000_000_000  # Unix milliseconds


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with one entry of every kind."""
    path = tmp_path / "all kinds"
    with kveik.open(path) as db:
        db["text"] = "line\none, 'two', \"three\""
        db["json"] = {"$bytes": "x", "n": [1.5, None, True, "é"]}
        db["bytes"] = b"\x00\xff"
        db["readable"] = b"hello"
        db[("order", 17, b"\xff")] = 17
        db[17.5] = "number"
        db[b"\xff\xfe"] = ""
        db["$bytes:odd"] = "$bytes:odd"
        db["(a"] = "(b"
        db["line\r\nend"] = "a\rb\r\n"
        db.put("expires", "soon", ttl=100_000)
    return path


def everything(target: str | Path) -> list[str]:
    return good("dump", target).splitlines()


# --- lossless -------------------------------------------------------------------------------------


def test_what_is_dumped_is_loaded_as_it_was(data: Path, target: str, tmp_path: Path) -> None:
    file = tmp_path / "dump.jsonl"
    good("dump", data, file)
    good("load", target, file)
    assert good("dump", target).encode() == file.read_bytes()
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["type"] for line in lines} == {"text", "json", "bytes"}
    assert [line["key"] for line in lines if "expires" in line] == ["expires"]
    assert not Path(f"{file}.kveik-load").exists()
    expected = dict(kveik.open(data, read_only=True).items())
    if "://" not in target:
        with kveik.open(target, read_only=True) as db:
            assert dict(db.items()) == expected
    else:
        with kveik.Client(target) as client:
            assert dict(client.items()) == expected


def test_what_other_protocols_write_is_dumped_and_loaded(
    shared_server: Server, tmp_path: Path
) -> None:
    url = f"redis://127.0.0.1:{shared_server.port}"
    with shared_server.resp() as connection, shared_server.framed() as framed:
        connection.call("FLUSHALL")
        connection.call("SET", "bytes", "b", "PXAT", LATER)
        assert framed.call("SET", key="pickle", value={1, 2}) == "OK"
        before = good("dump", url)
        assert '"type": "pickle"' in before
        assert f'"expires": {LATER}' in before
        good("load", f"{url}/3", stdin=before.encode())
        assert good("dump", f"{url}/3") == before
        good("load", tmp_path / "data", stdin=before.encode())
        assert good("dump", tmp_path / "data") == before


def test_ranges_and_pipes(data: Path) -> None:
    assert len(everything(data)) == 11
    shown = good("dump", data, "--start", "json", "--end", "text")
    assert [json.loads(line)["key"] for line in shown.splitlines()] == [
        "json",
        "line\r\nend",
        "readable",
    ]
    shown = good("dump", data, "--prefix", "re")
    assert [json.loads(line)["key"] for line in shown.splitlines()] == ["readable"]
    assert call("dump", data, "--prefix", "a", "--start", "b").code == 2


def test_csv_keeps_keys_bytes_and_expiries(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "dump.csv"
    good("dump", data, file)
    good("load", tmp_path / "new", file)
    with kveik.open(data, read_only=True) as old, kveik.open(tmp_path / "new") as new:
        before = [(key, cell.data, cell.expires) for key, cell in old.cells(b"", None)]
        behind = [(key, cell.data, cell.expires) for key, cell in new.cells(b"", None)]
        assert behind == before
        assert new["json"] == '{"$bytes":"x","n":[1.5,null,true,"é"]}'
        assert new["bytes"] == b"\x00\xff"
    good("dump", tmp_path / "new", tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == file.read_bytes()


def test_lines_written_by_hand_are_loaded(tmp_path: Path) -> None:
    lines = [
        '\ufeff{"key": "a", "value": "text"}\r',
        "",
        '{"value": [1, {"b": 2}], "key": "b"}',
        '{"key_base64": "/w==", "value_base64": "AA=="}',
        '{"key": "gone", "value": 1, "expires": 1}',
        '{"key": "a", "value": "later", "type": "bytes"}',
    ]
    said = call("load", tmp_path / "data", stdin="\n".join(lines).encode())
    assert said.code == 0
    assert "loaded 4 entries" in said.err
    assert "1 entry had expired" in said.err
    with kveik.open(tmp_path / "data") as db:
        assert dict(db.items()) == {b"a": b"later", b"b": [1, {"b": 2}], b"\xff": b"\x00"}
    csv = b'key,value\na,1\n"b\nc","x""y"\n'
    good("load", tmp_path / "csv", "--format", "csv", stdin=csv)
    with kveik.open(tmp_path / "csv") as db:
        assert dict(db.items()) == {b"a": "1", b"b\nc": 'x"y'}


VALUES = st.one_of(
    st.binary(max_size=30),
    st.text(max_size=30),
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(max_size=5),
        ),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=8,
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.binary(min_size=1, max_size=20), VALUES, st.sampled_from([0, 1, LATER]), st.booleans())
def test_every_entry_comes_back(key: bytes, value: object, expires: int, pickled: bool) -> None:
    kind, stored = encode_value(value)
    entry = Entry(key, PICKLE if pickled else kind, stored, expires)
    line = dump_lines.line(entry)
    assert line.count(b"\n") == 1
    assert dump_lines.parse(line) == entry
    row = dump_csv.line(entry)
    found = list(records(io.BytesIO(dump_csv.HEAD + row + row), "x", "csv"))
    assert [record.end for record in found] == [
        len(dump_csv.HEAD),
        len(dump_csv.HEAD + row),
        len(dump_csv.HEAD + row + row),
    ]
    for record in found[1:]:
        assert record.entry is not None
        assert (record.entry.key, record.entry.data, record.entry.expires) == (key, stored, expires)


@pytest.mark.parametrize(
    "stored",
    [b'{"a": 1}', b"[1.50]", b'"\\ud800"', b'{"a":1,"a":2}', b"[" * 127 + b"]" * 127, b"1e400"],
)
def test_json_that_is_written_another_way_keeps_its_bytes(stored: bytes) -> None:
    entry = Entry(b"k", JSON, stored, 0)
    assert dump_lines.parse(dump_lines.line(entry)) == entry


def test_cells_show_all_there_is_of_an_entry_at_one_instant(data: Path) -> None:
    with kveik.open(data) as db, db.snapshot() as then:
        before = list(then.cells(b"", None))
        db.clear()
        assert list(db.cells(b"", None)) == []
        assert len(before) == len(list(then.cells(b"", None))) == 11
        ((key, cell),) = then.cells(b"expires", b"expiret")
        assert (key, cell.kind, cell.data) == (b"expires", TEXT, b"soon")
        assert cell.expires > 0
        reverse = [key for key, _ in then.cells(b"", b"k", reverse=True, limit=2)]
        assert reverse == [b"json", b"expires"]


# --- going on -------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_dump_goes_on_wherever_it_broke_off(
    data: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = tmp_path / f"whole.{form}"
    assert main(["dump", str(data), str(whole)]) == 0
    expected = whole.read_bytes()
    part = tmp_path / f"part.{form}"
    for size in range(0, len(expected) + 1, 97):
        part.write_bytes(expected[:size])
        assert main(["dump", str(data), str(part), "--resume"]) == 0
        assert part.read_bytes() == expected
    capsys.readouterr()


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_what_is_whole_of_a_dump_is_found_wherever_it_is_cut(data: Path, form: str) -> None:
    whole = good("dump", data, "--format", form).encode()
    before: tuple[Entry | None, int] = (None, 0)
    ends = {record.end: record.entry for record in records(io.BytesIO(whole), "x", form)}
    for size in range(len(whole) + 1):
        if size in ends:
            before = ends[size], size
        assert last_complete(io.BytesIO(whole[:size]), "x", form) == before


def test_a_dump_overwrites_nothing_unasked(data: Path, tmp_path: Path) -> None:
    file = tmp_path / "dump"
    file.write_text("mine\n")
    said = call("dump", data, file)
    assert said.code == 2
    assert "--resume goes on with it, --force overwrites it" in said.err
    said = call("dump", data, file, "--resume")
    assert (said.code, file.read_text()) == (2, "mine\n")
    assert "is no entry of a dump" in said.err
    good("dump", data, file, "--force")
    assert len(file.read_text().splitlines()) == 11
    said = call("dump", data, file, "--resume", "--prefix", "re")
    assert said.code == 2
    assert "which is not in this range" in said.err
    assert call("dump", data, "-", "--resume").code == 2


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with very many lines."""
    path = tmp_path_factory.mktemp("many") / "many.jsonl"
    lines = (f'{{"key": "user:{n:06d}", "value": {{"n": {n}}}}}\n' for n in range(MANY))
    path.write_text("".join(lines))
    return path


@pytest.fixture
def loading(many: Path, tmp_path: Path) -> Path:
    """The same, for one test's load, which breaks off at the end if it comes so far."""
    path = tmp_path / "many.jsonl"
    path.write_text(many.read_text() + "broken")
    return path


def test_a_load_that_is_killed_goes_on_where_it_was_durable(loading: Path, target: str) -> None:
    state = Path(f"{loading}.kveik-load")
    process = subprocess.Popen(
        [*KVEIK, "load", target, str(loading)], stderr=subprocess.DEVNULL, env=environment()
    )
    until(lambda: state.exists() or process.poll() is not None, "a batch is loaded")
    process.kill()
    process.wait()
    said = json.loads(state.read_text())
    assert 0 < said["line"] <= MANY
    loaded = good("range", "-t", target, "--keys", "--limit", "0").splitlines()
    expected = [f"user:{n:06d}" for n in range(MANY)]
    assert loaded[: said["line"]] == expected[: said["line"]]
    assert loaded == expected[: len(loaded)]
    loading.write_text(loading.read_text().removesuffix("broken"))
    done = call("load", target, loading, "--resume")
    assert done.code == 0
    assert f"loaded {MANY - said['line']:,} entries" in done.err
    assert good("range", "-t", target, "--keys", "--limit", "0").splitlines() == expected
    assert not state.exists()


def test_a_state_of_another_load_is_refused(loading: Path, tmp_path: Path) -> None:
    content = loading.read_text().splitlines(keepends=True)[:10]
    loading.unlink()
    content.insert(5, "broken\n")
    loading.write_text("".join(content))
    assert call("load", tmp_path / "one", loading).code == 1
    said = call("load", tmp_path / "two", loading, "--resume")
    assert said.code == 2
    assert f"is of a load into {tmp_path / 'one'}" in said.err
    loading.write_text("x" + "".join(content))
    said = call("load", tmp_path / "one", loading, "--resume")
    assert said.code == 2
    assert "is not the file whose load broke off" in said.err
    Path(f"{loading}.kveik-load").write_text("{")
    assert "is damaged: remove it" in call("load", tmp_path / "one", loading, "--resume").err
    assert call("load", tmp_path / "one", "--resume").code == 2


# --- what is wrong --------------------------------------------------------------------------------


def test_a_malformed_line_is_named_and_nothing_before_it_is_lost(
    target: str, tmp_path: Path
) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_text(
        '{"key": "a", "value": 1}\n\n{"key": "b", "value": 2}\n{"key": 3}\n'
        '{"key": "d", "value": 4}\n'
    )
    said = call("load", target, file)
    assert said.code == 1
    assert f"{file}: line 4: " in said.err
    assert "--resume goes on there" in said.err
    assert good("range", "-t", target) == "a\t1\nb\t2\n"
    file.write_text(file.read_text().replace('{"key": 3}', '{"key": "c", "value": 3}'))
    assert "loaded 2 entries" in call("load", target, file, "--resume").err
    assert good("range", "-t", target) == "a\t1\nb\t2\nc\t3\nd\t4\n"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (b"{", "not valid JSON"),
        (b"\xff", "not UTF-8: byte 0"),
        (b"[1]", "a line is one JSON object"),
        (b'{"key": "a"}', "one of 'value' and 'value_base64' is needed"),
        (b'{"value": 1}', "one of 'key' and 'key_base64' is needed"),
        (b'{"key": "a", "key_base64": "YQ==", "value": 1}', "one of 'key' and"),
        (b'{"key": "a", "value": 1, "value_base64": ""}', "one of 'value' and"),
        (b'{"key": "a", "key": "b", "value": 1}', "stands there twice"),
        (b'{"key": "a", "value": 1, "ttl": 5}', "unknown member 'ttl'"),
        (b'{"key": "", "value": 1}', "a key has 1 to"),
        (b'{"key": 1, "value": 1}', "'key' is a string here, not 1"),
        (b'{"key": "\\ud800", "value": 1}', "lone surrogate"),
        (b'{"key": "a", "value": "\\ud800"}', "lone surrogate"),
        (b'{"key": "a", "value": ["\\ud800"]}', "the value is no JSON"),
        (b'{"key": "a", "value": NaN}', "NaN is no JSON"),
        (b'{"key_base64": "?", "value": 1}', "'?' is not base64"),
        (b'{"key": "a", "value": 1, "type": "int"}', "the type is one of bytes, text, json"),
        (b'{"key": "a", "value": 1, "type": []}', "the type is one of"),
        (b'{"key": "a", "value": 1, "type": "text"}', "'value' is a string here"),
        (b'{"key": "a", "value": "x", "type": "pickle"}', "a pickle stands as value_base64"),
        (b'{"key": "a", "value_base64": "/w==", "type": "text"}', "no valid text"),
        (b'{"key": "a", "value_base64": "/w==", "type": "json"}', "no valid json"),
        (b'{"key": "a", "value": 1, "expires": 0}', "'expires' is from 1"),
        (b'{"key": "a", "value": 1, "expires": true}', "whole number"),
        (b'{"key": "a", "value": 1, "expires": "1"}', "whole number"),
    ],
)
def test_what_is_no_entry_is_said(line: bytes, complaint: str) -> None:
    with pytest.raises(UseError) as raised:
        dump_lines.parse(line)
    assert complaint in str(raised.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (b"a,b\n", "line 1: the first line is key,value or key,value,expires"),
        (b"key,value\na\n", "line 2: 1 columns where the first line has 2"),
        (b'key,value\n"a\nb",1\nc\n', "line 4: 1 columns"),
        (b'key,value\n"a,1\n', "line 2: "),
        (b"key,value,expires\na,1,soon\n", "line 2: 'soon' is no expiry"),
        (b"key,value,expires\na,1,0\n", "line 2: 'expires' is from 1"),
        (b"key,value\n,1\n", "line 2: a key has 1 to"),
        (b"key,value\na,$bytes:?\n", "line 2: '?' is not base64"),
        (b"key,value\na,\xff\n", "line 2: not UTF-8"),
    ],
)
def test_what_is_no_line_of_csv_is_said(text: bytes, complaint: str) -> None:
    with pytest.raises(UseError) as raised:
        list(records(io.BytesIO(text), "x.csv", "csv"))
    assert str(raised.value).startswith(f"x.csv: {complaint}")


def test_keys_that_are_there_are_overwritten_or_kept(target: str) -> None:
    good("put", "-t", target, "a", "old")
    lines = (
        b'{"key": "a", "value": "new"}\n{"key": "b", "value": "1"}\n{"key": "b", "value": "2"}\n'
    )
    said = call("load", target, "--keep", stdin=lines)
    assert said.code == 0
    assert "loaded 1 entry" in said.err
    assert "2 entries left out, as the keys are there" in said.err
    assert good("range", "-t", target) == "a\told\nb\t1\n"
    good("load", target, stdin=lines)
    assert good("range", "-t", target) == "a\tnew\nb\t2\n"
    assert call("load", target, "--keep", "--replace").code == 2


def test_files_and_targets_that_are_not_there(tmp_path: Path) -> None:
    assert str(tmp_path / "none") in call("dump", tmp_path / "none").err
    said = call("load", tmp_path / "data", tmp_path / "none")
    assert said.code == 1
    assert str(tmp_path / "none") in said.err
    assert not (tmp_path / "data").exists()


def test_an_interrupted_dump_says_how_to_go_on(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    encode = dump_lines.line
    file = tmp_path / "dump"

    def interrupted(entry: Entry) -> bytes:
        if entry.key == b"readable":
            raise KeyboardInterrupt
        return encode(entry)

    with monkeypatch.context() as patch:
        patch.setattr(dump_lines, "line", interrupted)
        assert main(["dump", str(data), str(file)]) == 130
    assert "interrupted: dumped " in (told := capsys.readouterr().err)
    assert "--resume goes on with it" in told
    assert 0 < len(file.read_text().splitlines()) < 11
    assert main(["dump", str(data), str(file), "--resume"]) == 0
    assert len(file.read_text().splitlines()) == 11


def test_progress_is_shown_in_plain_lines_where_nobody_looks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kveik.cli import traffic

    monkeypatch.setattr(traffic, "PATIENCE", 0.0)
    with traffic.Traffic("loading", 1000) as shown:
        shown.add(10, 500, 500)
        shown.add(10, 500, 1000)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("loading: 10 entries, 500 B, ")
    assert line.endswith(" entries/s, 50 %")
    monkeypatch.setattr(traffic, "PATIENCE", time.monotonic())
    with traffic.Traffic("loading") as shown:
        shown.add(10, 500, 500)
    assert capsys.readouterr().err == ""


def test_progress_is_a_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    library("rich")
    from kveik.cli import traffic

    shown = Screen()
    monkeypatch.setattr(traffic, "PATIENCE", 0.0)
    monkeypatch.setattr("sys.stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    with traffic.Traffic("loading", 1000) as meter:
        meter.add(10, 500, 500)
    assert "loading: 10 entries, 500 B, " in shown.getvalue()
    assert "entries/s, 50 %" in shown.getvalue()


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_an_interrupted_load_says_how_to_go_on(loading: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*KVEIK, "load", str(tmp_path / "data"), str(loading)],
        stderr=subprocess.PIPE,
        env=environment(),
    )
    until(Path(f"{loading}.kveik-load").exists, "a batch is loaded")
    process.send_signal(signal.SIGINT)
    _, told = process.communicate()
    assert process.returncode in (130, 1)  # 1: it was at its end already
    assert "--resume goes on there" in told.decode()
    loading.write_text(loading.read_text().removesuffix("broken"))
    good("load", tmp_path / "data", loading, "--resume")
    shown = good("range", "-t", tmp_path / "data", "--keys", "--limit", "0")
    assert shown.count("\n") == MANY


def test_kinds_have_the_names_of_the_documentation() -> None:
    assert dump_lines.KINDS == {"bytes": BYTES, "text": TEXT, "json": JSON, "pickle": PICKLE}
