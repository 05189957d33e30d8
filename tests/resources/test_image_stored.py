"""Images of the store as AMIs: shown, launched, and made into others."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.errors import ApiError
from gureum.resources import internet_host
from gureum.resources.catalogue import OWN
from gureum.resources.image import Image
from gureum.resources.image_stored import set_stored
from gureum.resources.instance import Instance
from tests.conftest import Cloud
from tests.resources.building import only

WEB = ("sha256:" + "ab" * 32, "registry.example/web:1", 9 << 30, "amd64")
ARM = ("sha256:" + "cd" * 32, "arm:latest", 5, "arm64")


def tell(cloud: Cloud, *images: tuple[str, str, int, str]) -> bool:
    with cloud.store.transaction(internet_host.OWNER, internet_host.PLACE) as txn:
        return set_stored(txn, images, cloud.now)


def shown(cloud: Cloud, **params: Any) -> dict[str, Any]:
    (shape,) = cloud.call(
        "DescribeImages", Filters=only({"name": "registry.example/web-*"}), **params
    )["Images"]
    return dict(shape)


def launch(cloud: Cloud, image: str) -> Instance:
    made = cloud.call(
        "RunInstances", ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1
    )
    row = cloud.store.view.find(Instance, made["Instances"][0]["InstanceId"])
    assert row is not None
    return row


def test_is_an_ami_in_every_account_and_region(cloud: Cloud) -> None:
    assert tell(cloud, WEB, ARM)
    shape = shown(cloud)
    assert (shape["Name"], shape["OwnerId"], shape["Public"]) == (
        "registry.example/web-1",
        OWN,
        True,
    )
    assert shape["Architecture"] == "x86_64"
    assert WEB[0] in shape["Description"]
    assert shape["BlockDeviceMappings"][0]["Ebs"]["VolumeSize"] == 10
    assert shown(cloud, Owners=["amazon"]) == shape
    # What the daemon says again changes nothing, a new name changes the name only.
    assert not tell(cloud, WEB, ARM)
    assert tell(cloud, (WEB[0], "registry.example/web:2", *WEB[2:]), ARM)
    renamed = shown(cloud)
    assert renamed["Name"] == "registry.example/web-2"
    assert renamed["ImageId"] == shape["ImageId"]


def test_launched_and_made_into_others(cloud: Cloud) -> None:
    tell(cloud, WEB)
    row = launch(cloud, shown(cloud)["ImageId"])
    assert row.base == WEB[0]
    snapshot = shown(cloud)["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    device = {"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot}}
    made = cloud.call("RegisterImage", Name="mine", RootDeviceName="/dev/xvda",
                      Architecture="x86_64", BlockDeviceMappings=[device])  # fmt: skip
    image = cloud.store.view.find(Image, made["ImageId"])
    assert image is not None
    assert image.machine_image == WEB[0]


def test_what_is_not_there_any_more_or_of_another_machine(cloud: Cloud) -> None:
    tell(cloud, WEB, ARM)
    key = shown(cloud)["ImageId"]
    (arm,) = cloud.call("DescribeImages", Filters=only({"name": "arm-latest"}))["Images"]
    with pytest.raises(ApiError, match="architecture"):
        launch(cloud, arm["ImageId"])
    with pytest.raises(ApiError, match="Not authorized for image"):
        cloud.call("DeregisterImage", ImageId=key)
    tell(cloud, ARM)
    with pytest.raises(ApiError, match="does not exist"):
        launch(cloud, key)
