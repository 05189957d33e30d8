"""Transit gateway: a router between VPCs, with route tables of its own.

The rows and what others need of them are here; the API's actions are in the files
``transit_gateway_*``.

Sources: Amazon VPC Transit Gateways, "How transit gateways work" (route evaluation order,
associations, propagation), "Quotas for your transit gateways", "Shared transit gateways"; EC2 API
Reference, CreateTransitGateway.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from gureum.errors import ApiError
from gureum.kind import Call, Shape
from gureum.model import Reader, Resource, Txn, ref
from gureum.model.timestamps import age
from gureum.model.txn import not_found
from gureum.program import Table
from gureum.resources.ipv6 import blocks
from gureum.resources.prefix_list import IPV4, IPV6, cidrs_of
from gureum.resources.resource_share import is_shared, shared_with
from gureum.resources.vpc import Vpc

KEPT = timedelta(hours=1)
"""How long a gateway, attachment or table stays visible that was deleted."""

SERVING = frozenset({"available", "modifying"})
"""States of an attachment in which packets pass."""

WAITING = "pendingAcceptance"
"""The state of an attachment that another account asked for."""

OVER = frozenset({"deleted", "rejected", "failed"})
"""States of an attachment that are an end."""

ENABLED, DISABLED = "enable", "disable"


@dataclass(frozen=True, kw_only=True)
class TransitGateway(
    Resource,
    kind="transit-gateway",
    prefix="tgw",
    not_found="InvalidTransitGatewayID.NotFound",
    malformed="InvalidTransitGatewayID.Malformed",
    noun="transit gateway",
    missing="Transit Gateway {id} was deleted or does not exist.",
):
    """A transit gateway.  ``enabled`` are the names of the options that are on, ``cidrs``
    the gateway's own blocks;
    ``association_table`` and ``propagation_table`` are where new attachments are associated and
    propagate to unasked."""

    state: str
    description: str = ""
    asn: int
    enabled: tuple[str, ...] = ()
    cidrs: tuple[str, ...] = ()
    association_table: str | None = ref("weak", default=None)
    propagation_table: str | None = ref("weak", default=None)
    ended: str | None = None

    def open_to(self, reader: Reader, account: str) -> bool:
        return self.state != "deleted" and is_shared(reader, self.id, account)

    @classmethod
    def all_open_to(cls, reader: Reader, account: str, region: str) -> tuple[TransitGateway, ...]:
        rows = shared_with(reader, TransitGateway, account, region)
        return tuple(row for row in rows if row.state != "deleted")


@dataclass(frozen=True, kw_only=True)
class StaticWay:
    """A route that somebody made, or a reference to a prefix list, which ``destination`` is then,
    too.  Without an ``attachment`` it is a blackhole on purpose."""

    destination: str
    attachment: str | None = ref("weak", default=None)
    prefix_list: str | None = ref("restrict", default=None)


@dataclass(frozen=True, kw_only=True)
class TransitGatewayRouteTable(
    Resource,
    kind="transit-gateway-route-table",
    prefix="tgw-rtb",
    not_found="InvalidRouteTableID.NotFound",
    malformed="InvalidRouteTableId.Malformed",
    noun="transit gateway route table",
    missing="Transit Gateway Route Table {id} was deleted or does not exist.",
):
    """A route table of a transit gateway.  ``number`` is unique in its gateway and never
    changes."""

    gateway: str = ref("weak")
    number: int
    state: str
    routes: tuple[StaticWay, ...] = ()
    ended: str | None = None

    def route(self, destination: str) -> StaticWay | None:
        """The route to a block, or the reference to a prefix list, that somebody made."""
        return next((route for route in self.routes if route.destination == destination), None)

    def without(self, destination: str) -> tuple[StaticWay, ...]:
        """The routes but the one to the destination."""
        return tuple(route for route in self.routes if route.destination != destination)


@dataclass(frozen=True, kw_only=True)
class Foot:
    """Where an attachment stands in its VPC: a subnet, which is the only one in its zone, and the
    gateway's interface there."""

    subnet: str = ref("weak")
    interface: str = ref("weak")
    zone: str


@dataclass(frozen=True, kw_only=True)
class TableLink:
    """An association with a route table, or a propagation to one, and its state."""

    table: str = ref("weak")
    state: str


