"""A cloud of hand-written statements on a real engine, and verdict tables about its packets."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from gureum.engines.linux import LinuxEngine
from gureum.program import Address, InternetHost, Statement
from tests.kernel import packets

PASS, DROP = "pass", "drop"


class Lab:
    """An engine with a tag of its own, and the statements that it was told last; it runs in the
    network namespace ``machine``."""

    def __init__(
        self,
        way: Literal["auto", "netfilter", "isolated"],
        host_link: bool = False,
        machine: Path = Path("/proc/self/ns/net"),
    ) -> None:
        self.tag = secrets.token_hex(2)
        self.host_link = host_link
        self.machine = machine
        with packets.inside(machine):
            self.engine = LinuxEngine(self.tag, way, host_link)
        self.way = self.engine.bridge_filter
        self.statements: set[Statement] = set()

    def build(self, *parts: Collection[Statement]) -> None:
        """Make the kernel equal to these statements, as a start does."""
        self.statements = set().union(*parts)
        self.engine.sync(self.statements)

    def change(self, add: Iterable[Statement] = (), remove: Iterable[Statement] = ()) -> None:
        """Carry out a difference, as a commit does."""
        add, remove = set(add), set(remove)
        self.statements = (self.statements - remove) | add
        self.engine.apply(add, remove)

    def replace(self, old: Statement, new: Statement) -> None:
        self.change([new], [old])

    def ns(self, host: str) -> Path:
        """The namespace of a host, or of a router or gateway."""
        return self.engine.netns(host)

    def adopt(self) -> None:
        """Let go of everything without a word, as ``kill -9`` does, and start anew."""
        self.engine.close()
        with packets.inside(self.machine):
            self.engine = LinuxEngine(self.tag, self.way, self.host_link)
        self.engine.sync(self.statements)

    def addresses(self) -> Mapping[str, str]:
        """The first address of each host, by the host's name without ``i-``; its IPv6 address by
        that name and ``6``."""
        found: dict[str, str] = {}
        for each in self.statements:
            if isinstance(each, InternetHost):
                found |= {each.name: each.ip, f"{each.name}6": each.ip6}
            elif isinstance(each, Address) and each.delegated:
                pass
            elif isinstance(each, Address) and each.port.index == 0 and ":" in each.ip:
                found[f"{each.port.host.removeprefix('i-')}6"] = each.ip
            elif isinstance(each, Address) and each.primary and each.port.index == 0:
                found[each.port.host.removeprefix("i-")] = each.ip
        return found

    def check(self, table: str) -> None:
        """Send what each line says, all at once, and compare the verdicts.

        A line is ``from to what verdict``: ``what`` is ``icmp``, ``tcp/80`` or ``udp/53``, the
        verdict ``pass`` (an answer came: a reply, a refusal) or ``drop``.
        """
        lines = [line.split("#")[0].split() for line in table.strip().splitlines()]
        lines = [line for line in lines if line]
        known = self.addresses()
        with ThreadPoolExecutor(16) as pool:
            seen = list(pool.map(lambda line: self._verdict(known, *line), lines))
        wrong = [
            f"{' '.join(line[:3])}: expected {line[3]}, was {verdict}"
            for line, verdict in zip(lines, seen, strict=True)
            if line[3] != verdict
        ]
        assert not wrong, "\n".join(wrong)

    def _verdict(
        self, known: Mapping[str, str], sender: str, target: str, what: str, expected: str
    ) -> str:
        outside = {each.name for each in self.statements if isinstance(each, InternetHost)}
        ns = self.ns(sender if sender in outside else f"i-{sender}")
        return verdict(ns, known.get(target, target), what, expected)

    def close(self) -> list[str]:
        """Remove everything; what is left all the same."""
        self.engine.executor.trap = lambda _step: None
        self.engine.sync(())
        self.engine.close()
        return remains(self.tag)


def verdict(ns: Path, ip: str, what: str, expected: str) -> str:
    """Whether a packet is answered: ``pass`` or ``drop``; what is expected decides how long it may
    take."""
    patience = packets.LONG if expected == PASS else packets.SHORT
    protocol, _, port = what.partition("/")
    if protocol == "icmp":
        return PASS if packets.ping(ns, ip, patience=patience) == "reply" else DROP
    if protocol == "tcp":
        answer = packets.tcp(ns, ip, int(port), patience=patience)
        return DROP if answer == packets.TIMEOUT else PASS
    return PASS if packets.udp_is_refused(ns, ip, int(port), patience) else DROP


def remains(tag: str) -> list[str]:
    """Namespaces, links and routes of a tag that exist in the machine's own namespace."""
    found = [str(path) for path in Path("/run/netns").glob(f"gu{tag}*")]
    for argv in (["ip", "-o", "link"], ["ip", "route", "show", "table", "all"], ["ip", "rule"]):
        lines = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
        found += [line for line in lines if f"gu{tag}" in line]
    rules = subprocess.run(["nft", "list", "tables"], capture_output=True, text=True, check=True)
    found += [line for line in rules.stdout.splitlines() if "gureum" in line]
    return found
