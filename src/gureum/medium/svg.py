"""Small pieces of SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a6d3b", "#6a51a3")
"""Told apart by people who see red and green alike (after Okabe and Ito)."""
INK, FAINT, PAPER = "#1f2933", "#9aa5b1", "#ffffff"


class Svg:
    """A drawing that grows; sizes are pixels."""

    def __init__(self, width: float, height: float, title: str) -> None:
        self._width, self._height = width, height
        self._parts = [f"<title>{escape(title)}</title>"]
        self.rectangle(0, 0, width, height, PAPER)

    def line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        colour: str = INK,
        width: float = 1,
        dash: str = "",
    ) -> None:
        """A straight line."""
        dashes = f' stroke-dasharray="{dash}"' if dash else ""
        self._parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width:g}"{dashes}/>'
        )

    def path(self, points: Sequence[tuple[float, float]], colour: str, width: float = 2) -> None:
        """A line through points."""
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        self._parts.append(
            f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="{width:g}"/>'
        )

    def rectangle(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str,
        stroke: str = "none",
        round_: float = 0,
    ) -> None:
        """A box."""
        self._parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" '
            f'fill="{fill}" stroke="{stroke}" rx="{round_:g}"/>'
        )

    def circle(self, x: float, y: float, radius: float, fill: str, stroke: str = "none") -> None:
        """A disc."""
        self._parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{fill}" stroke="{stroke}"/>'
        )

    def text(
        self,
        x: float,
        y: float,
        said: str,
        *,
        size: float = 12,
        anchor: str = "start",
        colour: str = INK,
        bold: bool = False,
    ) -> None:
        """A line of text; its baseline begins (or ends, or has its middle) there."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" '
            f'fill="{colour}"{weight}>{escape(said)}</text>'
        )

    def done(self) -> str:
        """The drawing as a file's text."""
        body = "\n".join(self._parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width:g}" '
            f'height="{self._height:g}" viewBox="0 0 {self._width:g} {self._height:g}" '
            f'font-family="DejaVu Sans, Helvetica, Arial, sans-serif">\n{body}\n</svg>\n'
        )


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers from one to another, about so many."""
    span = high - low
    if span <= 0:
        return [low]
    step = 10.0 ** len(str(int(span)))
    while span / step < about:
        for part in (2.0, 2.5, 2.0):
            step /= part
            if span / step >= about:
                break
    first = -(-low // step)
    return [
        round((first + number) * step, 10)
        for number in range(int((high - first * step) / step + 1e-9) + 1)
    ]
