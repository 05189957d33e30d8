"""Calls held against policies: what a user may do, what is said where not, what stays undone."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gureum.iam.access_key_use import AccessKeyUse
from gureum.model import Resource
from tests.iam.conftest import TRUST
from tests.server.secured import REGION, Keys, Secured

ANY = {"Effect": "Allow", "Action": "*", "Resource": "*"}


def allow(*actions: str, resource: Any = "*", **condition: Any) -> dict[str, Any]:
    more = {"Condition": condition} if condition else {}
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, **more: Any) -> dict[str, Any]:
    return allow(*actions, **more) | {"Effect": "Deny"}


def document(*statements: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Team:
    """An account, its root's clients, and users with policies."""

    def __init__(self, cloud: Secured) -> None:
        self.cloud, self.made = cloud, 0
        self.keys = cloud.account("team")
        self.iam, self.ec2 = cloud.client(self.keys, "iam"), cloud.client(self.keys)
        self.number = cloud.client(self.keys, "sts").get_caller_identity()["Account"]

    def user(self, *statements: Any) -> Keys:
        """The keys of a new user with a policy of these statements, if any."""
        self.made += 1
        name = f"user{self.made}"
        self.iam.create_user(UserName=name)
        if statements:
            self.iam.put_user_policy(
                UserName=name, PolicyName="own", PolicyDocument=document(*statements)
            )
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        return key["AccessKeyId"], key["SecretAccessKey"]

    @property
    def name(self) -> str:
        """The name of the last user."""
        return f"user{self.made}"

    def arn(self, kind: str, name: str) -> str:
        return f"arn:aws:ec2:{REGION}:{self.number}:{kind}/{name}"


@pytest.fixture(scope="module")
def team(enforced: Secured) -> Team:
    return Team(enforced)


def refused(call: Any, **params: Any) -> tuple[str, str, int]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    return answer["Error"]["Code"], answer["Error"]["Message"], status


def code(call: Any, **params: Any) -> str:
    return refused(call, **params)[0]


# --- who and what -------------------------------------------------------------------------------
def test_a_root_may_do_everything_and_a_new_user_nothing(team: Team) -> None:
    assert team.ec2.describe_vpcs()["Vpcs"]
    nobody = team.cloud.client(team.user())
    told = (
        f"You are not authorized to perform this operation. User: arn:aws:iam::{team.number}:user/"
        f"{team.name} is not authorized to perform: ec2:DescribeVpcs because no identity-based "
        "policy allows the ec2:DescribeVpcs action"
    )
    assert refused(nobody.describe_vpcs) == ("UnauthorizedOperation", told, 403)
    iam = team.cloud.client(team.user(), "iam")
    told = (
        f"User: arn:aws:iam::{team.number}:user/{team.name} is not authorized to perform: "
        f"iam:ListUsers on resource: arn:aws:iam::{team.number}:user/ because no identity-based "
        "policy allows the iam:ListUsers action"
    )
    assert refused(iam.list_users) == ("AccessDenied", told, 403)
    sts = team.cloud.client(team.user(), "sts")
    assert sts.get_caller_identity()["Account"] == team.number


def test_policies_come_by_every_way_and_go_at_once(team: Team) -> None:
    iam = team.iam
    ec2 = team.cloud.client(team.user())
    name = {"UserName": team.name}
    made = iam.create_policy(PolicyName="looks", PolicyDocument=document(allow("ec2:Describe*")))
    policy = {"PolicyArn": made["Policy"]["Arn"]}
    iam.create_group(GroupName="looking")
    ways = [
        (iam.attach_user_policy, iam.detach_user_policy, {**name, **policy}),
        (iam.add_user_to_group, iam.remove_user_from_group, {**name, "GroupName": "looking"}),
    ]
    iam.attach_group_policy(GroupName="looking", **policy)
    for give, take, params in ways:
        assert code(ec2.describe_vpcs) == "UnauthorizedOperation"
        give(**params)
        assert ec2.describe_vpcs()["Vpcs"]
        take(**params)
    iam.attach_user_policy(**name, **policy)
    iam.create_policy_version(**policy, PolicyDocument=document(deny("ec2:*")), SetAsDefault=True)
    assert "explicit deny in an identity-based policy" in refused(ec2.describe_vpcs)[1]


