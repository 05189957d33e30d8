"""Watermarks of images, the instance types that they are for, and what was found in them.

Sources: EC2 API Reference, AttachImageWatermark, ReplaceImageInstanceTypeSpecification,
GetImageFindings.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

from gureum.errors import ApiError, invalid_combination, invalid_value
from gureum.kind import Call, Kind, Shape
from gureum.resources.image import Image, TypeRule, Watermark, find_image
from gureum.resources.image_attributes import own_image
from gureum.resources.instance_types import TYPES

MAX_PATTERNS = 100
"""Types and patterns in each list of an image (EC2 API Reference)."""

_NAME = re.compile(r"[A-Za-z0-9._-]{3,128}")
_PATTERN = re.compile(r"[a-z0-9.*-]{1,50}")


# --- watermarks ---------------------------------------------------------------------------------
def attach(call: Call) -> Shape:
    """AttachImageWatermark: what is made of the image from now on has it, too."""
    image, name = own_image(call), str(call.params["WatermarkName"])
    if not _NAME.fullmatch(name):
        raise invalid_value("watermarkName", name)
    if image.public:
        raise ApiError(
            "OperationNotPermitted", f"The image '{image.id}' is public: it cannot be watermarked."
        )
    key = f"{call.account}:{name}"
    if any(each.key == key for each in image.watermarks):
        raise invalid_value("watermarkName", name, "The image has that watermark already.")
    mark = Watermark(
        key=key, region=image.region, image=image.id, image_created=image.created, made=call.now
    )
    call.txn.put(replace(image, watermarks=(*image.watermarks, mark)))
    return {"WatermarkKey": key}


def detach(call: Call) -> Shape:
    """DetachImageWatermark: no error where it is not there."""
    image, key = own_image(call), call.params["WatermarkKey"]
    kept = tuple(each for each in image.watermarks if each.key != key)
    call.txn.put(replace(image, watermarks=kept))
    return {"Return": True}


# --- instance types -----------------------------------------------------------------------------
def replace_types(call: Call) -> Shape:
    """ReplaceImageInstanceTypeSpecification: launches of other types are refused from now on.

    Raises:
        ApiError: the image's codes, ``InvalidParameterValue``, ``InvalidParameterCombination``.
    """
    image, asked = own_image(call), call.get("InstanceTypeSpecification") or {}
    rule = TypeRule(
        supported=_patterns(asked, "SupportedInstanceTypes"),
        unsupported=_patterns(asked, "UnsupportedInstanceTypes"),
    )
    call.txn.put(replace(image, types=rule))
    return {"ReturnValue": True}


def _patterns(asked: Mapping[str, Any], member: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(asked.get(member) or ()))
    if len(found) > MAX_PATTERNS:
        raise invalid_combination(f"{member} has at most {MAX_PATTERNS} entries.")
    for each in found:
        named = "*" not in each
        if not _PATTERN.fullmatch(each) or (named and each not in TYPES):
            raise invalid_value(member, each)
    return found


def check_type(image: Image, kind: str) -> None:
    """Raises:
    ApiError: ``InvalidParameterCombination`` where the image is not for an instance type.
    """
    rule = image.types
    listed = not rule.supported or any(fnmatchcase(kind, each) for each in rule.supported)
    if not listed or any(fnmatchcase(kind, each) for each in rule.unsupported):
        raise invalid_combination(
            f"The instance type '{kind}' is not compatible with the AMI '{image.id}'."
        )


# --- findings -----------------------------------------------------------------------------------
def findings(call: Call) -> Shape:
    """GetImageFindings: nobody scans images here."""
    find_image(call.txn, call.params["ImageId"])
    return {"ImageFindings": []}


KIND: Kind[Image] = Kind(
    row=None,
    actions={
        "AttachImageWatermark": attach,
        "DetachImageWatermark": detach,
        "ReplaceImageInstanceTypeSpecification": replace_types,
        "GetImageFindings": findings,
    },
    reads=frozenset({"GetImageFindings"}),
)
