"""The map of a cloud: a region's VPCs with all that is in them, as one structure."""

from __future__ import annotations

from typing import Any

from gureum.kind import Shape
from gureum.model import Resource, Txn
from gureum.resources import ipv6
from gureum.resources.elastic_ip import ElasticIp, association_of
from gureum.resources.instance import ENDED, Instance
from gureum.resources.internet_gateway import InternetGateway
from gureum.resources.internet_host import InternetHost
from gureum.resources.nat_gateway import NatGateway
from gureum.resources.network_acl import AclAssociation
from gureum.resources.network_interface import NetworkInterface, interfaces_of
from gureum.resources.permissions import Permission
from gureum.resources.public_ip import associations
from gureum.resources.route_table import RouteTable, RouteTableAssociation
from gureum.resources.route_table import show as show_table
from gureum.resources.security_group import SecurityGroup, rules_of
from gureum.resources.segment_mode import mode_of
from gureum.resources.shapes import ICMP, ICMPV6
from gureum.resources.subnet import Subnet, free_addresses
from gureum.resources.transit_gateway import (
    SERVING,
    TransitGateway,
    TransitGatewayAttachment,
)
from gureum.resources.vpc import Vpc
from gureum.resources.vpc_peering import VpcPeeringConnection, state_of
from gureum.server.places import Scope

_GONE = frozenset({"deleted", "failed"})
_OVER = frozenset({*_GONE, "rejected", "expired"})
_TARGETS = (
    "GatewayId", "NatGatewayId", "InstanceId", "NetworkInterfaceId", "VpcPeeringConnectionId",
    "TransitGatewayId", "EgressOnlyInternetGatewayId",
)  # fmt: skip
_DESTINATIONS = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")


def cloud_map(scope: Scope) -> Shape:
    """One account's region: VPCs, also those of which it has shared subnets, addresses, the
    internet's hosts; and where else things are."""
    txn = Txn(scope.view, scope.account, scope.region)
    hosts = sorted(scope.view.all(InternetHost), key=lambda row: row.name)
    return {
        "account": scope.account,
        "region": scope.region,
        "vpcs": [_vpc(txn, vpc) for vpc in txn.seen(Vpc)],
        "internet_gateways": [
            {**_named(row), "vpc": row.vpc, "attached": row.vpc is not None}
            for row in txn.all(InternetGateway)
        ],
        "peerings": [
            {**_named(row), "state": state, "vpcs": [side.vpc for side in row.sides]}
            for row in scope.view.all(VpcPeeringConnection)
            if _has_side(txn, row) and (state := state_of(scope.view, row)) not in _OVER
        ],
        "transit_gateways": [
            _transit(txn, row) for row in txn.seen(TransitGateway) if row.state not in _OVER
        ],
        "elastic_ips": [_elastic_ip(txn, row) for row in txn.all(ElasticIp)],
        "internet_hosts": [{"name": row.name, "ip": row.ip} for row in hosts],
        "elsewhere": _elsewhere(scope),
    }


def _here(txn: Txn) -> tuple[str, str]:
    return txn.account, txn.region


def _has_side(txn: Txn, row: VpcPeeringConnection) -> bool:
    return any((side.account, side.region) == _here(txn) for side in row.sides)


def _transit(txn: Txn, row: TransitGateway) -> Shape:
    """A gateway with its VPCs; of one that another account shares, what is one's own."""
    mine = row.account == txn.account
    name = row.tag("Name") if mine else f"of {row.account}"
    vpcs = [
        each.seen_from(row.id)["ResourceId"]
        for each in txn.referrers(row.id, TransitGatewayAttachment)
        if each.is_at(row.id) and each.state in SERVING and (mine or each.account == txn.account)
    ]
    return {"id": row.id, "name": name, "state": row.state, "vpcs": vpcs}


def _named(row: Resource) -> Shape:
    return {"id": row.id, "name": row.tag("Name")}


def _vpc(txn: Txn, vpc: Vpc) -> Shape:
    mine = vpc.account == txn.account
    rows = txn.referrers(vpc.id, Subnet) if mine else Subnet.all_open_to(txn.view, *_here(txn))
    subnets = sorted((row for row in rows if row.vpc == vpc.id), key=lambda row: row.zone)
    zones: dict[str, list[Shape]] = {}
    for subnet in subnets:
        zones.setdefault(subnet.zone, []).append(_subnet(txn, subnet))
    return {
        "id": vpc.id,
        "name": vpc.tag("Name") if mine else f"of {vpc.account}",
        "cidrs": [item.cidr for item in vpc.cidrs],
        "ipv6_cidrs": [item.cidr for item in ipv6.blocks(txn.view, vpc.id)],
        "default": vpc.default,
        "internet_gateway": vpc.gateway,
        "zones": [{"zone": zone, "subnets": found} for zone, found in zones.items()],
        "route_tables": [_table(txn, row) for row in txn.referrers(vpc.id, RouteTable)],
        "groups": [_group(txn, row) for row in txn.referrers(vpc.id, SecurityGroup)],
    }


