"""IAM instance profiles of instances: which role an instance has.

A profile is a name or ARN that is remembered and shown; whether there is one in IAM is not asked.
Source: EC2 API Reference, AssociateIamInstanceProfile, IamInstanceProfileAssociation.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from gureum.errors import ApiError, invalid_combination, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Reader, Resource, Txn, View, ref

_NAME = re.compile(r"[\w+=,.@-]{1,128}", re.ASCII)
_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:instance-profile/([\w+=,.@/-]*/)?[\w+=,.@-]{1,128}")


@dataclass(frozen=True, kw_only=True)
class ProfileAssociation(
    Resource,
    kind="iam-instance-profile-association",
    prefix="iip-assoc",
    not_found="InvalidAssociationID.NotFound",
    malformed="InvalidAssociationID.NotFound",
    noun="association",
    missing="An invalid association-id of '{id}' was given",
):
    """An instance with a profile, given by its ARN."""

    instance: str = ref("cascade")
    arn: str
    state: Literal["associating", "associated", "disassociating"] = "associating"


def profile_arn(txn: Txn, given: Mapping[str, Any]) -> str:
    """The ARN of the profile that a request names.

    Raises:
        ApiError: ``MissingParameter``, ``InvalidParameterCombination``, ``InvalidParameterValue``.
    """
    arn, name = given.get("Arn"), given.get("Name")
    if arn and name:
        raise invalid_combination(
            "The parameter 'iamInstanceProfile.name' may not be used in "
            "combination with 'iamInstanceProfile.arn'"
        )
    if arn:
        if not _ARN.fullmatch(arn):
            raise invalid_value("iamInstanceProfile.arn", arn, "Invalid IAM Instance Profile ARN")
        return str(arn)
    if not name:
        raise missing_parameter("iamInstanceProfile")
    if not _NAME.fullmatch(name):
        raise invalid_value("iamInstanceProfile.name", name, "Invalid IAM Instance Profile name")
    return f"arn:aws:iam::{txn.account}:instance-profile/{name}"


def associate(
    call: Call, instance: str, arn: str, *, state: Literal["associating", "associated"]
) -> ProfileAssociation:
    """A new association, of an instance that has none."""
    return call.created(
        ProfileAssociation(
            **call.common(ProfileAssociation), instance=instance, arn=arn, state=state
        )
    )


def association_of(reader: Reader, instance: str) -> ProfileAssociation | None:
    """The association of an instance that is not on its way out."""
    rows = reader.referrers(instance, ProfileAssociation)
    return next((row for row in rows if row.state != "disassociating"), None)


def dissolve(txn: Txn, instance: str) -> None:
    """The instance is no more."""
    for row in list(txn.referrers(instance, ProfileAssociation)):
        txn.delete(row)


def settled(txn: Txn, row: ProfileAssociation, now: str) -> None:
    """The cloud has the association, or has it no more."""
    if row.state == "associating":
        txn.put(replace(row, state="associated"))
    elif row.state == "disassociating":
        txn.delete(row)


# --- actions ------------------------------------------------------------------------------------
def disassociate(call: Call) -> Shape:
    """DisassociateIamInstanceProfile."""
    row = _current(call)
    row = call.txn.put(replace(row, state="disassociating"))
    return {"IamInstanceProfileAssociation": show(row, call.txn.view)}


def replace_association(call: Call) -> Shape:
    """ReplaceIamInstanceProfileAssociation: the new one has an id of its own."""
    row = _current(call)
    arn = profile_arn(call.txn, call.params["IamInstanceProfile"])
    call.txn.delete(row)
    made = associate(call, row.instance, arn, state="associating")
    return {"IamInstanceProfileAssociation": show(made, call.txn.view)}


def _current(call: Call) -> ProfileAssociation:
    row = call.txn.get(ProfileAssociation, call.params["AssociationId"])
    if row.state == "disassociating":
        raise ApiError("IncorrectState", f"The association '{row.id}' is 'disassociating'.")
    return row


# --- answers ------------------------------------------------------------------------------------
def show_profile(arn: str) -> Shape:
    """The API's ``IamInstanceProfile`` structure; the id follows from the ARN."""
    digest = base64.b32encode(hashlib.sha256(arn.encode()).digest()).decode()
    return {"Arn": arn, "Id": f"AIPA{digest[:17]}"}


def show(row: ProfileAssociation, view: View) -> Shape:
    """The API's ``IamInstanceProfileAssociation`` structure."""
    return {
        "AssociationId": row.id,
        "InstanceId": row.instance,
        "IamInstanceProfile": show_profile(row.arn),
        "State": row.state,
        "Timestamp": row.created,
    }


KIND = Kind(
    row=ProfileAssociation,
    actions={
        "DisassociateIamInstanceProfile": disassociate,
        "ReplaceIamInstanceProfileAssociation": replace_association,
    },
    settled=settled,
    listings=(
        Listing(
            action="DescribeIamInstanceProfileAssociations",
            result="IamInstanceProfileAssociations",
            show=show,
            ids="AssociationIds",
        ),
    ),
)
