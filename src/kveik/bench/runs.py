"""A run of `kveik bench`: measures, shows, and writes what was found. Called by asked.py."""

from __future__ import annotations

import os
import signal
import sys
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from kveik.bench import machine, page
from kveik.bench.measurement import Measurement
from kveik.bench.results import Document, Section
from kveik.bench.screen import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    Screen,
    leave,
    make_progress,
    write,
)
from kveik.bench.servers import BenchError
from kveik.bench.tables import grid, summary, tables
from kveik.version import flavour

RESULTS = Path("kveik-bench")  # where results go that nobody has named a file for
BUSY = 0.5  # load average for each core from which others disturb
WIDTH = 170  # what the tables need


@dataclass(frozen=True)
class Outputs:
    name: str  # of the sub-command
    command: str  # as it was typed
    json: Path | None = None
    report: Path | None = None


def run(measurements: list[Measurement], outputs: Outputs) -> int:
    console = Console(highlight=False, markup=False)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, leave)
    versions = {name: text for each in measurements for name, text in each.versions.items()}
    about = machine.describe(sys.executable, {}, versions)
    document = Document(about, outputs.command, [], warnings_before())
    status = _measure(measurements, document, console)
    document.complete = status == 0
    shown = [section for section in document.sections if section.finished()]
    console.width = max(WIDTH, console.width)
    for section in shown:
        show(section, console)
    console.print()
    for name, value in page.facts(document.about):
        console.print(f"{name}: {value}", soft_wrap=True)
    warn(document.warnings, console)
    if shown:
        save(document, outputs, console)
    failed = any(each.failed for each in measurements)
    return status or (EXIT_FAILED if failed else 0)


def _measure(measurements: list[Measurement], document: Document, console: Console) -> int:
    with make_progress(console) as progress:
        screen = Screen(console, progress)
        screen.plan(sum(each.steps() for each in measurements))
        for each in measurements:
            document.sections.append(each.section)
            try:
                each.run(screen)
            except KeyboardInterrupt:
                console.print("interrupted; what was measured so far:")
                return EXIT_INTERRUPTED
            except BenchError as error:
                console.print(f"error: {error}", soft_wrap=True)
                return EXIT_FAILED
    return 0


def show(section: Section, console: Console) -> None:
    console.print(f"\n{section.title}", style="bold")
    for table in tables(section):
        console.print(grid(table))
    for line in summary(section) + section.notes:
        console.print(line, soft_wrap=True)
    warn(section.warnings, console)


def warn(warnings: list[str], console: Console) -> None:
    for warning in warnings:
        console.print(f"warning: {warning}", style="yellow", soft_wrap=True)


def warnings_before() -> list[str]:
    """What makes all figures of this run low, known before it begins."""
    found = []
    if flavour() == "pure":
        found.append(
            "this is the pure flavour: compiled, which takes a C compiler when Kveik is installed, "
            "most of it is several times faster"
        )
    load, cores = os.getloadavg()[0], len(os.sched_getaffinity(0))
    if load > BUSY * cores:
        found.append(
            f"other programs are using this machine (load average {load:.1f} on {cores} cores): "
            "figures will be lower and further apart than they could be"
        )
    return found


def save(document: Document, outputs: Outputs, console: Console) -> None:
    usual = RESULTS / f"{outputs.name}-{datetime.now():%Y%m%d-%H%M%S}.json"
    path = (outputs.json or usual).absolute()
    write(path, document.as_json(), console)
    drawn = [chart for section in document.sections for chart in section.charts]
    for number, chart in enumerate(drawn, 1):
        tail = f"-{number}" if len(drawn) > 1 else ""
        write(path.with_name(f"{path.stem}{tail}.svg"), chart.svg, console)
    if outputs.report is not None:
        write(outputs.report.absolute(), page.render(document), console)
