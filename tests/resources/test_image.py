"""Images: those that Gureum provides, found as Terraform and Ansible look for them."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.model import Txn
from gureum.resources.image import ALIAS, OWNER, Image, find_image
from tests.conftest import Cloud
from tests.resources.building import only
from tests.resources.routing import refusal

BASE, DEBIAN = "gureum-base-x86_64-20260101", "debian-12-amd64-20260101-gureum"


def images(cloud: Cloud, **params: Any) -> dict[str, str]:
    """Names and ids of the images that DescribeImages answers."""
    found = cloud.call("DescribeImages", **params)["Images"]
    return {item["Name"]: item["ImageId"] for item in found}


def test_an_image_has_what_clients_read(cloud: Cloud) -> None:
    (shape,) = cloud.call("DescribeImages", Filters=only({"name": "debian-12-*"}))["Images"]
    (device,) = shape.pop("BlockDeviceMappings")
    assert device["DeviceName"] == shape["RootDeviceName"]
    assert device["Ebs"].pop("SnapshotId").startswith("snap-")
    assert device["Ebs"] == {
        "DeleteOnTermination": True,
        "Encrypted": False,
        "Iops": 3000,
        "Throughput": 125,
        "VolumeSize": 8,
        "VolumeType": "gp3",
    }
    expected = {
        "Name": DEBIAN,
        "OwnerId": OWNER,
        "ImageOwnerAlias": ALIAS,
        "Architecture": "x86_64",
        "RootDeviceType": "ebs",
        "VirtualizationType": "hvm",
        "State": "available",
        "Public": True,
        "CreationDate": "2026-01-01T00:00:00.000Z",
    }
    assert expected.items() <= shape.items()


def test_ids_are_the_same_in_every_cloud_and_account(cloud: Cloud) -> None:
    ids = images(cloud)
    assert set(ids) == {BASE, DEBIAN}
    assert images(Cloud(account="210987654321")) == ids
    assert ids[BASE] == "ami-0374245b1be24cb61"
    elsewhere = images(Cloud(region="us-east-1"))
    assert set(elsewhere) == set(ids)
    assert not set(elsewhere.values()) & set(ids.values())


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"Owners": ["amazon"]}, {BASE, DEBIAN}),
        ({"Owners": [OWNER]}, {BASE, DEBIAN}),
        ({"Owners": ["self"]}, set()),
        ({"Owners": ["123456789012"]}, set()),
        ({"Owners": ["self", "amazon"]}, {BASE, DEBIAN}),
        ({"ExecutableUsers": ["all"]}, {BASE, DEBIAN}),
        ({"ExecutableUsers": ["self"]}, set()),
        ({"IncludeDeprecated": True}, {BASE, DEBIAN}),
        ({"Filters": only({"name": "gureum-base*", "architecture": "x86_64"})}, {BASE}),
        ({"Filters": only({"owner-alias": "amazon", "root-device-type": "ebs"})}, {BASE, DEBIAN}),
        ({"Filters": only({"virtualization-type": "hvm", "state": "available"})}, {BASE, DEBIAN}),
        ({"Filters": only({"architecture": "arm64"})}, set()),
        ({"Filters": only({"is-public": "true", "owner-id": OWNER})}, {BASE, DEBIAN}),
        ({"Filters": only({"block-device-mapping.volume-type": "gp2"})}, set()),
        ({"Filters": only({"creation-date": "2026-01-01T*"})}, {BASE, DEBIAN}),
        ({"Filters": only({"platform": "windows"})}, set()),
    ],
)
def test_scopes_and_filters(cloud: Cloud, params: dict[str, Any], names: set[str]) -> None:
    assert set(images(cloud, **params)) == names


def test_by_id(cloud: Cloud) -> None:
    key = images(cloud)[DEBIAN]
    assert images(cloud, ImageIds=[key]) == {DEBIAN: key}
    assert refusal(cloud, "DescribeImages", ImageIds=["ami-00000000000000001"]) == (
        "InvalidAMIID.NotFound",
        "The image id '[ami-00000000000000001]' does not exist",
    )
    assert refusal(cloud, "DescribeImages", ImageIds=["debian-12"]) == (
        "InvalidAMIID.Malformed",
        'Invalid id: "debian-12" (expecting "ami-...")',
    )


def test_attributes(cloud: Cloud) -> None:
    key = images(cloud)[BASE]
    answer = cloud.call("DescribeImageAttribute", ImageId=key, Attribute="description")
    assert answer["ImageId"] == key
    assert answer["Description"]["Value"].startswith("Gureum base image")
    assert refusal(cloud, "DescribeImageAttribute", ImageId=key, Attribute="launchPermission") == (
        "AuthFailure",
        f"Not authorized for images: [{key}]",
    )
    code, _ = refusal(
        cloud,
        "DescribeImageAttribute",
        ImageId="ami-00000000000000001",
        Attribute="description",
    )
    assert code == "InvalidAMIID.NotFound"


def test_an_image_of_ones_own(cloud: Cloud) -> None:
    row = Image(
        id="ami-0000000000000000a",
        account=cloud.account,
        region=cloud.region,
        created=cloud.now,
        name="mine",
        description="",
        machine_image="debian-12",
        snapshot="snap-0000000000000000a",
        public=False,
    )
    cloud.system(lambda txn: txn.put(row))
    assert set(images(cloud)) == {BASE, DEBIAN, "mine"}
    assert set(images(cloud, Owners=["self"])) == {"mine"}
    assert set(images(cloud, ExecutableUsers=["all"])) == {BASE, DEBIAN}
    answers = {
        name: cloud.call("DescribeImageAttribute", ImageId=row.id, Attribute=name)
        for name in (
            "description",
            "kernel",
            "ramdisk",
            "launchPermission",
            "productCodes",
            "blockDeviceMapping",
            "sriovNetSupport",
            "bootMode",
            "tpmSupport",
            "uefiData",
            "lastLaunchedTime",
            "imdsSupport",
            "deregistrationProtection",
        )
    }
    assert answers["launchPermission"]["LaunchPermissions"] == []
    assert answers["bootMode"]["BootMode"] == {"Value": "uefi-preferred"}
    cloud.account = "210987654321"
    assert set(images(cloud)) == {BASE, DEBIAN}


def test_find_image(cloud: Cloud) -> None:
    key = images(cloud)[DEBIAN]
    image = cloud.system(find_image, key)
    assert (image.machine_image, image.size, image.root_device) == ("debian-12", 8, "/dev/xvda")

    def find(txn: Txn) -> Image:
        return find_image(txn, "ami-00000000000000001")

    with pytest.raises(ApiError) as caught:
        cloud.system(find)
    assert caught.value.code == "InvalidAMIID.NotFound"
