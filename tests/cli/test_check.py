"""`kveik check`, `inspect` and `repair` on real directories, as people and machines call them."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.support.tools import environment

import kveik
from kveik.cli import progress
from kveik.cli.main import main
from kveik.cli.progress import Meter

Said = tuple[int, str, str]  # exit code, stdout, stderr
KEYS = 20_000


def content(number: int) -> bytes:
    return random.Random(number).randbytes(100)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables in several levels and a log, in a tiny memory."""
    path = tmp_path_factory.mktemp("made") / "data"
    with kveik.open(path, durability="none", memory="8MB") as db:
        for number in range(KEYS):
            db.put(f"user:{number:06d}", content(number))
        db.compact()
        for number in range(0, KEYS, 10):
            db.put(f"user:{number:06d}", content(number + 1))
        db.delete_range("user:005000", "user:005100")
        db.flush()
        db.put("user:000001", {"in": "the log"})
        db.put(("order", 17), "tuple", ttl=1e9)
    return path


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "data"))


def expected() -> dict[object, object]:
    held: dict[object, object] = {}
    for number in range(KEYS):
        if not 5000 <= number < 5100:
            at = number + 1 if number % 10 == 0 else number
            held[b"user:%06d" % number] = content(at)
    held[b"user:000001"] = {"in": "the log"}
    held[("order", 17)] = "tuple"
    return held


def kveik_says(capsys: pytest.CaptureFixture[str], *words: str | Path) -> Said:
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


def tables(data: Path) -> list[Path]:
    return sorted(data.glob("*.tbl"))


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 0xFF
    path.write_bytes(content)


def files(data: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in data.iterdir() if path.name != "LOCK"}


# --- check ----------------------------------------------------------------------------------------


