"""What was measured, as one document: the tables, the JSON and the report are all made of it.

A Result is one thing measured on one subject (an engine or a server), in several rounds. A Section
holds the results of one question and says how to read them.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from kveik.bench.figures import Spread
from kveik.bench.latency import Latencies

SCHEMA = "kveik-bench/1"


@dataclass
class Round:
    """One run."""

    done: int  # operations
    seconds: float
    cut: bool = False  # the time limit ended it

    @property
    def rate(self) -> float:
        return self.done / max(self.seconds, 1e-9)

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "rate": self.rate}


@dataclass
class Result:
    name: str  # of what was measured: "writes"
    subject: str = "kveik"
    unit: str = "ops/s"
    rounds: list[Round] = field(default_factory=list)
    latencies: Latencies = field(default_factory=Latencies)
    facts: dict[str, float] = field(default_factory=dict)  # more about it, such as CPU times

    @property
    def rate(self) -> Spread:
        return Spread.of(each.rate for each in self.rounds)

    @property
    def cut(self) -> bool:
        return any(each.cut for each in self.rounds)

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "subject": self.subject,
            "unit": self.unit,
            "rate": asdict(self.rate),
            "rounds": [each.as_json() for each in self.rounds],
            "latency_us": self.latencies.as_json(),
            "percentiles": self.latencies.curve(),
            "facts": self.facts,
        }


@dataclass(frozen=True)
class Chart:
    title: str
    about: str  # how to read it
    svg: str


@dataclass
class Section:
    name: str  # of the sub-command
    title: str
    about: str  # what is measured and how to read it: two sentences
    parameters: dict[str, Any]
    results: list[Result] = field(default_factory=list)
    tests: list[dict[str, Any]] = field(default_factory=list)  # of durability: one row each
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)

    def finished(self) -> list[Result]:
        return [result for result in self.results if result.rounds]

    def as_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "parameters": self.parameters,
            "warnings": self.warnings,
            "notes": self.notes,
            "results": [result.as_json() for result in self.finished()],
            "tests": self.tests,
        }


@dataclass
class Document:
    about: dict[str, Any]  # date, machine and versions: machine.describe
    command: str
    sections: list[Section]
    warnings: list[str] = field(default_factory=list)  # about all of it
    complete: bool = True

    def as_json(self) -> str:
        document = {
            "schema": SCHEMA,
            **self.about,
            "command": self.command,
            "complete": self.complete,
            "warnings": self.warnings,
            "sections": [section.as_json() for section in self.sections],
        }
        return json.dumps(document, indent=1) + "\n"
