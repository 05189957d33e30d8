"""Rules and routes with prefix lists: the explanation names the rule, the list and the block."""

from __future__ import annotations

from typing import Any

from gureum.explain.aws import Projection
from gureum.program import InternetHost
from tests.explain.test_walk import ANY, ME, MIRROR, Shop, shop
from tests.resources.test_prefix_list import change, make_list

__all__ = ["shop"]


def found(shop: Shop, source: str | InternetHost, target: str, port: int) -> dict[str, Any]:
    """What the Reachability Analyzer says of a connection."""
    network = shop.network()
    start = network.primary(source) if isinstance(source, str) else None
    answer = shop.ask(source, target, port)
    return Projection(shop.cloud.store.view, network).analysis(answer, start)


def test_the_rule_with_the_list_decides(shop: Shop) -> None:
    key = make_list(shop.cloud, "192.0.2.0/24", f"{ME.ip}/32")
    item = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
            "PrefixListIds": [{"PrefixListId": key}]}  # fmt: skip
    rule = shop.cloud.call(
        "AuthorizeSecurityGroupIngress", GroupId=shop.web_group, IpPermissions=[item]
    )["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    ip = shop.public_ip(shop.web)
    (group,) = (s for s in shop.ask(ME, ip, 443).forth.steps if s.kind == "group")
    assert group.by == (rule,)
    assert f"{ME.ip}/32" in group.said
    ways = found(shop, ME, ip, 443)["ForwardPathComponents"]
    (component,) = (each for each in ways if "SecurityGroupRule" in each)
    assert component["SecurityGroupRule"] == {
        "Direction": "ingress",
        "PortRange": {"From": 443, "To": 443},
        "PrefixListId": key,
        "Protocol": "tcp",
    }
    assert not shop.ask(MIRROR, ip, 443).works
    change(shop.cloud, key, 1, RemoveEntries=[{"Cidr": f"{ME.ip}/32"}])
    assert not shop.ask(ME, ip, 443).works


def test_the_route_to_the_list_is_taken(shop: Shop) -> None:
    key = make_list(shop.cloud, "198.19.0.0/24")
    call = shop.cloud.call
    call("DeleteRoute", RouteTableId=shop.table, DestinationCidrBlock=ANY)
    assert not shop.ask(shop.web, MIRROR.ip, 80).works
    to = {"RouteTableId": shop.table, "DestinationPrefixListId": key}
    call("CreateRoute", **to, GatewayId=shop.gateway)
    assert shop.ask(shop.web, MIRROR.ip, 80).works
    ways = found(shop, shop.web, MIRROR.ip, 80)["ForwardPathComponents"]
    (component,) = (each for each in ways if "RouteTableRoute" in each)
    assert component["RouteTableRoute"] == {
        "DestinationCidr": "198.19.0.0/24",
        "DestinationPrefixListId": key,
        "GatewayId": shop.gateway,
        "Origin": "CreateRoute",
        "State": "active",
    }
    assert not shop.ask(shop.web, "198.19.1.1", 80).works
