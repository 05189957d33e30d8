"""What nftables decides about a packet: its rules are asked to tell, and are heard.

A table of our own marks the packets of one exchange (``meta nftrace``), and the kernel then sends a
message for each rule that applies to them (linux/netfilter/nf_tables.h, ``NFT_MSG_TRACE``).  The
table has the flag ``owner`` (nft(8), Linux 5.12): it belongs to the socket that made it and is
gone when that is closed, by whatever end our process takes.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from gureum.engines.linux import links
from gureum.engines.linux.names import TABLE
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.netlink import NETFILTER, parse, string, text
from gureum.engines.linux.nft import NftError
from gureum.engines.linux.tracing_headers import Header, Wanted, ip_header, link_addresses
from gureum.explain.overlay import Sighting, Stage
from gureum.explain.packet import TCP, Packet, protocol_name

TRACE_TABLE = "gureum-trace"
"""The table that marks packets; nothing but this exact name is ever removed."""

_log = logging.getLogger(__name__)

_FIRST = -500
"""Priority of our chain: before every other, also before fragments are put together (-400)."""
_LIMIT = "limit rate 8/second burst 8 packets"
"""A header is seen once or twice in a namespace.  Whoever floods it is traced no further."""
_BUFFER = 1 << 20
"""Bytes: room for what so many packets make the rules tell, some 20 messages each."""

# linux/netfilter/nfnetlink.h and nf_tables.h
_SUBSYSTEM = 10 << 8
_GET_TABLE, _GET_RULE, _TRACE = _SUBSYSTEM | 1, _SUBSYSTEM | 7, _SUBSYSTEM | 17
_GROUP = 9
_HEAD = 4
_INET, _BRIDGE = 1, 7
_FAMILIES = {_INET: "inet", _BRIDGE: "bridge"}
_TABLE_NAME, _TABLE_OWNER = 1, 7
_RULE_TABLE, _RULE_HANDLE, _RULE_USERDATA = 1, 3, 7
_COMMENT = 0
_TRACE_TABLE, _TRACE_CHAIN, _TRACE_HANDLE, _TRACE_TYPE, _TRACE_VERDICT = 1, 2, 3, 4, 5
_TRACE_ID, _TRACE_LINK, _TRACE_NETWORK, _TRACE_TRANSPORT = 6, 7, 8, 9
_TRACE_IN, _TRACE_OUT, _TRACE_POLICY = 10, 12, 16
_BY_POLICY = 1
_VERDICT_CODE = 1
_DROP, _ACCEPT = 0, 1
_VERDICT_MASK = 0xFF
# linux/netlink.h
_MESSAGE = struct.Struct("=IH10x")
_SOL_NETLINK, _ADD_MEMBERSHIP = 270, 1

_STAGES: dict[tuple[int, str], Stage] = {
    (_BRIDGE, "prerouting"): "source-check",
    (_BRIDGE, "postrouting"): "dest-check",
    (_INET, "sg_out"): "group-out",
    (_INET, "acl_out"): "acl-out",
    (_INET, "acl_in"): "acl-in",
    (_INET, "sg_in"): "group-in",
}
"""What base chains of a router decide (docs/dataplane.md)."""
_DEST_CHECK = "dest-check"
"""The comment of a drop of what is addressed to nobody, wherever it happens."""


# --- marking ------------------------------------------------------------------------------------
def mark(spaces: Namespaces, ns: str, wanted: Wanted, *, bridged: bool) -> None:
    """Have the packets of an exchange traced in a namespace until ``spaces`` is closed.

    Raises:
        NftError: the kernel refused, as where somebody else traces there.
    """
    nft = spaces.nft(ns)
    with spaces.inside(ns):
        nft.run("\n".join(_script(wanted, ("inet", "bridge") if bridged else ("inet",))))


def _script(wanted: Wanted, families: tuple[str, ...]) -> Iterator[str]:
    for family in families:
        yield f"create table {family} {TRACE_TABLE} {{ flags owner; }}"
        hook = f"type filter hook prerouting priority {_FIRST};"
        yield f"add chain {family} {TRACE_TABLE} enter {{ {hook} }}"
        for packets, answers in ((wanted.forth, False), (wanted.back, True)):
            for match in sorted(_match(each, wanted.ident, answers=answers) for each in packets):
                yield f"add rule {family} {TRACE_TABLE} enter {match} {_LIMIT} meta nftrace set 1"


def _match(packet: Packet, ident: int | None, *, answers: bool) -> str:
    version, name = "ip6" if ":" in packet.source else "ip", protocol_name(packet.protocol)
    words = f"{version} saddr {packet.source} {version} daddr {packet.target}"
    if packet.icmp is not None:
        return f"{words} {name} type {packet.icmp[0]} {name} id {ident}"
    words += f" {name} sport {packet.source_port} {name} dport {packet.target_port}"
    if packet.protocol == TCP:
        words += " tcp flags & (syn | rst) != 0" if answers else " tcp flags & (syn | ack) == syn"
    return words


def remove_leftovers(spaces: Namespaces) -> None:
    """Remove tracing tables that no process owns from all namespaces of ours; instances, which we
    never trace in, keep what they have."""
    for ns in sorted(spaces.names()):
        if spaces.is_there(ns, apart=False):
            for family in list(_leftovers(spaces, ns)):
                nft = spaces.nft(ns)
                try:
                    with spaces.inside(ns):
                        nft.run(f"delete table {family} {TRACE_TABLE}")
                except NftError as error:
                    _log.warning("a tracing table stays in %s: %s", ns, error)


def _leftovers(spaces: Namespaces, ns: str) -> Iterator[str]:
    for message in spaces.netlink(ns, NETFILTER).dump(_GET_TABLE, bytes(_HEAD)):
        at = parse(message.body[_HEAD:])
        family = _FAMILIES.get(message.body[0])
        if family and string(at.get(_TABLE_NAME)) == TRACE_TABLE and _TABLE_OWNER not in at:
            yield family


# --- hearing ------------------------------------------------------------------------------------
@dataclass
class _Passage:
    """A packet in a base chain, as told so far."""

    stage: Stage
    header: Header | None
    frame: tuple[str, str] | None
    incoming: int
    outgoing: int
    why: list[str] = field(default_factory=list)


class Tracer:
    """Hears what the rules of a namespace decide about marked packets.

    ``place`` is what sightings call the namespace.
    """

    def __init__(self, spaces: Namespaces, ns: str, place: str, wanted: Wanted) -> None:
        self._place = place
        self._wanted = wanted
        self._comments = dict(_comments(spaces, ns))
        self._links = dict(links_of(spaces, ns))
        self._open: dict[bytes, _Passage] = {}
        with spaces.inside(ns):
            self.socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETFILTER
            )
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        self.socket.bind((0, 0))
        self.socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, _GROUP)

    def read(self, most: int) -> Iterator[Sighting]:
        """What was decided since the last call, after at most so many datagrams.

        Raises:
            OSError: ``ENOBUFS`` where messages were lost.
        """
        for _ in range(most):
            try:
                data = self.socket.recv(1 << 16)
            except BlockingIOError:
                return
            for kind, body in _messages(data):
                if kind == _TRACE:
                    yield from self._told(body[0], parse(body[_HEAD:]))

    def _told(self, family: int, at: dict[int, bytes]) -> Iterator[Sighting]:
        key, chain = at.get(_TRACE_ID, b""), string(at.get(_TRACE_CHAIN))
        own = string(at.get(_TRACE_TABLE)) == TRACE_TABLE
        passage = self._open.get(key)
        if passage is None:
            stage = "entered" if own else _STAGES.get((family, chain), "other")
            passage = self._open[key] = _begin(stage, at)
        if comment := self._comments.get((family, at.get(_TRACE_HANDLE, b""))):
            passage.why.append(comment)
        dropped = _decided(at)
        if dropped is None:
            return
        del self._open[key]
        if passage.header is not None and passage.header in self._wanted:
            yield self._sighting(passage, passage.header, dropped=dropped)

    def _sighting(self, passage: _Passage, header: Header, *, dropped: bool) -> Sighting:
        why = tuple(passage.why)
        astray = dropped and why[-1:] == (_DEST_CHECK,)
        link, _ = self._links.get(passage.outgoing or passage.incoming, ("", ""))
        _, onto = self._links.get(passage.outgoing, ("", ""))
        return Sighting(
            self._place,
            "dest-check" if astray else passage.stage,
            header.packet,
            header.ttl,
            dropped,
            why,
            passage.frame,
            link,
            onto_of(onto, self._place),
        )


def _begin(stage: Stage, at: dict[int, bytes]) -> _Passage:
    """The first message of a base chain holds the headers and the links."""
    header = ip_header(at.get(_TRACE_NETWORK, b"") + at.get(_TRACE_TRANSPORT, b""))
    link = at.get(_TRACE_LINK, b"")
    frame = link_addresses(link) if len(link) >= 12 else None
    return _Passage(stage, header, frame, _big(at.get(_TRACE_IN)), _big(at.get(_TRACE_OUT)))


def _decided(at: dict[int, bytes]) -> bool | None:
    """Whether the packet is dropped; None where its chain goes on."""
    if _big(at.get(_TRACE_TYPE)) == _BY_POLICY:
        return _big(at.get(_TRACE_POLICY)) & _VERDICT_MASK == _DROP
    raw = parse(at.get(_TRACE_VERDICT, b"")).get(_VERDICT_CODE, b"")
    code = int.from_bytes(raw, "big", signed=True)
    if code < 0 or not raw:  # continue, jump, goto, return
        return None
    return code & _VERDICT_MASK != _ACCEPT


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each netlink message in a datagram."""
    at = 0
    while at + _MESSAGE.size <= len(data):
        size, kind = _MESSAGE.unpack_from(data, at)
        yield kind, data[at + _MESSAGE.size : at + size]
        at += max((size + 3) & ~3, _MESSAGE.size)