def test_a_boundary_limits(team: Team) -> None:
    ec2 = team.cloud.client(team.user(ANY))
    made = team.iam.create_policy(
        PolicyName="limit", PolicyDocument=document(allow("ec2:DescribeVpcs"))
    )
    team.iam.put_user_permissions_boundary(
        UserName=team.name, PermissionsBoundary=made["Policy"]["Arn"]
    )
    assert ec2.describe_vpcs()["Vpcs"]
    assert "no permissions boundary allows" in refused(ec2.describe_subnets)[1]


def test_a_refused_call_changes_nothing(team: Team) -> None:
    ec2 = team.cloud.client(team.user(allow("ec2:Describe*")))

    def rows() -> dict[str, Resource]:
        """All but that the key was used."""
        found = team.cloud.store.view.rows.items()
        return {key: row for key, row in found if not isinstance(row, AccessKeyUse)}

    before = rows()
    assert code(ec2.create_vpc, CidrBlock="10.1.0.0/16") == "UnauthorizedOperation"
    assert rows() == before


def test_a_dry_run_tells_the_truth(team: Team) -> None:
    may, may_not = team.user(allow("ec2:CreateVpc")), team.user()
    given = {"CidrBlock": "10.1.0.0/16", "DryRun": True}
    assert code(team.cloud.client(may).create_vpc, **given) == "DryRunOperation"
    assert code(team.cloud.client(may_not).create_vpc, **given) == "UnauthorizedOperation"
    assert code(team.cloud.client(may_not).describe_vpcs, DryRun=True) == "UnauthorizedOperation"


def test_the_encoded_message_tells_who_may_know(team: Team) -> None:
    keys = team.user(allow("ec2:CreateVpc", Bool={"aws:SecureTransport": "true"}))
    message = refused(team.cloud.client(keys).create_vpc, CidrBlock="10.1.0.0/16")[1]
    found = re.search(r"Encoded authorization failure message: (\S+)$", message)
    assert found is not None
    assert len(found[1]) < 10_240
    decode = team.cloud.client(team.keys, "sts").decode_authorization_message
    told = json.loads(decode(EncodedMessage=found[1])["DecodedMessage"])
    assert (told["allowed"], told["explicitDeny"]) == (False, False)
    assert told["context"]["action"] == "ec2:CreateVpc"
    assert told["context"]["resource"] == team.arn("vpc", "*")
    assert told["failures"]["items"][0]["failedConditions"] == ["Bool aws:SecureTransport"]
    sts = team.cloud.client(keys, "sts")
    assert code(sts.decode_authorization_message, EncodedMessage=found[1]) == "AccessDenied"
    wrong = found[1][:-6] + "AAAAA="
    assert code(decode, EncodedMessage=wrong) == "InvalidAuthorizationMessageException"
    other = team.cloud.client(team.cloud.account(f"other{team.made}"), "sts")
    assert code(other.decode_authorization_message, EncodedMessage=found[1]) == (
        "InvalidAuthorizationMessageException"
    )


# --- resources and conditions -------------------------------------------------------------------
def test_a_policy_of_one_resource(team: Team) -> None:
    one, two = (team.ec2.create_vpc(CidrBlock=f"10.{net}.0.0/16")["Vpc"]["VpcId"] for net in (1, 2))
    ec2 = team.cloud.client(team.user(allow("ec2:DeleteVpc", resource=team.arn("vpc", one))))
    assert code(ec2.delete_vpc, VpcId=two) == "UnauthorizedOperation"
    assert code(ec2.delete_vpc, VpcId="vpc-00000000000000000") == "UnauthorizedOperation"
    ec2.delete_vpc(VpcId=one)
    team.ec2.delete_vpc(VpcId=two)


def test_tags_of_resources(team: Team) -> None:
    own = {"ec2:ResourceTag/owner": "${aws:username}"}
    keys = team.user(allow("ec2:DeleteVpc", StringEquals=own))
    mine, other = (
        team.ec2.create_vpc(
            CidrBlock="10.3.0.0/16",
            TagSpecifications=[{"ResourceType": "vpc", "Tags": [{"Key": "owner", "Value": owner}]}],
        )["Vpc"]["VpcId"]
        for owner in (team.name, "somebody")
    )
    ec2 = team.cloud.client(keys)
    assert code(ec2.delete_vpc, VpcId=other) == "UnauthorizedOperation"
    ec2.delete_vpc(VpcId=mine)
    team.ec2.delete_vpc(VpcId=other)


