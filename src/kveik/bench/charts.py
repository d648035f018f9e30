"""The charts, as SVG that needs nothing from elsewhere: no script, no font, no style sheet."""

from __future__ import annotations

import math
import re
from typing import Any

import pygal
from pygal.style import Style

from kveik.bench.results import Chart, Section

STYLE = Style(
    background="white",
    plot_background="white",
    guide_stroke_color="#ddd",
    major_guide_stroke_color="#ccc",
    guide_stroke_dasharray="1,0",
    major_guide_stroke_dasharray="1,0",
    foreground="#333",
    foreground_strong="#111",
    foreground_subtle="#999",
    colors=("#1b6ca8", "#d1495b", "#2e933c", "#edae49", "#6a4c93", "#00798c", "#8d6a9f"),
    font_family="system-ui, sans-serif",
    label_font_size=13,
    major_label_font_size=13,
    legend_font_size=13,
    title_font_size=16,
)
WIDTH, HEIGHT = 960, 400
NINES = (0, 50, 90, 99, 99.9, 99.99, 99.999)
PERCENTILES = (
    "How long operations took, from the fastest to the slowest: at 99 stands the time that 99 of a "
    "hundred took at most. A line that rises late and little is a server that nobody waits for."
)


def _chart(kind: Any, title: str, **more: Any) -> Any:
    return kind(
        style=STYLE,
        width=WIDTH,
        height=HEIGHT,
        title=title,
        js=[],
        show_x_guides=True,
        legend_at_bottom=True,
        legend_at_bottom_columns=3,
        truncate_legend=-1,
        margin_bottom=30,
        **more,
    )


def picture(chart: Any) -> str:
    return bare(chart.render(is_unicode=True))


def bare(drawn: str) -> str:
    """An SVG without what only a browser's script would use, as it may stand in HTML."""
    drawn = re.sub(r"<\?xml.*?\?>", "", drawn)
    drawn = re.sub(r"<script.*?</script>", "", drawn, flags=re.DOTALL)
    return re.sub(r"<!--.*?-->", "", drawn, flags=re.DOTALL)


def nine(percentile: float) -> float:
    """0, 1, 2, 3 for 0, 90, 99, 99.9: each nine has the same room."""
    return -math.log10(max(1 - percentile / 100, 1e-6))


def percentiles(section: Section) -> Chart:
    chart = _chart(
        pygal.XY,
        f"{section.title}: times",
        x_title="percent of the operations",
        y_title="microseconds",
        dots_size=2,
    )
    last = 0.0
    several = len({result.subject for result in section.finished()}) > 1
    lows: list[float] = []
    for result in section.finished():
        curve = [(p, us) for p, us in result.latencies.curve() if p < 100 and us > 0]
        if not curve:
            continue
        last = max(last, nine(curve[-1][0]))
        lows += [us for _, us in curve]
        name = f"{result.subject}: {result.name}" if several else result.name
        # Both scales are logarithms taken here: pygal's own would take that of the nines, too.
        chart.add(name, [(nine(p), math.log10(us)) for p, us in curve])
    shown = [p for p in NINES if nine(p) <= last + 0.01]
    chart.x_labels = [{"value": nine(p), "label": f"{p:g}"} for p in shown]
    chart.y_labels = [{"value": math.log10(t), "label": f"{t:,g}"} for t in ticks(lows)]
    return Chart("Times", PERCENTILES, picture(chart))


def growth(section: Section) -> Chart:
    chart = _chart(
        pygal.Line,
        section.title,
        x_title="keys in the database before",
        y_title="writes a second",
        include_x_axis=True,
        show_legend=False,
        value_formatter=lambda value: f"{value:,.0f}",
    )
    found = section.finished()
    chart.x_labels = [f"{result.facts['existing']:,.0f}" for result in found]
    chart.add("writes", [result.rate.median for result in found])
    about = "Each point is the median of the rounds. It should not fall as the database grows."
    return Chart("Speed against size", about, picture(chart))


def ticks(values: list[float]) -> list[float]:
    """1, 2, 5, 10 and so on, around the values."""
    low, high = min(values, default=1.0), max(values, default=10.0)
    every = [step * 10.0**power for power in range(-3, 9) for step in (1, 2, 5)]
    below = max((tick for tick in every if tick <= low), default=low)
    above = min((tick for tick in every if tick >= high), default=high)
    found = [float(f"{tick:g}") for tick in every if below <= tick <= above]
    return found if len(found) < 12 else [t for t in found if f"{t:e}"[0] == "1"]
