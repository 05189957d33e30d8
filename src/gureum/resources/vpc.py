"""VPC: an address space with a router of its own.

Sources: VPC User Guide, "VPC CIDR blocks"; EC2 API Reference, CreateVpc, AssociateVpcCidrBlock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import IPv4Network

from gureum.errors import ApiError, invalid_combination, missing_parameter
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import Reader, Resource, Txn, View, ref
from gureum.model.cidr import inside, ipv4_network, is_ipv6, resolver_address
from gureum.program import Range, Router, Service
from gureum.resources import dhcp_options, ipv6
from gureum.resources.shared_vpc import OpenToGuests, shared_vpcs

DEFAULT_CIDR = "172.31.0.0/16"
MAX_VPCS = 5
"""VPCs per region, the default one among them (VPC quotas)."""

MAX_CIDRS = 5
"""IPv4 CIDR blocks per VPC (VPC quotas)."""

METADATA_ADDRESS = "169.254.169.254"
"""Where an instance asks about itself (EC2 User Guide, "Use the Instance Metadata Service")."""

RESOLVER_ADDRESS = "169.254.169.253"
"""Where every VPC's instances ask for names, beside base + 2 (VPC User Guide, "Amazon DNS")."""

METADATA_ADDRESS6, RESOLVER_ADDRESS6 = "fd00:ec2::254", "fd00:ec2::253"
"""The same over IPv6, where a VPC has it (the same pages)."""

HTTP, DNS = 80, 53
TCP, UDP = 6, 17


@dataclass(frozen=True, kw_only=True)
class CidrAssociation:
    """A CIDR block of a VPC."""

    id: str
    cidr: str
    state: str = "associated"


@dataclass(frozen=True, kw_only=True)
class Vpc(
    OpenToGuests,
    Resource,
    kind="vpc",
    prefix="vpc",
    not_found="InvalidVpcID.NotFound",
    malformed="InvalidVpcID.Malformed",
    noun="vpc",
):
    """A VPC; the first of ``cidrs`` is the primary one.

    ``gateway`` is the attached internet gateway, ``egress_gateway`` the egress-only one.  They
    stand here too, so that what has a public address finds the gateways by its VPC.
    """

    cidrs: tuple[CidrAssociation, ...]
    default: bool = False
    tenancy: str = "default"
    dns_support: bool = True
    dns_hostnames: bool = False
    usage_metrics: bool = False
    dhcp_options: str | None = ref(default=None)
    gateway: str | None = ref("weak", default=None)
    egress_gateway: str | None = ref("weak", default=None)

    def open_to(self, reader: Reader, account: str) -> bool:
        return self.id in shared_vpcs(reader, account, self.region)

    @classmethod
    def all_open_to(cls, reader: Reader, account: str, region: str) -> list[Vpc]:
        rows = (reader.find(Vpc, key) for key in shared_vpcs(reader, account, region))
        return [row for row in rows if row is not None]

    @property
    def cidr(self) -> str:
        """The primary CIDR block."""
        return self.cidrs[0].cidr


def overlap(one: Vpc, other: Vpc) -> bool:
    """Whether two VPCs have an IPv4 address in common."""
    return any(
        IPv4Network(mine.cidr).overlaps(IPv4Network(theirs.cidr))
        for mine in one.cidrs
        for theirs in other.cidrs
    )


def default_vpc(txn: Txn) -> Vpc | None:
    """The default VPC of the account in the region, unless it was deleted."""
    return next((vpc for vpc in txn.all(Vpc) if vpc.default), None)


def create_vpc(call: Call) -> Shape:
    """CreateVpc: the VPC with its main route table, default group and default ACL."""
    if not call.get("CidrBlock"):
        if call.get("Ipv4IpamPoolId"):
            raise ApiError("UnsupportedOperation", "IPAM pools are not available in this cloud.")
        raise missing_parameter("CidrBlock")
    cidr = _vpc_network(call.params["CidrBlock"])
    dual_stack = ipv6.asked(call)
    vpc = _new(call, cidr, default=False, tenancy=call.get("InstanceTenancy", "default"))
    if not dual_stack:
        return {"Vpc": show(vpc, call.txn.view)}
    block = ipv6.add_block(call, vpc.id)
    shown = [ipv6.show_block(block, "associating")]
    return {"Vpc": show(vpc, call.txn.view) | {"Ipv6CidrBlockAssociationSet": shown}}


def create_default_vpc(call: Call) -> Shape:
    """CreateDefaultVpc: only where the account has none in the region."""
    if default_vpc(call.txn):
        raise ApiError(
            "DefaultVpcAlreadyExists",
            "A Default VPC already exists for this account in this region.",
        )
    return {"Vpc": show(make_default(call), call.txn.view)}


