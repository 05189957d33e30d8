"""Network ACLs: the default one, numbered entries, which subnet has which, lowering."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.program import Filter, SegmentFilter
from gureum.resources.network_acl import MAX_ACLS, MAX_ENTRIES
from tests.conftest import Cloud
from tests.resources.building import make_subnet, make_vpc, only, said

EVERYTHING = {"Protocol": "-1", "CidrBlock": "0.0.0.0/0"}


def make_acl(cloud: Cloud, vpc: str) -> str:
    return str(cloud.call("CreateNetworkAcl", VpcId=vpc)["NetworkAcl"]["NetworkAclId"])


def shown(cloud: Cloud, key: str) -> dict[str, Any]:
    shape: dict[str, Any] = cloud.call("DescribeNetworkAcls", NetworkAclIds=[key])["NetworkAcls"][0]
    return shape


def default_acl(cloud: Cloud, vpc: str) -> dict[str, Any]:
    """As Terraform asks for it straight after CreateVpc."""
    filters = only({"default": "true", "vpc-id": vpc})
    found: list[dict[str, Any]] = cloud.call("DescribeNetworkAcls", Filters=filters)["NetworkAcls"]
    assert len(found) == 1
    return found[0]


def entry(cloud: Cloud, acl: str, number: int = 100, **more: Any) -> None:
    given = {
        "NetworkAclId": acl,
        "RuleNumber": number,
        "Egress": False,
        "RuleAction": "allow",
        **EVERYTHING,
        **more,
    }
    assert cloud.call("CreateNetworkAclEntry", **given) == {}


def deny(number: int, egress: bool) -> dict[str, Any]:
    return {
        "RuleNumber": number,
        "Egress": egress,
        "RuleAction": "deny",
        "Protocol": "-1",
        "CidrBlock": "0.0.0.0/0",
    }


def allow(number: int, egress: bool) -> dict[str, Any]:
    return deny(number, egress) | {"RuleAction": "allow"}


def entries(cloud: Cloud, acl: str) -> list[dict[str, Any]]:
    """The entries that were made, without the last rules."""
    return [item for item in shown(cloud, acl)["Entries"] if item["RuleNumber"] != 32767]


def test_create_answers_as_aws_does(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    tags = [{"Key": "Name", "Value": "wall"}]
    answer = cloud.call(
        "CreateNetworkAcl",
        VpcId=vpc,
        ClientToken="once",
        TagSpecifications=[{"ResourceType": "network-acl", "Tags": tags}],
    )
    key = answer["NetworkAcl"]["NetworkAclId"]
    assert answer == {
        "NetworkAcl": {
            "NetworkAclId": key,
            "VpcId": vpc,
            "OwnerId": "123456789012",
            "IsDefault": False,
            "Entries": [deny(32767, True), deny(32767, False)],
            "Associations": [],
            "Tags": tags,
        },
        "ClientToken": "once",
    }
    assert shown(cloud, key) == answer["NetworkAcl"]


def test_the_same_token_is_the_same_acl(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    first = cloud.call("CreateNetworkAcl", VpcId=vpc, ClientToken="a")
    assert cloud.call("CreateNetworkAcl", VpcId=vpc, ClientToken="a") == first
    found = cloud.call("DescribeNetworkAcls", Filters=only({"vpc-id": vpc}))["NetworkAcls"]
    assert len(found) == 2  # with the default one


def test_the_default_acl(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnets = {make_subnet(cloud, vpc, f"10.0.{number}.0/24") for number in range(3)}
    acl = default_acl(cloud, vpc)
    assert acl["IsDefault"] is True
    assert acl["Entries"] == [
        allow(100, True),
        deny(32767, True),
        allow(100, False),
        deny(32767, False),
    ]
    assert {item["SubnetId"] for item in acl["Associations"]} == subnets
    assert {item["NetworkAclId"] for item in acl["Associations"]} == {acl["NetworkAclId"]}
    error = cloud.error("DeleteNetworkAcl", NetworkAclId=acl["NetworkAclId"])
    assert error.code == "InvalidParameterValue"
    assert error.message == f"cannot delete default network ACL {acl['NetworkAclId']}"


def test_the_subnets_of_the_default_vpc_have_it(cloud: Cloud) -> None:
    vpc = cloud.call("DescribeVpcs", Filters=only({"is-default": "true"}))["Vpcs"][0]["VpcId"]
    subnets = cloud.call("DescribeSubnets", Filters=only({"vpc-id": vpc}))["Subnets"]
    found = {item["SubnetId"] for item in default_acl(cloud, vpc)["Associations"]}
    assert found == {item["SubnetId"] for item in subnets}
    assert len(found) == 4


def test_it_goes_with_its_vpc(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = default_acl(cloud, vpc)["NetworkAclId"]
    cloud.call("DeleteVpc", VpcId=vpc)
    gone = cloud.error("DescribeNetworkAcls", NetworkAclIds=[key])
    assert gone.code == "InvalidNetworkAclID.NotFound"
    assert gone.message == f"The networkAcl ID '{key}' does not exist"


def test_another_one_keeps_the_vpc(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    key = make_acl(cloud, vpc)
    assert cloud.error("DeleteVpc", VpcId=vpc).code == "DependencyViolation"
    assert cloud.call("DeleteNetworkAcl", NetworkAclId=key) == {}
    cloud.call("DeleteVpc", VpcId=vpc)


def test_the_quota_of_acls(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    for _ in range(MAX_ACLS - 1):
        make_acl(cloud, vpc)
    error = cloud.error("CreateNetworkAcl", VpcId=vpc)
    assert error.code == "NetworkAclLimitExceeded"


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (
            {"Protocol": "6", "PortRange": {"From": 80, "To": 90}, "CidrBlock": "10.1.2.3/16"},
            {"Protocol": "6", "PortRange": {"From": 80, "To": 90}, "CidrBlock": "10.1.0.0/16"},
        ),
        (
            {"Protocol": "udp", "PortRange": {"From": 53, "To": 53}},
            {"Protocol": "17", "PortRange": {"From": 53, "To": 53}},
        ),
        (
            {"Protocol": "icmp", "IcmpTypeCode": {"Type": 8, "Code": -1}},
            {"Protocol": "1", "IcmpTypeCode": {"Type": 8, "Code": -1}},
        ),
        (
            {
                "Protocol": "58",
                "IcmpTypeCode": {"Type": -1, "Code": -1},
                "CidrBlock": None,
                "Ipv6CidrBlock": "2001:DB8::/32",
            },
            {
                "Protocol": "58",
                "IcmpTypeCode": {"Type": -1, "Code": -1},
                "CidrBlock": None,
                "Ipv6CidrBlock": "2001:db8::/32",
            },
        ),
        ({"Protocol": "50"}, {"Protocol": "50"}),
        # Terraform's way to say everything:
        ({"Protocol": "-1", "PortRange": {"From": 0, "To": 0}}, {"Protocol": "-1"}),
        (
            {
                "Protocol": "-1",
                "PortRange": {"From": 0, "To": 0},
                "IcmpTypeCode": {"Type": 0, "Code": 0},
            },
            {"Protocol": "-1"},
        ),
    ],
)
def test_entries(cloud: Cloud, given: dict[str, Any], kept: dict[str, Any]) -> None:
    acl = make_acl(cloud, make_vpc(cloud))
    params = {name: value for name, value in {**EVERYTHING, **given}.items() if value is not None}
    cloud.call(
        "CreateNetworkAclEntry",
        NetworkAclId=acl,
        RuleNumber=100,
        Egress=True,
        RuleAction="allow",
        **params,
    )
    wanted = {"RuleNumber": 100, "Egress": True, "RuleAction": "allow", **EVERYTHING, **kept}
    assert entries(cloud, acl) == [{n: v for n, v in wanted.items() if v is not None}]


@pytest.mark.parametrize(
    ("params", "code", "message"),
    [
        (
            {"RuleNumber": 0},
            "InvalidParameterValue",
            "Value (0) for parameter ruleNumber is invalid. It must be between 1 and 32766.",
        ),
        ({"RuleNumber": 32767}, "InvalidParameterValue", None),
        (
            {"RuleNumber": 100},
            "NetworkAclEntryAlreadyExists",
            "The network acl entry identified by 100 already exists.",
        ),
        ({"CidrBlock": None}, "MissingParameter", None),
        ({"Ipv6CidrBlock": "::/0"}, "MissingParameter", None),
        ({"CidrBlock": "0.0.0.0"}, "InvalidParameterValue", "CIDR block 0.0.0.0 is malformed"),
        ({"Protocol": "tcp"}, "MissingParameter", None),
        (
            {"Protocol": "tcp", "PortRange": {"From": 9, "To": 8}},
            "InvalidParameterValue",
            "Invalid TCP/UDP port range (9:8)",
        ),
        ({"Protocol": "icmp"}, "MissingParameter", None),
        (
            {"Protocol": "icmp", "IcmpTypeCode": {"Type": -1, "Code": 1}},
            "InvalidParameterValue",
            "Invalid ICMP type/code (-1:1)",
        ),
        ({"Protocol": "ftp"}, "InvalidParameterValue", None),
        ({"RuleAction": "maybe"}, "InvalidParameterValue", None),
    ],
)
def test_entries_that_cannot_be_made(
    cloud: Cloud, params: dict[str, Any], code: str, message: str | None
) -> None:
    acl = make_acl(cloud, make_vpc(cloud))
    entry(cloud, acl, 100)
    given = {
        "NetworkAclId": acl,
        "RuleNumber": 200,
        "Egress": False,
        "RuleAction": "allow",
        **EVERYTHING,
        **params,
    }
    error = cloud.error(
        "CreateNetworkAclEntry", **{n: v for n, v in given.items() if v is not None}
    )
    assert error.code == code
    assert message is None or error.message == message
    assert len(entries(cloud, acl)) == 1


def test_a_number_is_taken_in_one_direction(cloud: Cloud) -> None:
    acl = make_acl(cloud, make_vpc(cloud))
    entry(cloud, acl, 100)
    entry(cloud, acl, 100, Egress=True)
    entry(cloud, acl, 50)
    assert [(item["Egress"], item["RuleNumber"]) for item in shown(cloud, acl)["Entries"]] == [
        (True, 100),
        (True, 32767),
        (False, 50),
        (False, 100),
        (False, 32767),
    ]


def test_the_quota_of_entries_counts_families_apart(cloud: Cloud) -> None:
    acl = make_acl(cloud, make_vpc(cloud))
    for number in range(1, MAX_ENTRIES + 1):
        entry(cloud, acl, number)
    error = cloud.error(
        "CreateNetworkAclEntry",
        NetworkAclId=acl,
        RuleNumber=900,
        Egress=False,
        RuleAction="allow",
        **EVERYTHING,
    )
    assert error.code == "NetworkAclEntryLimitExceeded"
    entry(cloud, acl, 900, Egress=True)
    v6 = {"NetworkAclId": acl, "RuleNumber": 901, "Egress": False, "RuleAction": "allow"}
    cloud.call("CreateNetworkAclEntry", **v6, Protocol="-1", Ipv6CidrBlock="::/0")


def test_replace_and_delete_entries(cloud: Cloud) -> None:
    acl = make_acl(cloud, make_vpc(cloud))
    entry(cloud, acl, 100)
    where = {"NetworkAclId": acl, "RuleNumber": 100, "Egress": False}
    answer = cloud.call("ReplaceNetworkAclEntry", **where, RuleAction="deny", **EVERYTHING)
    assert answer == {}
    assert entries(cloud, acl) == [deny(100, False)]
    assert cloud.call("DeleteNetworkAclEntry", **where) == {}
    assert entries(cloud, acl) == []
    for action, more in (
        ("DeleteNetworkAclEntry", {}),
        ("ReplaceNetworkAclEntry", {"RuleAction": "deny", **EVERYTHING}),
    ):
        error = cloud.error(action, **where, **more)
        assert error.code == "InvalidNetworkAclEntry.NotFound"
        assert error.message == "The network acl entry identified by 100 does not exist."


def test_the_last_rule_stays(cloud: Cloud) -> None:
    acl = make_acl(cloud, make_vpc(cloud))
    error = cloud.error("DeleteNetworkAclEntry", NetworkAclId=acl, RuleNumber=32767, Egress=True)
    assert error.code == "InvalidParameterValue"


def test_a_subnet_changes_its_acl(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet, acl = make_subnet(cloud, vpc), make_acl(cloud, vpc)
    old = default_acl(cloud, vpc)["Associations"][0]["NetworkAclAssociationId"]
    assert old.startswith("aclassoc-")
    answer = cloud.call("ReplaceNetworkAclAssociation", AssociationId=old, NetworkAclId=acl)
    new = answer["NewAssociationId"]
    assert default_acl(cloud, vpc)["Associations"] == []
    assert shown(cloud, acl)["Associations"] == [
        {"NetworkAclAssociationId": new, "NetworkAclId": acl, "SubnetId": subnet}
    ]
    kept = cloud.error("DeleteNetworkAcl", NetworkAclId=acl)
    assert kept.code == "DependencyViolation"
    assert kept.message == f"The networkAcl '{acl}' has dependencies and cannot be deleted."
    gone = cloud.error("ReplaceNetworkAclAssociation", AssociationId=old, NetworkAclId=acl)
    assert gone.code == "InvalidAssociationID.NotFound"
    assert gone.message == f"The association ID '{old}' does not exist"
    cloud.call("DeleteSubnet", SubnetId=subnet)
    cloud.call("DeleteNetworkAcl", NetworkAclId=acl)


def test_an_acl_of_another_vpc(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet = make_subnet(cloud, vpc)
    acl = make_acl(cloud, make_vpc(cloud, "10.1.0.0/16"))
    old = default_acl(cloud, vpc)["Associations"][0]["NetworkAclAssociationId"]
    error = cloud.error("ReplaceNetworkAclAssociation", AssociationId=old, NetworkAclId=acl)
    assert error.code == "InvalidParameterValue"
    assert error.message == (
        f"The network ACL {acl} and subnet {subnet} belong to different networks."
    )


def test_unknown_and_malformed_ids(cloud: Cloud) -> None:
    unknown = cloud.error("DeleteNetworkAcl", NetworkAclId="acl-0123456789abcdef0")
    assert unknown.code == "InvalidNetworkAclID.NotFound"
    malformed = cloud.error("DescribeNetworkAcls", NetworkAclIds=["wall"])
    assert malformed.code == "InvalidNetworkAclId.Malformed"
    vpc = cloud.error("CreateNetworkAcl", VpcId="vpc-0123456789abcdef0")
    assert vpc.code == "InvalidVpcID.NotFound"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("association.association-id", "ASSOCIATION"),
        ("association.network-acl-id", "ACL"),
        ("association.subnet-id", "SUBNET"),
        ("entry.cidr", "10.9.0.0/16"),
        ("entry.icmp.code", "3"),
        ("entry.icmp.type", "4"),
        ("entry.ipv6-cidr", "2001:db8::/32"),
        ("entry.port-range.from", "80"),
        ("entry.port-range.to", "90"),
        ("entry.protocol", "tcp"),
        ("entry.protocol", "6"),
        ("entry.rule-number", "77"),
        ("network-acl-id", "ACL"),
        ("default", "false"),
        ("tag:Name", "wall"),
    ],
)
def test_filters(cloud: Cloud, name: str, value: str) -> None:
    vpc = make_vpc(cloud)
    make_subnet(cloud, vpc, "10.0.2.0/24")
    subnet = make_subnet(cloud, vpc)
    acl = cloud.call(
        "CreateNetworkAcl",
        VpcId=vpc,
        TagSpecifications=[
            {"ResourceType": "network-acl", "Tags": [{"Key": "Name", "Value": "wall"}]}
        ],
    )["NetworkAcl"]["NetworkAclId"]
    old = next(
        item["NetworkAclAssociationId"]
        for item in default_acl(cloud, vpc)["Associations"]
        if item["SubnetId"] == subnet
    )
    new = cloud.call("ReplaceNetworkAclAssociation", AssociationId=old, NetworkAclId=acl)
    entry(cloud, acl, 77, Protocol="6", PortRange={"From": 80, "To": 90}, CidrBlock="10.9.0.0/16")
    entry(cloud, acl, 78, Protocol="1", IcmpTypeCode={"Type": 4, "Code": 3})
    cloud.call(
        "CreateNetworkAclEntry",
        NetworkAclId=acl,
        RuleNumber=79,
        Egress=True,
        RuleAction="deny",
        Protocol="-1",
        Ipv6CidrBlock="2001:db8::/32",
    )
    names = {"ASSOCIATION": new["NewAssociationId"], "ACL": acl, "SUBNET": subnet}
    found = cloud.call(
        "DescribeNetworkAcls", Filters=only({"vpc-id": vpc, name: names.get(value, value)})
    )["NetworkAcls"]
    assert [item["NetworkAclId"] for item in found] == [acl]


def test_terraform_looks_for_an_entry(cloud: Cloud) -> None:
    acl = make_acl(cloud, make_vpc(cloud))
    entry(cloud, acl, 100)
    for egress, hits in (("false", 1), ("true", 1)):
        # Filters hold for the ACL as a whole: the client looks for the entry itself.
        found = cloud.call(
            "DescribeNetworkAcls",
            NetworkAclIds=[acl],
            Filters=only({"entry.egress": egress, "entry.rule-number": "100"}),
        )["NetworkAcls"]
        assert len(found) == hits
    none = cloud.call(
        "DescribeNetworkAcls", NetworkAclIds=[acl], Filters=only({"entry.rule-number": "101"})
    )
    assert none["NetworkAcls"] == []


def test_lowering(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    subnet, acl = make_subnet(cloud, vpc), make_acl(cloud, vpc)
    entry(cloud, acl, 200, Protocol="6", PortRange={"From": 22, "To": 22}, RuleAction="deny")
    entry(cloud, acl, 100, Protocol="17", PortRange={"From": 0, "To": 65535})
    entry(cloud, acl, 90, Egress=True, Protocol="1", IcmpTypeCode={"Type": 8, "Code": -1})
    cloud.call(
        "CreateNetworkAclEntry",
        NetworkAclId=acl,
        RuleNumber=10,
        Egress=False,
        RuleAction="allow",
        Protocol="-1",
        Ipv6CidrBlock="::/0",
    )
    old = default_acl(cloud, vpc)
    new = cloud.call(
        "ReplaceNetworkAclAssociation",
        AssociationId=old["Associations"][0]["NetworkAclAssociationId"],
        NetworkAclId=acl,
    )["NewAssociationId"]
    names = {acl: "ACL", subnet: "SUBNET", new: "ASSOCIATION", vpc: "VPC"}
    names |= {old["NetworkAclId"]: "DEFAULT"}
    assert said(cloud, names, Filter, SegmentFilter) == (
        "Filter id=ACL/in router=VPC direction=in stateful=False "
        "rules=[Rule(ACL/10,True,None,None,None,::/0,False) "
        "Rule(ACL/100,True,17,None,None,0.0.0.0/0,False) "
        "Rule(ACL/200,False,6,[22 22],None,0.0.0.0/0,False)] default=ACL/* ipv6=False  # ACL\n"
        "Filter id=ACL/out router=VPC direction=out stateful=False "
        "rules=[Rule(ACL/90,True,1,None,[8 -1],0.0.0.0/0,False)] default=ACL/* ipv6=False  # ACL\n"
        "Filter id=DEFAULT/in router=VPC direction=in stateful=False "
        "rules=[Rule(DEFAULT/100,True,None,None,None,0.0.0.0/0,False)] default=DEFAULT/* ipv6=False"
        "  # DEFAULT\n"
        "Filter id=DEFAULT/out router=VPC direction=out stateful=False "
        "rules=[Rule(DEFAULT/100,True,None,None,None,0.0.0.0/0,False)] default=DEFAULT/* ipv6=False"
        "  # DEFAULT\n"
        "SegmentFilter segment=SUBNET filter_in=ACL/in filter_out=ACL/out  # ACL ASSOCIATION\n"
    )


def test_dry_run(cloud: Cloud) -> None:
    vpc = make_vpc(cloud)
    assert cloud.error("CreateNetworkAcl", VpcId=vpc, DryRun=True).code == "DryRunOperation"
    acl = make_acl(cloud, vpc)
    error = cloud.error(
        "CreateNetworkAclEntry",
        NetworkAclId=acl,
        RuleNumber=1,
        Egress=False,
        RuleAction="allow",
        DryRun=True,
        **EVERYTHING,
    )
    assert (error.code, error.status) == ("DryRunOperation", 412)
    assert entries(cloud, acl) == []
