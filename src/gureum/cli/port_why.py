"""Which rules explain what a port check met: those of the explanation of the same packet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gureum.cli import prober
from gureum.cli.client import Daemon
from gureum.cli.failure import Failure

_RULES = ("group", "acl")


def why(daemon: Daemon, source: str, target: str, service: dict[str, Any]) -> dict[str, Any] | None:
    """What is predicted of a packet: whether it works, and the rules and routes that say so.  None
    where that cannot be told, as of an address outside of the cloud."""
    try:
        found = daemon.post("/explain", {"source": source, "target": target, **service})
    except Failure:
        return None
    return {
        "works": found["works"],
        "listening": found["listening"],
        "because": list(_because(found)),
    }


def _because(found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What blocks on the first way that is blocked; before nobody listening, and where nothing
    blocks, every rule that lets the packet, or its answer, pass."""
    for word in ("forth", "back"):
        steps = found[word]["steps"] if found[word] else []
        blocks = [step for step in steps if not step["passed"]]
        if all(step["kind"] == "listen" for step in blocks):
            yield from (_reason(word, step) for step in steps if step["kind"] in _RULES)
        yield from (_reason(word, step) for step in blocks)
        if blocks:
            return


def _reason(way: str, step: dict[str, Any]) -> dict[str, Any]:
    return {
        "way": way,
        "passed": step["passed"],
        "place": step["place"],
        "said": step["said"],
        "by": step["by"],
        "code": step["code"] if not step["passed"] else None,
    }


def lines(explained: dict[str, Any]) -> Iterator[str]:
    """The rules in words, one a line."""
    for each in explained["because"]:
        way = {"forth": "on the way there", "back": "on the way back"}[each["way"]]
        by = [one.removeprefix("sg:") for one in each["by"]]
        ids = "" if any(one in each["said"] for one in by) else f" ({', '.join(by)})"
        code = f" [{each['code']}]" if each["code"] else ""
        yield f"{way}: {each['said']}{ids if by else ''}{code}"


def agrees(state: str, explained: dict[str, Any]) -> bool:
    """Whether what was met is what was predicted.  Silence says nothing about a datagram, which
    nobody need answer."""
    blocked = any(not each["passed"] for each in explained["because"])
    nobody = explained["listening"] is False
    if state == prober.OPEN:
        return not blocked
    if state == prober.REFUSED:
        return nobody or not blocked
    return blocked and not nobody
