"""VPC peering connection: a link between two VPCs, of one account or two, of one region or two.

Sources: VPC Peering Guide, "How VPC peering connections work" (lifecycle, limitations); EC2 API
Reference, CreateVpcPeeringConnection and its relatives.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gureum.errors import ApiError, invalid_combination, missing_parameter
from gureum.kind import Call, Kind, Listing, Lowering, Shape
from gureum.model import Reader, Resource, Txn, View, ref
from gureum.model.timestamps import age
from gureum.model.txn import not_found
from gureum.program import Peering
from gureum.resources.ipv6 import blocks
from gureum.resources.shapes import tag_list
from gureum.resources.vpc import Vpc, overlap

MAX_ACTIVE = 50
"""Active peering connections per VPC (VPC quotas)."""

MAX_PENDING = 25
"""Outstanding requests of an account in a region (VPC quotas)."""

OPEN_FOR = timedelta(days=7)
"""How long a request may be accepted."""

KEPT = timedelta(hours=2)
"""How long a connection stays visible that was deleted, rejected, or failed."""

LINKED = frozenset({"provisioning", "active"})
"""States in which packets pass."""

_OVER = frozenset({"deleted", "rejected", "expired", "failed"})
_TOLD = {
    "initiating-request": "Initiating Request to {accepter}",
    "pending-acceptance": "Pending Acceptance by {accepter}",
    "provisioning": "Provisioning",
    "active": "Active",
    "deleting": "Deleting",
    "deleted": "Deleted by {by}",
    "rejected": "Rejected by {accepter}",
    "expired": "Expired",
    "failed": "Failed due to incorrect VPC-ID, Account ID, or overlapping CIDR range",
}
_DNS = "AllowDnsResolutionFromRemoteVpc"
_CLASSIC = (
    "AllowEgressFromLocalClassicLinkToRemoteVpc",
    "AllowEgressFromLocalVpcToRemoteClassicLink",
)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One end of a connection.  ``dns`` says whether the other side's queries for public host names
    of this one are answered with private addresses."""

    vpc: str = ref("weak")
    account: str
    region: str
    dns: bool = False


@dataclass(frozen=True, kw_only=True)
class VpcPeeringConnection(
    Resource,
    kind="vpc-peering-connection",
    prefix="pcx",
    not_found="InvalidVpcPeeringConnectionID.NotFound",
    malformed="InvalidVpcPeeringConnectionId.Malformed",
    noun="vpcPeeringConnection",
):
    """A peering connection; it is a row of the account and region of who asked for it.

    ``ended`` is the time at which it came to one of the states that are an end, ``by`` the account
    that deleted it.
    """

    requester: Side
    accepter: Side
    state: str
    ended: str | None = None
    by: str | None = field(default=None)

    def beyond(self, reader: Reader, vpc: str) -> tuple[str, ...]:
        """The addresses at the other end, which the VPC must not have itself."""
        return _cidrs(reader, self.other(vpc).vpc) if self.state in LINKED else ()

    @property
    def sides(self) -> tuple[Side, Side]:
        """Both ends."""
        return self.requester, self.accepter

    def other(self, vpc: str) -> Side:
        """The end that is not this VPC's."""
        return self.accepter if vpc == self.requester.vpc else self.requester


# --- finding ------------------------------------------------------------------------------------
def state_of(reader: Reader, row: VpcPeeringConnection) -> str:
    """The state; a connection goes with the first of its VPCs."""
    if row.state in _OVER:
        return row.state
    gone = any(reader.find(Vpc, side.vpc) is None for side in row.sides)
    return "deleted" if gone else row.state


def peerings_of(reader: Reader, vpc: str) -> Iterator[VpcPeeringConnection]:
    """The connections of a VPC, whatever their state."""
    return reader.referrers(vpc, VpcPeeringConnection)


def peers_of(reader: Reader, vpc: str) -> frozenset[str]:
    """The VPCs to and from which packets of a VPC pass."""
    rows = (row for row in peerings_of(reader, vpc) if state_of(reader, row) in LINKED)
    return frozenset(row.other(vpc).vpc for row in rows)


