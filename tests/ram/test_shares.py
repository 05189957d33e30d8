"""RAM through real clients: shares, what is in them, invitations, permissions, who may do what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.ram.conftest import OTHER, OWNER, THIRD, World
from tests.server.secured import REGION

UNKNOWN = f"arn:aws:ram:{REGION}:{OWNER}:resource-share/00000000-0000-0000-0000-000000000000"
PERMISSION = "arn:aws:ram::aws:permission/AWSRAMDefaultPermissionPrefixList"
MALFORMED = "is malformed. Verify the ID and try again."
WITHIN = (
    "The resource you are attempting to share can only be shared within your AWS Organization. "
    "This error may also occur if you have not enabled sharing with your AWS organization, or that "
    "onboarding process is still in progress."
)
FOR_GATEWAYS = "arn:aws:ram::aws:permission/AWSRAMDefaultPermissionTransitGateway"
FOR_GROUPS = "arn:aws:ram::aws:permission/AWSRAMDefaultPermissionSecurityGroup"
FOR_SUBNETS = "arn:aws:ram::aws:permission/AWSRAMDefaultPermissionSubnet"


def refused(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    error = caught.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def status(world: World, share: str, kind: str = "PRINCIPAL") -> dict[str, str]:
    found = world.ram(OWNER).get_resource_share_associations(
        associationType=kind, resourceShareArns=[share]
    )
    return {each["associatedEntity"]: each["status"] for each in found["resourceShareAssociations"]}


# --- shares -------------------------------------------------------------------------------------
def test_a_share_from_its_making_to_its_end(world: World) -> None:
    ram, arn = world.ram(OWNER), world.listed()["PrefixListArn"]
    made = ram.create_resource_share(
        name="ours",
        resourceArns=[arn],
        principals=[OTHER],
        tags=[{"key": "team", "value": "net"}],
        clientToken="once",
    )
    assert made["clientToken"] == "once"
    share = made["resourceShare"]
    assert {**share, "creationTime": 0, "lastUpdatedTime": 0} == {
        "resourceShareArn": share["resourceShareArn"],
        "name": "ours",
        "owningAccountId": OWNER,
        "allowExternalPrincipals": True,
        "status": "ACTIVE",
        "tags": [{"key": "team", "value": "net"}],
        "creationTime": 0,
        "lastUpdatedTime": 0,
        "featureSet": "STANDARD",
        "resourceShareConfiguration": {"retainSharingOnAccountLeaveOrganization": False},
    }
    key = share["resourceShareArn"]
    assert key.startswith(f"arn:aws:ram:{REGION}:{OWNER}:resource-share/")
    assert status(world, key) == {OTHER: "ASSOCIATING"}
    assert status(world, key, "RESOURCE") == {arn: "ASSOCIATED"}
    world.accept(key)
    assert status(world, key) == {OTHER: "ASSOCIATED"}
    assert ram.update_resource_share(resourceShareArn=key, name="theirs")["resourceShare"][
        "name"
    ] == ("theirs")
    assert ram.delete_resource_share(resourceShareArn=key)["returnValue"] is True
    (gone,) = ram.get_resource_shares(resourceOwner="SELF", resourceShareArns=[key])[
        "resourceShares"
    ]
    assert gone["status"] == "DELETED"
    assert status(world, key) == {OTHER: "DISASSOCIATED"}
    assert refused(ram.delete_resource_share, resourceShareArn=key)[0] == "UnknownResourceException"


def test_a_client_token_counts_once(world: World) -> None:
    ram = world.ram(THIRD)
    first = ram.create_resource_share(name="once", clientToken="t-1")
    again = ram.create_resource_share(name="once", clientToken="t-1")
    assert again["resourceShare"]["resourceShareArn"] == first["resourceShare"]["resourceShareArn"]
    code, _ = refused(ram.create_resource_share, name="twice", clientToken="t-1")
    assert code == "IdempotentParameterMismatchException"
    assert len(ram.get_resource_shares(resourceOwner="SELF")["resourceShares"]) == 1


def test_listings_come_in_pages(world: World) -> None:
    ram = world.ram("444444444444")
    made = [ram.create_resource_share(name=f"s{n}")["resourceShare"] for n in range(12)]
    pages = ram.get_paginator("get_resource_shares").paginate(
        resourceOwner="SELF", PaginationConfig={"PageSize": 5}
    )
    found = [[each["name"] for each in page["resourceShares"]] for page in pages]
    assert [len(page) for page in found] == [5, 5, 2]
    assert sorted(name for page in found for name in page) == sorted(each["name"] for each in made)
    shares = ram.get_resource_shares
    assert refused(shares, resourceOwner="SELF", nextToken="x")[0] == "InvalidNextTokenException"
    assert refused(shares, resourceOwner="SELF", maxResults=0)[0] == "InvalidParameterException"
    asked = ram.get_resource_share_invitations
    assert refused(asked, maxResults=501)[0] == "InvalidMaxResultsException"


def test_shares_are_found_by_what_they_have(world: World) -> None:
    ram = world.ram("555555555555")
    tagged = ram.create_resource_share(
        name="a", tags=[{"key": "k", "value": "1"}], permissionArns=[PERMISSION]
    )["resourceShare"]["resourceShareArn"]
    plain = ram.create_resource_share(name="b")["resourceShare"]["resourceShareArn"]

    def found(**more: Any) -> list[str]:
        shown = ram.get_resource_shares(resourceOwner="SELF", **more)["resourceShares"]
        return [str(each["resourceShareArn"]) for each in shown]

    assert found(name="b") == [plain]
    assert found(tagFilters=[{"tagKey": "k", "tagValues": ["0", "1"]}]) == [tagged]
    assert found(tagFilters=[{"tagKey": "k", "tagValues": ["0"]}]) == []
    assert found(permissionArn=PERMISSION) == [tagged]
    assert found(resourceShareStatus="DELETED") == []
    ram.tag_resource(resourceShareArn=plain, tags=[{"key": "k", "value": "0"}])
    mine = [{"Name": "key", "Values": ["k"]}]
    assert world.ec2("555555555555").describe_tags(Filters=mine)["Tags"] == [], "they are RAM's"
    assert found(tagFilters=[{"tagKey": "k", "tagValues": ["0"]}]) == [plain]
    ram.untag_resource(resourceShareArn=plain, tagKeys=["k"])
    assert found(tagFilters=[{"tagKey": "k"}]) == [tagged]
    many = [{"key": f"k{n}", "value": ""} for n in range(51)]
    assert refused(ram.tag_resource, resourceShareArn=plain, tags=many)[0] == (
        "TagLimitExceededException"
    )


# --- what is wrong ------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("params", "error"),
    [
        (
            {"principals": ["o-abcdefghij"]},
            (
                "InvalidParameterException",
                f"Principal ID o-abcdefghij {MALFORMED}",
            ),
        ),
        (
            {"principals": [f"arn:aws:organizations::{OWNER}:organization/o-abcdefghij"]},
            ("UnknownResourceException", "Organization o-abcdefghij could not be found."),
        ),
        (
            {"principals": [f"arn:aws:organizations::{OWNER}:ou/o-abcdefghij/ou-1234-12345678"]},
            ("UnknownResourceException", "OrganizationalUnit ou-1234-12345678 could not be found."),
        ),
        (
            {"principals": [f"arn:aws:iam::{OTHER}:root"]},
            (
                "InvalidParameterException",
                f"Principal ID arn:aws:iam::{OTHER}:root {MALFORMED}",
            ),
        ),
        (
            {"principals": [OTHER], "allowExternalPrincipals": False},
            (
                "OperationNotPermittedException",
                WITHIN,
            ),
        ),
        ({"permissionArns": ["x"]}, ("MalformedArnException", None)),
        (
            {"permissionArns": ["arn:aws:ram::aws:permission/AWSRAMDefaultPermissionCluster"]},
            ("UnknownResourceException", None),
        ),
        ({"resourceArns": ["pl-12345678"]}, ("MalformedArnException", None)),
        ({"resourceArns": ["arn:aws:s3:::bucket"]}, ("MalformedArnException", None)),
        ({"principals": [OWNER]}, ("InvalidParameterException", None)),
        ({"name": ""}, ("InvalidParameterException", None)),
        ({"name": None}, ("MissingRequiredParameterException", None)),
    ],
)
def test_what_cannot_be_shared(
    world: World, params: dict[str, Any], error: tuple[str, str | None]
) -> None:
    ram = world.ram(OWNER)
    before = len(ram.get_resource_shares(resourceOwner="SELF")["resourceShares"])
    asked = {name: each for name, each in ({"name": "x"} | params).items() if each is not None}
    code, message = refused(ram.create_resource_share, **asked)
    assert (code, message if error[1] else None) == error
    after = ram.get_resource_shares(resourceOwner="SELF")["resourceShares"]
    assert len(after) == before, "nothing of it happened"


def test_resources_of_others_are_not_found(world: World) -> None:
    """AWS says so in the association, not in the answer to the call."""
    foreign = world.listed(THIRD)["PrefixListArn"]
    (aws,) = world.ec2(OWNER).describe_prefix_lists(
        Filters=[{"Name": "prefix-list-name", "Values": ["*s3"]}]
    )["PrefixLists"]
    managed = f"arn:aws:ec2:{REGION}:{OWNER}:prefix-list/{aws['PrefixListId']}"
    share = world.share(foreign, managed)
    assert status(world, share, "RESOURCE") == {foreign: "FAILED", managed: "FAILED"}
    world.accept(share)
    seen = world.ram(OTHER).list_resources(resourceOwner="OTHER-ACCOUNTS")["resources"]
    assert {foreign, managed}.isdisjoint(each["arn"] for each in seen)


def test_unknown_shares(world: World) -> None:
    ram = world.ram(OWNER)
    for call, more in (
        (ram.associate_resource_share, {"principals": [OTHER]}),
        (ram.disassociate_resource_share, {"principals": [OTHER]}),
        (ram.update_resource_share, {"name": "x"}),
        (ram.tag_resource, {"tags": []}),
        (ram.list_resource_share_permissions, {}),
    ):
        assert refused(call, resourceShareArn=UNKNOWN, **more)[0] == "UnknownResourceException"
    code, message = refused(ram.get_resource_shares, resourceOwner="SELF", resourceShareArns=["x"])
    assert (code, message) == (
        "MalformedArnException",
        "The specified resource share ARN is not valid. Verify the ARN and try again.",
    )
    code, _ = refused(
        ram.get_resource_shares, resourceOwner="OTHER-ACCOUNTS", resourceShareArns=[UNKNOWN]
    )
    assert code == "UnknownResourceException"


def test_another_account_changes_nothing(world: World) -> None:
    share, ram = world.share(world.listed()["PrefixListArn"]), world.ram(OTHER)
    world.accept(share)
    for call, more in (
        (ram.associate_resource_share, {"principals": [THIRD]}),
        (ram.update_resource_share, {"name": "x"}),
        (ram.delete_resource_share, {}),
        (ram.tag_resource, {"tags": [{"key": "a", "value": "b"}]}),
    ):
        assert refused(call, resourceShareArn=share, **more)[0] == "UnknownResourceException"
    out = ram.disassociate_resource_share
    assert refused(out, resourceShareArn=share, principals=[THIRD])[0] == (
        "OperationNotPermittedException"
    )


# --- invitations --------------------------------------------------------------------------------
def test_an_invitation_is_answered_once(world: World) -> None:
    share, ram = world.share(world.listed()["PrefixListArn"]), world.ram(OTHER)
    arn = world.invitation(share)
    (shown,) = ram.get_resource_share_invitations(resourceShareInvitationArns=[arn])[
        "resourceShareInvitations"
    ]
    assert {name: each for name, each in shown.items() if name != "invitationTimestamp"} == {
        "resourceShareInvitationArn": arn,
        "resourceShareName": "ours",
        "resourceShareArn": share,
        "senderAccountId": OWNER,
        "receiverAccountId": OTHER,
        "status": "PENDING",
    }
    (pending,) = ram.list_pending_invitation_resources(resourceShareInvitationArn=arn)["resources"]
    assert pending["type"] == "ec2:PrefixList"
    accept, reject = ram.accept_resource_share_invitation, ram.reject_resource_share_invitation
    told = accept(resourceShareInvitationArn=arn)["resourceShareInvitation"]
    assert told["status"] == "ACCEPTED"
    for call in (accept, reject):
        assert refused(call, resourceShareInvitationArn=arn)[0] == (
            "ResourceShareInvitationAlreadyAcceptedException"
        )
    stranger = world.ram(THIRD).accept_resource_share_invitation
    assert refused(stranger, resourceShareInvitationArn=arn)[0] == (
        "ResourceShareInvitationArnNotFoundException"
    )
    assert refused(accept, resourceShareInvitationArn="x")[0] == "MalformedArnException"


def test_who_rejects_is_not_in_and_may_be_asked_again(world: World) -> None:
    share, ram = world.share(world.listed()["PrefixListArn"]), world.ram(OTHER)
    arn = world.invitation(share)
    ram.reject_resource_share_invitation(resourceShareInvitationArn=arn)
    assert status(world, share) == {OTHER: "FAILED"}
    accept = ram.accept_resource_share_invitation
    assert refused(accept, resourceShareInvitationArn=arn)[0] == (
        "ResourceShareInvitationAlreadyRejectedException"
    )
    world.ram(OWNER).associate_resource_share(resourceShareArn=share, principals=[OTHER])
    world.accept(share)
    assert status(world, share) == {OTHER: "ASSOCIATED"}


def test_who_is_taken_out_cannot_accept(world: World) -> None:
    share = world.share(world.listed()["PrefixListArn"])
    arn = world.invitation(share)
    told = world.ram(OWNER).disassociate_resource_share(resourceShareArn=share, principals=[OTHER])
    assert told["resourceShareAssociations"][0]["status"] == "DISASSOCIATING"
    accept = world.ram(OTHER).accept_resource_share_invitation
    assert refused(accept, resourceShareInvitationArn=arn)[0] == (
        "ResourceShareInvitationArnNotFoundException"
    )


def test_an_account_may_leave(world: World) -> None:
    listed = world.listed()
    share, ram = world.share(listed["PrefixListArn"]), world.ram(OTHER)
    world.accept(share)
    found = ram.get_resource_shares(resourceOwner="OTHER-ACCOUNTS", resourceShareArns=[share])
    assert [each["resourceShareArn"] for each in found["resourceShares"]] == [share]
    assert "tags" not in found["resourceShares"][0]
    ram.disassociate_resource_share(resourceShareArn=share, principals=[OTHER])
    assert status(world, share) == {OTHER: "DISASSOCIATED"}
    ids = [listed["PrefixListId"]]
    describe = world.ec2(OTHER).describe_managed_prefix_lists
    assert refused(describe, PrefixListIds=ids)[0] == "InvalidPrefixListID.NotFound"


# --- lists --------------------------------------------------------------------------------------
def test_what_is_shared_with_whom(world: World) -> None:
    arn = world.listed()["PrefixListArn"]
    share = world.share(arn, to=(OTHER, THIRD))
    world.accept(share)
    own, ram = world.ram(OWNER), world.ram(OTHER)
    more = {"resourceShareArns": [share]}
    (mine,) = own.list_resources(resourceOwner="SELF", principal=OTHER, **more)["resources"]
    (theirs,) = ram.list_resources(resourceOwner="OTHER-ACCOUNTS", **more)["resources"]
    assert mine == theirs
    assert (mine["arn"], mine["type"], mine["status"], mine["resourceRegionScope"]) == (
        arn,
        "ec2:PrefixList",
        "AVAILABLE",
        "REGIONAL",
    )
    people = own.list_principals(resourceOwner="SELF", **more)["principals"]
    assert [each["id"] for each in people] == [OTHER], "who has joined"
    people = ram.list_principals(resourceOwner="OTHER-ACCOUNTS", **more)["principals"]
    assert [each["id"] for each in people] == [OWNER]
    gateways = own.list_resources(resourceOwner="SELF", resourceType="ec2:TransitGateway", **more)
    assert gateways["resources"] == []
    wrong = refused(own.list_resources, resourceOwner="SELF", resourceType="ec2:Vpc")
    assert wrong[0] == "InvalidResourceTypeException"
    types = own.list_resource_types()["resourceTypes"]
    assert {each["resourceType"] for each in types} == {
        "ec2:PrefixList",
        "ec2:SecurityGroup",
        "ec2:Subnet",
        "ec2:TransitGateway",
    }


def test_permissions(world: World) -> None:
    ram = world.ram(OWNER)
    listed = ram.list_permissions()["permissions"]
    assert [each["arn"] for each in listed] == [PERMISSION, FOR_GROUPS, FOR_SUBNETS, FOR_GATEWAYS]
    told = ram.get_permission(permissionArn=PERMISSION)["permission"]
    assert json.loads(told["permission"])["Effect"] == "Allow"
    share = world.share(world.listed()["PrefixListArn"])

    def of_share() -> list[str]:
        found = ram.list_resource_share_permissions(resourceShareArn=share)["permissions"]
        return [str(each["arn"]) for each in found]

    assert of_share() == [PERMISSION]
    ram.associate_resource_share_permission(resourceShareArn=share, permissionArn=FOR_GATEWAYS)
    assert of_share() == [PERMISSION, FOR_GATEWAYS]
    take = ram.disassociate_resource_share_permission
    take(resourceShareArn=share, permissionArn=FOR_GATEWAYS)
    code, _ = refused(take, resourceShareArn=share, permissionArn=PERMISSION)
    assert code == "OperationNotPermittedException"


def test_the_policy_of_what_is_shared(world: World) -> None:
    arn = world.listed()["PrefixListArn"]
    share = world.share(arn, to=(OTHER, THIRD))
    policies = world.ram(OWNER).get_resource_policies
    assert policies(resourceArns=[arn])["policies"] == [], "nobody has joined"
    world.accept(share)
    (told,) = policies(resourceArns=[arn])["policies"]
    (statement,) = json.loads(told)["Statement"]
    assert (statement["Principal"], statement["Resource"]) == ({"AWS": [OTHER]}, arn)
    assert policies(resourceArns=[arn], principal=THIRD)["policies"] == []
    missing = arn[:-17] + "0" * 17
    code, _ = refused(policies, resourceArns=[missing])
    assert code == "ResourceArnNotFoundException"


def test_there_is_no_organization(world: World) -> None:
    enable = world.ram(OWNER).enable_sharing_with_aws_organization
    assert refused(enable)[0] == "OperationNotPermittedException"


def test_what_is_not_built_says_so(world: World) -> None:
    code, message = refused(
        world.ram(OWNER).create_permission, name="x", resourceType="y", policyTemplate="{}"
    )
    assert code == "UnsupportedOperation"
    assert "CreatePermission is part of the ram API" in message