def test_the_database_of_these_tests_has_several_levels(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = kveik_says(capsys, "inspect", made)
    assert "level 0: " in out
    assert len([line for line in out.splitlines() if line.startswith("level ")]) > 1


def test_a_whole_directory_gives_exit_code_0(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = kveik_says(capsys, "check", made)
    assert code == 0
    assert out.splitlines()[-1] == f"{made} is whole"
    assert "2 commits" in out
    assert err == ""


def test_damage_gives_exit_code_1_and_a_line_with_file_and_offset(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(tables(data)[0], 10)
    before = files(data)
    code, out, _ = kveik_says(capsys, "check", data)
    assert code == 1
    first = out.splitlines()[0]
    assert first.startswith(f"damage: {tables(data)[0].name}: offset 0: the checksum of a block")
    assert "(keys from 0:'user:000000' to below 0:'user:0000" in first
    assert f"{data} is damaged in 1 place" in out
    assert f"`kveik repair {data} --into NEW`" in out
    assert files(data) == before


def test_check_speaks_json(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip(tables(data)[0], 10)
    (data / "notes.txt").write_text("mine")
    code, out, _ = kveik_says(capsys, "check", "--json", data)
    said = json.loads(out)
    assert code == 1
    assert said["whole"] is False
    assert said["tables"] == len(tables(data))
    damage, *others = said["findings"]
    (stranger,) = [other for other in others if "stranger" in other["what"]]
    assert (damage["severity"], damage["file"], damage["offset"]) == (
        "damage",
        tables(data)[0].name,
        0,
    )
    assert bytes.fromhex(damage["low"]) < bytes.fromhex(damage["high"])
    assert (stranger["severity"], stranger["file"]) == ("leftover", "notes.txt")


def test_a_directory_that_a_writer_has_open_is_refused_and_the_holder_named(
    made: Path, data: Path
) -> None:
    with kveik.open(data):
        done = subprocess.run(
            [sys.executable, "-m", "kveik", "check", data],
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"kveik check: {data} is already open in process ")


@pytest.mark.parametrize("command", [["check"], ["inspect"], ["repair", "--into", "nowhere"]])
def test_what_is_not_there_gives_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    code, out, err = kveik_says(capsys, *command, tmp_path / "none")
    assert code == 2
    assert out == ""
    assert err.startswith(f"kveik {command[0]}: ")
    assert len(err.splitlines()) == 1


def test_a_directory_without_a_database_gives_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = kveik_says(capsys, "check", tmp_path)
    assert (code, err) == (2, f"kveik check: {tmp_path} holds no database\n")


# --- inspect --------------------------------------------------------------------------------------


def test_inspect_shows_a_manifest_edit_by_edit(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = kveik_says(capsys, "inspect", made / "MANIFEST")
    assert code == 0
    assert "edit 1: " in out
    assert "level 1  table " in out
    assert "keys 0:'user:000000' to 0:'user:" in out


def test_inspect_shows_a_segment_record_by_record(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = ""
    for path in sorted(made.glob("*.log")):
        code, out, _ = kveik_says(capsys, "inspect", path, "--values")
        assert code == 0
        shown += out
    assert """0:'user:000001'  json '{"in":"the log"}'""" in shown
    assert "0:0xf8026f72646572" in shown  # a tuple is no text
    assert "text 'tuple' until 20" in shown
    assert "mark: commits up to " in shown


def test_inspect_shows_a_table_block_by_block(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = kveik_says(capsys, "inspect", tables(made)[0])
    assert code == 0
    blocks = [line for line in out.splitlines() if " block: " in line]
    assert len(blocks) > 10
    assert "entries, 8," in blocks[0]
    assert "0:'user:" in blocks[0]
    assert "partition of 64 blocks, filter " in out


def test_inspect_stops_at_the_limit(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = kveik_says(capsys, "inspect", tables(made)[0], "--limit", "3")
    assert len([line for line in out.splitlines() if " block: " in line]) == 3
    assert out.endswith("... (the first 3 only)\n")
    _, out, _ = kveik_says(capsys, "inspect", tables(made)[0], "--keys", "--limit", "3")
    assert len([line for line in out.splitlines() if " block: " in line]) == 1


def test_inspect_shows_where_a_damaged_table_stops_and_goes_on(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tables(data)[0]
    flip(path, 10)
    code, out, _ = kveik_says(capsys, "inspect", path)
    assert code == 1
    assert "         0  DAMAGED: the checksum of a block does not match: keys " in out
    assert len([line for line in out.splitlines() if " block: " in line]) > 10


def test_inspect_reads_a_table_without_its_end(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tables(data)[0]
    path.write_bytes(path.read_bytes()[:50_000])
    code, out, _ = kveik_says(capsys, "inspect", path)
    assert code == 1
    assert "DAMAGED: not a table" in out
    assert len([line for line in out.splitlines() if " block: " in line]) == 6
    assert "the file ends here" in out


def test_inspect_shows_what_is_behind_damage_in_a_segment_and_a_manifest(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with kveik.open(data) as db:
        db.put("one", 1)
        db.put("two", 2)
    path = next(path for path in data.glob("*.log") if b"\x00one" in path.read_bytes())
    flip(path, path.read_bytes().index(b"\x00one"))
    code, out, _ = kveik_says(capsys, "inspect", path)
    assert code == 1
    assert "DAMAGED: no valid record; the next one is at " in out
    assert "first key 0:'two'" in out
    flip(data / "MANIFEST", 70)
    code, out, _ = kveik_says(capsys, "inspect", data / "MANIFEST")
    assert code == 1
    assert "        64  DAMAGED: " in out


def test_inspect_speaks_json_lines(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (made, made / "MANIFEST", made / "KVEIK", tables(made)[0]):
        _, out, _ = kveik_says(capsys, "inspect", path, "--json", "--values", "--limit", "50")
        said = [json.loads(line) for line in out.splitlines()]
        assert all("what" in line for line in said)
        assert said
    entry = next(line for line in said if line["what"] == "entry")
    assert bytes.fromhex(entry["key"]).startswith(b"\x00user:")
    assert len(bytes.fromhex(entry["value"])) == entry["size"] == 100


def test_inspect_refuses_what_is_no_file_of_kveik(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("dear")
    code, _, err = kveik_says(capsys, "inspect", path)
    assert code == 2
    assert "is no file of Kveik's" in err


def test_a_limit_is_a_number_from_1_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["inspect", ".", "--limit", "0"])
    assert "'0' is no limit" in capsys.readouterr().err


# --- repair ---------------------------------------------------------------------------------------


def held_by(path: Path) -> dict[object, object]:
    with kveik.open(path, create=False) as db:
        return dict(db.items())


def test_of_a_whole_directory_everything_is_saved(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(data)
    code, out, err = kveik_says(capsys, "repair", data, "--into", tmp_path / "new")
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"{tmp_path / 'new'} is whole; nothing was lost"
    assert held_by(tmp_path / "new") == expected()
    assert files(data) == before


def test_what_is_lost_is_listed_and_gives_exit_code_1(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tables(data)[0]
    flip(path, 10)
    code, out, _ = kveik_says(capsys, "repair", data, "--into", tmp_path / "new")
    assert code == 1
    assert f"lost: {path.name}: offset 0: the checksum of a block does not match (keys from" in out
    assert "1 rewritten" in out
    assert "is whole; lost in 1 place" in out
    held, right = held_by(tmp_path / "new"), expected()
    assert all(right[key] == held[key] for key in held)
    assert 0 < len(right) - len(held) <= 80


def test_repair_speaks_json(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flip(tables(data)[0], 10)
    new = tmp_path / "new"
    code, out, _ = kveik_says(capsys, "repair", data, "--into", new, "--json")
    said = json.loads(out)
    assert code == 1
    assert said["whole"] is True
    assert said["tables_rewritten"] == 1
    assert said["commits"] == 2
    (lost,) = said["lost"]
    assert (lost["file"], lost["offset"]) == (tables(data)[0].name, 0)


def test_damage_in_the_log_offers_to_save_what_is_behind_it(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with kveik.open(data) as db:
        db.put("one", 1)
        db.put("two", 2)
    path = next(path for path in data.glob("*.log") if b"\x00one" in path.read_bytes())
    flip(path, path.read_bytes().index(b"\x00one"))
    code, out, _ = kveik_says(capsys, "repair", data, "--into", tmp_path / "new")
    assert code == 1
    assert f"lost: {path.name}: offset " in out
    assert "(--salvage-log saves it)" in out
    assert b"two" not in held_by(tmp_path / "new")
    into = tmp_path / "more"
    code, _, _ = kveik_says(capsys, "repair", data, "--into", into, "--salvage-log")
    assert code == 1
    assert held_by(into) == expected() | {b"two": 2}


def test_without_a_manifest_the_guess_is_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "MANIFEST").unlink()
    code, out, _ = kveik_says(capsys, "repair", data, "--into", tmp_path / "new")
    assert code == 1
    assert "mended: MANIFEST: offset 0: the file is missing" in out
    assert "of unknown level, the highest number taken for the newest" in out


@pytest.mark.parametrize("into", ["data", "data/new"])
def test_a_target_inside_the_damaged_directory_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], into: str
) -> None:
    before = files(data)
    code, _, err = kveik_says(capsys, "repair", data, "--into", tmp_path / into)
    assert code == 2
    assert "which is not to be changed" in err
    assert files(data) == before


def test_a_target_that_holds_anything_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "letter.txt").write_text("dear")
    code, _, err = kveik_says(capsys, "repair", data, "--into", tmp_path / "new")
    assert code == 2
    assert "is not empty: it holds 'letter.txt'" in err


# --- progress -------------------------------------------------------------------------------------


def test_nothing_is_said_of_a_short_step(capsys: pytest.CaptureFixture[str]) -> None:
    with Meter("checking") as meter:
        meter.show(10, 100)
    assert capsys.readouterr().err == ""


def test_a_long_step_says_how_far_it_is_in_plain_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    with Meter("checking") as meter:
        monkeypatch.setattr(progress.time, "monotonic", lambda: now + 3.0)
        meter.show(1 << 20, 4 << 20)
        meter.show(2 << 20, 4 << 20)
        monkeypatch.setattr(progress.time, "monotonic", lambda: now + 9.0)
        meter.show(3 << 20, 4 << 20)
    assert capsys.readouterr().err.splitlines() == [
        "checking: 1.0 MB of 4.0 MB, 25 %",
        "checking: 3.0 MB of 4.0 MB, 75 %",
    ]


def test_a_long_step_has_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rich")
    now = time.monotonic()
    with Meter("checking") as meter:
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(progress.time, "monotonic", lambda: now + 3.0)
        meter.show(1 << 20, 4 << 20)
        meter.show(2 << 20, 4 << 20)
    assert "checking:" in capsys.readouterr().err
