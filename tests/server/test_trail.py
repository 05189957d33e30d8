"""The trail through a real client: what is recorded of whom, looked up with CloudTrail's API."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gureum.store import Search
from tests.server.secured import REGION, Keys, Secured
from tests.server.test_enforce import allow, document

HOME = "us-east-1"


class Watched:
    """An account, and what its trail says."""

    def __init__(self, cloud: Secured, name: str) -> None:
        self.cloud, self.keys = cloud, cloud.account(name)
        self.ec2 = cloud.client(self.keys)
        self.iam = cloud.client(self.keys, "iam")
        self.number = cloud.client(self.keys, "sts").get_caller_identity()["Account"]

    def user(self, name: str, *statements: Any) -> Keys:
        self.iam.create_user(UserName=name)
        if statements:
            policy = document(*statements)
            self.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=policy)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    def role(self, name: str, trusted: str, *statements: Any) -> str:
        trust = {"Effect": "Allow", "Principal": {"AWS": trusted}, "Action": "sts:AssumeRole"}
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(trust))
        if statements:
            policy = document(*statements)
            self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
        return str(made["Role"]["Arn"])

    def no_vpc(self) -> None:
        """Away with all VPCs but the default one: an account may have five."""
        for each in self.ec2.describe_vpcs()["Vpcs"]:
            if not each["IsDefault"]:
                self.ec2.delete_vpc(VpcId=each["VpcId"])

    def vpc(self, cidr: str = "10.0.0.0/16") -> str:
        """A VPC in the place of all others."""
        self.no_vpc()
        return str(self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"])

    def allocate(self) -> dict[str, Any]:
        """An address in the place of all others."""
        for each in self.ec2.describe_addresses()["Addresses"]:
            self.ec2.release_address(AllocationId=each["AllocationId"])
        made: dict[str, Any] = self.ec2.allocate_address()
        return made

    def trail(self, region: str = REGION, keys: Keys | None = None) -> Any:
        return self.cloud.client(keys or self.keys, "cloudtrail", region)

    def look(self, key: str, value: str, region: str = REGION, **more: Any) -> list[dict[str, Any]]:
        attribute = {"AttributeKey": key, "AttributeValue": value}
        found = self.trail(region).lookup_events(LookupAttributes=[attribute], **more)
        return list(found["Events"])

    def last(self, name: str, region: str = REGION) -> dict[str, Any]:
        """The last event of an action, whole."""
        event: dict[str, Any] = json.loads(
            self.look("EventName", name, region)[0]["CloudTrailEvent"]
        )
        return event


@pytest.fixture(scope="module")
def account(enforced: Secured) -> Watched:
    return Watched(enforced, "watched")


@pytest.fixture
def watched(account: Watched) -> Watched:
    account.no_vpc()
    return account


def refused(call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return str(caught.value.response["Error"]["Code"])


# --- who ----------------------------------------------------------------------------------------
def test_a_root(watched: Watched) -> None:
    made = watched.ec2.create_vpc(CidrBlock="10.0.0.0/16")
    vpc = made["Vpc"]["VpcId"]
    event = watched.last("CreateVpc")
    assert event["userIdentity"] == {
        "type": "Root",
        "principalId": watched.number,
        "arn": f"arn:aws:iam::{watched.number}:root",
        "accountId": watched.number,
        "accessKeyId": watched.keys[0],
    }
    assert event["requestParameters"] == {"cidrBlock": "10.0.0.0/16"}
    assert event["responseElements"]["vpc"]["vpcId"] == vpc
    assert event["responseElements"]["requestId"] == made["ResponseMetadata"]["RequestId"]
    said = {
        "eventVersion": "1.11",
        "eventSource": "ec2.amazonaws.com",
        "eventName": "CreateVpc",
        "awsRegion": REGION,
        "sourceIPAddress": "127.0.0.1",
        "requestID": made["ResponseMetadata"]["RequestId"],
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "eventCategory": "Management",
        "recipientAccountId": watched.number,
    }
    assert {name: event[name] for name in said} == said
    assert event["userAgent"].startswith("Boto3/")
    age = datetime.now(UTC) - datetime.fromisoformat(event["eventTime"])
    assert timedelta() <= age < timedelta(minutes=1)


def test_a_user(watched: Watched) -> None:
    keys = watched.user("alice", allow("ec2:CreateVpc"))
    watched.cloud.client(keys).create_vpc(CidrBlock="10.1.0.0/16")
    user = watched.last("CreateVpc")["userIdentity"]
    assert user.pop("principalId").startswith("AIDA")
    assert user == {
        "type": "IAMUser",
        "arn": f"arn:aws:iam::{watched.number}:user/alice",
        "accountId": watched.number,
        "accessKeyId": keys[0],
        "userName": "alice",
    }
    (found,) = watched.look("Username", "alice")
    assert (found["AccessKeyId"], found["EventName"]) == (keys[0], "CreateVpc")


def test_a_session_of_a_role(watched: Watched) -> None:
    keys = watched.user("bob", allow("sts:AssumeRole"))
    role = watched.role("web", watched.number, allow("ec2:*"))
    given = watched.cloud.client(keys, "sts").assume_role(RoleArn=role, RoleSessionName="s1")
    session = given["Credentials"]
    theirs = session["AccessKeyId"], session["SecretAccessKey"], session["SessionToken"]
    watched.cloud.client(theirs).create_vpc(CidrBlock="10.2.0.0/16")
    user = watched.last("CreateVpc")["userIdentity"]
    assert user["type"] == "AssumedRole"
    assert user["arn"] == f"arn:aws:sts::{watched.number}:assumed-role/web/s1"
    assert user["accessKeyId"] == session["AccessKeyId"]
    unique, _, name = user["principalId"].partition(":")
    assert name == "s1"
    assert user["sessionContext"]["sessionIssuer"] == {
        "type": "Role",
        "principalId": unique,
        "arn": role,
        "accountId": watched.number,
        "userName": "web",
    }
    attributes = user["sessionContext"]["attributes"]
    assert attributes["mfaAuthenticated"] == "false"
    assert datetime.fromisoformat(attributes["creationDate"]) <= datetime.now(UTC)
    assert watched.look("Username", "s1")
    event = watched.last("AssumeRole")
    assert (event["readOnly"], event["userIdentity"]["userName"]) == (True, "bob")
    told = event["responseElements"]["credentials"]
    assert told["accessKeyId"] == session["AccessKeyId"]
    assert told["secretAccessKey"] == told["sessionToken"] == "<sensitiveDataRemoved>"


def test_a_session_of_a_user(watched: Watched) -> None:
    keys = watched.user("carol", allow("ec2:CreateVpc"))
    given = watched.cloud.client(keys, "sts").get_session_token()["Credentials"]
    theirs = given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"]
    watched.cloud.client(theirs).create_vpc(CidrBlock="10.3.0.0/16")
    user = watched.last("CreateVpc")["userIdentity"]
    assert (user["type"], user["userName"]) == ("IAMUser", "carol")
    assert user["accessKeyId"] == given["AccessKeyId"]
    assert user["sessionContext"]["sessionIssuer"] == {}


def test_somebody_of_another_account(watched: Watched, enforced: Secured) -> None:
    """Both accounts have the event; the role's owner learns who it was no further."""
    other = Watched(enforced, "other")
    keys = other.user("dave", allow("sts:AssumeRole"))
    role = watched.role("shared", other.number)
    enforced.client(keys, "sts").assume_role(RoleArn=role, RoleSessionName="visit")
    own, theirs = other.last("AssumeRole"), watched.last("AssumeRole")
    assert own["userIdentity"]["userName"] == "dave"
    assert theirs["userIdentity"] == {
        "type": "AWSAccount",
        "principalId": own["userIdentity"]["principalId"],
        "accountId": other.number,
    }
    assert own["sharedEventID"] == theirs["sharedEventID"]
    assert own["eventID"] != theirs["eventID"]
    assert (own["recipientAccountId"], theirs["recipientAccountId"]) == (
        other.number,
        watched.number,
    )


