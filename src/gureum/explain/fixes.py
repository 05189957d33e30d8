"""What would mend a block: commands of the AWS CLI, ready for a shell.

Each fix admits no more than the packet needs: one port, one sender.  A fix mends its own block;
what is behind it on the way may block the packet in turn, and the next explanation tells that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gureum.explain import fixes_filters, fixes_peering, fixes_transit, fixes_ways
from gureum.explain.codes import Code
from gureum.explain.commands import Fix
from gureum.explain.steps import Step
from gureum.explain.verdict import Answer
from gureum.model import View


def fixes(view: View, answer: Answer) -> list[Fix]:
    """What would mend each block of an answer; nothing for blocks that nobody can mend, such as a
    private address on the internet."""
    found: dict[tuple[str, ...], Fix] = {}
    for step in answer.failing():
        make = _FIXES.get(step.code) if step.code else None
        for fix in make(view, step) if make else ():
            found.setdefault(fix.commands, fix)
    return list(found.values())


_FIXES: dict[Code, Callable[[View, Step], Iterator[Fix]]] = {
    Code.BAD_STATE: fixes_ways.stopped,
    Code.BAD_STATE_ATTACHMENT: fixes_ways.attachment,
    Code.BAD_STATE_ROUTE: fixes_ways.blackhole,
    Code.DISCONNECTED_VPCS: fixes_peering.joined,
    Code.ENI_ADDRESS_RESTRICTION: fixes_ways.sender_address,
    Code.ENI_SG_RULES_MISMATCH: fixes_filters.group,
    Code.ENI_SOURCE_DEST_CHECK_RESTRICTION: fixes_ways.no_check,
    Code.IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS: fixes_peering.joined,
    Code.IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS: fixes_ways.ingress_address,
    Code.IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS: fixes_ways.egress_address,
    Code.NO_ROUTE_TO_DESTINATION: fixes_ways.missing_route,
    Code.PCX_REQUIRES_ADDRESS_IN_VPC_CIDR: fixes_ways.not_carried,
    Code.SG_HAS_NO_RULES: fixes_filters.group,
    Code.SG_REFERENCES_NOT_PRESERVED: fixes_filters.group,
    Code.SUBNET_ACL_RESTRICTION: fixes_filters.acl,
    Code.TGW_ATTACH_MISSING_TGW_RTB_ASSOCIATION: fixes_transit.associated,
    Code.TGW_ROUTE_AZ_RESTRICTION: fixes_transit.served,
    Code.TGW_RTB_BAD_STATE_ROUTE: fixes_transit.rerouted,
    Code.TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT: fixes_transit.known,
    Code.VPC_BLOCK_PUBLIC_ACCESS_ENABLED: fixes_ways.excluded,
}
