"""What is proposed around transit gateways mends what it is about."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest

from gureum.explain import Answer, Packet, explain
from gureum.explain.causes import told_anew
from gureum.explain.codes import Code
from gureum.explain.fixes import fixes
from gureum.explain.packet import TCP
from gureum.model import Txn
from gureum.resources.transit_gateway import TransitGatewayAttachment
from tests.explain.test_transit_gateway import FORTH, Pair, codes, pair
from tests.resources.building import make_subnet, make_vpc, settle
from tests.resources.transit import attach

__all__ = ["pair"]


def mend(pair: Pair, source: str) -> list[str]:
    """Do what the one fix says; what it says it does, and its actions."""
    view = pair.cloud.store.view
    (fix,) = fixes(view, told_anew(view, pair.ask(source, pair.two)))
    actions = [run(pair, command) for command in fix.commands]
    return [fix.said, *actions]


def run(pair: Pair, command: str) -> str:
    """Run a command, as the AWS CLI reads it; its action."""
    _, _, action, *words = shlex.split(command)
    given = dict(zip(words[::2], words[1::2], strict=True))
    params: dict[str, object] = {_camel(key.removeprefix("--")): given[key] for key in given}
    lists = {key: [value] for key, value in params.items() if key.endswith("SubnetIds")}
    pair.cloud.call(_camel(action), **(params | lists))
    settle(pair.cloud)
    return action


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("-"))


@pytest.mark.parametrize("broken", ["association", "propagation", "attachment", "zone"])
def test_a_fix_mends(pair: Pair, broken: str) -> None:
    call, (one, two), source = pair.cloud.call, pair.star.attachments, pair.one
    said = {
        "association": f"associate {one} with {pair.star.table}",
        "propagation": f"let {two} propagate to {pair.star.table}",
        "attachment": f"attach {pair.star.vpcs[0]} to {pair.star.gateway}",
    }
    if broken == "association":
        both = pair.table(TransitGatewayAttachmentId=one)
        call("DisassociateTransitGatewayRouteTable", **both)
    elif broken == "propagation":
        both = pair.table(TransitGatewayAttachmentId=two)
        call("DisableTransitGatewayRouteTablePropagation", **both)
    elif broken == "attachment":
        call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=one)
    else:
        zone = {"AvailabilityZone": "ap-northeast-2c"}
        subnet = make_subnet(pair.cloud, pair.star.vpcs[0], "10.0.9.0/24", **zone)
        source = pair.launch(subnet)
        said["zone"] = f"serve the zone of {subnet} by {one}"
    settle(pair.cloud)
    assert not pair.ask(source, pair.two).works
    assert mend(pair, source)[0] == said[broken]
    assert pair.ask(source, pair.two).works


def test_an_attachment_that_waits_is_accepted_by_the_gateways_owner(pair: Pair) -> None:
    key = pair.star.attachments[0]

    def wait(txn: Txn) -> None:
        row = txn.get(TransitGatewayAttachment, key)
        txn.put(replace(row, state="pendingAcceptance", association=None, propagations=()))

    pair.cloud.system(wait)
    assert not pair.ask(pair.one, pair.two).works
    assert mend(pair, pair.one) == [
        f"accept {key}, as {pair.cloud.account}",
        "accept-transit-gateway-vpc-attachment",
    ]
    assert pair.ask(pair.one, pair.two).works


def unroute(pair: Pair) -> None:
    """The first VPC has no route to the second one."""
    only = [{"Name": "vpc-id", "Values": [pair.star.vpcs[0]]}]
    (table,) = pair.cloud.call("DescribeRouteTables", Filters=only)["RouteTables"]
    where = {"RouteTableId": table["RouteTableId"], "DestinationCidrBlock": FORTH}
    pair.cloud.call("DeleteRoute", **where)


def test_a_missing_route_leads_through_the_gateway_that_joins_the_vpcs(pair: Pair) -> None:
    unroute(pair)
    said = f"lead {FORTH} through {pair.star.gateway} to {pair.star.vpcs[1]}"
    assert mend(pair, pair.one) == [said, "create-route"]
    assert pair.ask(pair.one, pair.two).works


def test_a_peering_goes_before_the_gateway(pair: Pair) -> None:
    unroute(pair)
    one, two = pair.star.vpcs
    made = pair.cloud.call("CreateVpcPeeringConnection", VpcId=one, PeerVpcId=two)
    key = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    pair.cloud.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert mend(pair, pair.one) == [
        f"lead {FORTH} over a peering connection to {two}",
        "create-route",
    ]


@pytest.mark.parametrize("dead", [False, True])
def test_whatever_else_is_missing_on_that_way_is_mended_with_it(pair: Pair, dead: bool) -> None:
    unroute(pair)
    call, (one, two) = pair.cloud.call, pair.star.attachments
    both = [pair.table(TransitGatewayAttachmentId=each) for each in (one, two)]
    call("DisassociateTransitGatewayRouteTable", **both[0])
    call("DisableTransitGatewayRouteTablePropagation", **both[1])
    if dead:
        call("CreateTransitGatewayRoute", **pair.table(DestinationCidrBlock=FORTH, Blackhole=True))
    zone = {"AvailabilityZone": "ap-northeast-2c"}
    source = pair.launch(make_subnet(pair.cloud, pair.star.vpcs[0], "10.0.9.0/24", **zone))
    settle(pair.cloud)
    assert mend(pair, source)[1:] == [
        "modify-transit-gateway-vpc-attachment",
        "associate-transit-gateway-route-table",
        "replace-transit-gateway-route"
        if dead
        else "enable-transit-gateway-route-table-propagation",
        "create-route",
    ]
    assert pair.ask(source, pair.two).works


def test_a_route_whose_attachment_is_gone_leads_to_the_one_that_is_there(pair: Pair) -> None:
    call, star = pair.cloud.call, pair.star
    third = make_vpc(pair.cloud, "10.2.0.0/16")
    gone = attach(pair.cloud, star.gateway, third, make_subnet(pair.cloud, third, "10.2.1.0/24"))
    route = {"DestinationCidrBlock": "10.1.1.0/24", "TransitGatewayAttachmentId": gone}
    call("CreateTransitGatewayRoute", **pair.table(**route))
    call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=gone)
    settle(pair.cloud)
    assert codes(pair.ask(pair.one, pair.two)) == [Code.TGW_RTB_BAD_STATE_ROUTE]
    said = f"lead 10.1.1.0/24 of {star.table} to {star.attachments[1]}"
    assert mend(pair, pair.one) == [said, "replace-transit-gateway-route"]
    assert pair.ask(pair.one, pair.two).works


def test_a_network_that_was_detached_is_attached_again(pair: Pair) -> None:
    call, star = pair.cloud.call, pair.star
    route = {"DestinationCidrBlock": FORTH, "TransitGatewayAttachmentId": star.attachments[1]}
    call("CreateTransitGatewayRoute", **pair.table(**route))
    call("DeleteTransitGatewayVpcAttachment", TransitGatewayAttachmentId=star.attachments[1])
    settle(pair.cloud)
    assert codes(pair.ask(pair.one, pair.two)) == [Code.TGW_RTB_BAD_STATE_ROUTE]
    assert mend(pair, pair.one)[0] == f"attach {star.vpcs[1]} to {star.gateway}"
    assert mend(pair, pair.one)[1:] == ["replace-transit-gateway-route"]
    assert pair.ask(pair.one, pair.two).works


def test_a_prefix_list_that_leads_nowhere(pair: Pair) -> None:
    listed = {"PrefixListName": "far", "MaxEntries": 2, "AddressFamily": "IPv4"}
    made = pair.cloud.call("CreateManagedPrefixList", Entries=[{"Cidr": "10.1.1.0/24"}], **listed)
    key = made["PrefixList"]["PrefixListId"]
    settle(pair.cloud)
    refers = pair.table(PrefixListId=key, Blackhole=True)
    pair.cloud.call("CreateTransitGatewayPrefixListReference", **refers)
    assert codes(pair.ask(pair.one, pair.two)) == [Code.TGW_RTB_BAD_STATE_ROUTE]
    assert mend(pair, pair.one)[1:] == ["modify-transit-gateway-prefix-list-reference"]
    assert pair.ask(pair.one, pair.two).works


def test_a_missing_route_of_ipv6(pair: Pair) -> None:
    """An address of a joined VPC is not sought on the internet."""
    call, blocks, ends = pair.cloud.call, ("3fff:1:0:100::/56", "3fff:2:0:100::/56"), []
    for at, (host, block) in enumerate(zip((pair.one, pair.two), blocks, strict=True)):
        where = {"VpcId": pair.star.vpcs[at], "Ipv6Pool": "Amazon"}
        call("AssociateVpcCidrBlock", Ipv6CidrBlock=block, **where)
        part = {"SubnetId": pair.star.subnets[at], "Ipv6CidrBlock": block.replace("/56", "/64")}
        call("AssociateSubnetCidrBlock", **part)
        port = pair.network().primary(host)
        assert port is not None
        made = call("AssignIpv6Addresses", NetworkInterfaceId=port.id, Ipv6AddressCount=1)
        ends.append(made["AssignedIpv6Addresses"][0])
        only = {"TransitGatewayAttachmentId": pair.star.attachments[at]}
        call("ModifyTransitGatewayVpcAttachment", Options={"Ipv6Support": "enable"}, **only)
    settle(pair.cloud)

    def asked() -> Answer:
        network = pair.network()
        start = network.primary(pair.one)
        assert start is not None
        return explain(network, start, Packet(ends[0], ends[1], TCP, 40000, 80))

    view = pair.cloud.store.view
    (fix, *_) = fixes(view, told_anew(view, asked()))
    assert fix.said == f"lead {blocks[1]} through {pair.star.gateway} to {pair.star.vpcs[1]}"
    assert [run(pair, command) for command in fix.commands] == ["create-route"]
    assert codes(asked())[0] is Code.ENI_SG_RULES_MISMATCH, "the way is there now"