# --- subnets and what is in them ----------------------------------------------------------------
def _subnet(txn: Txn, subnet: Subnet) -> Shape:
    acl = next(iter(txn.referrers(subnet.id, AclAssociation)), None)
    enis = list(txn.referrers(subnet.id, NetworkInterface))
    return {
        **_named(subnet),
        "cidr": subnet.cidr,
        "ipv6_cidrs": [subnet.ipv6.cidr] if subnet.ipv6 else [],
        "free_addresses": free_addresses(subnet, txn.view),
        "mode": mode_of(subnet),
        "route_table": _table_of(txn, subnet),
        "network_acl": acl.acl if acl else None,
        "instances": [_instance(txn, row) for row in _instances(txn, subnet)],
        "nat_gateways": [
            _nat_gateway(row)
            for row in txn.all(NatGateway)
            if row.subnet == subnet.id and row.state not in _GONE
        ],
        "interfaces": [_interface(txn, eni) for eni in enis if eni.attachment is None],
    }


def _table_of(txn: Txn, subnet: Subnet) -> str | None:
    own = next(iter(txn.referrers(subnet.id, RouteTableAssociation)), None)
    if own is not None:
        return own.table
    tables = txn.referrers(subnet.vpc, RouteTable)
    return next((table.id for table in tables if table.main is not None), None)


def _instances(txn: Txn, subnet: Subnet) -> list[Instance]:
    return [row for row in txn.referrers(subnet.id, Instance) if row.state not in ENDED]


def _instance(txn: Txn, row: Instance) -> Shape:
    enis = [_interface(txn, eni) for eni in interfaces_of(txn.view, row.id)]
    return {
        **_named(row),
        "state": row.state,
        "type": row.type,
        "image": row.base,
        "key": row.key_name,
        "private_ip": next(iter(enis[0]["private_ips"]), None) if enis else None,
        "public_ip": next((ip for eni in enis for ip in eni["public_ips"]), None),
        "groups": list(dict.fromkeys(g for eni in enis for g in eni["groups"])),
        "interfaces": enis,
    }


def _interface(txn: Txn, eni: NetworkInterface) -> Shape:
    return {
        **_named(eni),
        "subnet": eni.subnet,
        "mac": eni.mac,
        "private_ips": list(eni.ips),
        "ipv6_addresses": list(eni.ips6),
        "public_ips": [item.ip for item in associations(txn.view, eni.id)],
        "groups": list(eni.groups),
        "source_dest_check": eni.source_dest_check,
    }


def _nat_gateway(row: NatGateway) -> Shape:
    return {
        **_named(row),
        "state": row.state,
        "connectivity": row.connectivity,
        "private_ip": row.ip,
        "public_ip": row.public_ip,
    }


# --- what rules them ----------------------------------------------------------------------------
def _table(txn: Txn, table: RouteTable) -> Shape:
    shown = show_table(table, txn.view)
    return {
        **_named(table),
        "main": table.main is not None,
        "subnets": [item["SubnetId"] for item in shown["Associations"] if "SubnetId" in item],
        "used_by": [
            subnet.id
            for subnet in txn.referrers(table.vpc, Subnet)
            if _table_of(txn, subnet) == table.id
        ],
        "routes": [
            {
                "destination": next(route[name] for name in _DESTINATIONS if name in route),
                "target": next((route[name] for name in _TARGETS if name in route), ""),
                "state": route["State"],
            }
            for route in shown["Routes"]
        ],
    }


def _group(txn: Txn, group: SecurityGroup) -> Shape:
    return {
        "id": group.id,
        "name": group.name,
        "description": group.description,
        "rules": [
            {
                "id": rule.id,
                "direction": "out" if rule.egress else "in",
                "traffic": traffic(rule.permission),
                "peer": rule.permission.peer,
            }
            for rule in rules_of(txn.view, group.id)
        ],
    }


def traffic(permission: Permission) -> str:
    """What a permission lets pass, in a few words: ``tcp 8080``, ``udp 1-1024``, ``icmp``."""
    name = "all" if permission.protocol is None else permission.protocol_text
    first, last = permission.first, permission.last
    if permission.protocol in (ICMP, ICMPV6):
        if first in (None, -1):
            return name
        return f"{name} type {first}" + ("" if last in (None, -1) else f" code {last}")
    if permission.all_ports:
        return name
    return f"{name} {first}" if first == last else f"{name} {first}-{last}"


def _elastic_ip(txn: Txn, row: ElasticIp) -> Shape:
    item = association_of(txn.view, row.id)
    eni = txn.find(NetworkInterface, item.interface) if item else None
    return {
        **_named(row),
        "ip": row.ip,
        "private_ip": item.private_ip if item else None,
        "interface": eni.id if eni else None,
        "holder": _holder(txn, eni) if eni else None,
    }


def _holder(txn: Txn, eni: NetworkInterface) -> str:
    """The id of what an interface belongs to."""
    if eni.attachment and eni.attachment.instance:
        return eni.attachment.instance
    gateways: Any = (row for row in txn.all(NatGateway) if row.interface == eni.id)
    return next((str(row.id) for row in gateways), eni.id)


def _elsewhere(scope: Scope) -> list[Shape]:
    """Other accounts and regions in which somebody made something."""
    rows: list[Resource] = [vpc for vpc in scope.view.all(Vpc) if not vpc.default]
    rows += [row for row in scope.view.all(Instance) if row.state not in ENDED]
    here = (scope.account, scope.region)
    found = {(row.account, row.region) for row in rows} - {here}
    return [{"account": account, "region": region} for account, region in sorted(found)]
