"""The map as a tree."""

from __future__ import annotations

import json
import re

from tests.cli.clouds import Served

TREE = """\
ap-northeast-2 account 123456789012
├── default VPC VPC 172.31.0.0/16 empty
├── VPC shop ID 192.168.55.0/24
│   ├── internet gateway gate (ID)
│   ├── zone ap-northeast-2a
│   │   └── subnet outside ID 192.168.55.0/26 58 free routes by out
│   │       └── web ID running IP <-> PUBLIC [www] t3.micro
│   ├── zone ap-northeast-2c
│   │   └── subnet inside ID 192.168.55.128/27 26 free routes by the main table
│   │       └── db ID running IP [default] t3.micro
│   ├── main route table RTB for inside
│   │   └── 192.168.55.0/24 -> local
│   ├── route table out ID for outside
│   │   ├── 192.168.55.0/24 -> local
│   │   └── 0.0.0.0/0 -> gate (ID)
│   ├── group default SG
│   │   ├── in  all from default
│   │   └── out all to 0.0.0.0/0
│   └── group www ID
│       ├── in  tcp 8080 from 0.0.0.0/0
│       └── out all to 0.0.0.0/0
└── internet
    ├── me 198.19.0.10
    ├── mirror 198.19.0.20
    └── stranger 198.19.0.30
"""


def plain(shop: Served, text: str) -> str:
    """A tree with words in place of ids and addresses that are drawn at random."""
    for name, key in shop.ids.items():
        if name in ("web", "db"):
            own = re.escape(shop.shown(name)["PrivateIpAddress"])
            text = re.sub(rf"\b{own}\b", "IP", text)  # one may begin with another
        text = text.replace(key, "ID")
    text = re.sub(r"198\.18\.\d+\.\d+", "PUBLIC", text)
    return re.sub(r"\b(vpc|rtb|sg)-[0-9a-f]{17}", lambda found: found[1].upper(), text)


def test_the_tree_shows_everything_in_its_place(shop: Served) -> None:
    assert plain(shop, shop.cli("map").output) == TREE


def test_an_empty_default_vpc_is_unfolded_on_demand(shop: Served) -> None:
    assert "172.31.16.0/20" not in shop.cli("map").output
    assert "172.31.16.0/20" in shop.cli("map", "--all").output


def test_a_lost_route_and_a_free_address_are_seen(shop: Served) -> None:
    address = shop.api.call("AllocateAddress", Domain="vpc")["PublicIp"]
    shop.api.call("TerminateInstances", InstanceIds=[shop.ids["web"]])
    shop.until("web", "terminated")
    where = {"InternetGatewayId": shop.ids["gate"], "VpcId": shop.ids["shop"]}
    shop.api.call("DetachInternetGateway", **where)
    text = shop.cli("map").output
    assert f"0.0.0.0/0 -> gate ({shop.ids['gate']}) blackhole\n" in text
    assert re.search(rf"Elastic IP {address} eipalloc-\w+ free\n", text)
    assert re.search(r"internet gateway gate igw-\w+ detached\n", text)
    assert "web i-" not in text


def test_ipv6_and_what_joins_vpcs_are_shown(shop: Served) -> None:
    call = shop.api.call
    call("AssociateVpcCidrBlock", VpcId=shop.ids["shop"], AmazonProvidedIpv6CidrBlock=True)
    (vpc,) = call("DescribeVpcs", VpcIds=[shop.ids["shop"]])["Vpcs"]
    block = vpc["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
    part = block.replace("::/56", "::/64")
    call("AssociateSubnetCidrBlock", SubnetId=shop.ids["outside"], Ipv6CidrBlock=part)
    (eni,) = shop.shown("web")["NetworkInterfaces"]
    added = call(
        "AssignIpv6Addresses", NetworkInterfaceId=eni["NetworkInterfaceId"], Ipv6AddressCount=1
    )
    gateway = call("CreateEgressOnlyInternetGateway", VpcId=shop.ids["shop"])
    eigw = gateway["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
    table = shop.ids["out"]
    call(
        "CreateRoute",
        RouteTableId=table,
        DestinationIpv6CidrBlock="::/0",
        EgressOnlyInternetGatewayId=eigw,
    )
    other = shop.make("CreateVpc", "Vpc", "VpcId", "office", CidrBlock="10.9.0.0/16")
    made = call("CreateVpcPeeringConnection", VpcId=shop.ids["shop"], PeerVpcId=other)
    pcx = made["VpcPeeringConnection"]["VpcPeeringConnectionId"]
    call(
        "CreateRoute",
        RouteTableId=table,
        DestinationCidrBlock="10.9.0.0/16",
        VpcPeeringConnectionId=pcx,
    )
    tgw = call("CreateTransitGateway")["TransitGateway"]["TransitGatewayId"]
    text = shop.cli("map").output
    assert f"VPC shop {shop.ids['shop']} 192.168.55.0/24, {block}\n" in text
    assert f"{shop.ids['outside']} 192.168.55.0/26, {part} " in text
    assert f", {added['AssignedIpv6Addresses'][0]} [www]" in text
    assert f"::/0 -> {eigw}\n" in text
    assert f"10.9.0.0/16 -> {pcx} blackhole\n" in text
    ends = f"shop ({shop.ids['shop']}) <-> office ({other})"
    assert f"peering connection {pcx} pending-acceptance {ends}\n" in text
    assert re.search(rf"transit gateway {tgw} \w+ joins no VPC\n", text)


def test_names_do_not_steer_the_terminal(shop: Served) -> None:
    tag = {"Key": "Name", "Value": "[red]x\x9b2J\n"}
    shop.api.call("CreateTags", Resources=[shop.ids["web"]], Tags=[tag])
    text = shop.cli("map").output
    assert "[red]x�2J� i-" in text


def test_the_json_is_the_daemon_s(shop: Served) -> None:
    found = json.loads(shop.cli("map", "--json").output)
    assert {vpc["name"] for vpc in found["vpcs"]} == {None, "shop"}


def test_other_regions_are_hinted_at(shop: Served) -> None:
    result = shop.cli("map", "--region", "us-east-1")
    assert "gureum map --region ap-northeast-2 --account 123456789012" in result.stderr
