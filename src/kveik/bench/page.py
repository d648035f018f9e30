"""The report: one HTML page that holds all it shows and fetches nothing."""

from __future__ import annotations

from datetime import datetime
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from kveik.bench.results import Document, Section
from kveik.bench.tables import Table, summary, tables
from kveik.sizes import show_size

TEMPLATE = "report.html.j2"


def render(document: Document) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string((files("kveik.bench") / TEMPLATE).read_text("utf-8"))
    return template.render(
        date=datetime.fromisoformat(document.about["date"]).strftime("%Y-%m-%d %H:%M UTC"),
        command=document.command,
        complete=document.complete,
        warnings=document.warnings,
        machine=facts(document.about),
        sections=[_section(section) for section in document.sections if section.finished()],
    )


def facts(about: dict[str, Any]) -> list[tuple[str, str]]:
    """The machine and the versions, as a person wants to read them."""
    machine, versions = about["machine"], dict(about["versions"])
    where = machine["temp_filesystem"]
    return [
        ("Kveik", versions.pop("kveik")),
        ("machine", f"{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}"),
        ("disk", f"{machine['sync_us']} us to sync a small append on {where}"),
        *((name.replace("_", " "), value) for name, value in versions.items()),
    ]


def _section(section: Section) -> dict[str, Any]:
    given = {name: value for name, value in section.parameters.items() if value not in ("", 0)}
    asked = [f"{name} {_said(name, value)}" for name, value in given.items()]
    return {
        "title": section.title,
        "short": section.title.partition(":")[0].partition(",")[0],
        "about": section.about,
        "warnings": section.warnings,
        "tests": section.tests,
        "tables": [_table(table) for table in tables(section)],
        "said": summary(section) + section.notes,
        "charts": section.charts,
        "asked": "; ".join(asked),
    }


def _said(name: str, value: Any) -> str:
    if name == "memory":
        return show_size(value)
    if name == "limit":
        return f"{value:g} s"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)


def _table(table: Table) -> dict[str, Any]:
    return {"heads": table.heads, "rows": table.rows, "text": table.is_text()}