def link(reader: Reader, one: str, other: str) -> VpcPeeringConnection | None:
    """The connection by which packets pass between two VPCs."""
    for row in peerings_of(reader, one):
        if row.other(one).vpc == other and state_of(reader, row) in LINKED:
            return row
    return None


def far_vpc(reader: Reader, key: str, vpc: str) -> str | None:
    """The VPC to which a connection leads from another; None while it leads nowhere."""
    row = reader.find(VpcPeeringConnection, key)
    if row is None or state_of(reader, row) not in LINKED:
        return None
    return row.other(vpc).vpc if vpc in (side.vpc for side in row.sides) else None


def _is_of(call: Call, side: Side) -> bool:
    return (side.account, side.region) == (call.account, call.region)


def asked(call: Call, key: str) -> VpcPeeringConnection:
    """The connection, of which the caller must have an end in this region.

    Raises:
        ApiError: ``InvalidVpcPeeringConnectionID.NotFound``, ``…Id.Malformed``.
    """
    row = call.txn.view.find(VpcPeeringConnection, key)
    if row is None or not any(_is_of(call, side) for side in row.sides):
        raise not_found(VpcPeeringConnection, key)
    return row


def _listed(call: Call) -> list[VpcPeeringConnection]:
    rows = call.txn.view.all(VpcPeeringConnection)
    mine = (row for row in rows if any(_is_of(call, side) for side in row.sides))
    return sorted(mine, key=lambda row: (row.created, row.id))


# --- actions ------------------------------------------------------------------------------------
def create(call: Call) -> Shape:
    """CreateVpcPeeringConnection: a request that the other VPC's owner has to accept.

    A peer that is not there, or that overlaps, leaves a failed connection, as in AWS; within the
    account a VPC that does not exist is an error.
    """
    if not call.get("VpcId"):
        raise missing_parameter("vpcId")
    if not call.get("PeerVpcId"):
        raise missing_parameter("peerVpcId")
    vpc = call.txn.get(Vpc, call.params["VpcId"])
    owner = call.get("PeerOwnerId", call.account)
    region = call.get("PeerRegion", call.region)
    key = call.params["PeerVpcId"]
    peer = call.txn.view.find(Vpc, key)
    if peer is not None and (peer.account, peer.region) != (owner, region):
        peer = None
    if peer is None and (owner, region) == (call.account, call.region):
        raise not_found(Vpc, key)
    if peer is not None and peer.id == vpc.id:
        raise invalid_combination("The requester VPC and the accepter VPC must not be the same.")
    if twin := _twin(call, vpc.id, key):
        return {"VpcPeeringConnection": show(twin, call.txn.view)}
    _check_pending(call)
    options = call.get("RequesterPeeringConnectionOptions") or {}
    failed = peer is None or overlap(vpc, peer)
    row = VpcPeeringConnection(
        **call.common(VpcPeeringConnection),
        requester=Side(
            vpc=vpc.id, account=vpc.account, region=vpc.region, dns=bool(options.get(_DNS))
        ),
        accepter=Side(vpc=key, account=owner, region=region),
        state="failed" if failed else "pending-acceptance",
        ended=call.now if failed else None,
    )
    shape = show(call.created(row), call.txn.view)
    if not failed:  # what AWS answers before it has asked the other side
        shape["Status"] = _status(row, "initiating-request")
    return {"VpcPeeringConnection": shape}


def _twin(call: Call, vpc: str, peer: str) -> VpcPeeringConnection | None:
    """A connection of the same two VPCs that is not over: AWS answers with it again."""
    view = call.txn.view
    for row in peerings_of(view, vpc):
        if row.other(vpc).vpc == peer and state_of(view, row) not in (*_OVER, "deleting"):
            return row
    return None


def _check_pending(call: Call) -> None:
    waiting = (row for row in call.txn.all(VpcPeeringConnection) if row.state not in _OVER)
    if sum(1 for row in waiting if row.state == "pending-acceptance") >= MAX_PENDING:
        raise ApiError(
            "OutstandingVpcPeeringConnectionLimitExceeded",
            "The maximum number of outstanding VPC peering connection requests has been reached.",
        )


