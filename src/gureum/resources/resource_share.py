"""Resource share: resources of an account that others may use, as AWS RAM (Resource Access Manager)
keeps them.

The rows are here, and what other resources ask of them: is this open to that account?  RAM's own
actions are in :mod:`gureum.ram`.

Sources: AWS RAM User Guide, "How AWS RAM works" and "Terms and concepts"; AWS RAM API Reference.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from gureum.kind import Kind
from gureum.model import Reader, Resource, Txn, ref
from gureum.model.timestamps import age

R = TypeVar("R", bound=Resource)

KEPT = timedelta(hours=2)
"""How long a share or an association stays visible that has ended (AWS RAM User Guide, "Deleting a
resource share")."""

OPEN_FOR = timedelta(hours=12)
"""How long an invitation may be accepted (AWS RAM User Guide, "Accepting and rejecting resource
share invitations")."""

ACTIVE, DELETED = "ACTIVE", "DELETED"
ASSOCIATING, ASSOCIATED = "ASSOCIATING", "ASSOCIATED"
DISASSOCIATED, FAILED = "DISASSOCIATED", "FAILED"
PENDING, ACCEPTED, REJECTED, EXPIRED = "PENDING", "ACCEPTED", "REJECTED", "EXPIRED"

OVER = frozenset({DISASSOCIATED, FAILED})
"""States of an association that are an end."""


@dataclass(frozen=True, kw_only=True)
class ResourceShare(
    Resource,
    kind="resource-share",
    prefix="resource-share",
    not_found="UnknownResourceException",
    noun="resource share",
):
    """A share; its id is its ARN.  ``permissions`` are names of managed permissions, one for each
    type of resource that was ever in it; ``updated`` is the time of its last change."""

    name: str
    external: bool
    status: str
    updated: str
    permissions: tuple[str, ...] = ()
    retain: bool = False


@dataclass(frozen=True, kw_only=True)
class ShareAssociation(
    Resource,
    kind="resource-share-association",
    prefix="resource-share-association",
    not_found="UnknownResourceException",
    noun="resource share association",
):
    """A resource or an account in a share.  ``entity`` is the resource's ARN or the account's
    number; one of ``resource``, an id, and ``principal`` is set, neither where the resource was not
    found."""

    share: str = ref("cascade")
    entity: str
    resource: str | None = ref("cascade", default=None)
    principal: str | None = ref("weak", default=None)
    status: str
    message: str | None = None
    updated: str


@dataclass(frozen=True, kw_only=True)
class ShareInvitation(
    Resource,
    kind="resource-share-invitation",
    prefix="resource-share-invitation",
    not_found="ResourceShareInvitationArnNotFoundException",
    noun="resource share invitation",
):
    """What asks an account to join a share; its id is its ARN, its account the sender."""

    share: str = ref("cascade")
    name: str
    receiver: str = ref("weak")
    status: str


# --- finding ------------------------------------------------------------------------------------
def association_id(share: str, entity: str) -> str:
    """The id of the row of an account or a resource in a share."""
    return f"{share}/{entity}"


def associations_of(reader: Reader, share: str) -> Iterator[ShareAssociation]:
    """What was put into a share, whatever became of it."""
    return (row for row in reader.referrers(share, ShareAssociation) if row.share == share)


def has_joined(reader: Reader, share: str, account: str) -> bool:
    """Whether an account has what is in a share."""
    row = reader.find(ShareAssociation, association_id(share, account))
    return row is not None and row.status == ASSOCIATED


def is_shared(reader: Reader, key: str, account: str) -> bool:
    """Whether a resource is in a share that an account has joined."""
    return any(
        row.resource == key and row.status == ASSOCIATED and has_joined(reader, row.share, account)
        for row in reader.referrers(key, ShareAssociation)
    )


def shared_with(reader: Reader, cls: type[R], account: str, region: str) -> tuple[R, ...]:
    """The resources of a type in the shares that an account has joined in a region, once each."""
    found: dict[str, R] = {}
    for joined in reader.referrers(account, ShareAssociation):
        if joined.region != region or joined.status != ASSOCIATED:
            continue
        for each in associations_of(reader, joined.share):
            row = reader.find(cls, each.resource) if each.status == ASSOCIATED else None
            if row is not None:
                found[row.id] = row
    return tuple(found.values())


# --- life ---------------------------------------------------------------------------------------
def expired(txn: Txn, row: ResourceShare, now: str) -> None:
    """Forget a share that was deleted, with all that was in it."""
    if row.status == DELETED and age(row.updated, now) >= KEPT:
        txn.delete(row)


def association_expired(txn: Txn, row: ShareAssociation, now: str) -> None:
    """Forget what was taken out of a share."""
    if row.status == DISASSOCIATED and age(row.updated, now) >= KEPT:
        txn.delete(row)


def is_late(row: ShareInvitation, now: str) -> bool:
    """Whether an invitation can be accepted no more, as it was not in time."""
    return row.status == EXPIRED or (row.status == PENDING and age(row.created, now) >= OPEN_FOR)


def invitation_expired(txn: Txn, row: ShareInvitation, now: str) -> None:
    """An invitation that nobody accepts expires, and whom it asked is not in the share."""
    if row.status == PENDING and is_late(row, now):
        txn.put(replace(row, status=EXPIRED))
        turned_away(txn, row, now)


def turned_away(txn: Txn, row: ShareInvitation, now: str) -> None:
    """Whom an invitation asked does not join the share."""
    found = txn.view.find(ShareAssociation, association_id(row.share, row.receiver))
    if found is not None and found.status == ASSOCIATING:
        txn.put(replace(found, status=FAILED, updated=now))


KIND = Kind(row=ResourceShare, expired=expired)
ASSOCIATION = Kind(row=ShareAssociation, expired=association_expired)
INVITATION = Kind(row=ShareInvitation, expired=invitation_expired)
