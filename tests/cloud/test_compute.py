"""Volumes, snapshots, images and templates on a daemon, asked for with the AWS CLI's waiters."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cloud.aws import aws, wait
from tests.cloud.site import Site
from tests.daemon import REGION, Daemon
from tests.kernel.packets import eventually

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ZONE = ("--availability-zone", "ap-northeast-2a")


def inside(daemon: Daemon, key: str, script: str) -> str:
    """What a shell script prints in an instance."""
    return daemon.gureum("exec", key, "--", "sh", "-c", script).stdout


def test_a_volume_is_attached_snapshotted_and_deleted(daemon: Daemon, site: Site) -> None:
    guest = site.launch(site.public, site.group("disks"))
    volume = aws(daemon, "create-volume", *ZONE, "--size", "4")["VolumeId"]
    wait(daemon, "volume-available", "--volume-ids", volume)
    where = ("--instance-id", guest.id, "--device", "/dev/sdf")
    assert aws(daemon, "attach-volume", "--volume-id", volume, *where)["State"] == "attaching"
    wait(daemon, "volume-in-use", "--volume-ids", volume)
    shown = {
        item["DeviceName"]: item["Ebs"]["VolumeId"] for item in guest.show()["BlockDeviceMappings"]
    }
    assert shown["/dev/sdf"] == volume
    assert inside(daemon, guest.id, "echo kept >/run/volumes/sdf/note; ls /run/volumes") == "sdf\n"
    snapshot = aws(daemon, "create-snapshot", "--volume-id", volume)["SnapshotId"]
    wait(daemon, "snapshot-completed", "--snapshot-ids", snapshot)
    aws(daemon, "modify-volume", "--volume-id", volume, "--size", "8")
    changes = ("describe-volumes-modifications", "--volume-ids", volume)
    (change,) = aws(daemon, *changes)["VolumesModifications"]
    assert (change["TargetSize"], change["OriginalSize"]) == (8, 4)
    aws(daemon, "detach-volume", "--volume-id", volume)
    wait(daemon, "volume-available", "--volume-ids", volume)
    eventually(lambda: inside(daemon, guest.id, "ls /run/volumes") == "")
    site.ec2.delete_volume(VolumeId=volume)
    wait(daemon, "volume-deleted", "--volume-ids", volume)
    copy = aws(daemon, "create-volume", *ZONE, "--snapshot-id", snapshot)["VolumeId"]
    wait(daemon, "volume-available", "--volume-ids", copy)
    site.ec2.delete_snapshot(SnapshotId=snapshot)
    aws(daemon, "attach-volume", "--volume-id", copy, *where)
    read = "cat /run/volumes/sdf/note"
    assert eventually(lambda: inside(daemon, guest.id, read) == "kept\n")
    site.ec2.stop_instances(InstanceIds=[guest.id])
    guest.becomes("stopped")
    site.ec2.start_instances(InstanceIds=[guest.id])
    guest.becomes("running")
    assert inside(daemon, guest.id, read) == "kept\n", "it survives a stop"
    site.ec2.terminate_instances(InstanceIds=[guest.id])
    wait(daemon, "instance-terminated", "--instance-ids", guest.id)
    site.ec2.delete_volume(VolumeId=copy)
    folder = daemon.state / "volumes"
    assert eventually(lambda: list(folder.iterdir()) == []), "nothing is left of either"


def test_an_image_of_an_instance_starts_another(daemon: Daemon, site: Site) -> None:
    guest = site.launch(site.public, site.group("golden"))
    inside(daemon, guest.id, "echo golden >/etc/golden")
    made = aws(daemon, "create-image", "--instance-id", guest.id, "--name", "golden", "--no-reboot")
    image = made["ImageId"]
    (snapshot,) = site.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    wait(daemon, "snapshot-completed", "--snapshot-ids", snapshot["SnapshotId"])
    wait(daemon, "image-available", "--image-ids", image)
    template = site.ec2.create_launch_template(
        LaunchTemplateName="golden",
        LaunchTemplateData={"ImageId": image, "InstanceType": "t3.nano"},
    )["LaunchTemplate"]["LaunchTemplateId"]
    copy = aws(
        daemon,
        "run-instances",
        "--launch-template",
        f"LaunchTemplateId={template},Version=$Latest",
        "--subnet-id",
        site.public,
    )["Instances"][0]["InstanceId"]
    wait(daemon, "instance-running", "--instance-ids", copy)
    assert inside(daemon, copy, "cat /etc/golden") == "golden\n"
    site.ec2.terminate_instances(InstanceIds=[copy, guest.id])
    wait(daemon, "instance-terminated", "--instance-ids", copy, guest.id)
    of_both = [{"Name": "attachment.instance-id", "Values": [copy, guest.id]}]
    assert site.ec2.describe_volumes(Filters=of_both)["Volumes"] == []
    left = site.ec2.describe_volumes(Filters=[{"Name": "status", "Values": ["available"]}])
    assert left["Volumes"] == [], "their root volumes went with them"
    key = aws(daemon, "create-store-image-task", "--image-id", image, "--bucket", "images")
    assert eventually(lambda: is_stored(daemon))
    site.ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)
    assert site.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"] == []
    what = ("--bucket", "images", "--object-key", key["ObjectKey"])
    restored = aws(daemon, "create-restore-image-task", *what)["ImageId"]
    (snapshot,) = site.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
    wait(daemon, "snapshot-completed", "--snapshot-ids", snapshot["SnapshotId"])
    site.image = restored
    again = site.launch(site.public, site.group("restored"))
    assert inside(daemon, again.id, "cat /etc/golden") == "golden\n"


def is_stored(daemon: Daemon) -> bool:
    """Whether the only image that was stored is complete."""
    (task,) = aws(daemon, "describe-store-image-tasks")["StoreImageTaskResults"]
    return bool(task["StoreTaskState"] == "Completed")


def test_a_root_volume_is_replaced(daemon: Daemon, site: Site) -> None:
    """The instance goes on as itself, with its addresses and volumes, and with another disk."""
    ec2, guest = site.ec2, site.launch(site.public, site.group("rooted"), public=True)
    data = ec2.create_volume(AvailabilityZone=ZONE[1], Size=1)["VolumeId"]
    assert eventually(lambda: states(site, "volume-id", data) == ["available"])
    ec2.attach_volume(VolumeId=data, InstanceId=guest.id, Device="/dev/sdf")
    assert eventually(lambda: inside(daemon, guest.id, "ls /run/volumes") == "sdf\n")
    inside(daemon, guest.id, "echo broken >/etc/mark; echo kept >/run/volumes/sdf/note")
    before = guest.show()

    def replaced(**more: Any) -> None:
        made = ec2.create_replace_root_volume_task(InstanceId=guest.id, **more)
        key = made["ReplaceRootVolumeTask"]["ReplaceRootVolumeTaskId"]

        def state() -> str:
            told = ec2.describe_replace_root_volume_tasks(ReplaceRootVolumeTaskIds=[key])
            return str(told["ReplaceRootVolumeTasks"][0]["TaskState"])

        assert eventually(lambda: state() == "succeeded")

    replaced()
    after = guest.show()
    names = ("InstanceId", "PrivateIpAddress", "PublicIpAddress", "State", "LaunchTime")
    assert [after[name] for name in names] == [before[name] for name in names]
    mark = "cat /etc/mark 2>&1; cat /run/volumes/sdf/note"
    assert "No such file" in inside(daemon, guest.id, mark)
    assert inside(daemon, guest.id, mark).endswith("kept\n")
    snapshot = ec2.create_snapshot(VolumeId=root_of(before))["SnapshotId"]

    def is_taken() -> bool:
        (told,) = ec2.describe_snapshots(SnapshotIds=[snapshot])["Snapshots"]
        return bool(told["State"] == "completed")

    assert eventually(is_taken)
    replaced(SnapshotId=snapshot, DeleteReplacedRootVolume=True)
    assert inside(daemon, guest.id, mark) == "broken\nkept\n"
    assert eventually(lambda: states(site, "volume-id", root_of(after)) == [])


def states(site: Site, name: str, value: str) -> list[str]:
    """The states of the volumes that pass a filter."""
    found = site.ec2.describe_volumes(Filters=[{"Name": name, "Values": [value]}])["Volumes"]
    return [each["State"] for each in found]


def root_of(instance: dict[str, Any]) -> str:
    """The root volume of an instance as it is shown."""
    return str(instance["BlockDeviceMappings"][0]["Ebs"]["VolumeId"])


def test_what_was_made_is_there_after_a_new_start(daemon: Daemon, site: Site) -> None:
    volume = site.ec2.create_volume(AvailabilityZone=f"{REGION}b", Size=1)["VolumeId"]
    group = site.ec2.create_placement_group(GroupName="near", Strategy="spread")["PlacementGroup"]
    template = site.ec2.create_launch_template(
        LaunchTemplateName="kept", LaunchTemplateData={"InstanceType": "t3.nano"}
    )["LaunchTemplate"]
    site.ec2.enable_ebs_encryption_by_default()
    daemon.kill()
    daemon.start()
    (shown,) = site.ec2.describe_volumes(VolumeIds=[volume])["Volumes"]
    assert (shown["State"], shown["Size"]) == ("available", 1)
    (kept,) = site.ec2.describe_placement_groups(GroupNames=["near"])["PlacementGroups"]
    assert (kept["GroupId"], kept["State"]) == (group["GroupId"], "available")
    (version,) = site.ec2.describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"]
    )["LaunchTemplateVersions"]
    assert version["LaunchTemplateData"] == {"InstanceType": "t3.nano"}
    assert site.ec2.get_ebs_encryption_by_default()["EbsEncryptionByDefault"] is True
