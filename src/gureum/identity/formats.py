"""The forms of actions and resources that IAM accepts in policies, and what it says of others.

Source: IAM User Guide, "IAM JSON policy elements: Action" and "Resource"; the sentences are those
that IAM answers with.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from gureum.errors import ApiError

LEGACY = "The policy failed legacy parsing"
PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f")
_NO_REGION = {
    "iam": "IAM resource {} cannot contain region information.",
    "s3": "Resource {} can not contain region information.",
}
_VENDOR = re.compile(r"[a-zA-Z0-9.-]+")


def malformed(message: str) -> ApiError:
    """``MalformedPolicyDocument`` with IAM's sentence."""
    return ApiError("MalformedPolicyDocument", message)


def check_actions(actions: Iterable[str]) -> None:
    """Each is ``*`` or ``service:name``, the name with wildcards, the service without.

    Raises:
        ApiError: ``MalformedPolicyDocument``.
    """
    for action in actions:
        vendor, *rest = action.split(":")
        if not rest and vendor != "*":
            raise malformed(
                "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
            )
        if len(rest) > 1:
            raise malformed("Actions/Condition can contain only one colon.")
        if vendor != "*" and not _VENDOR.fullmatch(vendor):
            raise malformed(f"Vendor {vendor} is not valid")


def check_resources(resources: Iterable[str]) -> None:
    """Each is ``*`` or an ARN of a known partition and a service without wildcards.

    Raises:
        ApiError: ``MalformedPolicyDocument``.
    """
    for resource in resources:
        if resource != "*":
            _check_resource(resource)


def _check_resource(resource: str) -> None:
    prefix, *rest = resource.split(":", 5)
    if prefix != "arn" or not rest:
        raise malformed(f'Resource {resource} must be in ARN format or "*".')
    partition, *parts = rest
    if partition not in PARTITIONS:
        filled = ":".join([*parts, *["*"] * (4 - len(parts))])
        raise malformed(
            f'Partition "{partition}" is not valid for resource "arn:{partition}:{filled}".'
        )
    if not parts or not _VENDOR.fullmatch(parts[0]):
        raise malformed("Resource vendor must be fully qualified and cannot contain regexes.")
    if parts[0] in _NO_REGION and len(parts) > 1 and parts[1]:
        raise malformed(_NO_REGION[parts[0]].format(resource))
