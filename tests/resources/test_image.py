"""Images: those that Gureum provides, found as Terraform and Ansible look for them."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.model import Txn
from gureum.resources.block_device import BlockDevice
from gureum.resources.catalogue import AMAZON, CANONICAL, OWN
from gureum.resources.catalogue import DEBIAN as DEBIAN_ACCOUNT
from gureum.resources.image import Image, find_image
from tests.conftest import Cloud
from tests.resources.building import only
from tests.resources.routing import refusal

BASE, DEBIAN = "gureum-base-x86_64-20260101", "debian-12-amd64-20260101-gureum"
MINE = {"Owners": [OWN]}
"""Gureum's own images, without those that it stands in for."""


def images(cloud: Cloud, **params: Any) -> dict[str, str]:
    """Names and ids of the images that DescribeImages answers."""
    found = cloud.call("DescribeImages", **params)["Images"]
    return {item["Name"]: item["ImageId"] for item in found}


def test_an_image_has_what_clients_read(cloud: Cloud) -> None:
    (shape,) = cloud.call("DescribeImages", Filters=only({"name": "debian-12-*-gureum"}))["Images"]
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
        "OwnerId": OWN,
        "ImageOwnerAlias": "amazon",
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
    assert set(images(cloud, **MINE)) == {BASE, DEBIAN}
    assert images(Cloud(account="210987654321")) == ids
    assert len(set(ids.values())) == len(ids) > 30
    assert ids[BASE] == "ami-0374245b1be24cb61"
    elsewhere = images(Cloud(region="us-east-1"))
    assert set(elsewhere) == set(ids)
    assert not set(elsewhere.values()) & set(ids.values())


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"Owners": ["amazon"]}, {BASE, DEBIAN}),
        ({"Owners": [OWN]}, {BASE, DEBIAN}),
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
        ({"Filters": only({"is-public": "true", "owner-id": OWN})}, {BASE, DEBIAN}),
        ({"Filters": only({"block-device-mapping.volume-type": "gp2"})}, set()),
        ({"Filters": only({"creation-date": "2026-01-01T*"})}, {BASE, DEBIAN}),
        ({"Filters": only({"platform": "windows"})}, set()),
    ],
)
def test_scopes_and_filters(cloud: Cloud, params: dict[str, Any], names: set[str]) -> None:
    own = set(images(cloud, **MINE))
    assert set(images(cloud, **params)) & own == names


@pytest.mark.parametrize(
    ("owner", "pattern", "architecture", "root", "found"),
    [
        (AMAZON, "al2023-ami-2023*", "x86_64", "/dev/xvda", "al2023-ami-2023.9*-kernel-6.1-x86_64"),
        (AMAZON, "al2023-ami-*-kernel-6.1-x86_64", "x86_64", "/dev/xvda", "al2023-ami-2023.9*"),
        (AMAZON, "amzn2-ami-hvm-*-x86_64-gp2", "x86_64", "/dev/xvda", "amzn2-ami-hvm-2.0.202511*"),
        (
            CANONICAL,
            "ubuntu/images/hvm-ssd/ubuntu-jammy-22.04-amd64-server-*",
            "x86_64",
            "/dev/sda1",
            "*-20251022",
        ),
        (
            CANONICAL,
            "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-*",
            "arm64",
            "/dev/sda1",
            "*-20251022",
        ),
        (DEBIAN_ACCOUNT, "debian-12-amd64-*", "x86_64", "/dev/xvda", "*-20251006-2257"),
        (DEBIAN_ACCOUNT, "debian-12-*", "x86_64", "/dev/xvda", "debian-12-amd64-20251006-2257"),
    ],
)
def test_the_most_recent_of_a_well_known_name(
    cloud: Cloud, owner: str, pattern: str, architecture: str, root: str, found: str
) -> None:
    """As Terraform's ``most_recent`` takes it: the last by date of creation."""
    answer = cloud.call("DescribeImages", Owners=[owner], Filters=only({"name": pattern}))
    latest = max(answer["Images"], key=lambda image: str(image["CreationDate"]))
    dates = [image["CreationDate"] for image in answer["Images"]]
    assert dates.count(latest["CreationDate"]) == 1, "nobody's choice depends on the order"
    assert fnmatch(latest["Name"], found)
    assert latest["Architecture"] == architecture
    assert latest["RootDeviceName"] == root
    assert latest["OwnerId"] == owner
    (device,) = latest["BlockDeviceMappings"]
    snapshot = device["Ebs"]["SnapshotId"]
    (shown,) = cloud.call("DescribeSnapshots", SnapshotIds=[snapshot])["Snapshots"]
    assert (shown["OwnerId"], shown["VolumeSize"]) == (owner, device["Ebs"]["VolumeSize"])
    image = cloud.system(find_image, latest["ImageId"])
    assert image.machine_image == "debian-12"


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
        devices=(BlockDevice(name="/dev/xvda", size=8),),
        public=False,
    )
    cloud.system(lambda txn: txn.put(row))
    assert "mine" in images(cloud)
    assert set(images(cloud, Owners=["self"])) == {"mine"}
    assert "mine" not in images(cloud, ExecutableUsers=["all"])
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
    assert "mine" not in images(cloud)


def test_find_image(cloud: Cloud) -> None:
    key = images(cloud)[DEBIAN]
    image = cloud.system(find_image, key)
    (root,) = image.devices
    assert (image.machine_image, image.root_device) == ("debian-12", "/dev/xvda")
    assert (root.name, root.size, root.type) == ("/dev/xvda", 8, "gp3")

    def find(txn: Txn) -> Image:
        return find_image(txn, "ami-00000000000000001")

    with pytest.raises(ApiError) as caught:
        cloud.system(find)
    assert caught.value.code == "InvalidAMIID.NotFound"
