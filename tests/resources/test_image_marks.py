"""Watermarks and instance types of images, findings, fast launch, and FPGA images."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.resources.instance import observed
from tests.conftest import Cloud
from tests.resources.building import only, settle
from tests.resources.routing import refusal
from tests.resources.test_own_image import launch, register, show
from tests.resources.test_snapshot import FRIEND, as_friend


def marks(cloud: Cloud, image: str) -> list[str]:
    return [each["WatermarkKey"] for each in show(cloud, image).get("ImageWatermarks", ())]


def test_watermarks_go_on_to_what_is_made(cloud: Cloud) -> None:
    image = register(cloud)
    made = cloud.call("AttachImageWatermark", ImageId=image, WatermarkName="approved")
    key = made["WatermarkKey"]
    assert key == "123456789012:approved"
    (shown,) = show(cloud, image)["ImageWatermarks"]
    assert (shown["SourceImageId"], shown["SourceImageRegion"]) == (image, "ap-northeast-2")
    copy = cloud.call("CopyImage", Name="copy", SourceImageId=image, SourceRegion="ap-northeast-2")[
        "ImageId"
    ]
    instance = launch(cloud, image)
    cloud.system(observed, cloud.now, instance, "running")
    own = cloud.call("CreateImage", InstanceId=instance, Name="own", NoReboot=True)["ImageId"]
    for _ in range(2):
        assert cloud.call("DetachImageWatermark", ImageId=image, WatermarkKey=key) == {
            "Return": True
        }
    assert [marks(cloud, each) for each in (image, copy, own)] == [[], [key], [key]]
    asked = {"Filters": only({"image-watermark.watermark-key": key})}
    found = cloud.call("DescribeImages", **asked)["Images"]
    assert {each["ImageId"] for each in found} == {copy, own}


def test_watermarks_that_are_refused(cloud: Cloud) -> None:
    image = register(cloud)
    cloud.call("AttachImageWatermark", ImageId=image, WatermarkName="approved")
    (public, *_) = cloud.call("DescribeImages", Owners=["amazon"])["Images"]
    for more, code in (
        ({"WatermarkName": "a"}, "InvalidParameterValue"),
        ({"WatermarkName": "approved"}, "InvalidParameterValue"),
        ({"ImageId": public["ImageId"]}, "AuthFailure"),
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
    ):
        asked = {"ImageId": image, "WatermarkName": "other", **more}
        assert refusal(cloud, "AttachImageWatermark", **asked)[0] == code
    cloud.call("DisableImageBlockPublicAccess")
    permission = {"Add": [{"Group": "all"}]}
    cloud.call("ModifyImageAttribute", ImageId=image, LaunchPermission=permission)
    asked = {"ImageId": image, "WatermarkName": "other"}
    assert refusal(cloud, "AttachImageWatermark", **asked)[0] == "OperationNotPermitted"


def test_instance_types_of_an_image_are_in_force(cloud: Cloud) -> None:
    image = register(cloud)
    rule = {"SupportedInstanceTypes": ["t3.*"], "UnsupportedInstanceTypes": ["t3.nano"]}
    action = "ReplaceImageInstanceTypeSpecification"
    answer = cloud.call(action, ImageId=image, InstanceTypeSpecification=rule)
    assert answer == {"ReturnValue": True}
    assert show(cloud, image)["InstanceTypeSpecification"] == {
        name: [{"InstanceType": each} for each in types] for name, types in rule.items()
    }
    launch(cloud, image)
    run_it = {"ImageId": image, "MinCount": 1, "MaxCount": 1}
    for kind in ("t3.nano", "m5.large"):
        code, _ = refusal(cloud, "RunInstances", InstanceType=kind, **run_it)
        assert code == "InvalidParameterCombination"
    for types, code in (
        ({"SupportedInstanceTypes": ["t9.micro"]}, "InvalidParameterValue"),
        ({"UnsupportedInstanceTypes": ["T3.*"]}, "InvalidParameterValue"),
        (
            {"SupportedInstanceTypes": [f"t{n}.*" for n in range(101)]},
            "InvalidParameterCombination",
        ),
    ):
        asked = {"ImageId": image, "InstanceTypeSpecification": types}
        assert refusal(cloud, action, **asked)[0] == code
    cloud.call(action, ImageId=image)
    assert "InstanceTypeSpecification" not in show(cloud, image)
    launch(cloud, image, InstanceType="t3.nano")


def test_nobody_scans_images_and_none_is_for_windows(cloud: Cloud) -> None:
    image = register(cloud)
    assert cloud.call("GetImageFindings", ImageId=image)["ImageFindings"] == []
    missing = {"ImageId": "ami-0123456789abcdef0"}
    for action in ("GetImageFindings", "EnableFastLaunch", "DisableFastLaunch"):
        assert refusal(cloud, action, **missing)[0] == "InvalidAMIID.NotFound"
    for action in ("EnableFastLaunch", "DisableFastLaunch"):
        assert refusal(cloud, action, ImageId=image)[0] == "UnsupportedOperation"
    assert cloud.call("DescribeFastLaunchImages")["FastLaunchImages"] == []


# --- FPGA images --------------------------------------------------------------------------------
@pytest.fixture
def fpga(cloud: Cloud) -> str:
    made = cloud.call(
        "CreateFpgaImage",
        InputStorageLocation={"Bucket": "designs", "Key": "a.tar"},
        Name="filter",
        Description="fast",
    )
    assert made["FpgaImageGlobalId"].startswith("agfi-")
    return str(made["FpgaImageId"])


def fpgas(cloud: Cloud, **more: Any) -> list[str]:
    return [each["FpgaImageId"] for each in cloud.call("DescribeFpgaImages", **more)["FpgaImages"]]


def test_an_fpga_image(cloud: Cloud, fpga: str) -> None:
    settle(cloud)
    (shown,) = cloud.call("DescribeFpgaImages", Filters=only({"state": "available"}))["FpgaImages"]
    assert (shown["FpgaImageId"], shown["Name"], shown["Public"]) == (fpga, "filter", False)
    elsewhere = Cloud(region="us-east-1")
    elsewhere.store, elsewhere.dispatch = cloud.store, cloud.dispatch
    copy = elsewhere.call(
        "CopyFpgaImage", SourceFpgaImageId=fpga, SourceRegion="ap-northeast-2", Name="copy"
    )["FpgaImageId"]
    (copied,) = elsewhere.call("DescribeFpgaImages")["FpgaImages"]
    assert (copied["FpgaImageId"], copied["Name"]) == (copy, "copy")
    assert copied["FpgaImageGlobalId"] == shown["FpgaImageGlobalId"]
    assert cloud.call("DeleteFpgaImage", FpgaImageId=fpga) == {"Return": True}
    assert refusal(cloud, "DeleteFpgaImage", FpgaImageId=fpga)[0] == "InvalidFpgaImageID.NotFound"
    asked = {"SourceFpgaImageId": fpga, "SourceRegion": "ap-northeast-2"}
    assert refusal(elsewhere, "CopyFpgaImage", **asked)[0] == "InvalidFpgaImageID.NotFound"


def test_attributes_of_an_fpga_image(cloud: Cloud, fpga: str) -> None:
    friend = as_friend(cloud)

    def change(**more: Any) -> dict[str, Any]:
        made = cloud.call("ModifyFpgaImageAttribute", FpgaImageId=fpga, **more)
        return dict(made["FpgaImageAttribute"])

    assert change(Name="better") == {"FpgaImageId": fpga, "Name": "better"}
    assert fpgas(friend) == []
    shared = change(LoadPermission={"Add": [{"UserId": FRIEND}]})
    assert shared["LoadPermissions"] == [{"UserId": FRIEND}]
    assert fpgas(friend) == [fpga]
    assert fpgas(friend, Owners=["self"]) == []
    gone = change(Attribute="loadPermission", OperationType="remove", UserIds=[FRIEND])
    assert gone["LoadPermissions"] == []
    change(Attribute="loadPermission", OperationType="add", UserGroups=["all"])
    assert fpgas(friend) == [fpga]
    cloud.call("ResetFpgaImageAttribute", FpgaImageId=fpga)
    assert fpgas(friend) == []
    assert change(ProductCodes=["abc"])["ProductCodes"] == [
        {"ProductCodeId": "abc", "ProductCodeType": "marketplace"}
    ]
    asked = {"FpgaImageId": fpga, "Attribute": "description"}
    assert cloud.call("DescribeFpgaImageAttribute", **asked)["FpgaImageAttribute"] == {
        "FpgaImageId": fpga,
        "Description": "fast",
    }
    wrong: dict[str, Any]
    for wrong, code in (
        ({}, "MissingParameter"),
        ({"Name": "a", "Description": "b"}, "InvalidParameterCombination"),
        ({"Attribute": "name", "Description": "b"}, "InvalidParameterCombination"),
        ({"UserIds": [FRIEND]}, "MissingParameter"),
        ({"UserIds": ["x"], "OperationType": "add"}, "InvalidParameterValue"),
        ({"ProductCodes": ["abc"], "OperationType": "remove"}, "InvalidParameterValue"),
    ):
        assert refusal(cloud, "ModifyFpgaImageAttribute", FpgaImageId=fpga, **wrong)[0] == code
