"""What EBS does unasked in a region: encryption by default, its key, and no public snapshots.

There is no key service here: a key is a name, which is remembered and shown.
Sources: EBS User Guide, "Amazon EBS encryption", "Block public access for Amazon EBS snapshots".
"""

from __future__ import annotations

import hashlib
import uuid

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Shape
from gureum.model import Resource, Txn
from gureum.resources.region_settings import set_defaults, settings

ALIAS = "alias/aws/ebs"
"""The key that AWS makes for EBS in every account's region."""


def kms_arn(txn: Txn, key: str) -> str:
    """The ARN of a key that is given by id, alias or ARN, the same for the same name.

    An alias stands for the key of an id that follows from it: no key service knows a better one.
    """
    if key.startswith("arn:") and ":alias/" not in key:
        return key
    name = key.rpartition(":")[2] if key.startswith("arn:") else key
    if name.startswith("alias/"):
        digest = hashlib.sha256(f"{txn.account}/{txn.region}/{name}".encode()).digest()
        name = str(uuid.UUID(bytes=digest[:16], version=4))
    return f"arn:aws:kms:{txn.region}:{txn.account}:key/{name}"


def encryption(
    txn: Txn, *, asked: bool | None, key: str | None, source: str | None = None
) -> tuple[bool, str | None]:
    """Whether a new volume or snapshot is encrypted, and the ARN of its key.

    ``asked`` and ``key`` are the request's, ``source`` is the key of an encrypted snapshot that it
    is made from: what was encrypted stays so.

    Raises:
        ApiError: ``InvalidParameterDependency`` where a key is given and no encryption.
    """
    defaults = settings(txn)
    encrypted = bool(asked) or defaults.encrypt_volumes or source is not None
    if key and not encrypted:
        raise ApiError(
            "InvalidParameterDependency",
            "The parameter KmsKeyId requires the parameter Encrypted to be set.",
        )
    if not encrypted:
        return False, None
    return True, kms_arn(txn, key) if key else source or kms_arn(txn, defaults.kms_key or ALIAS)


# --- encryption by default ----------------------------------------------------------------------
def _by_default(call: Call) -> Shape:
    return {"EbsEncryptionByDefault": settings(call.txn).encrypt_volumes}


def enable_encryption(call: Call) -> Shape:
    """EnableEbsEncryptionByDefault: new volumes and copies of snapshots are encrypted."""
    set_defaults(call, encrypt_volumes=True)
    return _by_default(call)


def disable_encryption(call: Call) -> Shape:
    """DisableEbsEncryptionByDefault: what is encrypted stays so."""
    set_defaults(call, encrypt_volumes=False)
    return _by_default(call)


def get_encryption(call: Call) -> Shape:
    """GetEbsEncryptionByDefault."""
    return _by_default(call) | {
        "SseType": "sse-kms" if settings(call.txn).encrypt_volumes else "none"
    }


def get_key(call: Call) -> Shape:
    """GetEbsDefaultKmsKeyId."""
    return {"KmsKeyId": settings(call.txn).kms_key or ALIAS}


def modify_key(call: Call) -> Shape:
    """ModifyEbsDefaultKmsKeyId."""
    key = call.params["KmsKeyId"]
    if not key:
        raise invalid_value("kmsKeyId", key)
    set_defaults(call, kms_key=kms_arn(call.txn, key))
    return get_key(call)


def reset_key(call: Call) -> Shape:
    """ResetEbsDefaultKmsKeyId: back to the key that EBS has of itself."""
    set_defaults(call, kms_key=None)
    return get_key(call)


# --- block public access ------------------------------------------------------------------------
def block_sharing(call: Call) -> Shape:
    """EnableSnapshotBlockPublicAccess."""
    state = call.params["State"]
    if state == "unblocked":
        raise invalid_value("state", state)
    return {"State": set_defaults(call, snapshot_sharing=state).snapshot_sharing}


def unblock_sharing(call: Call) -> Shape:
    """DisableSnapshotBlockPublicAccess."""
    return {"State": set_defaults(call, snapshot_sharing="unblocked").snapshot_sharing}


def get_sharing(call: Call) -> Shape:
    """GetSnapshotBlockPublicAccessState."""
    return {"State": settings(call.txn).snapshot_sharing, "ManagedBy": "account"}


_READS = {
    "GetEbsEncryptionByDefault": get_encryption,
    "GetEbsDefaultKmsKeyId": get_key,
    "GetSnapshotBlockPublicAccessState": get_sharing,
}

KIND: Kind[Resource] = Kind(
    row=None,
    actions={
        "EnableEbsEncryptionByDefault": enable_encryption,
        "DisableEbsEncryptionByDefault": disable_encryption,
        "ModifyEbsDefaultKmsKeyId": modify_key,
        "ResetEbsDefaultKmsKeyId": reset_key,
        "EnableSnapshotBlockPublicAccess": block_sharing,
        "DisableSnapshotBlockPublicAccess": unblock_sharing,
        **_READS,
    },
    reads=frozenset(_READS),
)