def accept(call: Call) -> Shape:
    """AcceptVpcPeeringConnection: by the owner of the accepter VPC, in its region."""
    row = _pending(call)
    one, other = (call.txn.view.find(Vpc, side.vpc) for side in row.sides)
    if one and other and overlap(one, other):  # a block may have come since it was asked for
        raise ApiError(
            "InvalidParameterValue",
            f"The CIDR blocks of {one.id} and {other.id} overlap: {row.id} cannot be accepted.",
        )
    for side in row.sides:
        live = (each for each in peerings_of(call.txn.view, side.vpc) if each.state in LINKED)
        if sum(1 for _ in live) >= MAX_ACTIVE:
            raise ApiError(
                "VpcPeeringConnectionsPerVpcLimitExceeded",
                f"The maximum number of VPC peering connections of {side.vpc} has been reached.",
            )
    row = call.txn.put(replace(row, state="provisioning"))
    return {"VpcPeeringConnection": show(row, call.txn.view)}


def reject(call: Call) -> Shape:
    """RejectVpcPeeringConnection: by the owner of the accepter VPC."""
    row = _pending(call)
    call.txn.put(replace(row, state="rejected", ended=call.now))
    return {"Return": True}


def _pending(call: Call) -> VpcPeeringConnection:
    if not call.get("VpcPeeringConnectionId"):
        raise missing_parameter("vpcPeeringConnectionId")
    row = asked(call, call.params["VpcPeeringConnectionId"])
    if not _is_of(call, row.accepter):
        raise ApiError(
            "OperationNotPermitted",
            f"User {call.account} cannot {call.action.removesuffix('VpcPeeringConnection').lower()}"
            f" peering {row.id}",
        )
    state = state_of(call.txn.view, row)
    if state != "pending-acceptance":
        raise _transition(row, state)
    return row


def _transition(row: VpcPeeringConnection, state: str) -> ApiError:
    return ApiError(
        "InvalidStateTransition", f"Invalid state transition for {row.id}, attempted from {state}"
    )


def delete(call: Call) -> Shape:
    """DeleteVpcPeeringConnection: by either owner; a request that waits, by who made it.  Routes
    that lead there stay, as blackholes."""
    row = asked(call, call.params["VpcPeeringConnectionId"])
    state = state_of(call.txn.view, row)
    if state == "pending-acceptance" and not _is_of(call, row.requester):
        raise ApiError("OperationNotPermitted", f"User {call.account} cannot delete {row.id}")
    if state in ("rejected", "expired", "failed"):
        raise _transition(row, state)
    if state not in ("deleting", "deleted"):
        call.txn.put(replace(row, state="deleting", by=call.account))
    return {"Return": True}


def modify_options(call: Call) -> Shape:
    """ModifyVpcPeeringConnectionOptions: each owner its own side; the connection must be active."""
    row = asked(call, call.params["VpcPeeringConnectionId"])
    state = state_of(call.txn.view, row)
    if state not in LINKED:
        raise ApiError(
            "InvalidStateTransition",
            f"The VPC peering connection {row.id} must be active to modify its options, it is "
            f"{state}.",
        )
    answer: Shape = {}
    for name in ("requester", "accepter"):
        member = f"{name.capitalize()}PeeringConnectionOptions"
        if options := call.get(member):
            row = _with_options(call, row, name, options)
            answer[member] = _show_options(getattr(row, name))
    if not answer:
        raise missing_parameter("requesterPeeringConnectionOptions")
    call.txn.put(row)
    return answer


def _with_options(
    call: Call, row: VpcPeeringConnection, name: str, options: dict[str, Any]
) -> VpcPeeringConnection:
    side: Side = getattr(row, name)
    if not _is_of(call, side):
        raise ApiError(
            "OperationNotPermitted",
            f"User {call.account} cannot modify the {name}'s options of {row.id}",
        )
    if any(options.get(each) for each in _CLASSIC):
        raise ApiError("UnsupportedOperation", "EC2-Classic is not available.")
    changed = replace(side, dns=bool(options.get(_DNS, side.dns)))
    if name == "requester":
        return replace(row, requester=changed)
    return replace(row, accepter=changed)