def test_tags_of_requests(team: Team) -> None:
    wants = {"aws:RequestTag/team": "a"}
    create = allow("ec2:CreateVpc", StringEquals=wants)
    tagging = allow("ec2:CreateTags", StringEquals={"ec2:CreateAction": "CreateVpc"})
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "team", "Value": "a"}]}]
    given = {"CidrBlock": "10.4.0.0/16", "DryRun": True}
    ec2 = team.cloud.client(team.user(create, tagging))
    assert code(ec2.create_vpc, **given) == "UnauthorizedOperation"
    assert code(ec2.create_vpc, TagSpecifications=tags, **given) == "DryRunOperation"
    only = team.cloud.client(team.user(create))
    message = refused(only.create_vpc, TagSpecifications=tags, **given)[1]
    assert "not authorized to perform: ec2:CreateTags on resource" in message
    assert code(ec2.create_tags, Resources=["vpc-00000000000000000"], Tags=tags[0]["Tags"]) == (
        "UnauthorizedOperation"
    )


def test_regions_and_addresses(team: Team) -> None:
    here = {"aws:RequestedRegion": REGION}
    keys = team.user(allow("ec2:DescribeVpcs", StringEquals=here))
    assert team.cloud.client(keys).describe_vpcs()["Vpcs"]
    elsewhere = team.cloud.client(keys, region="eu-west-1")
    assert code(elsewhere.describe_vpcs) == "UnauthorizedOperation"
    for block, good in (("127.0.0.0/8", True), ("192.0.2.0/24", False)):
        ec2 = team.cloud.client(
            team.user(allow("ec2:DescribeVpcs", IpAddress={"aws:SourceIp": block}))
        )
        assert good or code(ec2.describe_vpcs) == "UnauthorizedOperation"
        assert not good or ec2.describe_vpcs()["Vpcs"]


def test_an_address_that_is_claimed_is_not_believed(team: Team) -> None:
    ec2 = team.cloud.client(
        team.user(allow("ec2:DescribeVpcs", IpAddress={"aws:SourceIp": "192.0.2.0/24"}))
    )

    def claim(request: Any, **more: Any) -> None:
        request.headers["X-Forwarded-For"] = "192.0.2.1"

    ec2.meta.events.register("before-send.ec2.DescribeVpcs", claim)
    assert code(ec2.describe_vpcs) == "UnauthorizedOperation"


def test_names_and_associations_are_no_way_around(team: Team) -> None:
    """A group by its name, a table by its association, an address by its IP."""
    ec2 = team.ec2
    (vpc,) = ec2.describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
    (subnet, *_) = ec2.describe_subnets()["Subnets"]
    group = ec2.create_security_group(GroupName="closed", Description="x", VpcId=vpc["VpcId"])
    table = ec2.create_route_table(VpcId=vpc["VpcId"])["RouteTable"]["RouteTableId"]
    joined = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet["SubnetId"])
    address = ec2.allocate_address()
    barred = [
        team.arn("security-group", group["GroupId"]),
        team.arn("route-table", table),
        team.arn("elastic-ip", address["AllocationId"]),
    ]
    user = team.cloud.client(team.user(ANY, deny("ec2:*", resource=barred)))
    rule = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
    assert code(user.authorize_security_group_ingress, GroupName="closed", **rule) == (
        "UnauthorizedOperation"
    )
    away = joined["AssociationId"]
    assert code(user.disassociate_route_table, AssociationId=away) == "UnauthorizedOperation"
    by_ip = {"PublicIp": address["PublicIp"]}
    assert code(user.release_address, **by_ip, AllocationId=address["AllocationId"]) == (
        "UnauthorizedOperation"
    )
    assert code(user.disassociate_address, **by_ip) == "UnauthorizedOperation"
    ec2.disassociate_route_table(AssociationId=away)
    ec2.delete_route_table(RouteTableId=table)
    ec2.release_address(AllocationId=address["AllocationId"])
    ec2.delete_security_group(GroupId=group["GroupId"])


