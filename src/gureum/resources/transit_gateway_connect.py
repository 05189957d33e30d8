"""Connect attachments of transit gateways, and their peers: GRE tunnels to appliances.

They are records: no tunnel comes up, and packets that are routed there end.

Sources: Amazon VPC Transit Gateways, "Transit gateway Connect attachments and Connect peers"; EC2
API Reference, CreateTransitGatewayConnect, CreateTransitGatewayConnectPeer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal

from gureum.errors import ApiError, invalid_value, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape, becomes
from gureum.model import Resource, View, ref
from gureum.model.txn import not_found
from gureum.resources.shapes import tag_list
from gureum.resources.transit_gateway import (
    TableLink,
    TransitGateway,
    TransitGatewayAttachment,
    incorrect,
    live,
    usable,
)

CONNECT = "connect"
MAX_PEERS = 4
"""Connect peers per Connect attachment (transit gateway quotas)."""
MAX_BLOCKS = 5
"""Blocks of a gateway's own (the same)."""
_INSIDE = IPv4Network("169.254.0.0/16")
_INSIDE6 = IPv6Network("fd00::/8")
_TAKEN = frozenset(IPv4Network(f"169.254.{n}.0/29") for n in range(6))
"""Blocks of link-local addresses that AWS keeps for itself."""
_ASNS = range(1, 1 << 32)


@dataclass(frozen=True, kw_only=True)
class ConnectPeer(
    Resource,
    kind="transit-gateway-connect-peer",
    prefix="tgw-connect-peer",
    not_found="InvalidTransitGatewayConnectPeerID.NotFound",
    malformed="InvalidTransitGatewayConnectPeerID.Malformed",
    noun="transit gateway connect peer",
):
    """A peer: the addresses of the tunnel's ends, ``inside`` the blocks of the BGP sessions in it,
    whose numbers are ``asn`` and the gateway's."""

    attachment: str = ref()
    address: str
    peer: str
    inside: tuple[str, ...]
    asn: int
    state: Literal["pending", "available"] = "pending"


# --- blocks of a gateway ------------------------------------------------------------------------
def with_blocks(call: Call, known: tuple[str, ...], added: Iterable[str]) -> tuple[str, ...]:
    """The blocks of a gateway with further ones, from which the addresses of its ends are.

    Raises:
        ApiError: ``InvalidParameterValue``, ``InvalidParameterCombination`` where there are too
            many.
    """
    found = list(known)
    for text in added:
        try:
            block = ip_network(text)
        except ValueError:
            raise invalid_value("TransitGatewayCidrBlocks", text) from None
        if block.prefixlen > (24 if block.version == 4 else 64):
            raise invalid_value(
                "TransitGatewayCidrBlocks", text, "It must be a /24 or /64 at least."
            )
        if isinstance(block, IPv4Network) and block.overlaps(_INSIDE):
            raise invalid_value("TransitGatewayCidrBlocks", text, "It must not be link-local.")
        if any(_overlap(text, each) for each in found):
            raise invalid_value("TransitGatewayCidrBlocks", text, "It overlaps with another block.")
        found.append(str(block))
    if len(found) > MAX_BLOCKS:
        raise ApiError(
            "InvalidParameterCombination",
            f"A transit gateway has at most {MAX_BLOCKS} CIDR blocks.",
        )
    return tuple(found)


def _overlap(one: str, other: str) -> bool:
    first, second = ip_network(one), ip_network(other)
    if isinstance(first, IPv4Network) and isinstance(second, IPv4Network):
        return first.overlaps(second)
    if isinstance(first, IPv6Network) and isinstance(second, IPv6Network):
        return first.overlaps(second)
    return False


def without_blocks(call: Call, row: TransitGateway, removed: Iterable[str]) -> tuple[str, ...]:
    """The blocks of a gateway without some, of which no peer may have an address.

    Raises:
        ApiError: ``InvalidParameterValue``, ``IncorrectState``.
    """
    gone = set(removed)
    for text in sorted(gone):
        if text not in row.cidrs:
            raise invalid_value("RemoveTransitGatewayCidrBlocks", text)
        for peer in call.txn.all(ConnectPeer):
            if ip_address(peer.address) in ip_network(text):
                raise incorrect(f"{text} is in use by {peer.id}")
    return tuple(each for each in row.cidrs if each not in gone)