# --- what ---------------------------------------------------------------------------------------
def test_calls_of_iam_are_in_one_region(watched: Watched) -> None:
    watched.iam.create_user(UserName="erin")
    assert watched.look("EventName", "CreateUser") == []
    event = watched.last("CreateUser", HOME)
    assert event["responseElements"]["user"]["userName"] == "erin"
    (found,) = watched.look("ResourceName", "erin", HOME)
    assert found["Resources"] == [{"ResourceType": "AWS::IAM::User", "ResourceName": "erin"}]


def test_refusals(watched: Watched) -> None:
    keys = watched.user("frank")
    ec2, iam = watched.cloud.client(keys), watched.cloud.client(keys, "iam")
    assert refused(ec2.create_vpc, CidrBlock="10.0.0.0/16") == "UnauthorizedOperation"
    event = watched.last("CreateVpc")
    assert event["errorCode"] == "Client.UnauthorizedOperation"
    assert "frank is not authorized to perform: ec2:CreateVpc" in event["errorMessage"]
    assert event["responseElements"] is None
    assert event["requestParameters"] == {"cidrBlock": "10.0.0.0/16"}
    assert refused(ec2.describe_vpcs) == "UnauthorizedOperation"  # though it would only read
    assert watched.last("DescribeVpcs")["readOnly"] is True
    assert refused(iam.list_users) == "AccessDenied"
    assert watched.last("ListUsers", HOME)["errorCode"] == "AccessDenied"
    assert refused(watched.iam.delete_user, UserName="nobody") == "NoSuchEntity"
    assert watched.last("DeleteUser", HOME)["errorCode"] == "NoSuchEntityException"
    watched.vpc()
    assert refused(watched.ec2.create_vpc, CidrBlock="10.0.0.0/16", DryRun=True) == (
        "DryRunOperation"
    )
    assert watched.last("CreateVpc")["errorCode"] == "Client.DryRunOperation"


