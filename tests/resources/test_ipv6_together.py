"""IPv6 along with peering connections and prefix lists."""

from __future__ import annotations

from gureum.program import Blackhole, Filter, GlobalPrefix, Peering, Route, ViaPeering, ViaUplink
from tests.conftest import Cloud
from tests.resources.building import make_gateway, make_group, make_interface, make_vpc, plug_in
from tests.resources.routing import main_of, refusal
from tests.resources.test_ipv6 import dual, dual_subnet, statements
from tests.resources.test_ipv6_ways import make_egress_only
from tests.resources.test_prefix_list import make_list
from tests.resources.test_vpc_peering import ask, settle
from tests.resources.test_vpc_peering import shown as peering


def test_peers_tell_their_blocks(cloud: Cloud) -> None:
    one, block = dual(cloud)
    two = make_vpc(cloud, "10.1.0.0/16")
    key = str(ask(cloud, one, two)["VpcPeeringConnectionId"])
    cloud.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    settle(cloud, key)
    shape = peering(cloud, key)
    assert shape["RequesterVpcInfo"]["Ipv6CidrBlockSet"] == [{"Ipv6CidrBlock": block}]
    assert "Ipv6CidrBlockSet" not in shape["AccepterVpcInfo"]
    answer = cloud.call("AssociateVpcCidrBlock", VpcId=two, AmazonProvidedIpv6CidrBlock=True)
    far = answer["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"]
    (link,) = statements(cloud, Peering)
    carried = dict(zip(link.routers, link.cidrs, strict=True))
    assert carried == {one: ("10.0.0.0/16", block), two: ("10.1.0.0/16", far)}
    where = {"RouteTableId": main_of(cloud, one)["RouteTableId"], "VpcPeeringConnectionId": key}
    cloud.call("CreateRoute", DestinationIpv6CidrBlock=far, **where)
    (route,) = (each for each in statements(cloud, Route) if each.destination == far
                and isinstance(each.target, ViaPeering | Blackhole))  # fmt: skip
    assert route.target == ViaPeering(key, two)


def test_lists_of_blocks_are_in_force(cloud: Cloud) -> None:
    vpc, subnet, _ = dual_subnet(cloud)
    gateway, only_out = make_gateway(cloud, vpc), make_egress_only(cloud, vpc)
    key = make_list(cloud, "3fff:800::/64", "3fff:900::/64", AddressFamily="IPv6")
    where = {"RouteTableId": main_of(cloud, vpc)["RouteTableId"], "DestinationPrefixListId": key}
    cloud.call("CreateRoute", EgressOnlyInternetGatewayId=only_out, **where)
    to = {each.destination: each.target for each in statements(cloud, Route)}
    assert to["3fff:800::/64"] == to["3fff:900::/64"] == ViaUplink(only_out)
    ways = {each.segment.id: each.gateway for each in statements(cloud, GlobalPrefix)}
    assert ways[subnet] == only_out != gateway
    old = make_list(cloud, "192.0.2.0/24")
    params = {"RouteTableId": where["RouteTableId"], "DestinationPrefixListId": old}
    code, _ = refusal(cloud, "CreateRoute", EgressOnlyInternetGatewayId=only_out, **params)
    assert code == "InvalidParameterValue"
    group = make_group(cloud, vpc)
    rule = {"IpProtocol": "icmpv6", "PrefixListIds": [{"PrefixListId": key}]}
    cloud.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])
    plug_in(cloud, make_interface(cloud, subnet, Groups=[group])["NetworkInterfaceId"])
    (found,) = (each for each in statements(cloud, Filter) if each.id == f"{group}/in")
    assert {line.peer for line in found.rules} == {"3fff:800::/64", "3fff:900::/64"}
