"""Point-to-point links between two namespaces."""

from __future__ import annotations

from collections.abc import Iterator

from gureum.engines.linux.items import Item, Neighbour, Settings, Veth
from gureum.engines.linux.names import FAR, FAR6, MTU_OUTSIDE, NEAR, NEAR6, link_mac


def wire(
    far_ns: str,
    far: str,
    near_ns: str,
    near: str,
    alias: str,
    mtu: int = MTU_OUTSIDE,
    *,
    ipv6: bool = True,
) -> Iterator[Item]:
    """A point-to-point link without addresses; both ends know each other's link address, with
    ``ipv6`` as a hop of both IP versions."""
    far_mac, near_mac = link_mac(far_ns, far), link_mac(near_ns, near)
    yield Veth(far_ns, far, near_ns, near)
    yield Settings(far_ns, far, far_mac, mtu, alias)
    yield Settings(near_ns, near, near_mac, mtu, alias)
    for one, other in ((NEAR, FAR), (NEAR6, FAR6))[: 2 if ipv6 else 1]:
        yield Neighbour(far_ns, far, one, near_mac)
        yield Neighbour(near_ns, near, other, far_mac)
