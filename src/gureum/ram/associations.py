"""What is in a share: resources of its owner, and accounts that are asked to join.

No account here is in an organization, so every account is an external principal, and is in a share
once it has accepted the invitation.  Sources: AWS RAM API Reference, AssociateResourceShare and its
relatives; the messages as clients report them.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import replace

from gureum.kind import Action, Call, Shape
from gureum.model import Reader
from gureum.ram.common import (
    asked_share,
    check_share_arn,
    echoed,
    invalid,
    not_permitted,
    own_share,
    page,
    unknown,
    wanted,
)
from gureum.ram.refusals import why_not, why_not_with
from gureum.ram.resource_types import owned, type_of
from gureum.resources.resource_share import (
    ASSOCIATED,
    ASSOCIATING,
    DISASSOCIATED,
    FAILED,
    OVER,
    PENDING,
    ResourceShare,
    ShareAssociation,
    ShareInvitation,
    association_id,
    associations_of,
)

_ACCOUNT = re.compile(r"[0-9]{12}")
_ORGANIZATION = re.compile(r"arn:aws:organizations::[0-9]{12}:(organization|ou)/(?:.*/)?(.+)")

NOT_YOURS = "The specified resource could not be found in your AWS account."
"""Why an association fails of what the owner of the share does not have."""


def associate(call: Call) -> Shape:
    """AssociateResourceShare: AWS answers with states on the way."""
    row = own_share(call)
    if call.get("sources"):
        raise invalid("Sources can be given for principals that are services only.")
    resources, principals = call.get("resourceArns", ()), call.get("principals", ())
    if not resources and not principals:
        raise invalid("At least one resource or principal is needed.")
    rows = add(call, row, resources, principals)
    told = [show(call.txn.view, each) | {"status": ASSOCIATING} for each in rows]
    return echoed(call, {"resourceShareAssociations": told})


def add(
    call: Call, share: ResourceShare, resources: Iterable[str], principals: Iterable[str]
) -> list[ShareAssociation]:
    """Put resources, by their ARNs, and principals into a share.

    Raises:
        ApiError: ``MalformedArnException``, ``InvalidParameterException``,
            ``UnknownResourceException``, ``OperationNotPermittedException``.
    """
    permissions = list(share.permissions)
    rows = []
    for arn in dict.fromkeys(resources):
        permissions.append(type_of(arn).permission)
        rows.append(_add_resource(call, share, arn))
    changed = replace(share, permissions=tuple(dict.fromkeys(permissions)), updated=call.now)
    call.txn.put(changed)
    return rows + [_add_principal(call, share, each) for each in dict.fromkeys(principals)]


def _add_resource(call: Call, share: ResourceShare, arn: str) -> ShareAssociation:
    known = call.txn.find(ShareAssociation, association_id(share.id, arn))
    if known is not None and known.status not in OVER:
        return known
    row = owned(call, arn)
    association = _association(call, share, arn)
    why = why_not(call.txn.view, share, row) if row is not None else NOT_YOURS
    if row is None or why is not None:
        return call.txn.put(replace(association, status=FAILED, message=why))
    return call.txn.put(replace(association, status=ASSOCIATED, resource=row.id))


def _add_principal(call: Call, share: ResourceShare, principal: str) -> ShareAssociation:
    _check_principal(call, share, principal)
    known = call.txn.find(ShareAssociation, association_id(share.id, principal))
    if known is not None and known.status not in OVER:
        return known
    _withdraw(call, share.id, principal)
    association = replace(_association(call, share, principal), principal=principal)
    if why := why_not_with(call.txn.view, share, principal):
        return call.txn.put(replace(association, status=FAILED, message=why))
    arn = f"arn:aws:ram:{call.region}:{call.account}:resource-share-invitation/{uuid.uuid4()}"
    call.txn.put(
        ShareInvitation(
            id=arn,
            account=call.account,
            region=call.region,
            created=call.now,
            share=share.id,
            name=share.name,
            receiver=principal,
            status=PENDING,
        )
    )
    return call.txn.put(association)


def _association(call: Call, share: ResourceShare, entity: str) -> ShareAssociation:
    return ShareAssociation(
        id=association_id(share.id, entity),
        account=call.account,
        region=call.region,
        created=call.now,
        share=share.id,
        entity=entity,
        status=ASSOCIATING,
        updated=call.now,
    )


def _check_principal(call: Call, share: ResourceShare, principal: str) -> None:
    if found := _ORGANIZATION.fullmatch(principal):
        what = "Organization" if found[1] == "organization" else "OrganizationalUnit"
        raise unknown(f"{what} {found[2][:100]}")
    if not _ACCOUNT.fullmatch(principal):
        raise invalid(f"Principal ID {principal[:200]} is malformed. Verify the ID and try again.")
    if principal == call.account:
        raise invalid(f"Principal ID {principal} is the owner of the resource share.")
    if not share.external:
        raise not_permitted(
            "The resource you are attempting to share can only be shared within your AWS "
            "Organization. This error may also occur if you have not enabled sharing with your "
            "AWS organization, or that onboarding process is still in progress."
        )


def external_principals(reader: Reader, share: ResourceShare) -> list[str]:
    """The accounts in a share, and those that are asked to join."""
    rows = associations_of(reader, share.id)
    return [row.principal for row in rows if row.principal and row.status not in OVER]


# --- taking out ---------------------------------------------------------------------------------
def disassociate(call: Call) -> Shape:
    """DisassociateResourceShare: by the owner, or by an account that leaves.

    What others made of a shared resource stays as it is (VPC User Guide, "Unshare a shared prefix
    list", "Unshare a shared subnet", "Stop sharing a security group"; Amazon VPC Transit Gateways,
    "Unshare a transit gateway").
    """
    share = asked_share(call)
    resources, principals = call.get("resourceArns", ()), call.get("principals", ())
    if not resources and not principals:
        raise invalid("At least one resource or principal is needed.")
    if share.account != call.account and (resources or set(principals) != {call.account}):
        raise not_permitted("You can take nobody but your own account out of this resource share.")
    told = []
    for entity in dict.fromkeys((*resources, *principals)):
        row = call.txn.view.find(ShareAssociation, association_id(share.id, entity))
        if row is None or row.status == DISASSOCIATED:
            raise unknown(f"The association of {entity[:200]} with {share.id}")
        gone = end(call, row)
        told.append(show(call.txn.view, gone) | {"status": "DISASSOCIATING"})
    call.txn.put(replace(share, updated=call.now))
    return echoed(call, {"resourceShareAssociations": told})


def end(call: Call, row: ShareAssociation) -> ShareAssociation:
    """Take a resource or a principal out of its share."""
    if row.principal is not None:
        _withdraw(call, row.share, row.principal)
    return call.txn.put(replace(row, status=DISASSOCIATED, message=None, updated=call.now))


def _withdraw(call: Call, share: str, receiver: str) -> None:
    """Take back what asks an account to join; invitations that were answered go, too."""
    for each in list(call.txn.view.referrers(share, ShareInvitation)):
        if each.receiver == receiver:
            call.txn.delete(each)


# --- listing ------------------------------------------------------------------------------------
def get_associations(call: Call) -> Shape:
    """GetResourceShareAssociations: of the caller's own shares.

    Raises:
        ApiError: ``MalformedArnException``, ``UnknownResourceException``,
            ``InvalidParameterException``.
    """
    kind: str = call.params["associationType"]
    for member, other in (("resourceArn", "PRINCIPAL"), ("principal", "RESOURCE")):
        if call.get(member) and kind == other:
            raise invalid(f"{member} cannot be given for associations of type {kind}.")
    asked = wanted(call.params, "resourceShareArns")
    for arn in sorted(asked or ()):
        check_share_arn(arn)
        if call.txn.find(ResourceShare, arn) is None:
            raise unknown(f"ResourceShare {arn}")
    entity = call.get("resourceArn") or call.get("principal")
    status = call.get("associationStatus")
    rows = (
        row
        for row in _of_shares(call, asked)
        if _type(row) == kind and entity in (None, row.entity) and status in (None, row.status)
    )
    items = ((f"{row.created} {row.id}", show(call.txn.view, row)) for row in rows)
    return page(call, "resourceShareAssociations", items)


def _of_shares(call: Call, asked: frozenset[str] | None) -> Iterable[ShareAssociation]:
    if asked is None:
        return call.txn.all(ShareAssociation)
    return (row for arn in sorted(asked) for row in associations_of(call.txn.view, arn))


def _type(row: ShareAssociation) -> str:
    return "PRINCIPAL" if row.principal is not None else "RESOURCE"


def show(reader: Reader, row: ShareAssociation) -> Shape:
    """The API's ``ResourceShareAssociation`` structure."""
    share = reader.find(ResourceShare, row.share)
    return {
        "resourceShareArn": row.share,
        "resourceShareName": share.name if share else None,
        "associatedEntity": row.entity,
        "associationType": _type(row),
        "status": row.status,
        "statusMessage": row.message,
        "creationTime": row.created,
        "lastUpdatedTime": row.updated,
        "external": row.principal is not None,
    }


ACTIONS: dict[str, Action] = {
    "AssociateResourceShare": associate,
    "DisassociateResourceShare": disassociate,
    "GetResourceShareAssociations": get_associations,
}
