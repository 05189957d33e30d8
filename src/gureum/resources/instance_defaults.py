"""What instances of a region get where their launch does not say: metadata options, CPU credits;
and whether their serial consoles may be used.

Sources: EC2 API Reference, ModifyInstanceMetadataDefaults, ModifyDefaultCreditSpecification,
EnableSerialConsoleAccess; EC2 User Guide, "Where to configure instance metadata options".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Shape
from gureum.model import Resource, Txn
from gureum.resources.instance_types import default_credits
from gureum.resources.region_settings import MetadataDefaults, set_defaults, settings

_MEMBERS = {
    "HttpTokens": "tokens",
    "HttpPutResponseHopLimit": "hop_limit",
    "HttpEndpoint": "endpoint",
    "InstanceMetadataTags": "tags",
    "HttpTokensEnforced": "enforced",
}


# --- metadata -----------------------------------------------------------------------------------
def modify_metadata_defaults(call: Call) -> Shape:
    """ModifyInstanceMetadataDefaults: ``no-preference`` and -1 take a default back."""
    found: dict[str, Any] = {}
    for member, name in _MEMBERS.items():
        value = call.get(member)
        if value is not None:
            found[name] = None if value in ("no-preference", -1) else value
    limit = found.get("hop_limit")
    if limit is not None and not 1 <= limit <= 64:
        raise invalid_value("httpPutResponseHopLimit", limit, "It must be between 1 and 64, or -1.")
    set_defaults(call, metadata=replace(settings(call.txn).metadata, **found))
    return {"Return": True}


def get_metadata_defaults(call: Call) -> Shape:
    """GetInstanceMetadataDefaults: those that are set."""
    row = settings(call.txn).metadata
    shape = {member: getattr(row, name) for member, name in _MEMBERS.items()}
    found = {name: value for name, value in shape.items() if value is not None}
    return {"AccountLevel": {**found, "ManagedBy": "account"}}


def metadata_defaults(txn: Txn) -> Shape:
    """The region's defaults in the names of a launch's ``MetadataOptions``."""
    row = settings(txn).metadata
    shape = {member: getattr(row, name) for member, name in _MEMBERS.items() if name != "enforced"}
    return {name: value for name, value in shape.items() if value is not None}


def check_tokens(txn: Txn, options: Mapping[str, Any]) -> None:
    """Refuse options that the region's enforcement of IMDSv2 forbids.

    Raises:
        ApiError: ``UnsupportedOperation``.
    """
    enforced: MetadataDefaults = settings(txn).metadata
    if enforced.enforced == "enabled" and options.get("HttpTokens") == "optional":
        raise ApiError(
            "UnsupportedOperation",
            "You can't launch instances with IMDSv1 because httpTokensEnforced is enabled for this "
            "account. Either launch the instance with httpTokens=required or contact your account "
            "owner to disable httpTokensEnforced using the ModifyInstanceMetadataDefaults API.",
        )


# --- credits ------------------------------------------------------------------------------------
def credits_of(txn: Txn, kind: str) -> str:
    """The CPU credits of a new burstable instance of a type."""
    family = kind.partition(".")[0]
    return dict(settings(txn).credits).get(family) or default_credits(kind)


def _show_credits(call: Call, family: str) -> Shape:
    shape = {"InstanceFamily": family, "CpuCredits": credits_of(call.txn, f"{family}.micro")}
    return {"InstanceFamilyCreditSpecification": shape}


def get_default_credits(call: Call) -> Shape:
    """GetDefaultCreditSpecification."""
    return _show_credits(call, call.params["InstanceFamily"])


def modify_default_credits(call: Call) -> Shape:
    """ModifyDefaultCreditSpecification: of instances launched from now on."""
    family, value = call.params["InstanceFamily"], call.params["CpuCredits"]
    if value not in ("standard", "unlimited"):
        raise invalid_value("cpuCredits", value)
    known = dict(settings(call.txn).credits) | {family: value}
    set_defaults(call, credits=tuple(sorted(known.items())))
    return _show_credits(call, family)


# --- serial consoles ----------------------------------------------------------------------------
def _serial(call: Call) -> Shape:
    return {"SerialConsoleAccessEnabled": settings(call.txn).serial_console}


def enable_serial(call: Call) -> Shape:
    """EnableSerialConsoleAccess: remembered only."""
    set_defaults(call, serial_console=True)
    return _serial(call)


def disable_serial(call: Call) -> Shape:
    """DisableSerialConsoleAccess."""
    set_defaults(call, serial_console=False)
    return _serial(call)


def get_serial(call: Call) -> Shape:
    """GetSerialConsoleAccessStatus."""
    return _serial(call) | {"ManagedBy": "account"}


_READS = {
    "GetInstanceMetadataDefaults": get_metadata_defaults,
    "GetDefaultCreditSpecification": get_default_credits,
    "GetSerialConsoleAccessStatus": get_serial,
}

KIND: Kind[Resource] = Kind(
    row=None,
    actions={
        "ModifyInstanceMetadataDefaults": modify_metadata_defaults,
        "ModifyDefaultCreditSpecification": modify_default_credits,
        "EnableSerialConsoleAccess": enable_serial,
        "DisableSerialConsoleAccess": disable_serial,
        **_READS,
    },
    reads=frozenset(_READS),
)
