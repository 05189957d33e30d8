"""What every VPC and subnet has, where the answers do not tell it."""

from __future__ import annotations

from itertools import count

from gureum.imports.reading import Reading
from gureum.resources import network_acl, security_group
from gureum.resources.instance import Instance
from gureum.resources.instance_profile import associate, association_of
from gureum.resources.ipv6 import blocks
from gureum.resources.network_acl import AclAssociation, NetworkAcl
from gureum.resources.route_table import RouteTable
from gureum.resources.security_group import SecurityGroup
from gureum.resources.subnet import Subnet
from gureum.resources.vpc import Vpc
from gureum.resources.vpn_gateway import VpnGateway


def gateways_of_tables(reading: Reading) -> None:
    """VPN gateways that only route tables tell of: attached to the table's VPC."""
    told = {item.get("VpnGatewayId") for item in reading.answers.of("VpnGateways")}
    for table in reading.answers.of("RouteTables"):
        named = [way.get("GatewayId", "") for way in table.get("PropagatingVgws", ())]
        named += [route.get("GatewayId", "") for route in table.get("Routes", ())]
        for key in named:
            if key.startswith("vgw-") and key not in told and reading.find(VpnGateway, key) is None:
                with reading.one("VpnGateways", key):
                    common = reading.common(VpnGateway, {}, key)
                    reading.put(VpnGateway(**common, vpc=table["VpcId"]))
                reading.report.assumed.append((key, f"a VPN gateway of {table['VpcId']}"))


def profiles(reading: Reading) -> None:
    """The profiles of instances whose associations nobody asked for."""
    for reservation in reading.answers.of("Reservations"):
        for part in reservation.get("Instances", ()):
            key, arn = part.get("InstanceId"), part.get("IamInstanceProfile", {}).get("Arn")
            row = reading.find(Instance, key)
            if row is not None and arn and association_of(reading.call.txn.view, row.id) is None:
                made = associate(reading.call, row.id, arn, state="associated")
                reading.report.assumed.append((made.id, f"association of {row.id} with {arn}"))


def companions(reading: Reading, vpcs: list[str]) -> None:
    """The main route table, default group and default ACL of each VPC, the ACL of each subnet."""
    for key in vpcs:
        if reading.find(Vpc, key) is not None:
            _main_table(reading, key)
            _default_group(reading, key)
            _default_acl(reading, key)


def _main_table(reading: Reading, vpc: str) -> None:
    tables = list(reading.call.txn.referrers(vpc, RouteTable))
    if any(table.main for table in tables):
        return
    taken = {table.number for table in tables}
    common = reading.common(RouteTable, {}, reading.call.new_id(RouteTable))
    number = next(number for number in count(1) if number not in taken)
    main = reading.call.new_id("rtbassoc")
    reading.put(RouteTable(**common, vpc=vpc, number=number, main=main))
    reading.report.assumed.append((vpc, f"its main route table {common['id']}, with no routes"))


def _default_group(reading: Reading, vpc: str) -> None:
    if not any(group.default for group in reading.call.txn.referrers(vpc, SecurityGroup)):
        security_group.default_group(reading.call, reading.call.txn.get(Vpc, vpc))
        for block in blocks(reading.call.txn.view, vpc)[:1]:
            security_group.open_to_ipv6(reading.call, block)
        reading.report.assumed.append((vpc, "its default group"))


def _default_acl(reading: Reading, vpc: str) -> None:
    acls = list(reading.call.txn.referrers(vpc, NetworkAcl))
    default = next((acl for acl in acls if acl.default), None)
    if default is None:
        default = network_acl.new_default(reading.call, vpc)
        for block in blocks(reading.call.txn.view, vpc)[:1]:
            network_acl.open_to_ipv6(reading.call, block)
        reading.report.assumed.append((vpc, f"its default ACL {default.id}"))
    for subnet in list(reading.call.txn.referrers(vpc, Subnet)):
        if next(reading.call.txn.referrers(subnet.id, AclAssociation), None) is None:
            network_acl.associate(reading.call, default.id, subnet.id)
            reading.report.assumed.append((subnet.id, f"the default ACL {default.id}"))
