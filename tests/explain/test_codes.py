"""Every code that is said is one of AWS's (Reachability Analyzer guide, "Explanation codes")."""

from __future__ import annotations

from pathlib import Path

from gureum.explain.codes import Code

UNREACHABLE = """
BAD_STATE BAD_STATE_ATTACHMENT BAD_STATE_ROUTE BAD_STATE_VPN CANNOT_ROUTE NO_ROUTE_TO_DESTINATION
MORE_SPECIFIC_ROUTE HIGHER_PRIORITY_ROUTE VPC_LOCAL_ROUTE_CIDR_RESTRICTION ENI_SG_RULES_MISMATCH
SG_HAS_NO_RULES SG_REFERENCES_NOT_PRESERVED SG_REFERENCING_SUPPORT UNKNOWN_PEERED_SGS
SUBNET_ACL_RESTRICTION ENI_ADDRESS_RESTRICTION ENI_SOURCE_DEST_CHECK_RESTRICTION
GATEWAY_REJECTS_SPOOFED_TRAFFIC IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS
IGW_PRIVATE_IP_ASSOCIATION_FOR_INGRESS IGW_DESTINATION_ADDRESS_IN_VPC_CIDRS
IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS IGW_DESTINATION_ADDRESS_NOT_IN_RFC6598_EGRESS
IGW_SOURCE_ADDRESS_NOT_IN_RFC1918_INGRESS IGW_SOURCE_ADDRESS_NOT_IN_RFC6598_INGRESS
IGW_NAT_REFLECTION INGRESS_RTB_NO_PUBLIC_IP INGRESS_RTB_TRAFFIC_REDIRECTION
NGW_REQUIRES_SOURCE_IN_VPC NGW_SOURCE_ADDRESS_REASSIGN NGW_DEST_ADDRESS_PRESERVATION
REMAP_EPHEMERAL_PORT REGIONAL_NGW_ROUTE_AZ_RESTRICTION PCX_REQUIRES_ADDRESS_IN_VPC_CIDR
PROTOCOL_RESTRICTION NO_POSSIBLE_DESTINATION UNKNOWN_DESTINATION UNKNOWN_RESOURCE
VPC_BLOCK_PUBLIC_ACCESS_ENABLED
"""
CONFIGURATION = """
DISCONNECTED_VPCS NO_PATH NO_SOURCE_OR_DESTINATION UNASSOCIATED_COMPONENT UNSUPPORTED_COMPONENT
"""
FILTERS = """
COMPONENT_FILTER_RESTRICTION COMPONENT_FILTER_RESTRICTION_REMOVED_COMPONENT
IGW_EXPECTS_PUBLIC_ADDRESS
"""
"""Those of the guide's codes that are about what is built here, or may be soon: transit gateways,
load balancers, endpoints and firewalls have some of their own."""


def test_every_code_is_one_of_aws() -> None:
    known = f"{UNREACHABLE} {CONFIGURATION} {FILTERS}".split()
    assert [code for code in Code if code not in known] == []
    assert all(code.name == code.value for code in Code)


def test_every_code_is_said_somewhere() -> None:
    """A code that nothing emits would be a promise that nobody keeps."""
    root = Path(__file__).parents[2] / "src" / "gureum"
    texts = [
        path.read_text(encoding="utf-8") for path in root.rglob("*.py") if path.name != "codes.py"
    ]
    assert [code for code in Code if not any(f"Code.{code.name}" in each for each in texts)] == []
