"""A section as tables on the terminal and in the report: heads and cells, made once for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich import box
from rich.table import Table as Grid

from kveik.bench.results import Result, Section


@dataclass(frozen=True)
class Table:
    heads: list[str]
    rows: list[list[str]]

    def is_text(self) -> list[bool]:
        """Which columns hold names; the others hold figures."""
        return [head in ("", "of") for head in self.heads]


TIMES = ("mean", "min", "p50", "p90", "p99", "p99.9", "max")


def tables(section: Section) -> list[Table]:
    found = [_rates(section.finished())] if section.finished() else []
    if section.tests:
        found.append(_tests(section.tests))
    return found


def _rates(results: list[Result]) -> Table:
    several = len({result.subject for result in results}) > 1
    timed = any(len(result.latencies) or "p50_us" in result.facts for result in results)
    compared = any("ratio" in result.facts for result in results)
    spread = any(len(result.rounds) > 1 for result in results)
    heads = ["", *(["of"] if several else []), "per second", *(["min - max"] if spread else [])]
    heads += ["kveik / it"] if compared else []
    heads += [f"{name}, us" for name in TIMES] if timed else []
    rows: list[list[str]] = []
    name = ""
    for result in results:
        rate = result.rate
        named = result.name if not rows or result.name != name else ""
        name = result.name
        row = [named, *([result.subject] if several else [])]
        mark = " *" if result.cut else ""
        row += [number(rate.median, result.unit) + mark]
        if spread:
            ends = (number(rate.min, result.unit), number(rate.max, result.unit))
            row += [f"{ends[0]} - {ends[1]}" if len(result.rounds) > 1 else ""]
        row += [_ratio(result.facts)] if compared else []
        row += _times(result) if timed else []
        rows.append(row)
    return Table(heads, rows)


def _ratio(facts: dict[str, float]) -> str:
    return f"{facts['ratio']:.2f}" if "ratio" in facts else ""


def _times(result: Result) -> list[str]:
    told = result.latencies.as_json()
    if told["count"]:
        return [micros(told[name]) for name in TIMES]
    facts = result.facts
    return [micros(facts[f"{name}_us"]) if f"{name}_us" in facts else "" for name in TIMES]


def _tests(tests: list[dict[str, Any]]) -> Table:
    heads = ["test", "acknowledged", "lost", "wrong", "loss, %", "in flight", "of them kept"]
    heads += ["ready again, s"]
    rows = [
        [
            str(row["test"]),
            f"{row['acknowledged']:,}",
            f"{row['lost']:,}",
            f"{row['wrong']:,}",
            f"{row['loss_percent']:.3g}",
            f"{row['in_flight']:,}",
            f"{row['kept']:,}",
            f"{row['recovery_seconds']:.2f}",
        ]
        for row in tests
    ]
    return Table(heads, rows)


def number(value: float, unit: str = "ops/s") -> str:
    if unit == "MB/s":
        return f"{value / 1e6:,.0f} MB"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def micros(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def summary(section: Section) -> list[str]:
    """What is to be said under the tables."""
    said = []
    if any(result.cut for result in section.finished()):
        said.append("* ended by the time limit")
    facts = next((r.facts for r in section.finished() if "loss_percent" in r.facts), None)
    if facts:
        said.append(
            f"{facts['lost']:,.0f} of {facts['acknowledged']:,.0f} acknowledged writes lost: "
            f"{facts['loss_percent']:.3g} % (least {facts['least_loss_percent']:.3g}, most "
            f"{facts['most_loss_percent']:.3g} in a test); {facts['wrong']:,.0f} wrong values"
        )
    served = [r for r in section.finished() if "generator_ceiling" in r.facts]
    if served:
        busy = max(r.facts["busy"] for r in served)
        waited = max(r.facts["waited"] for r in served)
        able = min(r.facts["generator_ceiling"] for r in served)
        said.append(
            f"load generator: {busy:.0%} busy at most, {waited:.0%} of the time in line for a "
            f"processor; against a server that does nothing it reaches {able:,.0f} requests/s in "
            "the same conditions"
        )
        cpu = [r for r in served if r.facts["server_us"]]
        spent = ", ".join(f"{r.subject} {r.name} {r.facts['server_us']:.1f} us" for r in cpu)
        said += [f"the server's processor time per operation: {spent}"] if spent else []
    return said


def grid(table: Table) -> Grid:
    found = Grid(box=box.SIMPLE_HEAD, pad_edge=False)
    for head, text in zip(table.heads, table.is_text(), strict=True):
        found.add_column(head, justify="left" if text else "right", no_wrap=True)
    for row in table.rows:
        found.add_row(*row)
    return found
