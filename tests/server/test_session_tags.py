"""Sessions of roles with tags and source identities: who may set them, what they change, what is
handed on to the next role."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.server.secured import Keys, Secured
from tests.server.test_enforce import allow, document
from tests.server.test_sts import keys_of, refused
from tests.server.test_trail import Watched

MARK = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
TEAM_A = [{"Key": "team", "Value": "a"}]


class Roles(Watched):
    """An account in which a user may assume and mark any role that trusts the account."""

    def __init__(self, cloud: Secured) -> None:
        super().__init__(cloud, "marked")
        self.count = 0
        self.alice = self.user("alice", allow(*MARK))

    def role(self, *statements: Any, trust: tuple[Any, ...] = (), **more: Any) -> str:
        """A new role with a policy of its own; ``trust`` are the statements of its trust policy
        but for the principal, which is the account."""
        self.count += 1
        name = f"role{self.count}"
        who = {"Principal": {"AWS": self.number}}
        said = [{**each, **who} for each in trust or ({"Effect": "Allow", "Action": list(MARK)},)]
        said = [{key: value for key, value in each.items() if key != "Resource"} for each in said]
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=document(*said), **more)
        if statements:
            self.iam.put_role_policy(
                RoleName=name, PolicyName="own", PolicyDocument=document(*statements)
            )
        return str(made["Role"]["Arn"])

    def assume(self, keys: Keys, role: str, **more: Any) -> dict[str, Any]:
        sts = self.cloud.client(keys, "sts")
        found: dict[str, Any] = sts.assume_role(RoleArn=role, RoleSessionName="s1", **more)
        return found

    def begin(self, role: str, **more: Any) -> Keys:
        return keys_of(self.assume(self.alice, role, **more))

    def may_list(self, keys: Keys) -> bool:
        """Whether somebody may describe VPCs."""
        try:
            self.cloud.client(keys).describe_vpcs()
        except self.ec2.exceptions.ClientError:
            return False
        return True


@pytest.fixture(scope="module")
def roles(enforced: Secured) -> Roles:
    return Roles(enforced)


def only_if(key: str, value: str) -> dict[str, Any]:
    return allow("ec2:DescribeVpcs", StringEquals={key: value})


def denied(roles: Roles, action: str, keys: Keys, role: str, **more: Any) -> None:
    code, message = refused(
        roles.cloud.client(keys, "sts").assume_role,
        RoleArn=role, RoleSessionName="s1", **more,
    )  # fmt: skip
    assert (code, f"perform: {action} on resource: {role}" in message) == ("AccessDenied", True), (
        message
    )


def test_a_sessions_tags_go_before_the_roles(roles: Roles) -> None:
    mine = only_if("aws:PrincipalTag/team", "a")
    role = roles.role(mine, Tags=[{"Key": "Team", "Value": "b"}])
    assert not roles.may_list(roles.begin(role))
    answer = roles.assume(roles.alice, role, Tags=TEAM_A)
    assert answer["PackedPolicySize"] >= 1
    assert "SourceIdentity" not in answer
    assert roles.may_list(keys_of(answer))
    assert not roles.may_list(roles.begin(role, Tags=[{"Key": "team", "Value": "c"}]))


def test_both_sides_let_a_session_be_tagged(roles: Roles) -> None:
    plain = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    role = roles.role(trust=(plain,))
    roles.begin(role)
    denied(roles, "sts:TagSession", roles.alice, role, Tags=TEAM_A)
    denied(roles, "sts:SetSourceIdentity", roles.alice, role, SourceIdentity="alice")
    bob = roles.user("bob", allow("sts:AssumeRole"))
    open_one = roles.role()
    roles.assume(bob, open_one)
    denied(roles, "sts:TagSession", bob, open_one, Tags=TEAM_A)
    denied(roles, "sts:SetSourceIdentity", bob, open_one, SourceIdentity="bob")


def test_trust_asks_what_a_session_is_marked_with(roles: Roles) -> None:
    marked = allow(
        *MARK,
        StringEquals={"aws:RequestTag/team": "a", "sts:SourceIdentity": "alice"},
        **{"ForAllValues:StringEquals": {
            "sts:TransitiveTagKeys": ["team"], "aws:TagKeys": ["team"]}},
    )  # fmt: skip
    role = roles.role(trust=(marked,))
    good = {"Tags": TEAM_A, "SourceIdentity": "alice", "TransitiveTagKeys": ["team"]}
    roles.begin(role, **good)
    more = [*TEAM_A, {"Key": "more", "Value": "x"}]
    for wrong in (
        {"Tags": [{"Key": "team", "Value": "b"}]},
        {"SourceIdentity": "bob"},
        {"Tags": more},
        {"Tags": more, "TransitiveTagKeys": ["more"]},
    ):
        denied(roles, "sts:AssumeRole", roles.alice, role, **{**good, **wrong})


def test_transitive_tags_are_handed_on(roles: Roles) -> None:
    role = roles.role(allow(*MARK))
    target = roles.role(only_if("aws:PrincipalTag/team", "a"))
    own = roles.role(only_if("aws:PrincipalTag/own", "x"))
    tags = [*TEAM_A, {"Key": "own", "Value": "x"}]
    keys = roles.begin(role, Tags=tags, TransitiveTagKeys=["TEAM"])
    chained = keys_of(roles.assume(keys, target))
    assert roles.may_list(chained)
    assert not roles.may_list(keys_of(roles.assume(keys, own))), "it was not transitive"
    assert roles.may_list(keys_of(roles.assume(keys, own, Tags=tags[1:])))
    code, message = refused(
        roles.cloud.client(keys, "sts").assume_role,
        RoleArn=target, RoleSessionName="s1", Tags=[{"Key": "Team", "Value": "b"}],
    )  # fmt: skip
    assert code == "InvalidParameterValue"
    assert "conflicts with a transitive tag key from the calling session" in message
    plain = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    denied(roles, "sts:TagSession", keys, roles.role(trust=(plain,)))
    # And from there on to the next one.
    further = roles.role(allow(*MARK))
    keys = keys_of(roles.assume(keys_of(roles.assume(keys, further)), target))
    assert roles.may_list(keys)


def test_a_source_identity_stays(roles: Roles) -> None:
    role, target = roles.role(allow(*MARK)), roles.role(only_if("aws:SourceIdentity", "alice"))
    answer = roles.assume(roles.alice, role, SourceIdentity="alice")
    assert answer["SourceIdentity"] == "alice"
    keys = keys_of(answer)
    again = roles.assume(keys, target)
    assert again["SourceIdentity"] == "alice"
    assert roles.may_list(keys_of(again))
    assert roles.may_list(keys_of(roles.assume(keys, target, SourceIdentity="alice")))
    assert not roles.may_list(roles.begin(target))
    assert not roles.may_list(roles.begin(target, SourceIdentity="bob"))
    code, message = refused(
        roles.cloud.client(keys, "sts").assume_role,
        RoleArn=target, RoleSessionName="s1", SourceIdentity="bob",
    )  # fmt: skip
    assert (code, message) == (
        "ValidationError",
        "The source identity is already set for this assume role session",
    )
    plain = {"Effect": "Allow", "Action": "sts:AssumeRole"}
    denied(roles, "sts:SetSourceIdentity", keys, roles.role(trust=(plain,)))


def test_the_trail_tells_the_source(roles: Roles) -> None:
    role = roles.role(allow("ec2:CreateVpc"))
    keys = roles.begin(role, SourceIdentity="alice", Tags=TEAM_A, TransitiveTagKeys=["team"])
    event = roles.last("AssumeRole")
    assert event["requestParameters"]["sourceIdentity"] == "alice"
    assert event["requestParameters"]["tags"] == [{"key": "team", "value": "a"}]
    assert event["responseElements"]["sourceIdentity"] == "alice"
    roles.cloud.client(keys).create_vpc(CidrBlock="10.0.0.0/16")
    event = roles.last("CreateVpc")
    assert event["userIdentity"]["sessionContext"]["sourceIdentity"] == "alice"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (
            {"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]},
            "InvalidParameterValue",
        ),
        ({"Tags": [{"Key": "aws:a", "Value": "1"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "a" * 129, "Value": "1"}]}, "ValidationError"),
        ({"Tags": [{"Key": "a", "Value": "1" * 257}]}, "ValidationError"),
        ({"Tags": [{"Key": f"k{n}", "Value": ""} for n in range(51)]}, "ValidationError"),
        ({"Tags": TEAM_A, "TransitiveTagKeys": ["other"]}, "InvalidParameterValue"),
        ({"TransitiveTagKeys": ["team"]}, "InvalidParameterValue"),
        ({"SourceIdentity": "a"}, "ValidationError"),
        ({"SourceIdentity": "a b"}, "ValidationError"),
        ({"SourceIdentity": "a" * 65}, "ValidationError"),
    ],
)
def test_what_is_no_mark(roles: Roles, given: dict[str, Any], code: str) -> None:
    role = roles.role()
    call = roles.cloud.client(roles.alice, "sts").assume_role
    assert refused(call, RoleArn=role, RoleSessionName="s1", **given)[0] == code
    roles.iam.delete_role(RoleName=role.rpartition("/")[2])


def test_the_aws_cli(roles: Roles) -> None:
    tagged = roles.cloud.aws(
        roles.alice, "sts", "assume-role", "--role-arn", roles.role(), "--role-session-name", "cli",
        "--tags", "Key=team,Value=a", "--transitive-tag-keys", "team", "--source-identity", "alice",
    )  # fmt: skip
    assert tagged.returncode == 0, tagged.stderr
    assert json.loads(tagged.stdout)["SourceIdentity"] == "alice"
