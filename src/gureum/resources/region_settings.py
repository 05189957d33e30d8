"""What an account has switched on or off in a region, beside its resources: one row of defaults.

Sources: EC2 API Reference, EnableEbsEncryptionByDefault, ModifyEbsDefaultKmsKeyId,
EnableSnapshotBlockPublicAccess.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from gureum.kind import Call, Kind
from gureum.model import Resource, Txn
from gureum.resources.image_allowed import AllowedImages


@dataclass(frozen=True, kw_only=True)
class MetadataDefaults:
    """Metadata options of instances whose launch does not say; None where nothing is preferred.
    ``enforced`` says whether version 2 is the only one that can be launched with."""

    tokens: str | None = None
    hop_limit: int | None = None
    endpoint: str | None = None
    tags: str | None = None
    enforced: str | None = None


@dataclass(frozen=True, kw_only=True)
class RegionSettings(
    Resource,
    kind="region-settings",
    prefix="settings",
    not_found="InvalidParameterValue",
    noun="region settings",
):
    """Defaults of one account's region.  ``kms_key`` is None for the key that EBS has of itself;
    ``snapshot_sharing`` and ``image_sharing`` say what of public snapshots and images is
    blocked; ``credits`` are the CPU credits of new instances by family."""

    encrypt_volumes: bool = False
    kms_key: str | None = None
    snapshot_sharing: str = "unblocked"
    image_sharing: str = "block-new-sharing"
    serial_console: bool = False
    metadata: MetadataDefaults = field(default_factory=MetadataDefaults)
    credits: tuple[tuple[str, str], ...] = ()
    allowed_images: AllowedImages = field(default_factory=AllowedImages)


def settings(txn: Txn) -> RegionSettings:
    """The settings of the caller's region: AWS's own where nothing was ever set."""
    key = f"settings-{txn.account}/{txn.region}"
    found = txn.find(RegionSettings, key)
    return found or RegionSettings(id=key, account=txn.account, region=txn.region, created="")


def set_defaults(call: Call, **fields: Any) -> RegionSettings:
    """Change some of the settings of the caller's region."""
    row = replace(settings(call.txn), **fields)
    return call.txn.put(replace(row, created=row.created or call.now))


KIND = Kind(row=RegionSettings)