def make_default(call: Call) -> Vpc:
    """The default VPC as AWS provides it; subnets, gateway and route come by ``beside``."""
    return _new(call, IPv4Network(DEFAULT_CIDR), default=True, tenancy="default")


def _new(call: Call, cidr: IPv4Network, *, default: bool, tenancy: str) -> Vpc:
    if sum(1 for _ in call.txn.all(Vpc)) >= MAX_VPCS:
        raise ApiError("VpcLimitExceeded", "The maximum number of VPCs has been reached.")
    association = CidrAssociation(id=call.new_id("vpc-cidr-assoc"), cidr=str(cidr))
    return call.created(
        Vpc(
            **call.common(Vpc),
            cidrs=(association,),
            default=default,
            tenancy=tenancy,
            dns_hostnames=default,
            dhcp_options=dhcp_options.provided(call).id,
        )
    )


def delete_vpc(call: Call) -> Shape:
    """DeleteVpc: refused while anything but its companions is left in it."""
    call.txn.delete(call.txn.get(Vpc, call.params["VpcId"]))
    return {}


ATTRIBUTES = {
    "enableDnsSupport": ("EnableDnsSupport", "dns_support"),
    "enableDnsHostnames": ("EnableDnsHostnames", "dns_hostnames"),
    "enableNetworkAddressUsageMetrics": ("EnableNetworkAddressUsageMetrics", "usage_metrics"),
}


def describe_vpc_attribute(call: Call) -> Shape:
    """DescribeVpcAttribute: one attribute a call."""
    vpc = call.txn.see(Vpc, call.params["VpcId"])
    member, name = ATTRIBUTES[call.params["Attribute"]]
    return {"VpcId": vpc.id, member: {"Value": getattr(vpc, name)}}


def modify_vpc_attribute(call: Call) -> Shape:
    """ModifyVpcAttribute: exactly one attribute a call."""
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    given = {
        name: call.params[member]["Value"]
        for member, name in ATTRIBUTES.values()
        if "Value" in call.get(member, {})
    }
    if len(given) != 1:
        raise invalid_combination("You must specify exactly one attribute to modify.")
    changed = replace(vpc, **given)
    if changed.dns_hostnames and not changed.dns_support:
        raise ApiError(
            "InvalidParameterCombination",
            "DNS hostnames cannot be enabled while DNS support is disabled.",
        )
    call.txn.put(changed)
    return {}


def modify_vpc_tenancy(call: Call) -> Shape:
    """ModifyVpcTenancy: only from dedicated to default, as AWS."""
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    call.txn.put(replace(vpc, tenancy=call.params["InstanceTenancy"]))
    return {"ReturnValue": True}


def associate_dhcp_options(call: Call) -> Shape:
    """AssociateDhcpOptions: another set, or with ``default`` none, for instances that start."""
    vpc, key = call.txn.get(Vpc, call.params["VpcId"]), call.params["DhcpOptionsId"]
    found = None if key == "default" else call.txn.get(dhcp_options.DhcpOptions, key).id
    call.txn.put(replace(vpc, dhcp_options=found))
    return {}


def associate_vpc_cidr_block(call: Call) -> Shape:
    """AssociateVpcCidrBlock: a secondary IPv4 block, or one of IPv6."""
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    if ipv6.asked(call):
        if call.get("CidrBlock"):
            raise invalid_combination("Only one CIDR block can be associated in one request.")
        block = ipv6.add_block(call, vpc.id)
        shown = ipv6.show_block(block, "associating")
        return {"VpcId": vpc.id, "Ipv6CidrBlockAssociation": shown}
    if not call.get("CidrBlock"):
        raise missing_parameter("CidrBlock or amazonProvidedIpv6CidrBlock")
    network = _vpc_network(call.params["CidrBlock"])
    if len(vpc.cidrs) >= MAX_CIDRS:
        raise ApiError(
            "CidrLimitExceeded",
            f"This network '{vpc.id}' has met its maximum number of allowed CIDRs: {MAX_CIDRS}",
        )
    for other in vpc.cidrs:
        if network.overlaps(IPv4Network(other.cidr)):
            raise ApiError(
                "InvalidVpc.Range", f"The CIDR '{network}' overlaps with the CIDR '{other.cidr}'."
            )
    _check_family(vpc, network)
    _check_routes(call, vpc, network)
    _check_peers(call, vpc, network)
    added = CidrAssociation(id=call.new_id("vpc-cidr-assoc"), cidr=str(network))
    call.txn.put(replace(vpc, cidrs=(*vpc.cidrs, added)))
    return {"VpcId": vpc.id, "CidrBlockAssociation": _show_cidr(added)}


