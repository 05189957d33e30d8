"""Elastic IPs that go from one account to another, and the platform that they no longer move to.

Sources: EC2 User Guide, "Transfer an Elastic IP address between AWS accounts"; EC2 API Reference,
EnableAddressTransfer, AcceptAddressTransfer, MoveAddressToVpc.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Listing, Selector, Shape, never
from gureum.model import Resource, Txn, View, ref
from gureum.model.timestamps import timestamp
from gureum.resources.elastic_ip import ElasticIp, association_of, check_quota, named_address
from gureum.resources.public_ip import PublicIp, public_ip_id
from gureum.resources.shapes import is_account

OFFER = timedelta(days=7)
"""How long an offer can be accepted."""

SHOWN = timedelta(days=14)
"""How long its source sees a transfer that was accepted."""


@dataclass(frozen=True, kw_only=True)
class AddressTransfer(
    Resource,
    kind="address-transfer",
    prefix="eiptransfer",
    not_found="InvalidAllocationID.NotFound",
    noun="address transfer",
):
    """An Elastic IP that its owner offers to another account, or that was accepted there.

    It belongs to the source; the allocation keeps its id in the other account.
    """

    allocation: str = ref("weak")
    ip: str
    target: str
    expires: str
    accepted: str | None = None


def _pending(view: View, allocation: str, account: str) -> AddressTransfer | None:
    """The account's offer of an Elastic IP."""
    rows = view.referrers(allocation, AddressTransfer)
    return next((row for row in rows if row.account == account and row.accepted is None), None)


def enable_transfer(call: Call) -> Shape:
    """EnableAddressTransfer: an offer for seven days, which replaces an earlier one."""
    row, target = call.txn.get(ElasticIp, call.params["AllocationId"]), _target(call)
    old = _pending(call.txn.view, row.id, call.account)
    if old is not None:
        call.txn.delete(old)
    expires = timestamp(datetime.fromisoformat(call.now) + OFFER)
    common = {**call.common(AddressTransfer), "tags": ()}
    made = AddressTransfer(**common, allocation=row.id, ip=row.ip, target=target, expires=expires)
    return {"AddressTransfer": show(call.created(made), call.txn.view)}


def _target(call: Call) -> str:
    target = str(call.params["TransferAccountId"])
    if not is_account(target) or target == call.account:
        raise invalid_value("transferAccountId", target, "The ID of another account is needed")
    return target


def disable_transfer(call: Call) -> Shape:
    """DisableAddressTransfer: takes the offer back."""
    row = call.txn.get(ElasticIp, call.params["AllocationId"])
    offer = _pending(call.txn.view, row.id, call.account)
    if offer is None:
        raise ApiError(
            "InvalidParameterValue", f"The address transfer of '{row.id}' is not enabled."
        )
    call.txn.delete(offer)
    shown = show(offer, call.txn.view) | {"AddressTransferStatus": "disabled"}
    return {"AddressTransfer": shown}


def accept_transfer(call: Call) -> Shape:
    """AcceptAddressTransfer: the address is the caller's, without its tags.

    Raises:
        ApiError: ``InvalidAddress.NotFound`` (nobody offers it to the caller),
            ``AddressLimitExceeded``, ``InvalidTransfer.AddressCustomPtrSet``,
            ``InvalidTransfer.AddressAssociated``.
    """
    view, ip = call.txn.view, call.params["Address"]
    taken = view.find(PublicIp, public_ip_id(ip))
    row = view.find(ElasticIp, taken.holder) if taken else None
    offer = _pending(view, row.id, row.account) if row else None
    if taken is None or row is None or offer is None or not _is_for(call, offer):
        raise ApiError("InvalidAddress.NotFound", f"Address '{ip}' not found.")
    check_quota(call)
    if row.ptr is not None:
        raise ApiError(
            "InvalidTransfer.AddressCustomPtrSet",
            f"The address {ip} has a custom reverse DNS record, which its owner must remove first.",
        )
    if association_of(view, row.id):
        raise ApiError(
            "InvalidTransfer.AddressAssociated",
            f"The address {ip} is associated, and its owner must disassociate it first.",
        )
    call.txn.put(replace(row, account=call.account, tags=()))
    call.txn.put(replace(taken, account=call.account))
    done = call.txn.put(replace(offer, accepted=call.now))
    return {"AddressTransfer": show(done, call.txn.view)}


def _is_for(call: Call, offer: AddressTransfer) -> bool:
    fresh = datetime.fromisoformat(call.now) < datetime.fromisoformat(offer.expires)
    return fresh and (offer.target, offer.region) == (call.account, call.region)


def expired(txn: Txn, row: AddressTransfer, now: str) -> None:
    """Forget an offer that nobody accepted, or a transfer of a fortnight ago."""
    end = datetime.fromisoformat(row.accepted) + SHOWN if row.accepted else None
    end = end or datetime.fromisoformat(row.expires)
    if datetime.fromisoformat(now) >= end or _is_lost(txn, row):
        txn.delete(row)


def _is_lost(txn: Txn, row: AddressTransfer) -> bool:
    """Whether the address that is offered was released."""
    return row.accepted is None and txn.find(ElasticIp, row.allocation) is None


def show(row: AddressTransfer, view: View) -> Shape:
    """The API's ``AddressTransfer`` structure."""
    shape: Shape = {
        "PublicIp": row.ip,
        "AllocationId": row.allocation,
        "TransferAccountId": row.target,
        "TransferOfferExpirationTimestamp": row.expires,
        "AddressTransferStatus": "accepted" if row.accepted else "pending",
    }
    return shape | ({"TransferOfferAcceptedTimestamp": row.accepted} if row.accepted else {})


def _is_shown(call: Call, row: AddressTransfer) -> bool:
    return not _is_lost(call.txn, row)


# --- EC2-Classic --------------------------------------------------------------------------------
def move_to_vpc(call: Call) -> Shape:
    """MoveAddressToVpc: every address is there already."""
    row = named_address(call, call.params["PublicIp"])
    return {"AllocationId": row.id, "Status": "InVpc"}


def restore_to_classic(call: Call) -> Shape:
    """RestoreAddressToClassic: of no address that was allocated for VPCs, as all are."""
    named_address(call, call.params["PublicIp"])
    raise ApiError(
        "OperationNotPermitted",
        "You cannot move an Elastic IP address that was originally allocated for use in EC2-VPC.",
    )


KIND = Kind(
    row=AddressTransfer,
    actions={
        "EnableAddressTransfer": enable_transfer,
        "DisableAddressTransfer": disable_transfer,
        "AcceptAddressTransfer": accept_transfer,
        "MoveAddressToVpc": move_to_vpc,
        "RestoreAddressToClassic": restore_to_classic,
    },
    listings=(
        Listing(
            action="DescribeAddressTransfers",
            result="AddressTransfers",
            show=show,
            keep=_is_shown,
            selectors={
                "AllocationIds": Selector(
                    path="AllocationId",
                    code="InvalidAllocationID.NotFound",
                    message="The allocation ID '{}' does not exist",
                )
            },
        ),
        never(
            "DescribeMovingAddresses",
            "MovingAddressStatuses",
            paths={"moving-status": "MoveStatus"},
        ),
    ),
    expired=expired,
)
