"""Peering connections: life, who may do what, options, routes, what the network is told."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Blackhole, Peering, Route, ViaPeering
from gureum.resources import vpc_peering
from gureum.resources.vpc_peering import MAX_ACTIVE, MAX_PENDING, VpcPeeringConnection
from tests.conftest import Cloud
from tests.resources.building import make_vpc, only

OTHER = "210987654321"


@pytest.fixture
def other(cloud: Cloud) -> Cloud:
    """The same cloud as another account sees it."""
    made = Cloud(account=OTHER)
    made.store, made.dispatch, made.compiler = cloud.store, cloud.dispatch, cloud.compiler
    return made


def ask(cloud: Cloud, vpc: str, peer: str, **more: Any) -> dict[str, Any]:
    answer = cloud.call("CreateVpcPeeringConnection", VpcId=vpc, PeerVpcId=peer, **more)
    shape: dict[str, Any] = answer["VpcPeeringConnection"]
    return shape


def asked(cloud: Cloud, **more: Any) -> tuple[str, str, str]:
    """Two VPCs and a request between them."""
    one, two = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    return one, two, str(ask(cloud, one, two, **more)["VpcPeeringConnectionId"])


def joined(cloud: Cloud) -> tuple[str, str, str]:
    """Two VPCs with an active connection."""
    one, two, key = asked(cloud)
    cloud.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    settle(cloud, key)
    return one, two, key


def shown(cloud: Cloud, key: str) -> dict[str, Any]:
    answer = cloud.call("DescribeVpcPeeringConnections", VpcPeeringConnectionIds=[key])
    shape: dict[str, Any] = answer["VpcPeeringConnections"][0]
    return shape


def state(cloud: Cloud, key: str) -> tuple[str, str]:
    status = shown(cloud, key)["Status"]
    return status["Code"], status["Message"]


def settle(cloud: Cloud, key: str) -> None:
    cloud.system(
        lambda txn: vpc_peering.settled(txn, txn.get(VpcPeeringConnection, key), cloud.now)
    )


def expire(cloud: Cloud, key: str) -> None:
    cloud.system(
        lambda txn: vpc_peering.expired(txn, txn.get(VpcPeeringConnection, key), cloud.now)
    )


def said(cloud: Cloud) -> list[Peering]:
    return [each for each in cloud.program().statements if isinstance(each, Peering)]


# --- life ---------------------------------------------------------------------------------------
def test_a_request_is_accepted_and_becomes_active(cloud: Cloud) -> None:
    one, two = make_vpc(cloud), make_vpc(cloud, "10.1.0.0/16")
    tags = [{"Key": "Name", "Value": "both"}]
    specification = [{"ResourceType": "vpc-peering-connection", "Tags": tags}]
    made = ask(cloud, one, two, TagSpecifications=specification)
    key = made["VpcPeeringConnectionId"]
    assert made["Status"]["Code"] == "initiating-request"
    assert state(cloud, key) == (
        "pending-acceptance",
        "Pending Acceptance by 123456789012",
    )
    waiting = shown(cloud, key)
    assert waiting["RequesterVpcInfo"] == {
        "VpcId": one,
        "OwnerId": "123456789012",
        "Region": "ap-northeast-2",
        "CidrBlock": "10.0.0.0/16",
        "CidrBlockSet": [{"CidrBlock": "10.0.0.0/16"}],
        "PeeringOptions": {
            "AllowDnsResolutionFromRemoteVpc": False,
            "AllowEgressFromLocalClassicLinkToRemoteVpc": False,
            "AllowEgressFromLocalVpcToRemoteClassicLink": False,
        },
    }
    assert "CidrBlock" not in waiting["AccepterVpcInfo"], "not told before it is accepted"
    assert waiting["ExpirationTime"].isoformat() == "2026-12-01T08:00:00+00:00"
    assert waiting["Tags"] == tags
    assert said(cloud) == []
    accepted = cloud.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert accepted["VpcPeeringConnection"]["Status"]["Code"] == "provisioning"
    settle(cloud, key)
    assert state(cloud, key) == ("active", "Active")
    assert shown(cloud, key)["AccepterVpcInfo"]["CidrBlock"] == "10.1.0.0/16"
    (link,) = said(cloud)
    cidrs = {one: ("10.0.0.0/16",), two: ("10.1.0.0/16",)}
    first, second = sorted((one, two))
    assert link == Peering(key, (first, second), (cidrs[first], cidrs[second]))


def test_a_second_request_is_the_first(cloud: Cloud) -> None:
    one, two, key = asked(cloud)
    assert ask(cloud, one, two)["VpcPeeringConnectionId"] == key
    assert ask(cloud, two, one)["VpcPeeringConnectionId"] == key
    cloud.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert ask(cloud, one, two)["VpcPeeringConnectionId"] != key


def test_deleted_is_deleting_first_and_forgotten_later(cloud: Cloud) -> None:
    _, _, key = joined(cloud)
    cloud.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert state(cloud, key)[0] == "deleting"
    assert said(cloud) == []
    settle(cloud, key)
    assert state(cloud, key) == ("deleted", "Deleted by 123456789012")
    again = cloud.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert again["Return"] is True
    cloud.now = "2026-11-24T10:00:00.000Z"
    expire(cloud, key)
    error = cloud.error("DescribeVpcPeeringConnections", VpcPeeringConnectionIds=[key])
    assert error.code == "InvalidVpcPeeringConnectionID.NotFound"


def test_a_request_expires_after_a_week(cloud: Cloud) -> None:
    _, _, key = asked(cloud)
    cloud.now = "2026-12-01T07:59:59.000Z"
    expire(cloud, key)
    assert state(cloud, key)[0] == "pending-acceptance"
    cloud.now = "2026-12-01T08:00:00.000Z"
    expire(cloud, key)
    assert state(cloud, key)[0] == "expired"
    error = cloud.error("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert error.code == "InvalidStateTransition"


def test_a_rejected_request_cannot_be_changed(cloud: Cloud) -> None:
    _, _, key = asked(cloud)
    rejected = cloud.call("RejectVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert rejected["Return"] is True
    assert state(cloud, key)[0] == "rejected"
    for action in ("Accept", "Reject", "Delete"):
        error = cloud.error(f"{action}VpcPeeringConnection", VpcPeeringConnectionId=key)
        assert error.code == "InvalidStateTransition", action


def test_a_connection_goes_with_a_vpc(cloud: Cloud) -> None:
    one, two, key = joined(cloud)
    cloud.call("DeleteVpc", VpcId=two)
    assert state(cloud, key)[0] == "deleted"
    assert said(cloud) == []
    cloud.call("DeleteVpc", VpcId=one)
    expire(cloud, key)
    assert shown(cloud, key)["Status"]["Code"] == "deleted"
    cloud.now = "2026-11-24T10:00:00.000Z"
    expire(cloud, key)
    assert cloud.call("DescribeVpcPeeringConnections")["VpcPeeringConnections"] == []


# --- who may ------------------------------------------------------------------------------------
def test_another_account_accepts(cloud: Cloud, other: Cloud) -> None:
    one, two = make_vpc(cloud), make_vpc(other, "10.1.0.0/16")
    key = ask(cloud, one, two, PeerOwnerId=OTHER)["VpcPeeringConnectionId"]
    for action in ("Accept", "Reject"):
        error = cloud.error(f"{action}VpcPeeringConnection", VpcPeeringConnectionId=key)
        assert error.code == "OperationNotPermitted"
    error = other.error("DeleteVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert error.code == "OperationNotPermitted", "who was asked may reject"
    other.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    settle(cloud, key)
    assert state(cloud, key) == state(other, key) == ("active", "Active")
    assert len(said(cloud)) == 1
    other.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert state(cloud, key)[0] == "deleting"


def test_strangers_do_not_see_it(cloud: Cloud) -> None:
    _, _, key = asked(cloud)
    stranger = Cloud(account="000000000042")
    stranger.store, stranger.dispatch = cloud.store, cloud.dispatch
    assert stranger.call("DescribeVpcPeeringConnections")["VpcPeeringConnections"] == []
    for action in ("Accept", "Delete", "Reject"):
        error = stranger.error(f"{action}VpcPeeringConnection", VpcPeeringConnectionId=key)
        assert error.code == "InvalidVpcPeeringConnectionID.NotFound"


def test_between_regions(cloud: Cloud) -> None:
    far = Cloud(region="us-east-1")
    far.store, far.dispatch, far.compiler = cloud.store, cloud.dispatch, cloud.compiler
    one, two = make_vpc(cloud), make_vpc(far, "10.1.0.0/16")
    key = ask(cloud, one, two, PeerRegion="us-east-1")["VpcPeeringConnectionId"]
    error = cloud.error("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert error.code == "OperationNotPermitted"
    far.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert shown(far, key)["AccepterVpcInfo"]["Region"] == "us-east-1"
    assert len(said(cloud)) == 1


# --- bad input ----------------------------------------------------------------------------------
def test_what_cannot_be_joined_fails(cloud: Cloud) -> None:
    one, twin = make_vpc(cloud), make_vpc(cloud)
    made = ask(cloud, one, twin)
    assert made["Status"] == {
        "Code": "failed",
        "Message": "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range",
    }
    strange = ask(cloud, one, "vpc-00000000000000001", PeerOwnerId=OTHER)
    assert strange["Status"]["Code"] == "failed"
    error = cloud.error(
        "DeleteVpcPeeringConnection", VpcPeeringConnectionId=made["VpcPeeringConnectionId"]
    )
    assert error.code == "InvalidStateTransition"


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"PeerVpcId": "vpc-00000000000000001"}, "MissingParameter"),
        ({"VpcId": "$one"}, "MissingParameter"),
        ({"VpcId": "$one", "PeerVpcId": "$one"}, "InvalidParameterCombination"),
        ({"VpcId": "$one", "PeerVpcId": "vpc-00000000000000001"}, "InvalidVpcID.NotFound"),
        ({"VpcId": "vpc-00000000000000001", "PeerVpcId": "$one"}, "InvalidVpcID.NotFound"),
    ],
)
def test_requests_that_are_refused(cloud: Cloud, params: dict[str, str], code: str) -> None:
    one = make_vpc(cloud)
    params = {name: one if value == "$one" else value for name, value in params.items()}
    assert cloud.error("CreateVpcPeeringConnection", **params).code == code


def test_blocks_must_not_overlap_later_either(cloud: Cloud) -> None:
    one, _, key = asked(cloud)
    cloud.call("AssociateVpcCidrBlock", VpcId=one, CidrBlock="10.1.128.0/20")
    error = cloud.error("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert error.code == "InvalidParameterValue"


def test_a_block_does_not_come_over_a_peer(cloud: Cloud) -> None:
    one, _, key = joined(cloud)
    error = cloud.error("AssociateVpcCidrBlock", VpcId=one, CidrBlock="10.1.4.0/24")
    assert (error.code, key in error.message) == ("InvalidVpc.Range", True)
    added = cloud.call("AssociateVpcCidrBlock", VpcId=one, CidrBlock="10.4.0.0/16")
    (link,) = said(cloud)
    assert ("10.0.0.0/16", "10.4.0.0/16") in link.cidrs
    association = added["CidrBlockAssociation"]["AssociationId"]
    cloud.call("DisassociateVpcCidrBlock", AssociationId=association)
    assert ("10.0.0.0/16",) in said(cloud)[0].cidrs


def test_quotas(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (MAX_PENDING, MAX_ACTIVE) == (25, 50)
    monkeypatch.setattr(vpc_peering, "MAX_PENDING", 1)
    one, _, key = asked(cloud)
    three = make_vpc(cloud, "10.2.0.0/16")
    error = cloud.error("CreateVpcPeeringConnection", VpcId=one, PeerVpcId=three)
    assert error.code == "OutstandingVpcPeeringConnectionLimitExceeded"
    monkeypatch.setattr(vpc_peering, "MAX_ACTIVE", 1)
    cloud.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    second = ask(cloud, one, three)["VpcPeeringConnectionId"]
    error = cloud.error("AcceptVpcPeeringConnection", VpcPeeringConnectionId=second)
    assert error.code == "VpcPeeringConnectionsPerVpcLimitExceeded"


# --- options, filters ---------------------------------------------------------------------------
def test_options(cloud: Cloud) -> None:
    _, _, key = asked(cloud)
    wanted = {"AllowDnsResolutionFromRemoteVpc": True}
    action = "ModifyVpcPeeringConnectionOptions"
    ask_for = {"VpcPeeringConnectionId": key, "AccepterPeeringConnectionOptions": wanted}
    assert cloud.error(action, **ask_for).code == "InvalidStateTransition"
    cloud.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    answer = cloud.call(action, **ask_for)
    assert answer["AccepterPeeringConnectionOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
    info = shown(cloud, key)
    assert info["AccepterVpcInfo"]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is True
    assert info["RequesterVpcInfo"]["PeeringOptions"]["AllowDnsResolutionFromRemoteVpc"] is False
    assert cloud.error(action, VpcPeeringConnectionId=key).code == "MissingParameter"


def test_only_the_owner_changes_a_side(cloud: Cloud, other: Cloud) -> None:
    one, two = make_vpc(cloud), make_vpc(other, "10.1.0.0/16")
    key = ask(cloud, one, two, PeerOwnerId=OTHER)["VpcPeeringConnectionId"]
    other.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    options = {"AccepterPeeringConnectionOptions": {"AllowDnsResolutionFromRemoteVpc": True}}
    action = "ModifyVpcPeeringConnectionOptions"
    assert (
        cloud.error(action, VpcPeeringConnectionId=key, **options).code == "OperationNotPermitted"
    )
    other.call(action, VpcPeeringConnectionId=key, **options)


def test_filters(cloud: Cloud) -> None:
    one, two, key = joined(cloud)
    three = make_vpc(cloud, "10.2.0.0/16")
    ask(cloud, three, one)
    for values in (
        {"requester-vpc-info.vpc-id": one},
        {"accepter-vpc-info.vpc-id": two},
        {"accepter-vpc-info.cidr-block": "10.1.*"},
        {"requester-vpc-info.cidr-block": "10.0.0.0/16"},
        {"status-code": "active"},
        {"status-message": "Active"},
        {"vpc-peering-connection-id": key},
        {"requester-vpc-info.owner-id": "123456789012", "status-code": "active"},
        {"accepter-vpc-info.owner-id": "123456789012", "status-code": "active"},
    ):
        found = cloud.call("DescribeVpcPeeringConnections", Filters=only(values))
        keys = [each["VpcPeeringConnectionId"] for each in found["VpcPeeringConnections"]]
        assert keys == [key], values
    waiting = only({"expiration-time": "2026-12-01*"})
    found = cloud.call("DescribeVpcPeeringConnections", Filters=waiting)
    assert len(found["VpcPeeringConnections"]) == 1


# --- routes -------------------------------------------------------------------------------------
def routes(cloud: Cloud, key: str) -> list[Route]:
    found = (each for each in cloud.program().statements if isinstance(each, Route))
    return [each for each in found if key in str(each.target)]


def test_a_route_is_a_blackhole_until_the_peer_accepts(cloud: Cloud) -> None:
    one, two, key = asked(cloud)
    table = cloud.call("CreateRouteTable", VpcId=one)["RouteTable"]["RouteTableId"]
    route = {"RouteTableId": table, "DestinationCidrBlock": "10.1.0.0/16"}
    cloud.call("CreateRoute", **route, VpcPeeringConnectionId=key)

    def told() -> tuple[str, str]:
        (found,) = cloud.call("DescribeRouteTables", RouteTableIds=[table])["RouteTables"]
        (item,) = (x for x in found["Routes"] if x["DestinationCidrBlock"] == "10.1.0.0/16")
        return item["VpcPeeringConnectionId"], item["State"]

    assert told() == (key, "blackhole")
    assert [each.target for each in routes(cloud, key)] == [Blackhole(key)]
    cloud.call("AcceptVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert told() == (key, "active")
    assert [each.target for each in routes(cloud, key)] == [ViaPeering(key, two)]
    cloud.call("DeleteVpcPeeringConnection", VpcPeeringConnectionId=key)
    assert told() == (key, "blackhole")
    settle(cloud, key)
    third = make_vpc(cloud, "10.2.0.0/16")
    foreign = cloud.call("CreateRouteTable", VpcId=third)["RouteTable"]["RouteTableId"]
    error = cloud.error(
        "CreateRoute", **route | {"RouteTableId": foreign}, VpcPeeringConnectionId=key
    )
    assert (error.code, "different networks" in error.message) == ("InvalidParameterValue", True)
    error = cloud.error(
        "ReplaceRoute",
        **route | {"DestinationCidrBlock": "10.1.0.0/16"},
        VpcPeeringConnectionId=key,
    )
    assert error.code == "InvalidVpcPeeringConnectionID.NotFound"
