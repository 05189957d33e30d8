"""Reads VPCs, subnets, gateways and what they are told of names."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Network, ip_network

from gureum.imports.answers import Item
from gureum.imports.reading import Left, Reading
from gureum.model.cidr import inside, ipv4_network, ipv6_network
from gureum.resources import dhcp_options, prefix_list
from gureum.resources.carrier_gateway import CarrierGateway
from gureum.resources.dhcp_options import DhcpOptions
from gureum.resources.egress_only_gateway import EgressOnlyGateway
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.ipv6 import Ipv6Block, SubnetBlock, blocks
from gureum.resources.prefix_list import Entry, PrefixList, PrefixListVersion, version_id
from gureum.resources.region import zones
from gureum.resources.subnet import IPV6_ONLY, CidrReservation, Subnet
from gureum.resources.vpc import CidrAssociation, Vpc, default_vpc


def dhcp(reading: Reading, item: Item) -> None:
    """A set of DHCP options.  The first that is as AWS provides it is the one AWS provided."""
    options = tuple(
        (part["Key"], tuple(value["Value"] for value in part["Values"]))
        for part in item["DhcpConfigurations"]
    )
    common = reading.common(DhcpOptions, item, item["DhcpOptionsId"])
    plain = dict(options) == dict(dhcp_options.provided_options(reading.call.region))
    first = plain and not any(row.default for row in reading.call.txn.all(DhcpOptions))
    reading.put(DhcpOptions(**common, options=options, default=first))


def managed_list(reading: Reading, item: Item) -> None:
    """A prefix list of the account's own, with its entries if they were asked for."""
    key = item["PrefixListId"]
    if item.get("OwnerId") == prefix_list.AWS:
        if reading.find(PrefixList, key) is None:
            raise Left(f"AWS's list {item.get('PrefixListName')} is not known here")
        return
    parts = reading.answers.parts.get(("Entries", key))
    if parts is None:
        raise Left(
            f"its entries are missing: save 'aws ec2 get-managed-prefix-list-entries "
            f"--prefix-list-id {key}' as {key}.json"
        )
    entries = tuple(
        Entry(cidr=str(ip_network(part["Cidr"])), description=part.get("Description"))
        for part in parts
    )
    common = reading.common(PrefixList, item, key)
    row = reading.put(
        PrefixList(
            **common,
            name=item["PrefixListName"],
            family=item["AddressFamily"],
            owner=reading.call.account,
            max_entries=item["MaxEntries"],
            entries=entries,
            version=item["Version"],
        )
    )
    version = {**common, "id": version_id(key, row.version), "tags": ()}
    reading.put(PrefixListVersion(**version, prefix_list=key, version=row.version, entries=entries))


# --- VPCs ---------------------------------------------------------------------------------------
def vpc(reading: Reading, item: Item) -> None:
    """A VPC.  Its attributes are told by DescribeVpcAttribute only; where nobody asked that, they
    are those of a new VPC, and host names those that its interfaces have."""
    key = item["VpcId"]
    if item.get("OwnerId", reading.call.account) != reading.call.account:
        raise Left(f"it belongs to account {item['OwnerId']}, which shares it")
    if item.get("IsDefault") and default_vpc(reading.call.txn):
        raise Left("the account has a default VPC in this region already")
    parts = item.get("CidrBlockAssociationSet") or [{"CidrBlock": item["CidrBlock"]}]
    cidrs = [
        CidrAssociation(
            id=part.get("AssociationId") or reading.call.new_id("vpc-cidr-assoc"),
            cidr=str(ipv4_network(part["CidrBlock"])),
        )
        for part in parts
        if part.get("CidrBlockState", {}).get("State", "associated") == "associated"
    ]
    cidrs.sort(key=lambda part: part.cidr != item["CidrBlock"])  # the primary one first
    options = _options(reading, item)
    support = reading.answers.attribute(key, "EnableDnsSupport")
    metrics = reading.answers.attribute(key, "EnableNetworkAddressUsageMetrics")
    reading.put(
        Vpc(
            **reading.common(Vpc, item, key),
            cidrs=tuple(cidrs),
            default=bool(item.get("IsDefault")),
            tenancy=item.get("InstanceTenancy", "default"),
            dns_support=True if support is None else bool(support),
            dns_hostnames=_has_hostnames(reading, item),
            usage_metrics=bool(metrics),
            dhcp_options=options,
        )
    )
    for part in item.get("Ipv6CidrBlockAssociationSet", ()):
        if part.get("Ipv6CidrBlockState", {}).get("State", "associated") != "associated":
            continue
        common = reading.common(Ipv6Block, {}, part["AssociationId"])
        cidr = str(ipv6_network(part["Ipv6CidrBlock"]))
        reading.put(Ipv6Block(**common, vpc=key, cidr=cidr))


