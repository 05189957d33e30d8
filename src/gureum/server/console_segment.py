"""How a subnet carries frames: its mode, who is on it, and what its bridge knows of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from gureum.errors import ApiError
from gureum.kind import Shape
from gureum.model.cidr import router_address
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.segment_mode import MODES, mode_of, with_mode
from gureum.resources.subnet import Subnet, segment
from gureum.server import places
from gureum.server.cloud import Cloud
from gureum.server.places import Scope

IN_FORCE = 10.0
"""Seconds that a change waits for the data plane."""
AGEING = 300
"""Seconds without a frame of a station after which a bridge forgets it (IEEE 802.1D, table 7-5; the
kernel's default)."""


class Segments:
    """Looks at segments and changes their modes."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def show(self, scope: Scope, name: str) -> Shape:
        """The mode, the stations and the MAC table of a subnet.

        Raises:
            ApiError: the codes of :func:`places.resolve`; ``NotRunning`` where the kernel has no
                such segment yet.
        """
        subnet = _subnet(scope, name)
        try:
            macs = self._cloud.engine.tables("mac", subnet.id)
        except LookupError as error:
            raise ApiError("NotRunning", f"The subnet is not there yet: {error}.", 409) from None
        return {
            "place": places.resolve(scope, subnet.id).shown(),
            "cidr": subnet.cidrs[0],
            "mode": mode_of(subnet),
            "ageing": AGEING if mode_of(subnet) == "switch" else None,
            "stations": list(_stations(scope, subnet)),
            "macs": macs,
        }

    def change(self, scope: Scope, name: str, mode: str) -> bool:
        """Have a subnet carry frames in another way, as its tag would; whether that is in force.

        Raises:
            ApiError: the codes of :func:`places.resolve`; ``InvalidParameterValue``,
                ``TagLimitExceeded``.
        """
        wanted = next((each for each in MODES if each == mode), None)
        if wanted is None:
            listed = ", ".join(MODES)
            raise ApiError("InvalidParameterValue", f"'{mode}' is no mode: there are {listed}.")
        subnet = _subnet(scope, name)
        store = self._cloud.store
        with store.transaction(subnet.account, subnet.region) as txn:
            txn.put(with_mode(txn.get(Subnet, subnet.id), wanted))
        return self._cloud.reconciler.wait(store.view.revision, IN_FORCE)


def _subnet(scope: Scope, name: str) -> Subnet:
    place = places.resolve(scope, name, (places.SUBNET,))
    return cast(Subnet, scope.view.rows[place.id])


def _stations(scope: Scope, subnet: Subnet) -> Iterator[Shape]:
    """Who sends and takes frames: the router, then interfaces by age; those that are plugged into
    nothing are not on the wire."""
    router = segment(subnet)
    own = router_address(subnet.cidrs[0])
    yield {"station": subnet.vpc, "interface": "router", "mac": router.mac, "ip": own}
    rows = scope.view.referrers(subnet.id, NetworkInterface)
    for row in sorted(rows, key=lambda row: (row.created, row.id)):
        if row.host is not None:
            yield {"station": row.host, "interface": row.id, "mac": row.mac, "ip": row.address}
