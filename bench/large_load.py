"""Load far more than the memory holds, in random order, and tell what it did to whoever waited."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

# Run as a script, only this folder is on the path.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.large_phases import Job
from bench.memory_watch import Memory, MemoryWatch
from bench.redis_compare import RESULTS

from kveik.bench.engines.catalog import ENGINES, find_engine
from kveik.bench.keys import ENTRY_BYTES, KEY_BYTES, VALUE_BYTES, key_of
from kveik.bench.machine import describe
from kveik.bench.runner import started, tail
from kveik.bench.screen import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    leave,
    make_progress,
    write,
)
from kveik.bench.servers import BenchError
from kveik.sizes import parse_size, show_size

DEFAULT_ENGINES = "kveik,rocksdict"
CHUNK = 10_000  # keys written to the file at once
CRASH_SHARE = 20  # before it is killed, a process overwrites this part of the entries, at most ...
CRASH_MOST = 1_000_000
QUICK_ENTRIES, QUICK_READS = 50_000, 2_000
# Kveik's names for the blocks that its gets have touched, and the log it has read again.
BLOCKS = "blocks_searched"
REPLAYED = "replayed_bytes"


class LargeLoad:
    """All phases, engine after engine; `found` holds what is finished."""

    def __init__(self, options: argparse.Namespace, home: Path, progress: Progress) -> None:
        self.found: dict[str, dict[str, Any]] = {}
        self._options = options
        self._home = home
        self._keys = home / "keys"
        self._progress = progress
        self._task = progress.add_task("starting", total=None)

    def run(self) -> None:
        self._begin("shuffling the keys", self._options.entries)
        write_keys(self._keys, self._options.entries, self._at)
        os.sync()  # nor shall they be written while an engine is measured
        for name in self._options.engines:
            self._run(name)

    def _run(self, name: str) -> None:
        home = self._home / name
        home.mkdir()
        found = self.found[name] = {}
        entries = self._options.entries
        try:
            with SyncProbe(home) as probe:
                found["load"], memory = self._phase("load", name, entries)
            found["load"].update(load_figures(found["load"], entries))
            found["disk"] = probe.found
            found["memory"] = {
                "own": max(memory.own, found["load"]["peak_bytes"]),
                "children": memory.children,
                "samples": memory.samples,
            }
            found["size"] = sum(p.stat().st_size for p in home.rglob("*") if p.is_file())
            found["read"], _ = self._phase("read", name, self._options.reads)
            least = max(1000, min(entries // CRASH_SHARE, CRASH_MOST))
            self._phase("crash", name, least, kill_at=least)
            found["recover"], _ = self._phase("recover", name, 1)
            self._say(f"{name} done")
        finally:
            shutil.rmtree(home, ignore_errors=True)

    def _phase(
        self, phase: str, name: str, total: int, kill_at: int = 0
    ) -> tuple[dict[str, Any], Memory]:
        self._begin(f"{name}: {phase}", total)
        options = self._options
        home = self._home / name
        job = Job(
            phase, name, str(home), str(self._keys), options.entries, options.memory, options.reads
        )
        found: dict[str, Any] = {}
        with started("bench.large_phases", asdict(job)) as process:
            watch = MemoryWatch(process.pid)
            errors: list[str] = []
            assert process.stdout is not None
            assert process.stderr is not None
            listener = threading.Thread(target=errors.extend, args=(process.stderr,), daemon=True)
            listener.start()
            # A watched process is not looked at in the other phases: looking costs time.
            watching: AbstractContextManager[object] = watch if phase == "load" else nullcontext()
            with watching:
                for line in process.stdout:
                    told = json.loads(line)
                    found = told.get("found", found)
                    self._at(told.get("done", 0))
                    if kill_at and told.get("done", 0) >= kill_at:
                        process.kill()
                        break
                code = process.wait()
            listener.join(5)
        if not found and not (kill_at and code == -signal.SIGKILL):
            raise BenchError(f"{name}: {phase} failed\n{tail(''.join(errors))}")
        return found, watch.memory

    def _begin(self, text: str, total: int) -> None:
        self._progress.reset(self._task, total=total, description=text)
        if self._progress.disable:
            self._progress.console.print(text, soft_wrap=True)

    def _at(self, done: int) -> None:
        if done:
            self._progress.update(self._task, completed=done)

    def _say(self, text: str) -> None:
        self._progress.console.print(text, soft_wrap=True)


class SyncProbe:
    """sync_probe.py running beside; `found` is set at the end."""

    def __init__(self, folder: Path) -> None:
        self.found: dict[str, float] = {}
        self._started = started("bench.sync_probe", str(folder.parent))

    def __enter__(self) -> SyncProbe:
        self._process = self._started.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            if error[0] is None:
                told, _ = self._process.communicate(timeout=120)  # closes its stdin
                self.found = json.loads(told)
        finally:
            self._started.__exit__(*error)


def write_keys(path: Path, entries: int, at: Callable[[int], None]) -> None:
    """Every key once, in random order."""
    numbers = array("I", range(entries))
    random.Random(1).shuffle(numbers)
    with path.open("wb") as file:
        for start in range(0, entries, CHUNK):
            file.write(b"".join(map(key_of, numbers[start : start + CHUNK])))
            at(start)


def load_figures(load: dict[str, Any], entries: int) -> dict[str, float]:
    """Rates: the mean, and the worst whole second over it."""
    mean = entries / load["seconds"]
    whole = load["seconds_done"][:-1] or load["seconds_done"]  # the last one is cut short
    return {
        "mean_rate": mean,
        "min_rate": min(whole),
        "min_over_mean": min(whole) / mean,
        "worst_put_seconds": load["worst"][0][0],
    }


# --- the summary --------------------------------------------------------------------------------


def summary(found: dict[str, dict[str, Any]]) -> Table:
    complete = {name: each for name, each in found.items() if "recover" in each}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", no_wrap=True)
    for name in complete:
        table.add_column(name, justify="right", no_wrap=True)
    for label, cell in ROWS:
        table.add_row(label, *(cell(each) for each in complete.values()))
    return table


def _or_dash(value: float | None, text: str) -> str:
    return "-" if value is None else text.format(value)


def _size_or_dash(value: float | None) -> str:
    return "-" if value is None else show_size(value)


def _replay_rate(recover: dict[str, Any]) -> float | None:
    """Bytes of the log a second of opening."""
    size = recover["stats"].get(REPLAYED)
    return None if size is None else size / recover["open_seconds"]


Cell = Callable[[dict[str, Any]], str]

ROWS: tuple[tuple[str, Cell], ...] = (
    ("load, s", lambda f: f"{f['load']['seconds']:.1f}"),
    ("closing after it, s", lambda f: f"{f['load']['close_seconds']:.2f}"),
    ("mean, thousand puts/s", lambda f: f"{f['load']['mean_rate'] / 1e3:.0f}"),
    ("worst second, thousand puts", lambda f: f"{f['load']['min_rate'] / 1e3:.0f}"),
    ("worst second / mean", lambda f: f"{f['load']['min_over_mean']:.2f}"),
    ("worst put, ms", lambda f: f"{f['load']['worst_put_seconds'] * 1e3:.1f}"),
    ("  10th worst put, ms", lambda f: f"{f['load']['worst'][-1][0] * 1e3:.1f}"),
    ("disk's worst sync meanwhile, ms", lambda f: f"{f['disk']['worst_seconds'] * 1e3:.1f}"),
    ("  its median, ms", lambda f: f"{f['disk']['median_seconds'] * 1e3:.2f}"),
    ("resident, most", lambda f: show_size(f["memory"]["own"])),
    ("  of its child processes", lambda f: show_size(f["memory"]["children"])),
    ("on disk after the load", lambda f: show_size(f["size"])),
    ("opening after a clean close, s", lambda f: f"{f['read']['open_seconds']:.3f}"),
    ("get of a random key, median us", lambda f: f"{f['read']['median_us']:.1f}"),
    ("  99th percentile, us", lambda f: f"{f['read']['p99_us']:.1f}"),
    ("  blocks touched", lambda f: _or_dash(f["read"]["per_get"].get(BLOCKS), "{:.2f}")),
    ("opening after kill -9, s", lambda f: f"{f['recover']['open_seconds']:.3f}"),
    ("  log replayed", lambda f: _size_or_dash(f["recover"]["stats"].get(REPLAYED))),
    ("  of it a second", lambda f: _size_or_dash(_replay_rate(f["recover"]))),
    ("keys missing", lambda f: f"{f['read']['missing'] + f['recover']['missing']}"),
)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, help="to write (20,000,000: 2.3 GB)")
    parser.add_argument("--reads", type=int, help="random keys read afterwards (100,000)")
    parser.add_argument("--memory", default="128MB", help="of each engine (128MB)")
    parser.add_argument("--engines", default=DEFAULT_ENGINES, help=f"({DEFAULT_ENGINES})")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="default results/large-load-DATE.json"
    )
    parser.add_argument("--quick", action="store_true", help="50,000 entries: does it work?")
    options = parser.parse_args(argv)
    options.entries = options.entries or (QUICK_ENTRIES if options.quick else 20_000_000)
    options.reads = options.reads or (QUICK_READS if options.quick else 100_000)
    options.engines = [name.strip() for name in options.engines.split(",") if name.strip()]
    try:
        options.memory = parse_size(options.memory)
    except ValueError as error:
        parser.error(str(error))
    unknown = [name for name in options.engines if name not in ENGINES]
    if unknown or not options.engines:
        parser.error(f"no engine is called {unknown[:1]}; there are {', '.join(ENGINES)}")
    if options.entries < 1000 or options.reads < 2:
        parser.error("--entries is at least 1000, --reads at least 2")
    if not (options.json and options.json.name):
        options.json = RESULTS / f"large-load-{datetime.now():%Y%m%d-%H%M%S}.json"
    return options


def check_space(options: argparse.Namespace) -> None:
    """The keys, and one engine at a time, which may hold an old and a new table of everything."""
    needed = options.entries * (KEY_BYTES + 3 * ENTRY_BYTES)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < needed:
        where = tempfile.gettempdir()
        raise BenchError(
            f"{where} has {show_size(free)} free, {show_size(needed)} are needed; "
            "TMPDIR chooses another disk"
        )


def measure(options: argparse.Namespace, console: Console) -> int:
    check_space(options)
    versions = {}
    for name in options.engines:
        try:
            versions[name] = find_engine(name).version()
        except ImportError as error:
            raise BenchError(f"{name} is not installed ({error})") from None
    about = describe(sys.executable, {}, versions)
    status, began = 0, time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="kveik-bench-", ignore_cleanup_errors=True) as home,
        make_progress(console) as progress,
    ):
        run = LargeLoad(options, Path(home), progress)
        try:
            run.run()
        except KeyboardInterrupt:
            console.print("interrupted; what was measured so far:")
            status = EXIT_INTERRUPTED
        except BenchError as error:
            console.print(f"error: {error}", soft_wrap=True)
            status = EXIT_FAILED
    parameters = {
        "entries": options.entries,
        "reads": options.reads,
        "memory": options.memory,
        "engines": options.engines,
        "key_bytes": KEY_BYTES,
        "value_bytes": VALUE_BYTES,
    }
    machine = about["machine"]
    console.print(summary(run.found))
    console.print(
        f"{options.entries:,} entries of {KEY_BYTES} + {VALUE_BYTES} B "
        f"({show_size(options.entries * ENTRY_BYTES)}) in random order, unsynced, under "
        f"{show_size(options.memory)}; {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['temp_filesystem']}; {time.monotonic() - began:.0f} s in all"
    )
    document = {**about, "parameters": parameters, "complete": status == 0, "engines": run.found}
    write(options.json, json.dumps(document, indent=1) + "\n", console)
    return status


def main() -> int:
    options = parse_arguments()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
    try:
        return measure(options, Console(highlight=False, markup=False))
    except BenchError as error:  # nothing was started yet
        print(f"large_load: {error}", file=sys.stderr)
        return EXIT_USAGE


if __name__ == "__main__":
    sys.exit(main())
