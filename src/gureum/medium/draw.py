"""Drawings of what the model says: measures over a load, and a timeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gureum.medium.channel import Wire
from gureum.medium.measure import Estimate
from gureum.medium.plan import Plan
from gureum.medium.svg import COLOURS, FAINT, INK, Svg, ticks
from gureum.medium.timeline import Moment, Span, State, spans

_PANEL = (360, 230)
_MARGIN = (70, 40, 24, 46)
"""Pixels left, above, right and below the axes of a panel."""
_FILLS: dict[State, str] = {
    "sends": "#0072b2",
    "jams": "#d62728",
    "waits": "#f2d9a0",
    "backs off": "#cfd6dd",
}


@dataclass(frozen=True)
class Curve:
    """A measure over something: points with intervals."""

    title: str
    points: tuple[tuple[float, Estimate], ...]


def plots(title: str, axis: str, curves: Sequence[Curve]) -> str:
    """Curves with their intervals, two panels a row, as SVG."""
    width, height = _PANEL
    rows = (len(curves) + 1) // 2
    svg = Svg(2 * width + 20, rows * height + 40, title)
    svg.text(width + 10, 24, title, size=15, anchor="middle", bold=True)
    for number, curve in enumerate(curves):
        _panel(svg, (number % 2) * width + 10, (number // 2) * height + 34, axis, curve, number)
    return svg.done()


def _panel(svg: Svg, x: float, y: float, axis: str, curve: Curve, number: int) -> None:
    left, above, right, below = _MARGIN
    width, height = _PANEL[0] - left - right, _PANEL[1] - above - below
    across = [at for at, _ in curve.points]
    top = max((each.mean + each.half for _, each in curve.points), default=1.0) or 1.0
    low, high = 0.0, max(across, default=0.0) or 1.0

    def place(at: float, value: float) -> tuple[float, float]:
        return (
            x + left + (at - low) / (high - low) * width,
            y + above + height - value / (top * 1.05) * height,
        )

    svg.text(x + left, y + above - 12, curve.title, size=12, bold=True)
    for value in ticks(0.0, top * 1.05):
        _, at = place(low, value)
        svg.line(x + left, at, x + left + width, at, "#e4e7eb")
        svg.text(x + left - 6, at + 4, f"{value:g}", size=11, anchor="end")
    for value in ticks(low, high):
        at, _ = place(value, 0)
        svg.line(at, y + above + height, at, y + above + height + 4, INK)
        svg.text(at, y + above + height + 17, f"{value:g}", size=11, anchor="middle")
    svg.line(x + left, y + above + height, x + left + width, y + above + height)
    svg.text(x + left + width / 2, y + above + height + 35, axis, size=11, anchor="middle")
    colour = COLOURS[number % len(COLOURS)]
    svg.path([place(at, each.mean) for at, each in curve.points], colour)
    for at, each in curve.points:
        middle, upper = place(at, each.mean + each.half)
        _, lower = place(at, max(0.0, each.mean - each.half))
        svg.line(middle, upper, middle, lower, colour, 1.5)
        svg.circle(*place(at, each.mean), 3, colour)


_LANE, _LEFT, _WIDE = 34, 90, 1180


def timeline(plan: Plan, moments: Sequence[Moment]) -> str:
    """What senders do and hear over time: a lane each; below its bar what it hears of others."""
    found = spans(moments)
    senders = sorted({span.sender for span in found})
    svg = Svg(_WIDE, len(senders) * _LANE + 100, "Timeline")
    if not moments:
        return svg.done()
    begins, ends = moments[0].bits, max(moments[-1].bits, moments[0].bits + 1)
    scale = (_WIDE - _LEFT - 30) / (ends - begins)

    def at(bits: float) -> float:
        return _LEFT + (min(max(bits, begins), ends) - begins) * scale

    lanes = {sender: 56 + number * _LANE for number, sender in enumerate(senders)}
    _legend(svg)
    rate = plan.rules.rate
    bottom = 56 + len(senders) * _LANE
    for value in ticks(begins / rate, ends / rate, 10):
        svg.line(at(value * rate), 46, at(value * rate), bottom, "#e4e7eb")
        svg.text(at(value * rate), bottom + 18, f"{value:g}", size=11, anchor="middle")
    svg.text((_WIDE + _LEFT) / 2, bottom + 36, "microseconds", size=11, anchor="middle")
    for sender, y in lanes.items():
        svg.text(_LEFT - 8, y + 14, plan.names[sender], anchor="end")
        svg.line(_LEFT, y + 20, _WIDE - 30, y + 20, "#e4e7eb")
    for span in found:
        y = lanes[span.sender]
        svg.rectangle(
            at(span.begins), y + 2, at(span.ends) - at(span.begins), 17, _FILLS[span.state]
        )
    _heard(svg, plan.wires, found, lanes, at)
    return svg.done()


def _legend(svg: Svg) -> None:
    x = float(_LEFT)
    named = [(fill, str(state)) for state, fill in _FILLS.items()]
    for fill, name in (*named, (FAINT, "hears another")):
        svg.rectangle(x, 16, 14, 14 if fill != FAINT else 5, fill)
        svg.text(x + 20, 28, name)
        x += 36 + 8 * len(name)


def _heard(
    svg: Svg,
    wires: Sequence[Wire],
    found: Sequence[Span],
    lanes: dict[int, int],
    at: Callable[[float], float],
) -> None:
    for wire in wires:
        for span in found:
            if span.sender not in wire.senders or span.state not in ("sends", "jams"):
                continue
            row = wire.delays[wire.senders.index(span.sender)]
            for sender, delay in zip(wire.senders, row, strict=True):
                if sender != span.sender and sender in lanes:
                    x = at(span.begins + delay)
                    svg.rectangle(x, lanes[sender] + 22, at(span.ends + delay) - x, 5, FAINT)
