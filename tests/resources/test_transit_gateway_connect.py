"""Connect attachments and peers of transit gateways, and the gateways' own blocks."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Blackhole, Route
from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal
from tests.resources.transit import Star, attachment, found, gateway, make_star, make_transit

INSIDE = ["169.254.100.0/29"]


@pytest.fixture
def star(cloud: Cloud) -> Star:
    made = make_star(cloud)
    added = {"AddTransitGatewayCidrBlocks": ["10.99.0.0/24"]}
    cloud.call("ModifyTransitGateway", TransitGatewayId=made.gateway, Options=added)
    settle(cloud)
    return made


def connect(cloud: Cloud, transport: str, **more: Any) -> str:
    """The id of a Connect attachment that is available."""
    answer = cloud.call(
        "CreateTransitGatewayConnect",
        TransportTransitGatewayAttachmentId=transport,
        Options={"Protocol": "gre"},
        **more,
    )
    settle(cloud)
    return str(answer["TransitGatewayConnect"]["TransitGatewayAttachmentId"])


def peer(cloud: Cloud, key: str, **more: Any) -> dict[str, Any]:
    asked = {"PeerAddress": "10.0.1.50", "InsideCidrBlocks": INSIDE, **more}
    made = cloud.call("CreateTransitGatewayConnectPeer", TransitGatewayAttachmentId=key, **asked)
    return dict(made["TransitGatewayConnectPeer"])


def test_blocks_of_a_gateway(cloud: Cloud) -> None:
    key = make_transit(cloud, TransitGatewayCidrBlocks=["10.99.0.0/24", "2001:db8::/64"])

    def blocks() -> list[str]:
        return list(gateway(cloud, key)["Options"].get("TransitGatewayCidrBlocks", ()))

    def change(**options: Any) -> None:
        cloud.call("ModifyTransitGateway", TransitGatewayId=key, Options=options)
        settle(cloud)

    assert blocks() == ["10.99.0.0/24", "2001:db8::/64"]
    change(
        RemoveTransitGatewayCidrBlocks=["10.99.0.0/24"],
        AddTransitGatewayCidrBlocks=["10.98.0.0/16"],
    )
    assert blocks() == ["2001:db8::/64", "10.98.0.0/16"]
    for options in (
        {"AddTransitGatewayCidrBlocks": ["10.98.1.0/24"]},
        {"AddTransitGatewayCidrBlocks": ["10.97.0.0/25"]},
        {"AddTransitGatewayCidrBlocks": ["169.254.1.0/24"]},
        {"AddTransitGatewayCidrBlocks": ["10.97.0.1/24"]},
        {"RemoveTransitGatewayCidrBlocks": ["10.99.0.0/24"]},
    ):
        asked = {"TransitGatewayId": key, "Options": options}
        assert refusal(cloud, "ModifyTransitGateway", **asked)[0] == "InvalidParameterValue"


def test_a_connect_attachment(cloud: Cloud, star: Star) -> None:
    tags = [{"ResourceType": "transit-gateway-attachment", "Tags": [{"Key": "a", "Value": "b"}]}]
    key = connect(cloud, star.attachments[0], TagSpecifications=tags)
    filters = only({"transport-transit-gateway-attachment-id": star.attachments[0]})
    (shown,) = cloud.call("DescribeTransitGatewayConnects", Filters=filters)[
        "TransitGatewayConnects"
    ]
    assert shown == {
        "TransitGatewayAttachmentId": key,
        "TransportTransitGatewayAttachmentId": star.attachments[0],
        "TransitGatewayId": star.gateway,
        "State": "available",
        "CreationTime": shown["CreationTime"],
        "Options": {"Protocol": "gre"},
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    whole = attachment(cloud, key)
    assert (whole["ResourceType"], whole["ResourceId"]) == ("connect", star.attachments[0])
    assert whole["Association"]["State"] == "associated"
    listed = cloud.call("DescribeTransitGatewayVpcAttachments")["TransitGatewayVpcAttachments"]
    assert key not in {each["TransitGatewayAttachmentId"] for each in listed}
    way = {"DestinationCidrBlock": "172.16.0.0/12", "TransitGatewayAttachmentId": key}
    cloud.call("CreateTransitGatewayRoute", TransitGatewayRouteTableId=star.table, **way)
    assert found(cloud, star.table)["172.16.0.0/12"] == f"static active {key}"
    said = [each for each in cloud.program().statements if isinstance(each, Route)]
    (target,) = (each.target for each in said if each.destination == "172.16.0.0/12")
    assert target == Blackhole(key), "packets end there"
    held = {"TransitGatewayAttachmentId": star.attachments[0]}
    assert refusal(cloud, "DeleteTransitGatewayVpcAttachment", **held)[0] == "IncorrectState"
    made = peer(cloud, key)
    asked = {"TransitGatewayAttachmentId": key}
    assert refusal(cloud, "DeleteTransitGatewayConnect", **asked)[0] == "IncorrectState"
    peered = made["TransitGatewayConnectPeerId"]
    gone = cloud.call("DeleteTransitGatewayConnectPeer", TransitGatewayConnectPeerId=peered)
    assert gone["TransitGatewayConnectPeer"]["State"] == "deleting"
    gone = cloud.call("DeleteTransitGatewayConnect", **asked)
    assert gone["TransitGatewayConnect"]["State"] == "deleting"
    settle(cloud)
    (shown,) = cloud.call("DescribeTransitGatewayConnects")["TransitGatewayConnects"]
    assert shown["State"] == "deleted"
    assert found(cloud, star.table)["172.16.0.0/12"] == f"static blackhole {key}"
    cloud.call("DeleteTransitGatewayVpcAttachment", **held)


def test_peers_have_addresses_of_the_gateway_and_in_the_tunnel(cloud: Cloud, star: Star) -> None:
    key = connect(cloud, star.attachments[0])
    first = peer(cloud, key, BgpOptions={"PeerAsn": 65001})
    assert first["TransitGatewayConnectPeerId"].startswith("tgw-connect-peer-")
    how = first["ConnectPeerConfiguration"]
    assert (how["TransitGatewayAddress"], how["PeerAddress"]) == ("10.99.0.1", "10.0.1.50")
    assert [
        (each["TransitGatewayAddress"], each["PeerAddress"], each["PeerAsn"], each["BgpStatus"])
        for each in how["BgpConfigurations"]
    ] == [
        ("169.254.100.2", "169.254.100.1", 65001, "down"),
        ("169.254.100.3", "169.254.100.1", 65001, "down"),
    ]
    second = peer(cloud, key, InsideCidrBlocks=["169.254.100.8/29", "fd00::/125"])
    how = second["ConnectPeerConfiguration"]
    assert how["TransitGatewayAddress"] == "10.99.0.2"
    assert {each["PeerAsn"] for each in how["BgpConfigurations"]} == {64512}
    settle(cloud)
    asked = {"Filters": only({"state": "available", "transit-gateway-attachment-id": key})}
    shown = cloud.call("DescribeTransitGatewayConnectPeers", **asked)
    assert len(shown["TransitGatewayConnectPeers"]) == 2
    gone = {"RemoveTransitGatewayCidrBlocks": ["10.99.0.0/24"]}
    held = {"TransitGatewayId": star.gateway, "Options": gone}
    assert refusal(cloud, "ModifyTransitGateway", **held)[0] == "IncorrectState"
    for n in (2, 3):
        peer(cloud, key, InsideCidrBlocks=[f"169.254.100.{8 * n}/29"])
    full = {
        "TransitGatewayAttachmentId": key,
        "PeerAddress": "10.0.1.50",
        "InsideCidrBlocks": ["169.254.101.0/29"],
    }
    code, _ = refusal(cloud, "CreateTransitGatewayConnectPeer", **full)
    assert code == "TransitGatewayAttachmentLimitExceeded"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"PeerAddress": "10.0.1"}, "InvalidParameterValue"),
        ({"PeerAddress": "2001:db8::1"}, "InsufficientCidrBlocks"),
        ({"TransitGatewayAddress": "10.98.0.1"}, "InvalidParameterValue"),
        ({"InsideCidrBlocks": ["169.254.0.0/29"]}, "InvalidParameterValue"),
        ({"InsideCidrBlocks": ["169.254.100.0/28"]}, "InvalidParameterValue"),
        ({"InsideCidrBlocks": ["10.0.0.0/29"]}, "InvalidParameterValue"),
        ({"InsideCidrBlocks": ["fd00::/125"]}, "MissingParameter"),
        ({"BgpOptions": {"PeerAsn": 4294967296}}, "InvalidParameterValue"),
    ],
)
def test_peers_that_are_refused(cloud: Cloud, star: Star, more: dict[str, Any], code: str) -> None:
    key = connect(cloud, star.attachments[0])
    asked = {
        "TransitGatewayAttachmentId": key,
        "PeerAddress": "10.0.1.50",
        "InsideCidrBlocks": INSIDE,
        **more,
    }
    assert refusal(cloud, "CreateTransitGatewayConnectPeer", **asked)[0] == code


def test_only_connect_attachments_have_peers(cloud: Cloud, star: Star) -> None:
    asked = {
        "TransitGatewayAttachmentId": star.attachments[0],
        "PeerAddress": "10.0.1.50",
        "InsideCidrBlocks": INSIDE,
    }
    missing = "InvalidTransitGatewayAttachmentID.NotFound"
    assert refusal(cloud, "CreateTransitGatewayConnectPeer", **asked)[0] == missing
    asked = {"TransitGatewayAttachmentIds": [star.attachments[0]]}
    assert refusal(cloud, "DescribeTransitGatewayConnects", **asked)[0] == missing
    over = {
        "TransportTransitGatewayAttachmentId": connect(cloud, star.attachments[0]),
        "Options": {"Protocol": "gre"},
    }
    assert refusal(cloud, "CreateTransitGatewayConnect", **over)[0] == "InvalidParameterValue"
