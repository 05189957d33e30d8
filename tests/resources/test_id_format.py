"""Id formats: long for everybody; zone groups that everybody has."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.routing import refusal

ROOT = "arn:aws:iam::123456789012:root"


def test_of_an_identity(cloud: Cloud) -> None:
    role = "arn:aws:iam::123456789012:role/team/Builder"
    found = cloud.call("DescribeIdentityIdFormat", PrincipalArn=role, Resource="vpc")
    assert found["Statuses"] == [{"Resource": "vpc", "UseLongIds": True}]
    every = cloud.call("DescribeIdentityIdFormat", PrincipalArn=ROOT)["Statuses"]
    assert every == cloud.call("DescribeIdFormat")["Statuses"]
    for bad in ({"PrincipalArn": "me"}, {"PrincipalArn": ROOT, "Resource": "castle"}):
        assert refusal(cloud, "DescribeIdentityIdFormat", **bad)[0] == "InvalidParameterValue"


def test_of_principals(cloud: Cloud) -> None:
    found = cloud.call("DescribePrincipalIdFormat", Resources=["vpc", "subnet"], MaxResults=5)
    (principal,) = found["Principals"]
    assert principal["Arn"] == ROOT
    assert [each["Resource"] for each in principal["Statuses"]] == ["vpc", "subnet"]
    code, _ = refusal(cloud, "DescribePrincipalIdFormat", Resources=["castle"])
    assert code == "InvalidParameterValue"


@pytest.mark.parametrize(
    ("action", "more"),
    [("ModifyIdFormat", {}), ("ModifyIdentityIdFormat", {"PrincipalArn": "all"})],
)
def test_ids_stay_long(cloud: Cloud, action: str, more: dict[str, Any]) -> None:
    asked = {"Resource": "vpc", **more}
    assert cloud.call(action, **asked, UseLongIds=True) == {}
    assert refusal(cloud, action, **asked, UseLongIds=False)[0] == "OperationNotPermitted"
    bad = {**asked, "Resource": "castle"}
    assert refusal(cloud, action, **bad, UseLongIds=True)[0] == "InvalidParameterValue"


def test_zone_groups(cloud: Cloud) -> None:
    zone = cloud.call("DescribeAvailabilityZones")["AvailabilityZones"][0]
    asked = {"GroupName": zone["GroupName"], "OptInStatus": "opted-in"}
    assert cloud.call("ModifyAvailabilityZoneGroup", **asked) == {"Return": True}
    for more, code in (
        ({"OptInStatus": "not-opted-in"}, "OperationNotPermitted"),
        ({"OptInStatus": "perhaps"}, "InvalidParameterValue"),
        ({"GroupName": "us-west-2-lax-1"}, "InvalidParameterValue"),
    ):
        assert refusal(cloud, "ModifyAvailabilityZoneGroup", **{**asked, **more})[0] == code
