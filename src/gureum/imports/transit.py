"""Reads transit gateways, their route tables and what is attached to them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from itertools import count

from gureum.imports.answers import Item
from gureum.imports.reading import Left, Reading
from gureum.resources.network_interface import NetworkInterface
from gureum.resources.subnet import Subnet
from gureum.resources.transit_gateway import (
    ENABLED,
    OVER,
    SERVING,
    Foot,
    Peer,
    StaticWay,
    TableLink,
    TransitGateway,
    TransitGatewayAttachment,
    TransitGatewayRouteTable,
)
from gureum.resources.transit_gateway_connect import CONNECT, ConnectPeer
from gureum.resources.vpc import Vpc
from gureum.resources.vpn_concentrator import CONCENTRATOR, VpnConcentrator

_SAVE = "save 'aws ec2 {call} --transit-gateway-route-table-id {key}' as {file}-{key}.json"


def gateway(reading: Reading, item: Item) -> None:
    """A transit gateway and which of its options are on."""
    if item.get("OwnerId", reading.call.account) != reading.call.account:
        raise Left(f"it belongs to account {item['OwnerId']}, which shares it")
    options = item.get("Options", {})
    reading.put(
        TransitGateway(
            **reading.common(TransitGateway, item, item["TransitGatewayId"], "CreationTime"),
            state=item["State"],
            description=item.get("Description", ""),
            asn=int(options.get("AmazonSideAsn", 64512)),
            enabled=_enabled(options),
            cidrs=tuple(options.get("TransitGatewayCidrBlocks", ())),
            association_table=options.get("AssociationDefaultRouteTableId"),
            propagation_table=options.get("PropagationDefaultRouteTableId"),
            ended=_ended(reading, item),
        )
    )


def _enabled(options: Item) -> tuple[str, ...]:
    return tuple(sorted(name for name, value in options.items() if value == ENABLED))


def _ended(reading: Reading, item: Item) -> str | None:
    return reading.call.now if item["State"] == "deleted" else None


# --- route tables -------------------------------------------------------------------------------
def table(reading: Reading, item: Item) -> None:
    """A route table with its static routes and references to prefix lists."""
    key, owner = item["TransitGatewayRouteTableId"], item["TransitGatewayId"]
    if reading.find(TransitGateway, owner) is None:
        raise Left(f"its transit gateway {owner} is not here")
    rows = reading.call.txn.view.referrers(owner, TransitGatewayRouteTable)
    taken = {row.number for row in rows if row.gateway == owner}
    reading.put(
        TransitGatewayRouteTable(
            **reading.common(TransitGatewayRouteTable, item, key, "CreationTime"),
            gateway=owner,
            number=next(number for number in count(1) if number not in taken),
            state=item["State"],
            routes=(*_routes(reading, key), *_references(reading, key)),
            ended=_ended(reading, item),
        )
    )


def _routes(reading: Reading, key: str) -> Iterator[StaticWay]:
    items = reading.answers.parts.get(("Routes", key))
    if items is None:
        call = "search-transit-gateway-routes --filters Name=type,Values=static"
        why = _SAVE.format(call=call, key=key, file="TransitGatewayRoutes")
        reading.report.leave("static routes of TransitGatewayRouteTables", key, why)
    for item in items or ():
        if item["Type"] == "static" and "PrefixListId" not in item:
            ways = item.get("TransitGatewayAttachments", ())
            attachment = ways[0]["TransitGatewayAttachmentId"] if ways else None
            yield StaticWay(destination=item["DestinationCidrBlock"], attachment=attachment)


def _references(reading: Reading, key: str) -> Iterator[StaticWay]:
    for item in reading.answers.of("TransitGatewayPrefixListReferences"):
        if item.get("TransitGatewayRouteTableId") == key:
            listed = item["PrefixListId"]
            attachment = item.get("TransitGatewayAttachment", {}).get("TransitGatewayAttachmentId")
            yield StaticWay(destination=listed, attachment=attachment, prefix_list=listed)


# --- attachments --------------------------------------------------------------------------------
def attachment(reading: Reading, item: Item) -> None:
    """The attachment of a VPC: where it stands there, and what it has to do with which tables."""
    key = item["TransitGatewayAttachmentId"]
    for cls, member in ((TransitGateway, "TransitGatewayId"), (Vpc, "VpcId")):
        if item["State"] != "deleted" and reading.find(cls, item[member]) is None:
            raise Left(f"its {cls.noun} {item[member]} is not here")
    reading.put(
        TransitGatewayAttachment(
            **reading.common(TransitGatewayAttachment, item, key, "CreationTime"),
            gateway=item["TransitGatewayId"],
            vpc=item["VpcId"],
            feet=tuple(_foot(reading, key, subnet) for subnet in item.get("SubnetIds", ())),
            state=item["State"],
            enabled=_enabled(item.get("Options", {})),
            association=_association(reading, item),
            propagations=tuple(_propagations(reading, item)),
            ended=_ended(reading, item),
        )
    )


def peering(reading: Reading, item: Item) -> None:
    """A peering attachment that this account and region asked for.  Which table routes what comes
    by it at the other end is not told here."""
    key, one, other = (item[name] for name in ("TransitGatewayAttachmentId", "RequesterTgwInfo",
                                               "AccepterTgwInfo"))  # fmt: skip
    if reading.find(TransitGateway, one["TransitGatewayId"]) is None:
        raise Left(
            f"its transit gateway {one['TransitGatewayId']}, which asked for it, is not here"
        )
    options = item.get("Options", {})
    multipath = tuple(
        (
            bool(options.get(f"{end}AllowMultipathResilience")),
            options.get(f"{end}MultipathResilienceMode"),
        )
        for end in ("Requester", "Accepter")
    )
    reading.put(
        TransitGatewayAttachment(
            **reading.common(TransitGatewayAttachment, item, key, "CreationTime"),
            gateway=one["TransitGatewayId"],
            vpc="",
            feet=(),
            state=item["State"],
            association=_association(reading, item) if item["State"] in SERVING else None,
            peer=Peer(
                gateway=other["TransitGatewayId"],
                account=other["OwnerId"],
                region=other["Region"],
                dynamic=options.get("DynamicRouting"),
                multipath=(multipath[0], multipath[1]),
            ),
            ended=reading.call.now if item["State"] in OVER else None,
        )
    )


def _foot(reading: Reading, key: str, subnet: str) -> Foot:
    row = reading.call.txn.get(Subnet, subnet)
    for eni in reading.call.txn.view.referrers(subnet, NetworkInterface):
        if eni.interface_type == "transit_gateway" and key in eni.description:
            return Foot(subnet=subnet, interface=eni.id, zone=row.zone)
    raise Left(f"its network interface in {subnet} is missing")


def _association(reading: Reading, item: Item) -> TableLink | None:
    told = reading.answers.of("TransitGatewayAttachments")
    for each in told:
        if each["TransitGatewayAttachmentId"] == item["TransitGatewayAttachmentId"]:
            link = each.get("Association")
            if link is None:
                return None
            return TableLink(table=link["TransitGatewayRouteTableId"], state=link["State"])
    return _unasked(reading, item, "association_table", "associated")


def _propagations(reading: Reading, item: Item) -> Iterator[TableLink]:
    """The tables that know the VPC.  Where nobody asked for propagations of any table, it is the
    one to which attachments propagate unasked."""
    key, propagations = item["TransitGatewayAttachmentId"], "TransitGatewayRouteTablePropagations"
    named = [
        (table, part)
        for (member, table), parts in sorted(reading.answers.parts.items())
        if member == propagations
        for part in parts
    ]
    for table, part in named:
        if part.get("TransitGatewayAttachmentId") == key:
            yield TableLink(table=table, state=part["State"])
    asked = any(member == propagations for member, _ in reading.answers.parts)
    if not asked and (link := _unasked(reading, item, "propagation_table", "enabled")):
        yield link


def _unasked(reading: Reading, item: Item, which: str, state: str) -> TableLink | None:
    owner = reading.find(TransitGateway, item["TransitGatewayId"])
    table = getattr(owner, which) if owner else None
    if table is None:
        return None
    key = item["TransitGatewayAttachmentId"]
    reading.report.assumed.append((key, f"{state} by {table}, as its gateway does unasked"))
    return TableLink(table=table, state=state)


def connect(reading: Reading, item: Item) -> None:
    """A Connect attachment, over an attachment that is here."""
    key, state = item["TransitGatewayAttachmentId"], item["State"]
    if state not in SERVING:
        raise Left(f"it is {state}")
    over = reading.call.txn.get(
        TransitGatewayAttachment, item["TransportTransitGatewayAttachmentId"]
    )
    reading.put(
        TransitGatewayAttachment(
            **reading.common(TransitGatewayAttachment, item, key, "CreationTime"),
            gateway=item["TransitGatewayId"],
            vpc="",
            type=CONNECT,
            other=over.id,
            feet=(),
            state=state,
            association=_association(reading, item),
            propagations=tuple(_propagations(reading, item)),
        )
    )


def connect_peer(reading: Reading, item: Item) -> None:
    """A peer of a Connect attachment; its sessions are down here."""
    told, state = item["ConnectPeerConfiguration"], item["State"]
    if state not in ("pending", "available"):
        raise Left(f"it is {state}")
    over = reading.call.txn.get(TransitGatewayAttachment, item["TransitGatewayAttachmentId"])
    inside = sorted(map(ip_network, told["InsideCidrBlocks"]), key=lambda block: block.version)
    if over.type != CONNECT or (inside[0].version, inside[0].prefixlen) != (4, 29):
        raise Left("it is of no Connect attachment, or has no /29 inside")
    reading.put(
        ConnectPeer(
            **reading.common(
                ConnectPeer, item, item["TransitGatewayConnectPeerId"], "CreationTime"
            ),
            attachment=over.id,
            address=str(ip_address(told["TransitGatewayAddress"])),
            peer=str(ip_address(told["PeerAddress"])),
            inside=tuple(map(str, inside)),
            asn=int(told["BgpConfigurations"][0]["PeerAsn"]),
            state=state,
        )
    )


def concentrator(reading: Reading, item: Item) -> None:
    """A VPN concentrator, with its attachment as the list of all attachments tells it."""
    state, attached = item["State"], item.get("TransitGatewayAttachmentId")
    if state not in ("pending", "available"):
        raise Left(f"it is {state}")
    row = VpnConcentrator(
        **reading.common(VpnConcentrator, item, item["VpnConcentratorId"]),
        gateway=item.get("TransitGatewayId"),
        state=state,
    )
    reading.put(row)
    if attached is None:
        return
    all_told = reading.answers.of("TransitGatewayAttachments")
    told = next((each for each in all_told if each["TransitGatewayAttachmentId"] == attached), {})
    if not told:
        reading.report.assumed.append((attached, f"an available attachment of {row.id}"))
    reading.put(
        TransitGatewayAttachment(
            **reading.common(TransitGatewayAttachment, told, attached, "CreationTime"),
            gateway=item["TransitGatewayId"],
            vpc="",
            type=CONCENTRATOR,
            other=row.id,
            feet=(),
            state=told.get("State", "available"),
            association=_association(reading, item) if told else None,
        )
    )


def other_attachments(reading: Reading) -> None:
    """Tell of attachments that are no VPCs', nor told of by themselves."""
    lists = ("TransitGatewayPeeringAttachments", "TransitGatewayConnects", "VpnConcentrators")
    by_themselves = {
        item.get("TransitGatewayAttachmentId")
        for what in lists
        for item in reading.answers.of(what)
    }
    for item in reading.answers.of("TransitGatewayAttachments"):
        kind = item.get("ResourceType")
        key = item.get("TransitGatewayAttachmentId", "?")
        if kind != "vpc" and key not in by_themselves:
            why = f"attachments of type {kind} are not built, or not asked for by themselves"
            reading.report.leave("TransitGatewayAttachments", key, why)
