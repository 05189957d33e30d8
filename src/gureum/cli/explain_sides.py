"""Shows an explanation side by side: the places on the way, what decides there forth and back."""

from __future__ import annotations

from typing import Any

from gureum.cli.explain_show import mark, said, show_fixes, show_verdict, ways, where
from gureum.cli.output import clean, grid, show


def show_sides(found: dict[str, Any]) -> None:
    """Print the places from the sender down to the target: read the way forth downwards and the
    way back upwards."""
    steps = {title: trace["steps"] for title, trace in ways(found)}
    forth, back = steps["forth"], steps.get("back", [])
    table = grid("forth", "where", "back")
    for place in _places(forth, back):
        cells = _cell(forth, place, upwards=False), _cell(back, place, upwards=True)
        table.add_row(cells[0], where(place, found["names"]), cells[1])
    show(table)
    show_verdict(found)
    show_fixes(found)


def _places(forth: list[dict[str, Any]], back: list[dict[str, Any]]) -> list[str]:
    """All places in the order of the way forth; those of the way back alone beside those that it
    passes before or after them."""
    found = list(dict.fromkeys(step["place"] for step in forth))
    at = 0
    for place in dict.fromkeys(step["place"] for step in reversed(back)):
        if place not in found:
            found.insert(at, place)
        at = found.index(place) + 1
    return found


def _cell(steps: list[dict[str, Any]], place: str, *, upwards: bool) -> str:
    """What happens at a place, a line a step, in the direction in which the way is read."""
    lines, blocked = [], False
    for step in steps:
        if step["place"] == place:
            told = mark(step, blocked=blocked).plain
            lines.append(f"{told} {step['kind']}: {clean(said(step, 0))}")
        blocked = blocked or not step["passed"]
    return "\n".join(reversed(lines) if upwards else lines)
