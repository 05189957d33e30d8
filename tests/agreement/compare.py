"""Asks the same of the prediction and of the kernel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from gureum.explain import Answer, Network, Packet, explain
from gureum.explain.packet import ECHO, ECHO_V6, ICMP, ICMPV6, TCP, UDP
from gureum.model.cidr import delegated_block
from gureum.model.nat64 import synthesized
from gureum.program import Address, InternetHost, Port
from tests.agreement.answerers import CLIENT_PATIENCE, Answerers, ask
from tests.agreement.draw import PORTS
from tests.agreement.followed import asked, followed
from tests.agreement.replay import HOSTS, Replay
from tests.kernel import packets
from tests.kernel.lab import Lab

_PROTOCOLS = {"tcp": TCP, "udp": UDP, "icmp": ICMP}
_ASKERS = 24

Question = dict[str, Any]


@dataclass(frozen=True)
class Disagreement:
    """A question, what was predicted and what came of the real packet."""

    question: Question
    predicted: str
    seen: str


@dataclass(frozen=True)
class Compared:
    """How many packets were sent, how many of those that were not followed were answered, which
    codes the blocks of those that were followed have, and what disagrees."""

    sent: int
    answered: int
    codes: Counter[str]
    wrong: tuple[Disagreement, ...]


def compare(lab: Lab, replay: Replay, questions: Iterable[Question]) -> Compared:
    """Build the cloud in the kernel, ask everything there and of the prediction."""
    lab.build(replay.statements())
    for host in replay.forwarders:
        _forward(lab, replay.known.get(host))
    wanted = list(questions)
    _give(lab, replay, wanted)
    network = Network(replay.statements(), lab.engine.forwards)
    known = [each for each in wanted if _known(replay, each)]
    all_asked = [(each, asked(network, *_packet(network, replay, each))) for each in known]
    hunted = [pair for pair in all_asked if pair[0].get("follow") and pair[1].is_exact]
    others = [pair[0] for pair in all_asked if pair not in hunted]
    predicted = [_predicted(network, replay, each) for each in others]
    hosts = [*HOSTS, *(host for host, row in network.hosts.items() if row.kind == "instance")]
    with Answerers([lab.ns(host) for host in hosts], PORTS), ThreadPoolExecutor(_ASKERS) as pool:
        reasons = followed(lab.tag, network, [each for _, each in hunted])
        seen = list(pool.map(partial(_seen, lab, replay), others, predicted))
    wrong = [
        Disagreement(question, f"{each.packet}: {' '.join(each.codes) or 'passes'}", "; ".join(why))
        for (question, each), why in zip(hunted, reasons, strict=True)
        if why
    ]
    pairs = zip(others, predicted, seen, strict=True)
    wrong += [Disagreement(*each) for each in pairs if each[1] != each[2]]
    codes = Counter(code for _, each in hunted for code in each.codes)
    return Compared(len(known), sum(each != "nothing" for each in seen), codes, tuple(wrong))


def _give(lab: Lab, replay: Replay, questions: Iterable[Question]) -> None:
    """Let hosts give themselves the addresses of their prefixes that somebody asks for.  They are
    deprecated (RFC 4862, section 5.5.4), so that nothing is sent from them but answers."""
    targets = {each["target"] for each in questions if ":" in each["target"]}
    for it in replay.statements():
        if isinstance(it, Address) and "/" in it.ip:
            for ip in sorted(ip for ip in targets if delegated_block(ip) == it.ip):
                ns, link = lab.ns(it.port.host), f"eth{it.port.index}"
                packets.give(ns, link, ip, "preferred_lft", "0")


def _forward(lab: Lab, host: str | None) -> None:
    """Let a host pass packets on, as somebody who is root there does."""
    if host is not None:
        with packets.inside(lab.ns(host)):
            for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
                Path("/proc/sys/net", name).write_text("1")


def _known(replay: Replay, question: Question) -> bool:
    """Whether the ends of a question are there: calls may have been left out."""
    source, target = question["source"], question["target"]
    if question.get("ipv6") and f"{source}6" not in replay.known:
        return False
    return source in replay.known and (not target.startswith("$") or target[1:] in replay.known)


def _predicted(network: Network, replay: Replay, question: Question) -> str:
    """From whom the packet comes, as its receiver sees it, if its sender gets an answer."""
    answer = answered(network, replay, question)
    if not answer.works:
        return "nothing"
    packet = answer.forth.packet
    assert packet is not None
    return "reply" if packet.icmp else f"{packet.source} {packet.source_port}"


def answered(network: Network, replay: Replay, question: Question) -> Answer:
    """The explanation of a question."""
    return explain(network, *_packet(network, replay, question))


def _packet(
    network: Network, replay: Replay, question: Question
) -> tuple[Port | InternetHost, Packet]:
    """Where the packet of a question begins, and its header."""
    start, own, target = _start(network, replay, question)
    protocol, icmp = _PROTOCOLS[question["protocol"]], None
    if protocol == ICMP:
        protocol, icmp = (ICMPV6, (ECHO_V6, 0)) if ":" in target else (ICMP, (ECHO, 0))
    return start, Packet(own, target, protocol, question["source_port"], question["port"], icmp)


def _start(
    network: Network, replay: Replay, question: Question
) -> tuple[Port | InternetHost, str, str]:
    """Where a packet begins, its source as Linux chooses it (ip(7)), and its target."""
    target = _target(replay, question)
    outside = HOSTS.get(question["source"])
    if outside is not None:
        return outside, outside.ip6 if ":" in target else outside.ip, target
    host = replay.known[question["source"]]
    start = network.egress(host, target)
    assert start is not None
    own = target if network.port_with(host, target) else network.own_address(start, target)
    assert own is not None
    return start, own, target


def _target(replay: Replay, question: Question) -> str:
    """The address that is called; ``embedded`` asks for the one of IPv6 that stands for it."""
    ip: str = replay.meant(question["target"])
    return synthesized(ip) if question.get("embedded") and ":" not in ip else ip


def _seen(lab: Lab, replay: Replay, question: Question, predicted: str) -> str:
    """What is predicted decides how long an answer may take."""
    host = question["source"]
    ns = lab.ns(host if host in HOSTS else replay.known[host])
    ip = _target(replay, question)
    patience = packets.SHORT if predicted == "nothing" else CLIENT_PATIENCE
    if question["protocol"] == "icmp":
        return "reply" if packets.ping(ns, ip, patience=patience) == "reply" else "nothing"
    ports = question["port"], question["source_port"]
    seen = ask(ns, question["protocol"], ip, *ports, patience)
    return "nothing" if seen is None else f"{seen[0]} {seen[1]}"
