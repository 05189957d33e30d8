"""The ways between a network interface and the internet: its public and its IPv6 addresses."""

from __future__ import annotations

from typing import Protocol

from gureum.kind import Lowering
from gureum.program import GlobalAddress, PublicAddress
from gureum.resources.public_access import Situated, admits
from gureum.resources.public_ip import associations
from gureum.resources.vpc import Vpc


class Reached(Situated, Protocol):
    """A network interface, as far as it matters to who is outside."""

    @property
    def id(self) -> str: ...

    @property
    def ips6(self) -> tuple[str, ...]: ...

    @property
    def prefixes6(self) -> tuple[str, ...]: ...

    @property
    def interface_type(self) -> str: ...


def lower(eni: Reached, lowering: Lowering) -> None:
    """What the VPC's gateways know of the interface, as far as Block Public Access lets them."""
    view, vpc = lowering.view, lowering.view.find(Vpc, eni.vpc)
    if vpc is None:
        return
    for gateway in (vpc.gateway, vpc.egress_gateway):
        if gateway and admits(view, eni, outwards=gateway == vpc.egress_gateway):
            for ip in (*eni.ips6, *eni.prefixes6):
                lowering.say(GlobalAddress(gateway=gateway, router=eni.vpc, ip=ip))
    translates = eni.interface_type == "nat_gateway"
    if vpc.gateway is None or not admits(view, eni, outwards=translates):
        return
    for item in associations(view, eni.id):
        statement = PublicAddress(
            gateway=vpc.gateway, router=eni.vpc, private=item.private_ip, public=item.ip
        )
        lowering.say(statement, item.allocation or item.id)
