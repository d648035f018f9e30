"""What the embedded bench found: medians, spreads, ratios; tables, the JSON document, the chart."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

import pygal
from rich import box
from rich.table import Table

from kveik.bench.charts import STYLE
from kveik.bench.engines.catalog import NOOP, OURS
from kveik.bench.figures import Spread
from kveik.bench.workloads import Workload

ROW_HEIGHT, HEAD_HEIGHT = 16, 160  # of the chart, in pixels
CHART_WIDTH = 1000

Run = dict[str, Any]  # as worker.py tells it


@dataclass(frozen=True)
class Ratio:
    """Ours over a peer's: of the medians, and over the rounds."""

    of_medians: float
    rounds: Spread

    def as_json(self) -> dict[str, float]:
        return {"of_medians": self.of_medians, **asdict(self.rounds)}


@dataclass
class Row:
    """A workload and its rounds; a round maps an engine to its run, in the order they ran."""

    workload: Workload
    skipped: dict[str, str] = field(default_factory=dict)  # engine: why
    rounds: list[dict[str, Run]] = field(default_factory=list)

    def engines(self) -> list[str]:
        """Those with a run in every round."""
        first = self.rounds[0] if self.rounds else {}
        return [name for name in first if all(name in each for each in self.rounds)]

    def rates(self, engine: str) -> Spread:
        return Spread.of(each[engine]["rate"] for each in self.rounds)

    def ratio(self, peer: str) -> Ratio:
        ratios = [each[OURS]["rate"] / each[peer]["rate"] for each in self.rounds]
        of_medians = self.rates(OURS).median / self.rates(peer).median
        return Ratio(of_medians, Spread.of(ratios))

    def ratios(self) -> dict[str, Ratio]:
        there = self.engines()
        if OURS not in there:
            return {}
        return {peer: self.ratio(peer) for peer in there if peer not in (OURS, NOOP)}

    def was_cut(self, engine: str) -> bool:
        return any(each[engine]["cut"] for each in self.rounds)

    def loop_ns(self) -> float | None:
        """What the loop itself costs, per operation."""
        if NOOP not in self.engines():
            return None
        runs = [each[NOOP] for each in self.rounds]
        return float(median(run["seconds"] / run["done"] * 1e9 for run in runs))

    def as_json(self) -> dict[str, Any]:
        there = [name for name in self.engines() if name != NOOP]
        return {
            "name": self.workload.name,
            "about": self.workload.about,
            "unit": self.workload.unit,
            "loop_ns": self.loop_ns(),
            "rates": {name: asdict(self.rates(name)) for name in there},
            "ratios": {peer: ratio.as_json() for peer, ratio in self.ratios().items()},
            "skipped": self.skipped,
            "rounds": [{"order": list(each), **each} for each in self.rounds],
        }


def finished(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.engines()]


# --- tables -------------------------------------------------------------------------------------


def rates_table(rows: list[Row], engines: list[str]) -> Table:
    table = _table("workload", [*engines, "loop, ns"])
    for row in rows:
        loop = row.loop_ns()
        cells = [_rate_cell(row, engine) for engine in engines]
        table.add_row(_label(row), *cells, "" if loop is None else f"{loop:,.0f}")
    return table


def ratios_table(rows: list[Row], engines: list[str]) -> Table:
    peers = [engine for engine in engines if engine != OURS]
    table = _table("ratio", [f"{OURS} / {peer}" for peer in peers])
    for row in rows:
        ratios = row.ratios()
        table.add_row(row.workload.name, *(_ratio_cell(ratios.get(peer)) for peer in peers))
    return table


def _table(first: str, heads: list[str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for head in heads:
        table.add_column(head, justify="right", no_wrap=True)
    return table


def _label(row: Row) -> str:
    unit = "" if row.workload.unit == "ops/s" else f", {row.workload.unit}"
    return f"{row.workload.name}{unit}"


def _rate_cell(row: Row, engine: str) -> str:
    if engine not in row.engines():
        return "-"
    rates = row.rates(engine)
    if row.workload.unit == "MB/s":
        middle, low, high = (f"{rate / 1e6:,.0f}" for rate in _values(rates))
    else:
        middle, low, high = (thousands(rate) for rate in _values(rates))
    mark = "*" if row.was_cut(engine) else ""
    return f"{middle}{mark} ({low}-{high})"


def _values(spread: Spread) -> tuple[float, float, float]:
    return spread.median, spread.min, spread.max


def thousands(rate: float) -> str:
    """In thousands, with three digits that count."""
    return f"{rate / 1e3:,.{2 if rate < 1e4 else 1 if rate < 1e5 else 0}f}"


def _ratio_cell(ratio: Ratio | None) -> str:
    if ratio is None:
        return "-"
    rounds = ratio.rounds
    return f"{ratio.of_medians:.2f} ({rounds.min:.2f}-{rounds.max:.2f})"


# --- documents ----------------------------------------------------------------------------------


def as_json(
    rows: list[Row], about: dict[str, Any], parameters: dict[str, Any], complete: bool
) -> str:
    workloads = [row.as_json() for row in rows]
    document = {**about, "parameters": parameters, "complete": complete, "workloads": workloads}
    return json.dumps(document, indent=1) + "\n"


def as_chart(rows: list[Row], engines: list[str], title: str) -> str:
    """An SVG picture: a bar for each ratio, from 1 to the left or right, with its spread."""
    peers = [engine for engine in engines if engine != OURS]
    compared = [row for row in rows if row.ratios()]
    chart = pygal.HorizontalBar(
        style=STYLE,
        logarithmic=True,
        zero=1,
        width=CHART_WIDTH,
        height=HEAD_HEIGHT + ROW_HEIGHT * len(compared) * max(1, len(peers)),
        title=title,
        x_title="right of 1: Kveik is faster; the thin line spans the rounds",
        legend_at_bottom=True,
        js=[],
        value_formatter=lambda ratio: "" if ratio is None else f"{ratio:.3g}",
    )
    chart.x_labels = [row.workload.name for row in reversed(compared)]
    for peer in peers:
        chart.add(f"{OURS} / {peer}", [_bar(row, peer) for row in reversed(compared)])
    chart.y_labels = _ticks(compared)
    drawn: str = chart.render(is_unicode=True)
    return drawn


def _ticks(rows: list[Row]) -> list[float]:
    """1, 2, 5, 10 and so on, as far as the ratios go; 1 always."""
    spreads = [ratio.rounds for row in rows for ratio in row.ratios().values()]
    low = min([1.0, *(spread.min for spread in spreads)])
    high = max([1.0, *(spread.max for spread in spreads)])
    every = [step * 10.0**power for power in range(-4, 6) for step in (1, 2, 5)]
    below = max((tick for tick in every if tick <= low), default=low)
    above = min((tick for tick in every if tick >= high), default=high)
    return [float(f"{tick:g}") for tick in every if below <= tick <= above]


def _bar(row: Row, peer: str) -> dict[str, Any] | None:
    ratio = row.ratios().get(peer)
    if ratio is None:
        return None
    low, high = ratio.rounds.min, ratio.rounds.max
    return {"value": ratio.of_medians, "ci": {"low": low, "high": high}}