_RESTRICTED = (
    ("10.0.0.0/15", ("10.0.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "198.19.0.0/16")),
    ("10.0.0.0/8", ("172.16.0.0/12", "192.168.0.0/16", "198.19.0.0/16")),
    ("172.16.0.0/12", ("10.0.0.0/8", "172.31.0.0/16", "192.168.0.0/16", "198.19.0.0/16")),
    ("192.168.0.0/16", ("10.0.0.0/8", "172.16.0.0/12", "198.19.0.0/16")),
    ("198.19.0.0/16", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")),
    ("0.0.0.0/0", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.19.0.0/16")),
)
"""Blocks that cannot be added to a primary one (VPC User Guide, "IPv4 CIDR block association
restrictions"); the first line that has the primary one counts."""


def _check_family(vpc: Vpc, network: IPv4Network) -> None:
    """AWS's table of secondary blocks that do not go with a primary one."""
    primary = IPv4Network(vpc.cidr)
    forbidden = next(
        others for family, others in _RESTRICTED if primary.subnet_of(IPv4Network(family))
    )
    if any(network.subnet_of(IPv4Network(text)) for text in forbidden):
        raise ApiError(
            "InvalidVpc.Range",
            f"The CIDR '{network}' is restricted. Use a CIDR from the same private address range "
            "as the current VPC CIDR, or use a publicly-routable CIDR.",
        )


def _check_routes(call: Call, vpc: Vpc, network: IPv4Network) -> None:
    """A new block must not swallow the destination of a route, which its local route would be as
    specific as or less than.  Rows of the VPC with routes tell their ``destinations``."""
    for source in call.txn.view.dependants(vpc.id):
        for destination in getattr(call.txn.view.rows[source], "destinations", ()):
            if not is_ipv6(destination) and IPv4Network(destination).subnet_of(network):
                raise ApiError(
                    "InvalidVpc.Range",
                    f"The CIDR '{network}' is the same as or larger than the destination "
                    f"{destination} of a route in {source}.",
                )


def _check_peers(call: Call, vpc: Vpc, network: IPv4Network) -> None:
    """A new block must not overlap those of VPCs that are linked with this one.  Rows that link a
    VPC tell what is ``beyond`` them."""
    view = call.txn.view
    for source in view.dependants(vpc.id):
        beyond = getattr(view.rows[source], "beyond", None)
        for cidr in beyond(view, vpc.id) if beyond else ():
            if network.overlaps(IPv4Network(cidr)):
                raise ApiError(
                    "InvalidVpc.Range",
                    f"The CIDR '{network}' overlaps with the CIDR '{cidr}' beyond {source}.",
                )


def disassociate_vpc_cidr_block(call: Call) -> Shape:
    """DisassociateVpcCidrBlock: never the primary block; refused while a subnet uses it."""
    key = call.params["AssociationId"]
    if block := call.txn.find(ipv6.Ipv6Block, key):
        return _disassociate_ipv6(call, block)
    for vpc in call.txn.seen(Vpc):
        for item in vpc.cidrs:
            if item.id == key:
                return _disassociate(call, call.txn.get(Vpc, vpc.id), item)
        if any(block.id == key for block in ipv6.blocks(call.txn.view, vpc.id)):
            call.txn.get(Vpc, vpc.id)  # tells whose it is
    raise ApiError(
        "InvalidVpcCidrBlockAssociationID.NotFound",
        f"The vpc CIDR block association ID '{key}' does not exist",
    )


def _disassociate(call: Call, vpc: Vpc, item: CidrAssociation) -> Shape:
    if item is vpc.cidrs[0]:
        raise ApiError(
            "OperationNotPermitted",
            f"The vpc CIDR block with association ID {item.id} may not be disassociated. "
            "It is the primary IPv4 CIDR block of the VPC",
        )
    for source in call.txn.view.dependants(vpc.id):
        cidr = getattr(call.txn.view.rows[source], "cidr", None)
        if cidr and inside(cidr, item.cidr):
            raise ApiError(
                "InvalidCidrBlock.InUse",
                f"The vpc {vpc.id} currently has a subnet within CIDR block {item.cidr}",
            )
    rest = tuple(other for other in vpc.cidrs if other is not item)
    call.txn.put(replace(vpc, cidrs=rest))
    return {
        "VpcId": vpc.id,
        "CidrBlockAssociation": _show_cidr(replace(item, state="disassociating")),
    }


def _disassociate_ipv6(call: Call, block: ipv6.Ipv6Block) -> Shape:
    try:
        call.txn.delete(block)
    except ApiError as error:
        if error.code != "DependencyViolation":
            raise
        raise ApiError(
            "InvalidCidrBlock.InUse",
            f"The vpc {block.vpc} currently has a subnet within CIDR block {block.cidr}",
        ) from None
    shown = ipv6.show_block(block, "disassociating")
    return {"VpcId": block.vpc, "Ipv6CidrBlockAssociation": shown}


def _vpc_network(text: str) -> IPv4Network:
    network = ipv4_network(text)
    if not 16 <= network.prefixlen <= 28:
        raise ApiError("InvalidVpc.Range", f"The CIDR '{text}' is invalid.")
    if network.overlaps(IPv4Network("169.254.0.0/16")) or network.is_multicast:
        raise ApiError("InvalidVpc.Range", f"The CIDR '{text}' is invalid.")
    return network


def _show_cidr(item: CidrAssociation) -> Shape:
    return {
        "AssociationId": item.id,
        "CidrBlock": item.cidr,
        "CidrBlockState": {"State": item.state},
    }


def show(vpc: Vpc, view: View) -> Shape:
    """The API's ``Vpc`` structure."""
    return {
        "VpcId": vpc.id,
        "OwnerId": vpc.account,
        "CidrBlock": vpc.cidr,
        "CidrBlockAssociationSet": [_show_cidr(item) for item in vpc.cidrs],
        "Ipv6CidrBlockAssociationSet": [
            ipv6.show_block(block) for block in ipv6.blocks(view, vpc.id)
        ],
        "DhcpOptionsId": vpc.dhcp_options or "default",
        "InstanceTenancy": vpc.tenancy,
        "IsDefault": vpc.default,
        "State": "available",
        "Tags": [{"Key": key, "Value": value} for key, value in vpc.tags],
    }


def lower(vpc: Vpc, lowering: Lowering) -> None:
    """A VPC is a router that owns its CIDR blocks."""
    blocks = ipv6.blocks(lowering.view, vpc.id)
    lowering.say(Router(vpc.id, ipv6=bool(blocks)))
    for item in vpc.cidrs:
        lowering.say(Range(vpc.id, item.cidr), item.id)
    for block in blocks:
        lowering.say(Range(vpc.id, block.cidr), block.id)
    for ip in (METADATA_ADDRESS, *([METADATA_ADDRESS6] if blocks else [])):
        lowering.say(Service(vpc.id, "metadata", ip, TCP, HTTP))
    if not vpc.dns_support:
        return
    resolvers = (RESOLVER_ADDRESS, resolver_address(vpc.cidr))
    for ip in (*resolvers, *([RESOLVER_ADDRESS6] if blocks else [])):
        for protocol in (TCP, UDP):
            lowering.say(Service(vpc.id, "dns", ip, protocol, DNS))


def cidrs(reader: Reader, vpc_id: str) -> tuple[str, ...]:
    """All blocks of a VPC, the primary one first, those of IPv6 last."""
    vpc = reader.find(Vpc, vpc_id)
    own = tuple(item.cidr for item in vpc.cidrs) if vpc else ()
    return own + tuple(block.cidr for block in ipv6.blocks(reader, vpc_id))


def _provide(call: Call) -> None:
    make_default(call)


KIND = Kind(
    row=Vpc,
    actions={
        "CreateVpc": create_vpc,
        "CreateDefaultVpc": create_default_vpc,
        "DeleteVpc": delete_vpc,
        "DescribeVpcAttribute": describe_vpc_attribute,
        "ModifyVpcAttribute": modify_vpc_attribute,
        "ModifyVpcTenancy": modify_vpc_tenancy,
        "AssociateDhcpOptions": associate_dhcp_options,
        "AssociateVpcCidrBlock": associate_vpc_cidr_block,
        "DisassociateVpcCidrBlock": disassociate_vpc_cidr_block,
    },
    reads=frozenset({"DescribeVpcAttribute"}),
    listings=(
        Listing(
            action="DescribeVpcs",
            result="Vpcs",
            show=show,
            ids="VpcIds",
            paths={
                "cidr": "CidrBlock",
                "isDefault": "IsDefault",
                "dhcp-options-id": "DhcpOptionsId",
                "owner-id": "OwnerId",
                "cidr-block-association.association-id": "CidrBlockAssociationSet[].AssociationId",
                "cidr-block-association.cidr-block": "CidrBlockAssociationSet[].CidrBlock",
                "cidr-block-association.state": "CidrBlockAssociationSet[].CidrBlockState.State",
                "ipv6-cidr-block-association.association-id": (
                    "Ipv6CidrBlockAssociationSet[].AssociationId"
                ),
                "ipv6-cidr-block-association.ipv6-cidr-block": (
                    "Ipv6CidrBlockAssociationSet[].Ipv6CidrBlock"
                ),
                "ipv6-cidr-block-association.ipv6-pool-id": (
                    "Ipv6CidrBlockAssociationSet[].Ipv6Pool"
                ),
                "ipv6-cidr-block-association.state": (
                    "Ipv6CidrBlockAssociationSet[].Ipv6CidrBlockState.State"
                ),
            },
        ),
    ),
    lower=lower,
    defaults=_provide,
)
