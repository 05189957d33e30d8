"""Shows sockets by the ports that somebody listens on: one socket waits, and each connection has
one of its own, which both addresses and both ports tell from all others (RFC 9293 section 3.3.1).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from gureum.cli.output import clean

_MOST = 200
"""Connections of a port that are listed."""
_ANY = ("0.0.0.0", "::")  # noqa: S104 - how a socket says that it waits at all addresses

Row = Mapping[str, Any]


def show_sockets(rows: Sequence[Row]) -> None:
    """Print each port with its connections, then the rest."""
    doors = [row for row in rows if row["state"] == "listening"]
    calls: list[list[Row]] = [[] for _ in doors]
    left: list[Row] = []
    for row in rows:
        if row["state"] != "listening":
            at = _door(row, doors)
            (left if at is None else calls[at]).append(row)
    for door, came in zip(doors, calls, strict=True):
        click.echo(clean(f"{_end(door)} listening{_queue(door)}{_counted(came)}"))
        _list(came, "<-")
    if left:
        click.echo(clean(f"calls out{_counted(left)}"))
        _list(left, "->")


def _door(row: Row, doors: Sequence[Row]) -> int | None:
    """The one of some sockets that listen at which a connection came in: one at its own address
    comes before one at all addresses (tcp(7))."""
    for addresses in ((row["address"],), _ANY):
        for at, door in enumerate(doors):
            same = (row["protocol"], row["port"]) == (door["protocol"], door["port"])
            if same and door["address"] in addresses:
                return at
    return None


def _end(row: Row) -> str:
    return f"{row['protocol']} {joined(row['address'], row['port'])}"


def joined(address: str, port: int) -> str:
    """An address with a port; one of IPv6 is bracketed (RFC 3986, section 3.2.2)."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _queue(door: Row) -> str:
    if door.get("backlog", "") == "":
        return ""
    return f", {door['waiting']} of at most {door['backlog']} wait to be accepted"


def _counted(rows: Iterable[Row]) -> str:
    states = Counter(row["state"] for row in rows)
    if not states:
        return ""
    told = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    total = sum(states.values())
    return f"; {total} connection{'s' if total != 1 else ''}: {told}"


def _list(rows: Sequence[Row], arrow: str) -> None:
    for row in rows[:_MOST]:
        ends = f"{joined(row['address'], row['port'])} {arrow} "
        ends += joined(row["peer"], row["peer_port"])
        held = "".join(f", {row[key]} bytes {key}" for key in ("unread", "unsent") if row.get(key))
        click.echo(clean(f"  {ends:<45} {row['state']}{held}"))
    if len(rows) > _MOST:
        click.echo(f"  and {len(rows) - _MOST} more")
