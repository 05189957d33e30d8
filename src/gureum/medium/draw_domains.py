"""A topology drawn with its domains: links have the colour of their collision domain, nodes that of
their broadcast domain."""

from __future__ import annotations

from dataclasses import dataclass

from gureum.medium.domains import BroadcastDomain, CollisionDomain
from gureum.medium.svg import COLOURS, FAINT, INK, Svg
from gureum.medium.topology import Kind, Link, Topology

_APART, _DOWN = 84, 110
_PALE = ("#dcebf7", "#fde5d2", "#d5f0e4", "#f6e1ee", "#fdf0cf", "#e2f4fd", "#efe6d8", "#e7e2f3")
_RANK: dict[Kind, int] = {"router": 0, "switch": 1, "hub": 2, "station": 3}


@dataclass(frozen=True)
class _Places:
    """Where nodes are, and how large the drawing is."""

    at: dict[str, tuple[float, float]]
    width: float
    height: float


def domains(
    topology: Topology,
    collision: tuple[CollisionDomain, ...],
    broadcast: tuple[BroadcastDomain, ...],
) -> str:
    """The drawing, as SVG."""
    places = _place(topology)
    shared = [number for number, each in enumerate(collision) if not each.full_duplex]
    legend = 40 + 20 * (len(broadcast) + len(shared) + 1)
    svg = Svg(max(places.width, 520), places.height + legend, "Collision and broadcast domains")
    colour = {number: COLOURS[place % len(COLOURS)] for place, number in enumerate(shared)}
    for number, domain in enumerate(collision):
        for link in domain.links:
            _link(svg, places, link, colour.get(number), number + 1)
    home = {
        name: number
        for number, domain in enumerate(broadcast)
        for name in domain.nodes
        if topology.kinds[name] != "router"
    }
    for name, kind in topology.kinds.items():
        fill = _PALE[home[name] % len(_PALE)] if name in home else "#ffffff"
        _node(svg, *places.at[name], name, kind, fill)
    y = places.height + 20
    for number, each in enumerate(broadcast):
        svg.rectangle(20, y - 11, 16, 14, _PALE[number % len(_PALE)], FAINT)
        names = [name for name in each.nodes if topology.kinds[name] != "hub"]
        svg.text(44, y, f"broadcast domain {number + 1}: {_short(names)}")
        y += 20
    for number in shared:
        svg.line(20, y - 4, 36, y - 4, colour[number], 4)
        names = [port.node for port in collision[number].ports]
        svg.text(44, y, f"collision domain {number + 1}: {_short(names)}")
        y += 20
    if len(shared) < len(collision):
        svg.line(20, y - 6, 36, y - 6, INK)
        svg.line(20, y - 2, 36, y - 2, INK)
        svg.text(44, y, "full duplex: a domain of its own in which nothing collides")
    return svg.done()


def _short(names: list[str], most: int = 8) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _link(svg: Svg, places: _Places, link: Link, colour: str | None, number: int) -> None:
    (x1, y1), (x2, y2) = places.at[link.ends[0]], places.at[link.ends[1]]
    if colour:
        svg.line(x1, y1, x2, y2, colour, 3.5)
        return
    svg.line(x1 - 2, y1, x2 - 2, y2, INK)
    svg.line(x1 + 2, y1, x2 + 2, y2, INK)
    svg.text((x1 + x2) / 2 + 6, (y1 + y2) / 2 + 4, str(number), size=10, colour="#52606d")


def _node(svg: Svg, x: float, y: float, name: str, kind: Kind, fill: str) -> None:
    if kind == "station":
        svg.circle(x, y, 15, fill, INK)
    elif kind == "router":
        svg.circle(x, y, 22, fill, INK)
        svg.circle(x, y, 18, "none", INK)
    else:
        svg.rectangle(x - 32, y - 16, 64, 32, fill, INK, 4 if kind == "hub" else 0)
        svg.text(x, y + 13, kind, size=9, anchor="middle", colour="#52606d")
    svg.text(x, y + (2 if kind in ("hub", "switch") else 4), name, size=11, anchor="middle")


def _place(topology: Topology) -> _Places:
    """Trees from routers (or switches, or hubs) down, side by side."""
    near: dict[str, list[str]] = {name: [] for name in topology.kinds}
    for link in topology.links:
        near[link.ends[0]].append(link.ends[1])
        near[link.ends[1]].append(link.ends[0])
    at: dict[str, tuple[float, float]] = {}
    x = 50.0
    for root in sorted(
        topology.kinds, key=lambda name: (_RANK[topology.kinds[name]], -len(near[name]))
    ):
        if root not in at:
            x = _tree(root, near, at, x)
    depth = max((y for _, y in at.values()), default=0.0)
    return _Places(at, x + 20, depth + 40)


def _tree(
    root: str, near: dict[str, list[str]], at: dict[str, tuple[float, float]], x: float
) -> float:
    """Place what hangs on a node, from left to right; the next free place."""
    order, below, depth = [root], {root: list[str]()}, {root: 0}
    for name in order:
        for other in near[name]:
            if other not in depth:
                depth[other] = depth[name] + 1
                below[name].append(other)
                below[other] = []
                order.append(other)
    middle: dict[str, float] = {}
    pending = [root]
    while pending:
        name = pending[-1]
        missing = [each for each in below[name] if each not in middle]
        if missing:
            pending.append(missing[0])
            continue
        pending.pop()
        if below[name]:
            middle[name] = (middle[below[name][0]] + middle[below[name][-1]]) / 2
        else:
            middle[name] = x
            x += _APART
    for name, across in middle.items():
        at[name] = (across, 40.0 + depth[name] * _DOWN)
    return x
