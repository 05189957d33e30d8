"""Which tables the places of a story used, after the explanation of its packets, and which ones it
changed, after what was read before and after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from gureum.engines import TableKind
from gureum.explain.network import Network
from gureum.explain.packet import end
from gureum.explain.steps import Step, Trace
from gureum.server.console_explain import Explained
from gureum.server.story_frames import Crossing, Flow, flow_of, question_of
from gureum.server.table_changes import Change

_TABLES: Mapping[str, str] = {
    "arp": "ARP table", "route": "route table", "group": "security group", "acl": "network ACL",
    "translate": "translations", "gateway": "translations", "listen": "sockets",
    "deliver": "own addresses", "service": "sockets", "internet": "routes of the internet",
    "peering": "peering", "transit": "attachment", "transit-route": "route table",
    "source-check": "source check", "dest-check": "destination check", "switch": "MAC table",
}  # fmt: skip
"""The table that a kind of step looks into."""

_TABLES_IPV6: Mapping[str, str] = {"arp": "neighbour table", "gateway": "gateway"}
"""The same where it is another one for IPv6: gateways translate nothing."""

_AT_HOST = ("arp", "deliver", "listen", "send", "forward")
"""Steps at an interface that its host takes, not its router."""


def attach_rules(found: list[Crossing], part: Explained, flow: Flow, start: str) -> None:
    """Say of the first unit there and of the first one back which rules let it pass in each place,
    and of one that went no further what stopped it."""
    forth = _first(found, start, flow, None)
    if forth is None:
        return
    _lay(found, forth, part.network, part.answer.forth)
    back = _first(found, None, flow, forth)
    if back is not None and part.answer.back is not None:
        _lay(found, back, part.network, part.answer.back)


def _first(
    found: list[Crossing], sender: str | None, flow: Flow, after: Crossing | None
) -> Crossing | None:
    """The first frame of a conversation that a place made; or that anybody made in answer."""
    begun = after is None
    beyond = {each.unit for each in found if each.sender == sender}
    translated = {flow} | {
        other
        for each in found
        if after is not None and each.unit == after.unit and (other := flow_of(each.frame))
    }
    for each in found:
        begun = begun or each is after
        its = flow_of(each.frame)
        if its is None or each.sender is None or not begun:
            continue
        if after is None and each.sender == sender and its == flow:
            return each
        answers = (its[0], its[3], its[4], its[1], its[2]) in translated
        if after is not None and answers and each.unit not in beyond:
            return each
    return None


def _lay(found: list[Crossing], first: Crossing, network: Network, trace: Trace) -> None:
    """Lay the steps of a way over the frames of one unit: a place's next steps over the next frame
    that it sends.  A way that ends is told of the last frame."""
    runs = _runs(network, trace)
    frames = [each for each in found if each.unit == first.unit]
    for each in frames:
        waiting = runs.get(each.sender or "")
        if waiting:
            each.used += [_told(step) for step in waiting.pop(0)]
    last = frames[-1]
    left = runs.get(last.receiver or "")
    if left:
        steps = left.pop(0)
        last.ends = "; ".join(_told(step) for step in steps)
    elif (block := next(iter(trace.blocks()), None)) is not None:
        last.ends = _told(block)


def say_what_went_no_further(found: list[Crossing], hosts: Collection[str]) -> None:
    """Of packets that came to somebody who passes packets on, and that nobody sent further."""
    last = {each.unit: each for each in found if flow_of(each.frame) is not None}
    for each in last.values():
        if each.receiver is not None and each.receiver not in hosts and not each.ends:
            each.ends = "it goes no further"


def _runs(network: Network, trace: Trace) -> dict[str, list[list[Step]]]:
    """The steps of each place, those of one visit together."""
    found: dict[str, list[list[Step]]] = defaultdict(list)
    here = None
    for step in trace.steps:
        place = _place(network, step)
        if place != here:
            found[place].append([])
        here = place
        found[place][-1].append(step)
    return found


def _place(network: Network, step: Step) -> str:
    port = network.ports.get(step.place)
    if port is not None:
        return port.host if step.kind in _AT_HOST else port.segment.router
    return network.router_of(step.place)


def _told(step: Step) -> str:
    tables = {**_TABLES, **_TABLES_IPV6} if ":" in step.packet.target else _TABLES
    table = tables.get(step.kind, step.kind)
    by = (
        f" ({', '.join(step.by)})"
        if step.by and not any(one in step.said for one in step.by)
        else ""
    )
    stop = "" if step.passed else "STOPPED by "
    return f"layer {step.layer}, {stop}{table}: {step.said}{by}"


# --- changes ------------------------------------------------------------------------------------
def attach_changes(
    found: list[Crossing], differ: Mapping[tuple[str, TableKind], Iterable[Change]]
) -> None:
    """Say of the frame that made it change what changed in a table."""
    for (place, kind), all_ in differ.items():
        for change in all_:
            at = next((each for each in found if _made(each, place, kind, change)), None)
            if at is not None:
                at.changed.append(f"{place}: {told(kind, change)}")


def _made(each: Crossing, place: str, kind: TableKind, change: Change) -> bool:
    row = change.row
    if kind == "arp":
        asked = question_of(each.frame)
        return each.receiver == place and asked is not None and row["address"] in asked.tells
    if kind == "mac":
        return each.receiver == place and each.frame.source == row["mac"]
    flow = flow_of(each.frame)
    ends = (row["source"], row["destination"])
    return each.receiver == place and flow is not None and (flow[1], flow[3]) == ends


def told(kind: TableKind, change: Change) -> str:
    """A change in words."""
    sign = {"added": "+", "removed": "-", "changed": "~"}[change.change]
    name = "neighbour" if kind == "arp" and ":" in str(change.row["address"]) else kind
    return f"{sign} {name} {' '.join(_row(kind, change))}"


def _row(kind: TableKind, change: Change) -> Iterator[str]:
    row = change.row
    if kind == "arp":
        yield f"{row['address']} is at {row['mac']} ({row['state']})"
    elif kind == "mac":
        yield f"{row['mac']} is behind {row['link']} ({row['kind']})"
    else:
        source, target = str(row["source"]), str(row["destination"])
        ends = f"{end(source, row['sport'])} > {end(target, row['dport'])}"
        yield f"{row['protocol']} {ends}"
        yield f"answers {row['answer_from']} > {row['answer_to']} (in the end {row['state']})"
    for column, value in change.was.items():
        yield f"{column} was {value}"
