"""Fixes between two VPCs, run: asked for, accepted, and with routes on both sides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gureum.resources.image import provided
from tests.cli.clouds import until
from tests.conftest import Cloud
from tests.explain.conftest import Site
from tests.explain.test_fixes import mended

pytestmark = pytest.mark.timeout(120)

OTHER = "210987654321"
FAR, NEAR = "10.7.0.0/16", "192.168.55.0/24"
MISSING, BLACKHOLE = "NO_ROUTE_TO_DESTINATION", "BAD_STATE_ROUTE"


@dataclass
class Annex:
    """A second VPC, in which ``store`` admits the first one's addresses to port 443."""

    vpc: str
    table: str
    ip: str

    @classmethod
    def of(cls, site: Site, api: Cloud | None = None) -> Annex:
        """Built by the site's own account, or by another one."""
        api = api or site.api
        call = api.call
        vpc = call("CreateVpc", CidrBlock=FAR)["Vpc"]["VpcId"]
        subnet = call("CreateSubnet", VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
        group = call("CreateSecurityGroup", GroupName="s", Description="s", VpcId=vpc)["GroupId"]
        admitted = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
        admitted |= {"IpRanges": [{"CidrIp": NEAR}]}
        call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[admitted])
        interface = {"DeviceIndex": 0, "SubnetId": subnet, "Groups": [group]}
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "store"}]}]
        made = call(
            "RunInstances", ImageId=provided(api.region)[0].id, InstanceType="t3.micro",
            MinCount=1, MaxCount=1, NetworkInterfaces=[interface], TagSpecifications=tags,
        )["Instances"][0]  # fmt: skip
        site.ids["store"] = made["InstanceId"]
        site.until("store", "running")
        only = [{"Name": "vpc-id", "Values": [vpc]}]
        (table,) = call("DescribeRouteTables", Filters=only)["RouteTables"]
        return cls(vpc, table["RouteTableId"], made["PrivateIpAddress"])


@pytest.fixture
def annex(site: Site) -> Annex:
    return Annex.of(site)


def ask(site: Site, peer: str, **more: Any) -> str:
    """A request from the site's VPC."""
    ends = {"VpcId": site.ids["shop"], "PeerVpcId": peer}
    made = site.api.call("CreateVpcPeeringConnection", **ends, **more)
    return str(made["VpcPeeringConnection"]["VpcPeeringConnectionId"])


def route(site: Site, table: str, cidr: str, key: str) -> None:
    """A route over a connection."""
    where = {"RouteTableId": table, "DestinationCidrBlock": cidr, "VpcPeeringConnectionId": key}
    site.api.call("CreateRoute", **where)


def main_table(site: Site) -> str:
    """The table of ``db``, which has no route but the local one."""
    only = [
        {"Name": "vpc-id", "Values": [site.ids["shop"]]},
        {"Name": "association.main", "Values": ["true"]},
    ]
    (table,) = site.api.call("DescribeRouteTables", Filters=only)["RouteTables"]
    return str(table["RouteTableId"])


def proposed(site: Site, *question: str) -> list[str]:
    """The actions of the commands that are proposed."""
    fixes = site.explain(*question)["fixes"]
    lines = [line for fix in fixes for line in fix["commands"]]
    return [line.partition("aws ec2 ")[2].split()[0] for line in lines]


JOINED = ["create-vpc-peering-connection", "accept-vpc-peering-connection", "create-route"]


@pytest.mark.parametrize(
    ("source", "first"),
    [("db", "DISCONNECTED_VPCS"), ("web", "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS")],
)
def test_two_vpcs_that_nothing_connects(site: Site, annex: Annex, source: str, first: str) -> None:
    assert proposed(site, source, annex.ip, "443") == JOINED
    assert mended(site, source, annex.ip, "443") == [[first], [MISSING]]
    assert site.explain(source, "store", "443")["reach"] == "all", "by name, too"


def test_a_request_that_waits_is_accepted(site: Site, annex: Annex) -> None:
    key = ask(site, annex.vpc)
    assert proposed(site, "db", annex.ip, "443") == JOINED[1:], "it is not asked for again"
    route(site, main_table(site), FAR, key)
    route(site, annex.table, NEAR, key)
    assert proposed(site, "db", annex.ip, "443") == JOINED[1:2]
    assert mended(site, "db", annex.ip, "443") == [[BLACKHOLE]]