def test_nothing_is_told_of_another_accounts_resources(team: Team) -> None:
    other = team.cloud.client(team.cloud.account("neighbours"))
    tags = [{"ResourceType": "vpc", "Tags": [{"Key": "open", "Value": "yes"}]}]
    made = other.create_vpc(CidrBlock="10.8.0.0/16", TagSpecifications=tags)["Vpc"]
    user = team.cloud.client(team.user())
    told = refused(user.delete_vpc, VpcId=made["VpcId"])[1]
    assert f"on resource: {team.arn('vpc', made['VpcId'])} because" in told
    assert made["OwnerId"] not in told
    tagged = allow("ec2:DeleteVpc", StringEquals={"ec2:ResourceTag/open": "yes"})
    guess = team.cloud.client(team.user(tagged))
    assert code(guess.delete_vpc, VpcId=made["VpcId"]) == "UnauthorizedOperation"


# --- launches -----------------------------------------------------------------------------------
def image(team: Team) -> str:
    found = team.ec2.describe_images(
        Owners=["amazon"], Filters=[{"Name": "architecture", "Values": ["x86_64"]}]
    )
    return str(found["Images"][0]["ImageId"])


def launch(team: Team, keys: Keys, **more: Any) -> tuple[str, str, int]:
    """What a dry run of a launch says."""
    given = {"MinCount": 1, "MaxCount": 1, "DryRun": True, "ImageId": image(team), **more}
    return refused(team.cloud.client(keys).run_instances, **given)


def test_a_launch_is_held_against_what_it_makes(team: Team) -> None:
    small = {"ec2:InstanceType": "t3.micro"}
    keys = team.user(
        allow("ec2:RunInstances", resource="arn:aws:ec2:*:*:instance/*", StringEquals=small),
        {
            "Effect": "Allow",
            "Action": "ec2:RunInstances",
            "NotResource": "arn:aws:ec2:*:*:instance/*",
        },
    )
    assert launch(team, keys, InstanceType="t3.micro")[0] == "DryRunOperation"
    told = launch(team, keys, InstanceType="t3.large")
    assert told[0] == "UnauthorizedOperation"
    assert f"on resource: {team.arn('instance', '*')} because" in told[1]


def test_defaults_and_templates_are_no_way_around(team: Team) -> None:
    subnets = team.ec2.describe_subnets()["Subnets"]
    barred = [team.arn("subnet", each["SubnetId"]) for each in subnets]
    keys = team.user(ANY, deny("ec2:RunInstances", resource=barred))
    assert "explicit deny" in launch(team, keys)[1]
    assert "explicit deny" in launch(team, keys, SubnetId=subnets[0]["SubnetId"])[1]
    template = team.ec2.create_launch_template(
        LaunchTemplateName="large",
        LaunchTemplateData={"ImageId": image(team), "InstanceType": "t3.large"},
    )["LaunchTemplate"]["LaunchTemplateId"]
    large = {"ec2:InstanceType": "t3.large"}
    keys = team.user(ANY, deny("ec2:RunInstances", StringEquals=large))
    by_template = {"LaunchTemplate": {"LaunchTemplateId": template}}
    assert "explicit deny" in launch(team, keys, **by_template)[1]
    assert launch(team, keys, InstanceType="t3.micro", **by_template)[0] == "DryRunOperation"


def test_a_role_is_passed_on_by_who_may(team: Team) -> None:
    team.iam.create_role(RoleName="web", AssumeRolePolicyDocument=TRUST)
    team.iam.create_instance_profile(InstanceProfileName="web")
    team.iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    given = {"IamInstanceProfile": {"Name": "web"}}
    told = launch(team, team.user(allow("ec2:*")), **given)
    assert "iam:PassRole on resource" in told[1]
    passes = allow(
        "iam:PassRole",
        resource=f"arn:aws:iam::{team.number}:role/web",
        StringEquals={"iam:PassedToService": "ec2.amazonaws.com"},
    )
    assert launch(team, team.user(allow("ec2:*"), passes), **given)[0] == "DryRunOperation"