def test_a_call_that_cannot_be_read_is_recorded_without_its_parameters(watched: Watched) -> None:
    assert refused(watched.ec2.create_route_table) == "MissingParameter"
    event = watched.last("CreateRouteTable")
    assert event["errorCode"] == "Client.MissingParameter"
    assert event["requestParameters"] is None


def test_reads_are_not_recorded_unless_asked_for(watched: Watched) -> None:
    watched.ec2.describe_subnets()
    assert watched.look("EventName", "DescribeSubnets") == []


def test_all_calls_are_recorded_if_asked_for() -> None:
    cloud = Secured(audit="all")
    try:
        all_ = Watched(cloud, "all")
        all_.ec2.describe_subnets()
        event = all_.last("DescribeSubnets")
        assert (event["readOnly"], event["responseElements"]) == (True, None)
        all_.trail().lookup_events()
        assert all_.look("EventName", "LookupEvents")
    finally:
        cloud.close()


def test_nothing_is_recorded_if_so_asked() -> None:
    cloud = Secured(audit="off")
    try:
        none = Watched(cloud, "none")
        none.ec2.create_vpc(CidrBlock="10.0.0.0/16")
        assert cloud.store.trail.find(Search(), 10) == []
        assert refused(none.trail().lookup_events) == "OperationNotPermittedException"
    finally:
        cloud.close()


def test_who_was_not_identified_is_in_no_trail(watched: Watched) -> None:
    """As in AWS: a wrong signature says nothing of whose account it should count for."""
    before = watched.cloud.store.trail.find(Search(), 1)
    for keys in ((watched.keys[0], "wrong" * 8), ("AKIANOBODY", "x" * 40)):
        assert refused(watched.cloud.client(keys).create_vpc, CidrBlock="10.0.0.0/16") == (
            "AuthFailure"
        )
        trail = watched.cloud.client(keys, "cloudtrail")
        assert refused(trail.lookup_events) in (
            "InvalidSignatureException",
            "UnrecognizedClientException",
        )
    assert watched.cloud.store.trail.find(Search(), 1) == before


def test_a_repeated_call_is_recorded_each_time(enforced: Secured) -> None:
    watched = Watched(enforced, "repeats")
    vpc = watched.vpc("10.9.0.0/16")
    subnet = watched.ec2.create_subnet(VpcId=vpc, CidrBlock="10.9.0.0/24")["Subnet"]["SubnetId"]
    for _ in range(2):
        watched.ec2.create_nat_gateway(
            SubnetId=subnet, ConnectivityType="private", ClientToken="tok-1"
        )
    assert len(watched.look("EventName", "CreateNatGateway")) == 2


# --- looking up ---------------------------------------------------------------------------------
def test_an_account_sees_its_own_trail_only(watched: Watched, enforced: Secured) -> None:
    other = Watched(enforced, "apart")
    watched.allocate()
    assert other.trail().lookup_events()["Events"] == []