@dataclass(frozen=True, kw_only=True)
class Peer:
    """The other end of a peering attachment: the gateway that is asked to accept, whose it is, and
    the table there that routes what comes by the peering.  ``multipath`` are the options of each
    end's own about several ways at once, the requester's first: kept, not in force."""

    gateway: str = ref("weak")
    account: str
    region: str
    association: TableLink | None = None
    dynamic: str | None = None
    multipath: tuple[tuple[bool, str | None], tuple[bool, str | None]] = ((False, None),) * 2


@dataclass(frozen=True, kw_only=True)
class TransitGatewayAttachment(
    Resource,
    kind="transit-gateway-attachment",
    prefix="tgw-attach",
    not_found="InvalidTransitGatewayAttachmentID.NotFound",
    malformed="InvalidTransitGatewayAttachmentID.Malformed",
    noun="transit gateway attachment",
    missing="Transit Gateway Attachment {id} was deleted or does not exist.",
):
    """A VPC on a transit gateway, which may be another account's: its owner has a say in the
    attachment, too; or with a ``peer`` and no ``vpc`` another transit gateway; or something else:
    ``type`` is AWS's resource type then, ``other`` the id of what is attached, ``service`` its name
    and ``zones`` where it is used, as far as it has them.

    ``enabled`` are the names of the options that are on, ``association`` is the table that routes
    what comes from the VPC (or from the peer), ``propagations`` are the tables that know the VPC's
    blocks.  A peering is a row of the account and region of who asked for it.
    """

    gateway: str = ref("weak")
    vpc: str = ref("weak")
    type: str = "vpc"
    other: str | None = ref("weak", default=None)
    service: str = ""
    zones: tuple[str, ...] = ()
    feet: tuple[Foot, ...]
    state: str
    peer: Peer | None = None
    enabled: tuple[str, ...] = ()
    association: TableLink | None = None
    propagations: tuple[TableLink, ...] = ()
    ended: str | None = None

    def open_to(self, reader: Reader, account: str) -> bool:
        return gateway_owner(reader, self) == account

    @classmethod
    def all_open_to(
        cls, reader: Reader, account: str, region: str
    ) -> Iterator[TransitGatewayAttachment]:
        for gateway in reader.all(TransitGateway):
            if (gateway.account, gateway.region) == (account, region):
                yield from reader.referrers(gateway.id, TransitGatewayAttachment)

    def link_at(self, gateway: str) -> TableLink | None:
        """The table that routes what comes by the attachment into a gateway."""
        if self.peer is not None and gateway == self.peer.gateway:
            return self.peer.association
        return self.association if gateway == self.gateway else None

    def linked_at(self, gateway: str, link: TableLink | None) -> TransitGatewayAttachment:
        """The same with another such table."""
        if self.peer is not None and gateway == self.peer.gateway:
            return replace(self, peer=replace(self.peer, association=link))
        return replace(self, association=link)

    def is_at(self, gateway: str) -> bool:
        """Whether the gateway is at one of its ends."""
        return gateway == self.gateway or (self.peer is not None and gateway == self.peer.gateway)

    def seen_from(self, gateway: str) -> Shape:
        """What is attached to a gateway by it: members of the API's structures."""
        if self.peer is None:
            return {"ResourceId": self.other or self.vpc, "ResourceType": self.type}
        far = self.peer.gateway if gateway == self.gateway else self.gateway
        return {"ResourceId": far, "ResourceType": "peering"}

    @property
    def resource(self) -> Shape:
        """What is attached to its own gateway, in the API's members."""
        return self.seen_from(self.gateway)

    @property
    def of_vpc(self) -> bool:
        """Whether a VPC is attached."""
        return self.peer is None and self.type == "vpc"


Row = TransitGateway | TransitGatewayRouteTable | TransitGatewayAttachment
AnyRow = TypeVar("AnyRow", TransitGateway, TransitGatewayRouteTable, TransitGatewayAttachment)


@dataclass(frozen=True)
class Way:
    """A route that a table has: ``attachment`` None or a route that is not ``active`` leads
    nowhere.  ``source`` is AWS's type of the route."""

    destination: str
    attachment: str | None
    source: str
    active: bool
    prefix_list: str | None = None


# --- finding ------------------------------------------------------------------------------------
def gateway_owner(reader: Reader, row: TransitGatewayAttachment) -> str:
    """The account that owns the gateway of an attachment."""
    gateway = reader.find(TransitGateway, row.gateway)
    return gateway.account if gateway is not None else row.account


def live(call: Call, cls: type[AnyRow], key: str, *, shared: bool = False) -> AnyRow:
    """A row of the caller's that is not deleted; one that is open to them, too, if ``shared``.

    Raises:
        ApiError: the type's not-found code.
    """
    row = call.txn.see(cls, key) if shared else call.txn.get(cls, key)
    if row.state == "deleted":
        raise not_found(cls, key)
    return row