# --- IAM and STS --------------------------------------------------------------------------------
def test_a_user_manages_its_own_keys_only(team: Team) -> None:
    own = f"arn:aws:iam::{team.number}:user/${{aws:username}}"
    keys = team.user(allow("iam:*AccessKey*", "iam:GetUser", resource=own))
    iam, name = team.cloud.client(keys, "iam"), team.name
    assert iam.get_user()["User"]["UserName"] == name
    second = iam.create_access_key()["AccessKey"]["AccessKeyId"]
    iam.delete_access_key(AccessKeyId=second)
    team.user()
    assert code(iam.create_access_key, UserName=team.name) == "AccessDenied"
    assert code(iam.create_user, UserName="new") == "AccessDenied"


def test_a_delegate_makes_users_within_a_boundary_only(team: Team) -> None:
    made = team.iam.create_policy(PolicyName="fence", PolicyDocument=document(allow("ec2:*")))
    fence = {"PermissionsBoundary": made["Policy"]["Arn"]}
    within = {"iam:PermissionsBoundary": fence["PermissionsBoundary"]}
    keys = team.user(allow("iam:CreateUser", "iam:AttachUserPolicy", StringEquals=within))
    iam = team.cloud.client(keys, "iam")
    assert code(iam.create_user, UserName="free") == "AccessDenied"
    iam.create_user(UserName="fenced", **fence)
    admin = "arn:aws:iam::aws:policy/AdministratorAccess"
    iam.attach_user_policy(UserName="fenced", PolicyArn=admin)
    assert code(iam.attach_user_policy, UserName=team.name, PolicyArn=admin) == "AccessDenied"


def test_roles_are_assumed_by_who_may_and_session_policies_limit(team: Team) -> None:
    role = f"arn:aws:iam::{team.number}:role/eyes"
    trust = {"Effect": "Allow", "Principal": {"AWS": team.number}, "Action": "sts:AssumeRole"}
    team.iam.create_role(RoleName="eyes", AssumeRolePolicyDocument=document(trust))
    team.iam.put_role_policy(
        RoleName="eyes", PolicyName="own", PolicyDocument=document(allow("ec2:Describe*"))
    )
    asked = {"RoleArn": role, "RoleSessionName": "s1"}
    nobody = team.cloud.client(team.user(), "sts")
    assert code(nobody.assume_role, **asked) == "AccessDenied"
    sts = team.cloud.client(team.user(allow("sts:AssumeRole", resource=role)), "sts")

    def session(**more: Any) -> Any:
        given = sts.assume_role(**asked, **more)["Credentials"]
        parts = (given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])
        return team.cloud.client(parts)

    eyes = session()
    assert eyes.describe_vpcs()["Vpcs"]
    assert code(eyes.create_vpc, CidrBlock="10.1.0.0/16") == "UnauthorizedOperation"
    limited = session(Policy=document(allow("ec2:DescribeVpcs")))
    assert limited.describe_vpcs()["Vpcs"]
    assert "no session policy allows" in refused(limited.describe_subnets)[1]
    team.iam.delete_role_policy(RoleName="eyes", PolicyName="own")
    assert code(eyes.describe_vpcs) == "UnauthorizedOperation"


def test_the_aws_cli_under_a_limited_user(team: Team) -> None:
    keys = team.user(allow("ec2:DescribeVpcs"))
    assert team.cloud.client(keys).describe_vpcs()["Vpcs"]
    done = team.cloud.aws(keys, "ec2", "create-vpc", "--cidr-block", "10.0.0.0/16")
    assert "(UnauthorizedOperation) when calling the CreateVpc operation" in done.stderr


def test_a_service_linked_role_is_for_its_service(team: Team) -> None:
    spot = allow("iam:CreateServiceLinkedRole", StringEquals={
        "iam:AWSServiceName": "spot.amazonaws.com"})  # fmt: skip
    iam = team.cloud.client(team.user(spot), "iam")
    iam.create_service_linked_role(AWSServiceName="spot.amazonaws.com")
    code, message, _ = refused(
        iam.create_service_linked_role, AWSServiceName="transitgateway.amazonaws.com"
    )
    role = "role/aws-service-role/transitgateway.amazonaws.com/AWSServiceRoleForVPCTransitGateway"
    assert (code, f"arn:aws:iam::{team.number}:{role}" in message) == ("AccessDenied", True)