def test_a_policy_must_let_one_look(watched: Watched) -> None:
    keys = watched.user("grace")
    assert refused(watched.trail(keys=keys).lookup_events) == "AccessDeniedException"
    watched.allocate()
    keys = watched.user("heidi", allow("cloudtrail:LookupEvents"))
    assert watched.trail(keys=keys).lookup_events()["Events"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("EventName", "AllocateAddress"),
        ("EventSource", "ec2.amazonaws.com"),
        ("Username", "root"),
        ("ReadOnly", "false"),
        ("ResourceType", "AWS::EC2::EIP"),
    ],
)
def test_attributes(watched: Watched, key: str, value: str) -> None:
    address = watched.allocate()
    first = watched.look(key, value)[0]
    assert first["EventName"] == "AllocateAddress"
    assert {"ResourceType": "AWS::EC2::EIP", "ResourceName": address["AllocationId"]} in first[
        "Resources"
    ]
    assert watched.look("ResourceName", address["AllocationId"])[0] == first
    assert watched.look("EventId", first["EventId"]) == [first]
    assert watched.look("AccessKeyId", watched.keys[0])[0] == first


def test_times_and_pages(watched: Watched) -> None:
    for _ in range(7):
        key = watched.ec2.allocate_address()["AllocationId"]
        watched.ec2.release_address(AllocationId=key)
    now, hour = datetime.now(UTC), timedelta(hours=1)
    assert watched.trail().lookup_events(StartTime=now + hour)["Events"] == []
    assert watched.trail().lookup_events(EndTime=now - hour)["Events"] == []
    attribute = [{"AttributeKey": "EventName", "AttributeValue": "AllocateAddress"}]
    pages = watched.trail().get_paginator("lookup_events").paginate(
        LookupAttributes=attribute, StartTime=now - hour, EndTime=now + hour,
        PaginationConfig={"PageSize": 3},
    )  # fmt: skip
    found = [[event["EventId"] for event in page["Events"]] for page in pages]
    flat = [key for page in found for key in page]
    assert len(flat) == len(set(flat)) >= 7
    assert all(len(page) == 3 for page in found[:-1])
    whole = watched.trail().lookup_events(LookupAttributes=attribute)
    assert flat == [event["EventId"] for event in whole["Events"]]


def test_what_is_wrong_with_a_question(watched: Watched) -> None:
    look = watched.trail().lookup_events
    name = {"AttributeKey": "EventName", "AttributeValue": "x"}
    now = datetime.now(UTC)
    assert refused(look, MaxResults=0) == "InvalidMaxResultsException"
    assert refused(look, MaxResults=51) == "InvalidMaxResultsException"
    assert refused(look, NextToken="x") == "InvalidNextTokenException"
    assert refused(look, LookupAttributes=[name, name]) == "InvalidLookupAttributesException"
    assert refused(
        look, LookupAttributes=[{"AttributeKey": "Nonsense", "AttributeValue": "x"}]
    ) == ("ValidationException")
    assert refused(look, LookupAttributes=[{"AttributeKey": "EventName"}]) == "ValidationException"
    assert refused(look, StartTime=now, EndTime=now - timedelta(seconds=5)) == (
        "InvalidTimeRangeException"
    )
    assert look(EventCategory="insight")["Events"] == []
    watched.allocate()
    watched.allocate()
    token = look(MaxResults=1)["NextToken"]
    assert refused(look, MaxResults=1, NextToken=token, LookupAttributes=[name]) == (
        "InvalidNextTokenException"
    )


def test_the_aws_cli(watched: Watched) -> None:
    address = watched.allocate()["AllocationId"]
    attribute = f"AttributeKey=ResourceName,AttributeValue={address}"
    done = watched.cloud.aws(
        watched.keys, "cloudtrail", "lookup-events", "--lookup-attributes", attribute
    )
    assert done.returncode == 0, done.stderr
    (event,) = json.loads(done.stdout)["Events"]
    assert (event["EventName"], event["ReadOnly"]) == ("AllocateAddress", "false")


def test_other_actions_of_cloudtrail_are_not_built(watched: Watched) -> None:
    assert refused(watched.trail().describe_trails) == "UnsupportedOperation"
