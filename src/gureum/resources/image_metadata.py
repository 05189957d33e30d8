"""DescribeInstanceImageMetadata: from which images instances were launched, and what of them is
allowed.

Source: EC2 API Reference, InstanceImageMetadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gureum.errors import ApiError
from gureum.kind import Call, Listing, Shape
from gureum.model import View
from gureum.resources.image import Image, allowed, find_image
from gureum.resources.instance import Instance
from gureum.resources.instance_shape import show_state
from gureum.resources.region import zone_id
from gureum.resources.shapes import tag_list


@dataclass(frozen=True)
class Launched:
    """An instance with its image, which may be gone, and whether the settings allow that."""

    instance: Instance
    image: Image | None
    allowed: bool

    @property
    def id(self) -> str:
        return self.instance.id

    @property
    def created(self) -> str:
        return self.instance.created


def _launched(call: Call) -> Iterator[Launched]:
    for row in call.txn.all(Instance):
        try:
            image = find_image(call.txn, row.image)
        except ApiError:
            yield Launched(row, None, False)
        else:
            yield Launched(row, image, allowed(call, image))


def show(row: Launched, view: View) -> Shape:
    """The API's ``InstanceImageMetadata`` structure."""
    instance, image = row.instance, row.image
    shown: Shape = {"ImageId": instance.image, "ImageAllowed": row.allowed}
    if image is None:
        shown["State"] = "deregistered"
    else:
        shown |= {
            "Name": image.name,
            "OwnerId": image.account,
            "State": image.state,
            "CreationDate": image.created,
            "IsPublic": image.public,
        }
        more = {"ImageOwnerAlias": image.alias, "DeprecationTime": image.deprecated}
        shown |= {name: value for name, value in more.items() if value is not None}
    return {
        "InstanceId": instance.id,
        "InstanceType": instance.type,
        "LaunchTime": instance.launched,
        "AvailabilityZone": instance.zone,
        "ZoneId": zone_id(instance.zone),
        "State": show_state(instance.state),
        "OwnerId": instance.account,
        "Tags": tag_list(instance),
        "ImageMetadata": shown,
    }


LISTING: Listing[Launched] = Listing(
    action="DescribeInstanceImageMetadata",
    result="InstanceImageMetadata",
    show=show,
    ids="InstanceIds",
    rows=_launched,
    paths={
        "image-allowed": "ImageMetadata.ImageAllowed",
        "instance-state-name": "State.Name",
        "availability-zone": "AvailabilityZone",
        "zone-id": "ZoneId",
        "owner-alias": "ImageMetadata.ImageOwnerAlias",
    },
)