def joined(call: Call, key: str) -> TransitGatewayAttachment:
    """An attachment of which the caller has an end in this region, and that is not deleted.

    Raises:
        ApiError: the type's not-found code.
    """
    row = call.txn.view.find(TransitGatewayAttachment, key)
    peer = row.peer if row is not None else None
    if row is None or peer is None or (peer.account, peer.region) != (call.account, call.region):
        return live(call, TransitGatewayAttachment, key, shared=True)
    if row.state == "deleted":
        raise not_found(TransitGatewayAttachment, key)
    return row


def usable(call: Call, cls: type[AnyRow], key: str, *, shared: bool = False) -> AnyRow:
    """A row that :func:`live` finds and that is in service.

    Raises:
        ApiError: the type's not-found code, ``IncorrectState``.
    """
    row = live(call, cls, key, shared=shared)
    if row.state not in SERVING:
        raise incorrect(f"{row.id} is in invalid state")
    return row


def incorrect(message: str) -> ApiError:
    """AWS's refusal of what the state of a resource does not allow."""
    return ApiError("IncorrectState", message)


def attachments_of(reader: Reader, key: str) -> list[TransitGatewayAttachment]:
    """The attachments that name a gateway, a VPC or a table and are not over, oldest first."""
    rows = reader.referrers(key, TransitGatewayAttachment)
    alive = (row for row in rows if row.state not in OVER)
    return sorted(alive, key=lambda row: (row.created, row.id))


def joining(reader: Reader, vpc: str, other: str, option: str) -> TransitGateway | None:
    """The gateway that both VPCs are attached to, with an option on for itself and for both."""
    theirs = {row.gateway for row in attachments_of(reader, other) if _grants(row, option)}
    for row in attachments_of(reader, vpc):
        gateway = reader.find(TransitGateway, row.gateway)
        if row.gateway in theirs and _grants(row, option) and gateway and option in gateway.enabled:
            return gateway
    return None


def _grants(row: TransitGatewayAttachment, option: str) -> bool:
    return row.state in SERVING and option in row.enabled


def seen(call: Call) -> list[TransitGatewayAttachment]:
    """The attachments of which the caller has an end in this region, the VPC's or a gateway's.  An
    owner's tags are shown to nobody else."""
    rows = call.txn.seen(TransitGatewayAttachment)
    return [row if row.account == call.account else replace(row, tags=()) for row in rows]


def tables_of(reader: Reader, gateway: str) -> list[TransitGatewayRouteTable]:
    """The route tables of a gateway that are not deleted, oldest first."""
    rows = reader.referrers(gateway, TransitGatewayRouteTable)
    alive = (row for row in rows if row.state != "deleted" and row.gateway == gateway)
    return sorted(alive, key=lambda row: (row.created, row.id))


def attachment_of(reader: Reader, gateway: str, vpc: str) -> TransitGatewayAttachment | None:
    """The attachment by which packets pass between a VPC and a gateway."""
    for row in attachments_of(reader, vpc):
        if row.vpc == vpc and row.gateway == gateway and row.state in SERVING:
            return row
    return None


def attached_cidrs(reader: Reader, row: TransitGatewayAttachment) -> tuple[str, ...]:
    """The blocks of the attached VPC, those of IPv6 where the attachment carries it."""
    vpc = reader.find(Vpc, row.vpc)
    v4 = tuple(item.cidr for item in vpc.cidrs) if vpc else ()
    v6 = blocks(reader, row.vpc) if "Ipv6Support" in row.enabled else ()
    return v4 + tuple(block.cidr for block in v6)


def ways(reader: Reader, table: TransitGatewayRouteTable) -> dict[str, Way]:
    """The route to each block of a table.

    Of several to one block a static one goes before those of prefix lists, these before propagated
    ones (VPC Transit Gateways, "Route evaluation order"); of those the oldest attachment's counts.
    """
    found: dict[str, Way] = {}
    for way in _all_ways(reader, table):
        found.setdefault(way.destination, way)
    return found


def outranked(reader: Reader, table: TransitGatewayRouteTable) -> list[Way]:
    """The routes of a table that another one to the same block goes before."""
    taken = ways(reader, table)
    return [way for way in _all_ways(reader, table) if taken[way.destination] != way]