def _has_hostnames(reading: Reading, item: Item) -> bool:
    told = reading.answers.attribute(item["VpcId"], "EnableDnsHostnames")
    if told is not None:
        return bool(told)
    named = any(
        part.get("Association", {}).get("PublicDnsName")
        for part in reading.answers.of("NetworkInterfaces")
        if part.get("VpcId") == item["VpcId"]
    )
    return named or bool(item.get("IsDefault"))


def _options(reading: Reading, item: Item) -> str | None:
    """The set of DHCP options; one of which nothing is told is taken to be what AWS provides."""
    key = item.get("DhcpOptionsId", "default")
    if key == "default":
        return None
    if reading.find(DhcpOptions, key) is None:
        options = dhcp_options.provided_options(reading.call.region)
        first = not any(row.default for row in reading.call.txn.all(DhcpOptions))
        common = reading.common(DhcpOptions, {}, key)
        reading.put(DhcpOptions(**common, options=options, default=first))
        reading.report.assumed.append((key, "DHCP options as AWS provides them"))
    return str(key)


def subnet(reading: Reading, item: Item) -> None:
    """A subnet, with the part that it has of an IPv6 block of its VPC."""
    row, region = reading.call.txn.get(Vpc, item["VpcId"]), reading.call.region
    if item["AvailabilityZone"] not in zones(region):
        raise Left(f"the zone {item['AvailabilityZone']} is none of {region}'s")
    cidr = None if item.get("Ipv6Native") else str(ipv4_network(item["CidrBlock"]))
    if cidr and not any(inside(cidr, part.cidr) for part in row.cidrs):
        raise Left(f"its block {cidr} is in none of its VPC's")
    block = _part(reading, row, item)
    if cidr is None and block is None:
        raise Left("it is IPv6-only, and no IPv6 block of it is told")
    names = item.get("PrivateDnsNameOptionsOnLaunch", {})
    made = Subnet(
        **reading.common(Subnet, item, item["SubnetId"]),
        vpc=row.id,
        cidr=cidr,
        ipv6=block,
        assign_ipv6=item.get("AssignIpv6AddressOnCreation", False),
        zone=item["AvailabilityZone"],
        default=item.get("DefaultForAz", False),
        map_public_ip=item.get("MapPublicIpOnLaunch", False),
        enable_dns64=item.get("EnableDns64", False),
        hostname_type=names.get("HostnameType", "ip-name"),
        dns_a_record=names.get("EnableResourceNameDnsARecord", False),
        dns_aaaa_record=names.get("EnableResourceNameDnsAAAARecord", False),
    )
    reading.put(replace(made, **IPV6_ONLY) if made.native else made)


def reservation(reading: Reading, item: Item) -> None:
    """A block of a subnet out of which no address is given unasked."""
    reading.put(
        CidrReservation(
            **reading.common(CidrReservation, item, item["SubnetCidrReservationId"]),
            subnet=reading.call.txn.get(Subnet, item["SubnetId"]).id,
            cidr=str(ip_network(item["Cidr"])),
            type=item["ReservationType"],
            description=item.get("Description"),
        )
    )


def _part(reading: Reading, row: Vpc, item: Item) -> SubnetBlock | None:
    for part in item.get("Ipv6CidrBlockAssociationSet", ()):
        if part.get("Ipv6CidrBlockState", {}).get("State", "associated") != "associated":
            continue
        network = IPv6Network(part["Ipv6CidrBlock"])
        for block in blocks(reading.call.txn.view, row.id):
            if network.subnet_of(IPv6Network(block.cidr)):
                return SubnetBlock(id=part["AssociationId"], cidr=str(network), block=block.id)
        raise Left(f"its IPv6 block {network} is in none of its VPC's")
    return None


# --- gateways -----------------------------------------------------------------------------------
def internet_gateway(reading: Reading, item: Item) -> None:
    """An internet gateway, attached or not."""
    vpcs = [part["VpcId"] for part in item.get("Attachments", ())]
    row = reading.put(
        InternetGateway(
            **reading.common(InternetGateway, item, item["InternetGatewayId"]),
            vpc=vpcs[0] if vpcs else None,
        )
    )
    if row.vpc is not None:
        reading.call.txn.put(replace(reading.call.txn.get(Vpc, row.vpc), gateway=row.id))


def egress_only_gateway(reading: Reading, item: Item) -> None:
    """An egress-only internet gateway."""
    row = reading.put(
        EgressOnlyGateway(
            **reading.common(EgressOnlyGateway, item, item["EgressOnlyInternetGatewayId"]),
            vpc=item["Attachments"][0]["VpcId"],
        )
    )
    reading.call.txn.put(replace(reading.call.txn.get(Vpc, row.vpc), egress_gateway=row.id))


def carrier_gateway(reading: Reading, item: Item) -> None:
    """A carrier gateway, of a VPC that is here."""
    state = item["State"]
    if state not in ("pending", "available"):
        raise Left(f"it is {state}")
    row = CarrierGateway(
        **reading.common(CarrierGateway, item, item["CarrierGatewayId"]),
        vpc=item["VpcId"],
        state=state,
    )
    reading.put(row)
