"""Finds out what this kernel does, with real packets in throw-away namespaces."""

from __future__ import annotations

import contextlib
import logging
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from gureum.engines import EngineError
from gureum.engines.linux import links
from gureum.engines.linux.guards import hook
from gureum.engines.linux.items import (
    Bridge,
    Chain,
    IpAddress,
    Item,
    Neighbour,
    NftTable,
    Settings,
    Veth,
)
from gureum.engines.linux.names import MAIN, TABLE, link_mac
from gureum.engines.linux.namespaces import Namespaces
from gureum.engines.linux.netlink import number, parse
from gureum.engines.linux.nft import Batch, NftError
from gureum.engines.linux.rulesets import BridgeFilter
from gureum.model.internet import PUBLIC

_log = logging.getLogger(__name__)
_SWITCH = "bridge/bridge-nf-call-iptables"
_PATIENCE, _INTERVAL = 5.0, 0.02
"""Seconds for a datagram to cross two links, and until the next is sent.  It takes microseconds,
but on a busy machine the kernel tells a bridge late that its ports are up."""
_A, _B = "192.0.2.1", "192.0.2.2"
_PORT = 9


def load_bridge_filter() -> None:
    """Have the kernel take in the module by which bridged packets meet the forward hook, where it
    is one and is not there yet."""
    if not Path("/proc/sys/net/bridge").is_dir():
        with contextlib.suppress(OSError):
            subprocess.run(["modprobe", "br_netfilter"], check=False, capture_output=True)


def bridge_filter(tag: str) -> BridgeFilter:
    """``netfilter`` where bridged packets meet the forward hook, else ``isolated``.

    A datagram must cross a bridge without rules (else the probe itself is broken) and must not
    cross one with a rule that drops it.
    """
    spaces = Namespaces(f"{tag}p")
    try:
        load_bridge_filter()
        _build(spaces)
        if spaces.read_sysctl("bridge", _SWITCH) is None:
            return "isolated"
        spaces.write_sysctl("bridge", _SWITCH, "1")
        if not _crosses(spaces, lambda: False):
            raise EngineError(["probe: a datagram does not cross a bare bridge"])
        _drop_all(spaces)
        return "isolated" if _crosses(spaces, lambda: _was_dropped(spaces)) else "netfilter"
    except (OSError, NftError) as error:
        raise EngineError([f"probe of bridge filtering: {error}"]) from error
    finally:
        for ns in ("a", "b", "bridge"):
            spaces.remove(ns)
        spaces.close()


def _build(spaces: Namespaces) -> None:
    for ns in ("a", "b", "bridge"):
        spaces.create(ns)
    items: list[Item] = [
        Bridge("bridge", "br"),
        Settings("bridge", "br", link_mac("", "br"), 1500, ""),
    ]
    for ns, ip, other, other_ip in (("a", _A, "b", _B), ("b", _B, "a", _A)):
        items += (
            Veth("bridge", ns, ns, "eth0"),
            Settings("bridge", ns, link_mac("bridge", ns), 1500, "probe", "br"),
            Settings(ns, "eth0", link_mac(ns, "eth0"), 1500, "probe"),
            IpAddress(ns, "eth0", ip, 24),
            Neighbour(ns, "eth0", other_ip, link_mac(other, "eth0")),
        )
    for item in items:
        netlink = spaces.netlink(item.ns)
        with spaces.inside(item.ns):
            links.put(netlink, item, spaces.fd)  # type: ignore[arg-type]


def _crosses(spaces: Namespaces, is_dropped: Callable[[], bool]) -> bool:
    """Whether one of several datagrams arrives before one is dropped, or time is up."""
    until = time.monotonic() + _PATIENCE
    with spaces.inside("b"):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with spaces.inside("a"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with receiver, sender:
        receiver.bind((_B, _PORT))
        receiver.settimeout(_INTERVAL)
        while time.monotonic() < until:
            sender.sendto(b"probe", (_B, _PORT))
            with contextlib.suppress(TimeoutError):
                return receiver.recv(16) == b"probe"
            if is_dropped():
                break
    return False


_DROP = Chain("bridge", "inet", "forward", hook("filter", "forward", 0), ("counter drop",))


def _drop_all(spaces: Namespaces) -> None:
    nft = spaces.nft("bridge")
    with spaces.inside("bridge"):
        nft.run(Batch(frozenset({NftTable("bridge", "inet"), _DROP}), frozenset()).script())


def _was_dropped(spaces: Namespaces) -> bool:
    nft = spaces.nft("bridge")
    with spaces.inside("bridge"):
        listed = nft.run(f"list chain inet {TABLE} {_DROP.name}")
    return "counter packets" in listed and "counter packets 0 " not in listed


def machine_route_is_free(spaces: Namespaces, link: str) -> bool:
    """Whether the machine has no route to the public addresses but by ``link``."""
    netlink = spaces.netlink("")
    address, _, length = PUBLIC.partition("/")
    request = links.ROUTE.pack(socket.AF_INET, *(0,) * 8)
    for message in netlink.dump(links.GETROUTE, request):
        head = links.ROUTE.unpack_from(message.body)
        at = parse(message.body[links.ROUTE.size :])
        if at.get(links.RTA_DST) != socket.inet_aton(address) or head[1] != int(length):
            continue
        out = number(at.get(links.RTA_OIF))
        if number(at.get(links.RTA_TABLE)) == MAIN and _name(out) != link:
            return False
    return True


def _name(index: int) -> str:
    try:
        return socket.if_indextoname(index)
    except OSError:
        return ""
