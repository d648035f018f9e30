"""What a comparison found: medians and spreads, the table and the JSON document."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from bench.load import Case, Figures
from rich import box
from rich.table import Table

from kveik.bench.figures import Spread

NAMES = ("kveik", "redis")


@dataclass
class Result:
    """A case and its finished rounds; a round maps a server's name to its figures, in run order."""

    case: Case
    requests: int
    rounds: list[dict[str, Figures]] = field(default_factory=list)

    def spread(self, name: str, figure: Callable[[Figures], float]) -> Spread:
        return Spread.of(figure(each[name]) for each in self.rounds)

    def ratio(self) -> Spread:
        return Spread.of(each["kveik"].rps / each["redis"].rps for each in self.rounds)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.case.name,
            **asdict(self.case),
            "requests": self.requests,
            "ratio": asdict(self.ratio()),
            "medians": {name: self._medians(name) for name in NAMES},
            "rounds": [
                {"order": list(each), **{name: asdict(each[name]) for name in NAMES}}
                for each in self.rounds
            ],
        }

    def _medians(self, name: str) -> dict[str, float]:
        runs = [asdict(each[name]) for each in self.rounds]
        return {key: median(r[key] for r in runs) for key in runs[0] if key != "settled"}


def make_table(results: list[Result]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("case", no_wrap=True)
    heads = ["requests", "Kveik\nk/s", "Redis\nk/s", "ratio\nKveik / Redis", "Kveik\np99 ms"]
    for head in [*heads, "Redis\np99 ms", "Kveik\nCPU us", "Redis\nCPU us"]:
        table.add_column(head, justify="right", overflow="fold")
    for result in results:
        table.add_row(result.case.name, *_cells(result))
    return table


def _cells(result: Result) -> list[str]:
    ratio = result.ratio()
    return [
        f"{result.requests:,}",
        *(_thousands(result.spread(name, lambda f: f.rps)) for name in NAMES),
        f"{ratio.median:.2f} ({ratio.min:.2f}-{ratio.max:.2f})",
        *(f"{result.spread(name, lambda f: f.p99_latency_ms).median:.2f}" for name in NAMES),
        *(_cpu(result, name) for name in NAMES),
    ]


def _thousands(rps: Spread) -> str:
    return f"{rps.median / 1e3:.1f} ({rps.min / 1e3:.1f}-{rps.max / 1e3:.1f})"


def _cpu(result: Result, name: str) -> str:
    own = result.spread(name, lambda f: f.cpu_us).median
    rest = result.spread(name, lambda f: f.cpu_all_us - f.cpu_us).median
    # Clock ticks are coarse: a small rest is mostly rounding.
    return f"{own:.1f} +{rest:.1f}" if rest > own / 20 else f"{own:.1f}"


def as_json(
    results: list[Result], about: dict[str, Any], parameters: dict[str, Any], complete: bool
) -> str:
    cases = [result.as_json() for result in results]
    document = {**about, "parameters": parameters, "complete": complete, "cases": cases}
    return json.dumps(document, indent=1) + "\n"
