"""Fast launch: of Windows images, of which there are none here.

Source: EC2 API Reference, EnableFastLaunch.
"""

from __future__ import annotations

from typing import Any

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Shape, never
from gureum.resources.image import find_image


def refuse(call: Call) -> Shape:
    """Enable… and DisableFastLaunch.

    Raises:
        ApiError: the image's codes, ``UnsupportedOperation``.
    """
    image = find_image(call.txn, call.params["ImageId"])
    raise ApiError(
        "UnsupportedOperation",
        f"The image '{image.id}' is not a Windows AMI: fast launch is for Windows AMIs only.",
    )


KIND: Kind[Any] = Kind(
    row=None,
    actions={"EnableFastLaunch": refuse, "DisableFastLaunch": refuse},
    listings=(never("DescribeFastLaunchImages", "FastLaunchImages"),),
)
