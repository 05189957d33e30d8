"""Reports on who uses an image, and references to images in one's own account."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal
from tests.resources.test_own_image import launch, register
from tests.resources.test_snapshot import FRIEND, as_friend

BOTH = [{"ResourceType": "ec2:Instance"}, {"ResourceType": "ec2:LaunchTemplate"}]


def template(cloud: Cloud, name: str, *images: str) -> str:
    """The id of a launch template with a version for each image."""
    first, *rest = images
    made = cloud.call(
        "CreateLaunchTemplate", LaunchTemplateName=name, LaunchTemplateData={"ImageId": first}
    )["LaunchTemplate"]["LaunchTemplateId"]
    for image in rest:
        cloud.call(
            "CreateLaunchTemplateVersion",
            LaunchTemplateId=made,
            LaunchTemplateData={"ImageId": image},
        )
    return str(made)


def report(cloud: Cloud, image: str, **more: Any) -> str:
    asked = {"ImageId": image, "ResourceTypes": BOTH, **more}
    return str(cloud.call("CreateImageUsageReport", **asked)["ReportId"])


def entries(cloud: Cloud, **more: Any) -> list[tuple[str, str, int]]:
    found = cloud.call("DescribeImageUsageReportEntries", **more)["ImageUsageReportEntries"]
    return [(each["AccountId"], each["ResourceType"], each["UsageCount"]) for each in found]


def test_a_report_counts_what_others_use(cloud: Cloud) -> None:
    image, friend = register(cloud), as_friend(cloud)
    permission = {"Add": [{"UserId": FRIEND}]}
    cloud.call("ModifyImageAttribute", ImageId=image, LaunchPermission=permission)
    launch(cloud, image)
    for _ in range(2):
        launch(friend, image)
    template(friend, "web", image)
    key = report(cloud, image, TagSpecifications=[
        {"ResourceType": "image-usage-report", "Tags": [{"Key": "a", "Value": "b"}]}
    ])  # fmt: skip
    assert entries(cloud, ReportIds=[key]) == [], "it is pending"
    settle(cloud)
    assert entries(cloud, ReportIds=[key]) == [
        (FRIEND, "ec2:Instance", 2),
        (FRIEND, "ec2:LaunchTemplate", 1),
    ]
    assert entries(cloud, Filters=only({"resource-type": "ec2:LaunchTemplate"})) == [
        (FRIEND, "ec2:LaunchTemplate", 1)
    ]
    (shown,) = cloud.call("DescribeImageUsageReports", ImageIds=[image])["ImageUsageReports"]
    assert (shown["ReportId"], shown["State"]) == (key, "available")
    assert str(shown["ExpirationTime"])[:10] == "2026-12-24"
    assert shown["ResourceTypes"] == BOTH
    assert report(cloud, image, AccountIds=["333333333333"])
    settle(cloud)
    assert len(entries(cloud)) == 2, "of the first only"
    cloud.call("DeleteImageUsageReport", ReportId=key)
    assert refusal(cloud, "DeleteImageUsageReport", ReportId=key)[0] == (
        "InvalidImageUsageReportId.NotFound"
    )


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"ResourceTypes": []}, "MissingParameter"),
        ({"ResourceTypes": [{"ResourceType": "ssm:Parameter"}]}, "InvalidParameterValue"),
        ({"AccountIds": ["me"]}, "InvalidParameterValue"),
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
    ],
)
def test_reports_that_are_refused(cloud: Cloud, more: dict[str, Any], code: str) -> None:
    asked = {"ImageId": register(cloud), "ResourceTypes": BOTH, **more}
    assert refusal(cloud, "CreateImageUsageReport", **asked)[0] == code


def test_only_own_images_are_reported_on(cloud: Cloud) -> None:
    (public, *_) = cloud.call("DescribeImages", Owners=["amazon"])["Images"]
    asked = {"ImageId": public["ImageId"], "ResourceTypes": BOTH}
    assert refusal(cloud, "CreateImageUsageReport", **asked)[0] == "AuthFailure"


def test_references_in_one_account(cloud: Cloud) -> None:
    image, other = register(cloud, "one"), register(cloud, "two")
    instance = launch(cloud, image)
    old, new = template(cloud, "old", image, other), template(cloud, "new", other)

    def found(*images: str, **more: Any) -> list[tuple[str, str]]:
        answer = cloud.call("DescribeImageReferences", ImageIds=list(images), **more)
        return [
            (each["ImageId"], each["Arn"].rpartition("/")[2]) for each in answer["ImageReferences"]
        ]

    assert found(image, IncludeAllResourceTypes=True) == [(image, instance), (image, old)]
    assert set(found(image, other, ResourceTypes=BOTH[1:])) == {
        (image, old),
        (other, old),
        (other, new),
    }
    depth = {
        "ResourceType": "ec2:LaunchTemplate",
        "ResourceTypeOptions": [{"OptionName": "version-depth", "OptionValues": ["1"]}],
    }
    assert found(image, ResourceTypes=[depth]) == []
    stopped = {
        "ResourceType": "ec2:Instance",
        "ResourceTypeOptions": [{"OptionName": "state-name", "OptionValues": ["stopped"]}],
    }
    assert found(image, ResourceTypes=[stopped]) == []
    for number in range(5):
        template(cloud, f"more-{number}", image)
    asked = {"ImageIds": [image], "IncludeAllResourceTypes": True, "MaxResults": 5}
    first = cloud.call("DescribeImageReferences", **asked)
    rest = cloud.call("DescribeImageReferences", **asked, NextToken=first["NextToken"])
    assert [len(each["ImageReferences"]) for each in (first, rest)] == [5, 2]
    assert (
        as_friend(cloud).call(
            "DescribeImageReferences", ImageIds=[image], IncludeAllResourceTypes=True
        )["ImageReferences"]
        == []
    )
    wrong: dict[str, Any]
    for wrong, code in (
        ({}, "InvalidParameterCombination"),
        ({"IncludeAllResourceTypes": True, "ResourceTypes": BOTH}, "InvalidParameterCombination"),
        ({"ResourceTypes": [stopped | {"ResourceType": "ssm:Parameter"}]},
         "InvalidParameterCombination"),
        ({"ResourceTypes": [depth | {"ResourceTypeOptions": [
            {"OptionName": "version-depth", "OptionValues": ["0"]}]}]}, "InvalidParameterValue"),
    ):  # fmt: skip
        assert refusal(cloud, "DescribeImageReferences", ImageIds=[image], **wrong)[0] == code