# --- attachments --------------------------------------------------------------------------------
def create_connect(call: Call) -> Shape:
    """CreateTransitGatewayConnect: over an attachment of a VPC."""
    key = call.params["TransportTransitGatewayAttachmentId"]
    transport = usable(call, TransitGatewayAttachment, key)
    if not transport.of_vpc:
        raise invalid_value(
            "TransportTransitGatewayAttachmentId", key, "It must be an attachment of a VPC."
        )
    if not call.params["Options"].get("Protocol"):
        raise missing_parameter("options.protocol")
    gateway = call.txn.get(TransitGateway, transport.gateway)
    row = call.created(
        TransitGatewayAttachment(
            **call.common(TransitGatewayAttachment),
            gateway=gateway.id,
            vpc="",
            type=CONNECT,
            other=transport.id,
            feet=(),
            state="pending",
            association=_link(gateway.association_table, "associating"),
            propagations=tuple(filter(None, [_link(gateway.propagation_table, "enabling")])),
        )
    )
    return {"TransitGatewayConnect": show_connect(row, call.txn.view)}


def _link(table: str | None, state: str) -> TableLink | None:
    return TableLink(table=table, state=state) if table else None


def delete_connect(call: Call) -> Shape:
    """DeleteTransitGatewayConnect: once it has no peers."""
    row = _connect(call, usable=False)
    if peers := list(call.txn.referrers(row.id, ConnectPeer)):
        raise incorrect(f"{row.id} has non-deleted Connect Peers: {peers[0].id}.")
    row = call.txn.put(replace(row, state="deleting"))
    return {"TransitGatewayConnect": show_connect(row, call.txn.view)}


def _connect(call: Call, *, usable: bool) -> TransitGatewayAttachment:
    row = live(call, TransitGatewayAttachment, call.params["TransitGatewayAttachmentId"])
    if row.type != CONNECT:
        raise not_found(TransitGatewayAttachment, row.id)
    if usable and row.state != "available":
        raise incorrect(f"{row.id} is in invalid state")
    return row


def show_connect(row: TransitGatewayAttachment, view: View) -> Shape:
    """The API's ``TransitGatewayConnect`` structure."""
    return {
        "TransitGatewayAttachmentId": row.id,
        "TransportTransitGatewayAttachmentId": row.other,
        "TransitGatewayId": row.gateway,
        "State": row.state,
        "CreationTime": row.created,
        "Options": {"Protocol": "gre"},
        "Tags": tag_list(row),
    }


def _connects(call: Call) -> Iterator[TransitGatewayAttachment]:
    return (row for row in call.txn.all(TransitGatewayAttachment) if row.type == CONNECT)


# --- peers --------------------------------------------------------------------------------------
def create_peer(call: Call) -> Shape:
    """CreateTransitGatewayConnectPeer.

    Raises:
        ApiError: the not-found code, ``IncorrectState``, ``InvalidParameterValue``,
            ``InsufficientCidrBlocks`` where no block of the gateway has a free address,
            ``TransitGatewayAttachmentLimitExceeded``.
    """
    connect = _connect(call, usable=True)
    if len(list(call.txn.referrers(connect.id, ConnectPeer))) >= MAX_PEERS:
        raise ApiError(
            "TransitGatewayAttachmentLimitExceeded",
            f"The maximum number of Connect peers of {connect.id} has been reached.",
        )
    peer = _address("peerAddress", call.params["PeerAddress"])
    gateway = call.txn.get(TransitGateway, connect.gateway)
    address = _own_address(call, gateway, ip_address(peer).version)
    row = call.created(
        ConnectPeer(
            **call.common(ConnectPeer),
            attachment=connect.id,
            address=address,
            peer=peer,
            inside=_inside(call, connect),
            asn=_asn(call, gateway),
        )
    )
    return {"TransitGatewayConnectPeer": show_peer(row, call.txn.view)}