def _all_ways(reader: Reader, table: TransitGatewayRouteTable) -> Iterator[Way]:
    """Those that go before others come first."""
    yield from _static(reader, table)
    yield from _listed(reader, table)
    yield from _propagated(reader, table)


def static_ways(reader: Reader, table: TransitGatewayRouteTable) -> list[Way]:
    """The routes to blocks that somebody made, in the order of the blocks as texts."""
    return sorted(_static(reader, table), key=lambda way: way.destination)


def _static(reader: Reader, table: TransitGatewayRouteTable) -> Iterator[Way]:
    for route in table.routes:
        if route.prefix_list is None:
            yield _way(reader, route, route.destination)


def _listed(reader: Reader, table: TransitGatewayRouteTable) -> Iterator[Way]:
    for route in table.routes:
        for family in (IPV4, IPV6) if route.prefix_list else ():
            for cidr in cidrs_of(reader, str(route.prefix_list), family):
                yield _way(reader, route, cidr)


def _way(reader: Reader, route: StaticWay, cidr: str) -> Way:
    row = reader.find(TransitGatewayAttachment, route.attachment) if route.attachment else None
    active = row is not None and row.state in SERVING
    return Way(cidr, route.attachment, "static", active, route.prefix_list)


def _propagated(reader: Reader, table: TransitGatewayRouteTable) -> Iterator[Way]:
    for row in attachments_of(reader, table.id):
        if row.state in SERVING and propagates(row, table.id):
            for cidr in attached_cidrs(reader, row):
                yield Way(cidr, row.id, "propagated", active=True)


def propagates(row: TransitGatewayAttachment, table: str) -> bool:
    """Whether an attachment propagates its blocks to a table."""
    return any(
        each.table == table and each.state in ("enabling", "enabled") for each in row.propagations
    )


def statement_of(table: TransitGatewayRouteTable) -> Table:
    """The table in the abstract network."""
    return Table(id=table.id, router=table.gateway, number=table.number)


def shared(reader: Reader, one: str, other: str) -> str | None:
    """A transit gateway of a VPC that joins it to another one, by peers of its own perhaps."""
    theirs = {row.gateway for row in attachments_of(reader, other) if row.state in SERVING}
    mine = (row.gateway for row in attachments_of(reader, one) if row.state in SERVING)
    return next((key for key in mine if not theirs.isdisjoint(_joined_to(reader, key))), None)


def attached_with(reader: Reader, vpc: str) -> set[str]:
    """The VPCs that transit gateways join to one."""
    mine = [row.gateway for row in attachments_of(reader, vpc) if row.state in SERVING]
    keys = {key for each in mine for key in _joined_to(reader, each)}
    rows = (row for key in keys for row in attachments_of(reader, key) if row.state in SERVING)
    return {row.vpc for row in rows if row.vpc} - {vpc}


def _joined_to(reader: Reader, gateway: str) -> set[str]:
    """A transit gateway and those to which peerings lead from it."""
    found, wanted = {gateway}, [gateway]
    while wanted:
        for row in attachments_of(reader, wanted.pop()):
            ends = {row.gateway, row.peer.gateway} if row.peer and row.state in SERVING else set()
            wanted += ends - found
            found |= ends
    return found


# --- options ------------------------------------------------------------------------------------
def switched(
    enabled: tuple[str, ...], names: tuple[str, ...], options: dict[str, str]
) -> tuple[str, ...]:
    """The options that are on after a request that switches some of ``names``.

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    found = set(enabled)
    for name in names:
        value = options.get(name)
        if value is None:
            continue
        if value not in (ENABLED, DISABLED):
            raise ApiError("InvalidParameterValue", f"Invalid value '{value}' for {name}.")
        found = found | {name} if value == ENABLED else found - {name}
    return tuple(sorted(found))


def show_switches(enabled: tuple[str, ...], names: tuple[str, ...]) -> Shape:
    """The options as the API shows them."""
    return {name: ENABLED if name in enabled else DISABLED for name in names}


# --- life ---------------------------------------------------------------------------------------
def settled(txn: Txn, row: TransitGateway | TransitGatewayRouteTable, now: str) -> None:
    """The network has the latest state of a gateway or a table."""
    if row.state in ("pending", "modifying"):
        txn.put(replace(row, state="available"))
    elif row.state == "deleting":
        txn.put(replace(row, state="deleted", ended=now))


def expired(txn: Txn, row: Row, now: str) -> None:
    """Forget what was deleted an hour ago."""
    if row.ended and age(row.ended, now) >= KEPT:
        txn.delete(row)