@pytest.mark.parametrize("cidr", [FAR, "10.7.1.0/24"])
def test_another_connection_in_the_place_of_one_that_is_gone(
    site: Site, annex: Annex, cidr: str
) -> None:
    """Also where the route that leads there is longer than the block of the VPC."""
    key = ask(site, annex.vpc)
    route(site, main_table(site), cidr, key)
    site.api.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert proposed(site, "db", annex.ip, "443") == [*JOINED[:2], "replace-route"]
    assert mended(site, "db", annex.ip, "443") == [[BLACKHOLE], [MISSING]]


def test_a_route_goes_before_a_prefix_list(site: Site, annex: Annex) -> None:
    """The list, whose other blocks may be right, keeps its target."""
    entries = [{"Cidr": FAR}, {"Cidr": "203.0.113.0/24"}]
    made = site.api.call(
        "CreateManagedPrefixList", PrefixListName="l", AddressFamily="IPv4", MaxEntries=2,
        Entries=entries,
    )["PrefixList"]["PrefixListId"]  # fmt: skip
    where = {"RouteTableId": site.ids["out"], "DestinationPrefixListId": made}
    site.api.call("CreateRoute", **where, GatewayId=site.ids["gate"])
    assert proposed(site, "web", annex.ip, "443") == JOINED
    private = "IGW_DESTINATION_ADDRESS_NOT_IN_RFC1918_EGRESS"
    assert mended(site, "web", annex.ip, "443") == [[private], [MISSING]]


def test_networks_with_the_same_addresses_are_not_joined(site: Site, annex: Annex) -> None:
    for vpc, cidr in ((annex.vpc, "100.64.0.0/18"), (site.ids["shop"], "100.64.32.0/20")):
        site.api.call("AssociateVpcCidrBlock", VpcId=vpc, CidrBlock=cidr)
    assert site.explain("db", annex.ip, "443")["fixes"] == []


def test_vpcs_on_one_transit_gateway_are_joined_by_it(site: Site, annex: Annex) -> None:
    """What is missing in the gateway comes along with the route."""
    call = site.api.call
    key = call("CreateTransitGateway")["TransitGateway"]["TransitGatewayId"]

    def is_up(what: str) -> bool:
        found = call(f"DescribeTransitGateway{what}")[f"TransitGateway{what}"]
        return {each["State"] for each in found} == {"available"}

    until(lambda: is_up("s"))
    for name in ("db", "store"):
        at = {"VpcId": site.shown(name)["VpcId"], "SubnetIds": [site.shown(name)["SubnetId"]]}
        made = call("CreateTransitGatewayVpcAttachment", TransitGatewayId=key, **at)
    until(lambda: is_up("Attachments"))
    last = made["TransitGatewayVpcAttachment"]["TransitGatewayAttachmentId"]
    (table,) = call("DescribeTransitGatewayRouteTables")["TransitGatewayRouteTables"]
    both = {"TransitGatewayRouteTableId": table["TransitGatewayRouteTableId"]}
    both |= {"TransitGatewayAttachmentId": last}
    call("DisableTransitGatewayRouteTablePropagation", **both)
    known = "enable-transit-gateway-route-table-propagation"
    assert proposed(site, "db", annex.ip, "443") == [known, "create-route"]
    assert mended(site, "db", annex.ip, "443") == [[MISSING], [MISSING]]


# --- two owners ---------------------------------------------------------------------------------
def test_a_vpc_of_somebody_else(site: Site) -> None:
    """Nothing is told of it before it is linked; then the route, and who has to accept."""
    other = Cloud(account=OTHER)
    other.store, other.dispatch, other.compiler = (
        site.api.store, site.api.dispatch, site.api.compiler,
    )  # fmt: skip
    annex = Annex.of(site, other)
    question = ("db", annex.ip, "443")
    assert site.explain(*question)["fixes"] == []
    key = ask(site, annex.vpc, PeerOwnerId=OTHER)
    table = main_table(site)
    route(site, table, FAR, key)
    (fix,) = site.explain(*question)["fixes"]
    assert fix["said"] == f"accept {key}, as {OTHER}"
    other.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    where = {"RouteTableId": annex.table, "DestinationCidrBlock": NEAR}
    other.call("CreateRoute", **where, VpcPeeringConnectionId=key)
    until(lambda: site.explain(*question)["reach"] == "all")
    site.api.call("DeleteRoute", RouteTableId=table, DestinationCidrBlock=FAR)
    (step,) = (s for s in site.explain(*question)["forth"]["steps"] if not s["passed"])
    assert f"beyond {key}" in step["said"]
    assert mended(site, *question) == [[MISSING]]
