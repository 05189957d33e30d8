"""Volume: the root device of an instance.  Volumes of one's own come with the whole API.

Source: EC2 API Reference, DescribeVolumes.
"""

from __future__ import annotations

from dataclasses import dataclass

from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, Tags, View, ref
from gureum.resources.region import zone_id
from gureum.resources.shapes import tag_list

BASELINE_IOPS = {"gp2": 100, "gp3": 3000}
"""What a small volume of a type gives (EBS User Guide, "Amazon EBS volume types")."""

THROUGHPUT = {"gp3": 125}
"""MiB/s that a volume of a type gives unless more is paid for."""


@dataclass(frozen=True, kw_only=True)
class VolumeAttachment:
    """A volume at a device of an instance."""

    instance: str = ref("weak")
    device: str
    attached: str
    delete_on_termination: bool = True


@dataclass(frozen=True, kw_only=True)
class Volume(
    Resource,
    kind="volume",
    prefix="vol",
    not_found="InvalidVolume.NotFound",
    malformed="InvalidVolumeID.Malformed",
    noun="volume",
):
    """A volume of ``size`` GiB in a zone."""

    size: int
    type: str
    zone: str
    snapshot: str
    encrypted: bool = False
    iops: int | None = None
    throughput: int | None = None
    attachment: VolumeAttachment | None = None


def create(
    call: Call,
    *,
    instance: str,
    zone: str,
    device: str,
    snapshot: str,
    settings: Shape,
    size: int,
    tags: Tags | None = None,
) -> Volume:
    """The root volume of a new instance; ``settings`` is an ``EbsBlockDevice``, ``size`` the
    image's in GiB.

    Raises:
        ApiError: ``InvalidParameterValue`` on bad tags.
    """
    kind = settings.get("VolumeType") or "gp3"
    common = call.common(Volume)
    if tags is not None:
        common["tags"] = tags
    row = Volume(
        **common,
        size=settings.get("VolumeSize") or size,
        type=kind,
        zone=zone,
        snapshot=snapshot,
        encrypted=bool(settings.get("Encrypted")),
        iops=settings.get("Iops") or BASELINE_IOPS.get(kind),
        throughput=settings.get("Throughput") or THROUGHPUT.get(kind),
        attachment=VolumeAttachment(
            instance=instance,
            device=device,
            attached=call.now,
            delete_on_termination=settings.get("DeleteOnTermination", True),
        ),
    )
    return call.created(row)


def show(row: Volume, view: View) -> Shape:
    """The API's ``Volume`` structure."""
    shape: Shape = {
        "VolumeId": row.id,
        "AvailabilityZone": row.zone,
        "AvailabilityZoneId": zone_id(row.zone),
        "CreateTime": row.created,
        "Encrypted": row.encrypted,
        "MultiAttachEnabled": False,
        "Size": row.size,
        "SnapshotId": row.snapshot,
        "State": "in-use" if row.attachment else "available",
        "VolumeType": row.type,
        "Attachments": [],
        "Tags": tag_list(row),
    }
    if row.iops is not None:
        shape["Iops"] = row.iops
    if row.throughput is not None:
        shape["Throughput"] = row.throughput
    if row.attachment:
        shape["Attachments"] = [
            {
                "VolumeId": row.id,
                "InstanceId": row.attachment.instance,
                "Device": row.attachment.device,
                "State": "attached",
                "AttachTime": row.attachment.attached,
                "DeleteOnTermination": row.attachment.delete_on_termination,
            }
        ]
    return shape


KIND = Kind(
    row=Volume,
    listings=(
        Listing(
            action="DescribeVolumes",
            result="Volumes",
            show=show,
            ids="VolumeIds",
            paths={
                "attachment.attach-time": "Attachments[].AttachTime",
                "attachment.delete-on-termination": "Attachments[].DeleteOnTermination",
                "attachment.device": "Attachments[].Device",
                "attachment.instance-id": "Attachments[].InstanceId",
                "attachment.status": "Attachments[].State",
                "multi-attach-enabled": "MultiAttachEnabled",
                "status": "State",
                "volume-type": "VolumeType",
            },
        ),
    ),
)