def _address(name: str, text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        raise invalid_value(name, text) from None


def _own_address(call: Call, gateway: TransitGateway, version: int) -> str:
    """The gateway's end of the tunnel: as asked for, or the next free address of its blocks."""
    blocks = [block for block in map(ip_network, gateway.cidrs) if block.version == version]
    taken = {row.address for row in call.txn.all(ConnectPeer)}
    if text := call.get("TransitGatewayAddress"):
        address = _address("transitGatewayAddress", text)
        if not any(ip_address(address) in block for block in blocks):
            raise invalid_value(
                "transitGatewayAddress", text, "It is in no CIDR block of the transit gateway."
            )
        return address
    for block in blocks:
        for host in block.hosts():
            if str(host) not in taken:
                return str(host)
    raise ApiError("InsufficientCidrBlocks", f"{gateway.id} has no CIDR block with a free address.")


def _inside(call: Call, connect: TransitGatewayAttachment) -> tuple[str, ...]:
    """A /29 of link-local IPv4 addresses, and perhaps a /125 of unique local IPv6 ones."""
    found: dict[int, str] = {}
    used = {each for row in call.txn.referrers(connect.id, ConnectPeer) for each in row.inside}
    for text in call.params["InsideCidrBlocks"]:
        try:
            block = ip_network(text)
        except ValueError:
            raise invalid_value("insideCidrBlocks", text) from None
        fits = (
            block.prefixlen == 29 and block.subnet_of(_INSIDE) and block not in _TAKEN
            if isinstance(block, IPv4Network)
            else block.prefixlen == 125 and block.subnet_of(_INSIDE6)
        )
        if not fits or block.version in found or text in used:
            raise invalid_value("insideCidrBlocks", text)
        found[block.version] = str(block)
    if 4 not in found:
        raise missing_parameter("insideCidrBlocks")
    return tuple(found[version] for version in sorted(found))


def _asn(call: Call, gateway: TransitGateway) -> int:
    """The appliance's number: the gateway's own where none is given, and BGP is internal then."""
    asn = int((call.get("BgpOptions") or {}).get("PeerAsn") or gateway.asn)
    if asn not in _ASNS:
        raise invalid_value("bgpOptions.peerAsn", asn)
    return asn


def delete_peer(call: Call) -> Shape:
    """DeleteTransitGatewayConnectPeer."""
    row = call.txn.get(ConnectPeer, call.params["TransitGatewayConnectPeerId"])
    shown = show_peer(row, call.txn.view) | {"State": "deleting"}
    call.txn.delete(row)
    return {"TransitGatewayConnectPeer": shown}


def show_peer(row: ConnectPeer, view: View) -> Shape:
    """The API's ``TransitGatewayConnectPeer`` structure: two sessions, which are down."""
    connect = view.find(TransitGatewayAttachment, row.attachment)
    gateway = view.find(TransitGateway, connect.gateway) if connect else None
    return {
        "TransitGatewayAttachmentId": row.attachment,
        "TransitGatewayConnectPeerId": row.id,
        "State": row.state,
        "CreationTime": row.created,
        "ConnectPeerConfiguration": {
            "TransitGatewayAddress": row.address,
            "PeerAddress": row.peer,
            "InsideCidrBlocks": list(row.inside),
            "Protocol": "gre",
            "BgpConfigurations": [
                {
                    "TransitGatewayAsn": gateway.asn if gateway else 0,
                    "PeerAsn": row.asn,
                    "TransitGatewayAddress": str(ip_network(row.inside[0])[number]),
                    "PeerAddress": str(ip_network(row.inside[0])[1]),
                    "BgpStatus": "down",
                }
                for number in (2, 3)
            ],
        },
        "Tags": tag_list(row),
    }


KIND = Kind(
    row=ConnectPeer,
    actions={
        "CreateTransitGatewayConnect": create_connect,
        "DeleteTransitGatewayConnect": delete_connect,
        "CreateTransitGatewayConnectPeer": create_peer,
        "DeleteTransitGatewayConnectPeer": delete_peer,
    },
    listings=(
        Listing(
            action="DescribeTransitGatewayConnectPeers",
            result="TransitGatewayConnectPeers",
            show=show_peer,
            ids="TransitGatewayConnectPeerIds",
        ),
    ),
    settled=becomes("pending", "available"),
)

ATTACHMENT: Kind[TransitGatewayAttachment] = Kind(
    row=None,
    listings=(
        Listing(
            action="DescribeTransitGatewayConnects",
            result="TransitGatewayConnects",
            show=show_connect,
            ids="TransitGatewayAttachmentIds",
            rows=_connects,
            row=TransitGatewayAttachment,
        ),
    ),
)