# --- life ---------------------------------------------------------------------------------------
def settled(txn: Txn, row: VpcPeeringConnection, now: str) -> None:
    """The network has the connection's latest state."""
    if row.state == "provisioning":
        txn.put(replace(row, state="active"))
    elif row.state == "deleting":
        txn.put(replace(row, state="deleted", ended=now))


def expired(txn: Txn, row: VpcPeeringConnection, now: str) -> None:
    """Requests expire; what is over is forgotten after a while."""
    state = state_of(txn.view, row)
    if state == "pending-acceptance" and age(row.created, now) >= OPEN_FOR:
        txn.put(replace(row, state="expired", ended=now))
    elif state in _OVER and row.ended is None:
        txn.put(replace(row, state=state, ended=now))
    elif row.ended and age(row.ended, now) >= KEPT:
        txn.delete(row)


# --- answers ------------------------------------------------------------------------------------
def show(row: VpcPeeringConnection, view: View) -> Shape:
    """The API's ``VpcPeeringConnection`` structure."""
    state = state_of(view, row)
    shape: Shape = {
        "VpcPeeringConnectionId": row.id,
        "RequesterVpcInfo": _show_side(row.requester, view, whole=True),
        "AccepterVpcInfo": _show_side(row.accepter, view, whole=state in LINKED),
        "Status": _status(row, state),
        "Tags": tag_list(row),
    }
    if state == "pending-acceptance":
        shape["ExpirationTime"] = (datetime.fromisoformat(row.created) + OPEN_FOR).isoformat()
    return shape


def _status(row: VpcPeeringConnection, state: str) -> Shape:
    said = _TOLD[state].format(accepter=row.accepter.account, by=row.by or row.account)
    return {"Code": state, "Message": said}


def _show_side(side: Side, view: View, *, whole: bool) -> Shape:
    """A side; AWS tells the accepter's addresses and options only once it has accepted."""
    shape: Shape = {"VpcId": side.vpc, "OwnerId": side.account, "Region": side.region}
    vpc = view.find(Vpc, side.vpc)
    if whole and vpc is not None:
        shape["CidrBlock"] = vpc.cidr
        shape["CidrBlockSet"] = [{"CidrBlock": item.cidr} for item in vpc.cidrs]
        found = [{"Ipv6CidrBlock": cidr} for cidr in _ipv6(view, side.vpc)]
        shape |= {"Ipv6CidrBlockSet": found} if found else {}
        shape["PeeringOptions"] = _show_options(side)
    return shape


def _show_options(side: Side) -> Shape:
    return {_DNS: side.dns} | dict.fromkeys(_CLASSIC, False)


def lower(row: VpcPeeringConnection, lowering: Lowering) -> None:
    """An active connection is a link between two routers."""
    if state_of(lowering.view, row) in LINKED:
        one, other = sorted(side.vpc for side in row.sides)
        view = lowering.view
        cidrs = _cidrs(view, one) + _ipv6(view, one), _cidrs(view, other) + _ipv6(view, other)
        lowering.say(Peering(id=row.id, routers=(one, other), cidrs=cidrs))


def _cidrs(reader: Reader, vpc: str) -> tuple[str, ...]:
    row = reader.find(Vpc, vpc)
    return tuple(sorted(item.cidr for item in row.cidrs)) if row else ()


def _ipv6(reader: Reader, vpc: str) -> tuple[str, ...]:
    return tuple(sorted(block.cidr for block in blocks(reader, vpc)))


KIND = Kind(
    row=VpcPeeringConnection,
    actions={
        "CreateVpcPeeringConnection": create,
        "AcceptVpcPeeringConnection": accept,
        "RejectVpcPeeringConnection": reject,
        "DeleteVpcPeeringConnection": delete,
        "ModifyVpcPeeringConnectionOptions": modify_options,
    },
    listings=(
        Listing(
            action="DescribeVpcPeeringConnections",
            result="VpcPeeringConnections",
            show=show,
            ids="VpcPeeringConnectionIds",
            rows=_listed,
            paths={"status-code": "Status.Code", "status-message": "Status.Message"},
        ),
    ),
    lower=lower,
    settled=settled,
    expired=expired,
)
