"""Managed prefix lists: made, changed by version, restored, listed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import make_gateway, make_group, make_vpc, only
from tests.resources.routing import make_table, refusal

OFFICES = [{"Cidr": "198.51.100.0/24", "Description": "north"}, {"Cidr": "203.0.113.7/32"}]
MISMATCH = ("PrefixListVersionMismatch", "The prefix list has the incorrect version number.")


def make_list(cloud: Cloud, *cidrs: str, size: int = 5, **more: Any) -> str:
    """The id of a new IPv4 list."""
    given: dict[str, Any] = {
        "PrefixListName": "offices",
        "AddressFamily": "IPv4",
        "MaxEntries": size,
        "Entries": [{"Cidr": cidr} for cidr in cidrs],
    }
    answer = cloud.call("CreateManagedPrefixList", **given | more)
    return str(answer["PrefixList"]["PrefixListId"])


def entries(cloud: Cloud, key: str, **more: Any) -> list[str]:
    """The blocks of a list."""
    found = cloud.call("GetManagedPrefixListEntries", PrefixListId=key, **more)["Entries"]
    return [entry["Cidr"] for entry in found]


def show(cloud: Cloud, key: str) -> dict[str, Any]:
    (shape,) = cloud.call("DescribeManagedPrefixLists", PrefixListIds=[key])["PrefixLists"]
    return dict(shape)


def change(cloud: Cloud, key: str, version: int, **more: Any) -> dict[str, Any]:
    return cloud.call("ModifyManagedPrefixList", PrefixListId=key, CurrentVersion=version, **more)


def test_a_new_list(cloud: Cloud) -> None:
    tags = [{"Key": "Name", "Value": "x"}]
    answer = cloud.call(
        "CreateManagedPrefixList",
        PrefixListName="offices",
        AddressFamily="IPv4",
        MaxEntries=5,
        Entries=OFFICES,
        TagSpecifications=[{"ResourceType": "prefix-list", "Tags": tags}],
    )["PrefixList"]
    key = answer["PrefixListId"]
    assert answer == {
        "PrefixListId": key,
        "AddressFamily": "IPv4",
        "State": "create-in-progress",
        "PrefixListArn": f"arn:aws:ec2:ap-northeast-2:123456789012:prefix-list/{key}",
        "PrefixListName": "offices",
        "MaxEntries": 5,
        "Version": 1,
        "Tags": tags,
        "OwnerId": "123456789012",
    }
    assert show(cloud, key) == answer | {"State": "create-complete"}
    found = cloud.call("GetManagedPrefixListEntries", PrefixListId=key)["Entries"]
    assert found == OFFICES
    for name, value in (
        ("prefix-list-id", key),
        ("prefix-list-name", "offices"),
        ("tag:Name", "x"),
    ):
        lists = cloud.call("DescribeManagedPrefixLists", Filters=only({name: value}))["PrefixLists"]
        assert [each["PrefixListId"] for each in lists] == [key]


def test_blocks_are_stored_in_canonical_form(cloud: Cloud) -> None:
    assert entries(cloud, make_list(cloud, "198.51.100.9/24")) == ["198.51.100.0/24"]
    six = make_list(cloud, "2001:DB8:FEED::1/48", AddressFamily="IPv6")
    assert entries(cloud, six) == ["2001:db8:feed::/48"]


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"AddressFamily": "IPv5"}, "InvalidParameterValue"),
        ({"MaxEntries": 0}, "InvalidParameterValue"),
        ({"MaxEntries": 1001}, "InvalidParameterValue"),
        ({"PrefixListName": "com.amazonaws.mine"}, "InvalidParameterValue"),
        ({"Entries": [{"Cidr": "2001:db8::/32"}]}, "InvalidParameterValue"),
        ({"Entries": [{"Cidr": "10.0.0.1/8"}, {"Cidr": "10.0.0.0/8"}]}, "InvalidParameterValue"),
        ({"MaxEntries": 1, "Entries": OFFICES}, "PrefixListMaxEntriesExceeded"),
    ],
)
def test_lists_that_are_refused(cloud: Cloud, more: dict[str, Any], code: str) -> None:
    given = {"PrefixListName": "x", "AddressFamily": "IPv4", "MaxEntries": 5}
    assert refusal(cloud, "CreateManagedPrefixList", **given | more)[0] == code


def test_entries_make_versions(cloud: Cloud) -> None:
    key = make_list(cloud, "198.51.100.0/24", "203.0.113.0/24")
    answer = change(
        cloud,
        key,
        1,
        AddEntries=[{"Cidr": "192.0.2.0/24"}],
        RemoveEntries=[{"Cidr": "203.0.113.0/24"}],
    )["PrefixList"]
    assert (answer["State"], answer["Version"]) == ("modify-in-progress", 2)
    assert show(cloud, key)["State"] == "modify-complete"
    assert entries(cloud, key) == ["198.51.100.0/24", "192.0.2.0/24"]
    assert entries(cloud, key, TargetVersion=1) == ["198.51.100.0/24", "203.0.113.0/24"]
    assert refusal(cloud, "GetManagedPrefixListEntries", PrefixListId=key, TargetVersion=3)[0] == (
        "InvalidParameterValue"
    )
    for action, more in (
        ("ModifyManagedPrefixList", {"AddEntries": OFFICES[1:]}),
        ("RestoreManagedPrefixListVersion", {"PreviousVersion": 1}),
    ):
        assert refusal(cloud, action, PrefixListId=key, CurrentVersion=1, **more) == MISMATCH
    restored = cloud.call(
        "RestoreManagedPrefixListVersion", PrefixListId=key, PreviousVersion=1, CurrentVersion=2
    )["PrefixList"]
    assert (restored["State"], restored["Version"]) == ("restore-in-progress", 3)
    assert entries(cloud, key) == ["198.51.100.0/24", "203.0.113.0/24"]


def test_a_name_or_a_size_makes_no_version(cloud: Cloud) -> None:
    key = make_list(cloud, "198.51.100.0/24", "203.0.113.0/24")
    change(cloud, key, 1, PrefixListName="branches")
    cloud.call("ModifyManagedPrefixList", PrefixListId=key, MaxEntries=2)
    shape = show(cloud, key)
    assert (shape["PrefixListName"], shape["MaxEntries"], shape["Version"]) == ("branches", 2, 1)
    assert refusal(cloud, "ModifyManagedPrefixList", PrefixListId=key, MaxEntries=1)[0] == (
        "PrefixListMaxEntriesExceeded"
    )


def test_changes_that_are_refused(cloud: Cloud) -> None:
    key = make_list(cloud, "198.51.100.0/24", size=1)
    with_text = [{"Cidr": "198.51.100.0/24", "Description": "north"}]
    table: tuple[tuple[dict[str, Any], str, str], ...] = (
        (
            {"AddEntries": OFFICES[1:], "MaxEntries": 9},
            "InvalidParameterCombination",
            (
                "You cannot modify the entries and the maximum entries for the prefix list in the "
                "same request."
            ),
        ),
        (
            {"AddEntries": [{"Cidr": "198.51.100.0/24"}]},
            "InvalidPrefixListModification",
            "An entry with the CIDR (198.51.100.0/24) and description () already exists.",
        ),
        (
            {"RemoveEntries": [{"Cidr": "192.0.2.0/24"}]},
            "InvalidPrefixListModification",
            "The prefix list does not have an entry with the CIDR (192.0.2.0/24).",
        ),
        (
            {"AddEntries": with_text, "RemoveEntries": [{"Cidr": "198.51.100.0/24"}]},
            "InvalidPrefixListModification",
            "The CIDR (198.51.100.0/24) cannot be added and removed in the same request.",
        ),
        (
            {"AddEntries": OFFICES[1:]},
            "PrefixListMaxEntriesExceeded",
            "You have exceeded the maximum number of entries (1) for the prefix list.",
        ),
    )
    for more, code, message in table:
        assert refusal(cloud, "ModifyManagedPrefixList", PrefixListId=key, **more) == (
            code,
            message,
        )
    assert show(cloud, key)["Version"] == 1
    change(cloud, key, 1, AddEntries=with_text)  # only its description is new
    found = cloud.call("GetManagedPrefixListEntries", PrefixListId=key)["Entries"]
    assert found == with_text


def test_pages_of_entries_keep_their_order(cloud: Cloud) -> None:
    cidrs = [f"10.{number}.0.0/16" for number in range(12)]
    key = make_list(cloud, *cidrs, size=12)
    seen, token = [], None
    while True:
        more: dict[str, Any] = {"NextToken": token} if token else {}
        answer = cloud.call("GetManagedPrefixListEntries", PrefixListId=key, MaxResults=5, **more)
        seen += [entry["Cidr"] for entry in answer["Entries"]]
        token = answer.get("NextToken")
        if not token:
            break
    assert seen == cidrs


def test_old_versions_give_way(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gureum.resources.prefix_list_api.MAX_VERSIONS", 2)
    key = make_list(cloud)
    for number in (1, 2):
        change(cloud, key, number, AddEntries=[{"Cidr": f"10.{number}.0.0/16"}])
    assert entries(cloud, key, TargetVersion=2) == ["10.1.0.0/16"]
    code, _ = refusal(cloud, "GetManagedPrefixListEntries", PrefixListId=key, TargetVersion=1)
    assert code == "InvalidParameterValue"


def test_aws_lists_are_there_and_read_only(cloud: Cloud) -> None:
    names = [f"com.amazonaws.ap-northeast-2.{service}" for service in ("dynamodb", "s3")]
    services = cloud.call("DescribePrefixLists")["PrefixLists"]
    assert sorted(each["PrefixListName"] for each in services) == names
    assert all(each["Cidrs"] for each in services)
    lists = cloud.call("DescribeManagedPrefixLists", Filters=only({"owner-id": "AWS"}))
    by_name = {each["PrefixListName"]: each for each in lists["PrefixLists"]}
    assert sorted(by_name) == names
    key = by_name[names[1]]["PrefixListId"]
    assert by_name[names[1]] == {
        "PrefixListId": key,
        "AddressFamily": "IPv4",
        "State": "create-complete",
        "PrefixListArn": f"arn:aws:ec2:ap-northeast-2:aws:prefix-list/{key}",
        "PrefixListName": names[1],
        "Tags": [],
        "OwnerId": "AWS",
    }
    for action in ("ModifyManagedPrefixList", "DeleteManagedPrefixList"):
        assert refusal(cloud, action, PrefixListId=key)[0] == "UnauthorizedOperation"
    mine = make_list(cloud)
    found = cloud.call("DescribePrefixLists", PrefixListIds=[key])["PrefixLists"]
    assert [each["PrefixListId"] for each in found] == [key]
    assert refusal(cloud, "DescribePrefixLists", PrefixListIds=[mine]) == (
        "InvalidPrefixListId.NotFound",
        f"The prefix list ID '{mine}' does not exist",
    )
    cloud.region = "us-east-1"
    assert refusal(cloud, "DescribeManagedPrefixLists", PrefixListIds=[mine])[0] == (
        "InvalidPrefixListID.NotFound"
    )
    cloud.account = "210987654321"
    assert len(cloud.call("DescribePrefixLists")["PrefixLists"]) == 2


def test_associations_and_deletion(cloud: Cloud) -> None:
    vpc, key = make_vpc(cloud), make_list(cloud, "198.51.100.0/24")
    group, table, gateway = make_group(cloud, vpc), make_table(cloud, vpc), make_gateway(cloud, vpc)
    rule = {
        "IpProtocol": "tcp",
        "FromPort": 1,
        "ToPort": 1,
        "PrefixListIds": [{"PrefixListId": key}],
    }
    cloud.call("AuthorizeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])
    to = {"RouteTableId": table, "DestinationPrefixListId": key}
    cloud.call("CreateRoute", **to, GatewayId=gateway)
    found = cloud.call("GetManagedPrefixListAssociations", PrefixListId=key)
    assert found["PrefixListAssociations"] == [
        {"ResourceId": each, "ResourceOwner": "123456789012"} for each in sorted([group, table])
    ]
    assert refusal(cloud, "DeleteManagedPrefixList", PrefixListId=key)[0] == "DependencyViolation"
    cloud.call("RevokeSecurityGroupIngress", GroupId=group, IpPermissions=[rule])
    assert refusal(cloud, "DeleteManagedPrefixList", PrefixListId=key)[0] == "DependencyViolation"
    cloud.call("DeleteRoute", **to)
    gone = cloud.call("DeleteManagedPrefixList", PrefixListId=key)["PrefixList"]
    assert gone["State"] == "delete-in-progress"
    assert refusal(cloud, "DescribeManagedPrefixLists", PrefixListIds=[key]) == (
        "InvalidPrefixListID.NotFound",
        f"The prefix list ID '{key}' does not exist.",
    )