def _comments(spaces: Namespaces, ns: str) -> Iterator[tuple[tuple[int, bytes], str]]:
    """The comment of each rule of ours, by family and handle."""
    netlink = spaces.netlink(ns, NETFILTER)
    for family in _FAMILIES:
        request = bytes((family, 0, 0, 0)) + text(_RULE_TABLE, TABLE)
        for message in netlink.dump(_GET_RULE, request):
            at = parse(message.body[_HEAD:])
            if comment := _comment(at.get(_RULE_USERDATA, b"")):
                yield (family, at.get(_RULE_HANDLE, b"")), comment


def _comment(userdata: bytes) -> str:
    """The comment among a rule's user data: type, length, value (libnftnl, udata.h)."""
    at = 0
    while at + 2 <= len(userdata):
        kind, size = userdata[at], userdata[at + 1]
        if kind == _COMMENT:
            return string(userdata[at + 2 : at + 2 + size])
        at += 2 + size
    return ""


# --- links --------------------------------------------------------------------------------------
def links_of(spaces: Namespaces, ns: str) -> Iterator[tuple[int, tuple[str, str]]]:
    """Name and alias of each link of a namespace, by index."""
    for message in spaces.netlink(ns).dump(links.GETLINK, links.link_body()):
        _, _, index, _, _ = links.LINK.unpack_from(message.body)
        at = parse(message.body[links.LINK.size :])
        yield index, (string(at.get(links.IFLA_IFNAME)), string(at.get(links.IFLA_IFALIAS)))


def onto_of(alias: str, place: str) -> str:
    """The id of what a link of a place leads to: a link between two places is called after both."""
    words = [word for word in alias.split() if word != place]
    return words[0] if words else ""


def _big(value: bytes | None) -> int:
    return int.from_bytes(value or b"", "big")
