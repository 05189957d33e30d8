"""Sample configurations for customers' devices: there is one, for a device of any vendor.

Sources: Site-to-Site VPN Guide, "Download the configuration file" and "Customer gateway device
options"; EC2 API Reference, GetVpnConnectionDeviceSampleConfiguration.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network

from gureum.errors import ApiError, invalid_value
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, View
from gureum.model.txn import not_found
from gureum.resources.customer_gateway import CustomerGateway
from gureum.resources.vpn_connection import IN_SERVICE, VpnConnection
from gureum.resources.vpn_gateway import VpnGateway
from gureum.resources.vpn_tunnel import Tunnel

GENERIC = "9005b6c1"
"""AWS's id of the type for which there is no vendor."""

_VERSIONS = ("ikev1", "ikev2")
_SAMPLES = ("compatibility", "recommended")


@dataclass(frozen=True)
class DeviceType:
    """A type of device, which is there from the beginning."""

    id: str
    created: str = ""


def show(row: DeviceType, view: View) -> Shape:
    """The API's ``VpnConnectionDeviceType`` structure."""
    return {
        "VpnConnectionDeviceTypeId": row.id,
        "Vendor": "Generic",
        "Platform": "Generic",
        "Software": "Vendor Agnostic",
    }


def sample(call: Call) -> Shape:
    """GetVpnConnectionDeviceSampleConfiguration: for the generic type.

    Raises:
        ApiError: ``InvalidVpnConnectionID.NotFound``, ``InvalidParameterValue``,
            ``UnsupportedOperation`` (the recommended sample has no IKE version 1).
    """
    row = call.txn.get(VpnConnection, call.params["VpnConnectionId"])
    if row.state not in IN_SERVICE:
        raise not_found(VpnConnection, row.id)
    version = call.get("InternetKeyExchangeVersion", "ikev2")
    form = call.get("SampleType", "compatibility")
    for name, value, known in (
        ("vpnConnectionDeviceTypeId", call.params["VpnConnectionDeviceTypeId"], (GENERIC,)),
        ("internetKeyExchangeVersion", version, _VERSIONS),
        ("sampleType", form, _SAMPLES),
    ):
        if value not in known:
            raise invalid_value(name, value)
    if form == "recommended" and version == "ikev1":
        raise ApiError("UnsupportedOperation", "The recommended sample is for ikev2 only.")
    text = "\n".join(_lines(call.txn.view, row, version)) + "\n"
    return {"VpnConnectionDeviceSampleConfiguration": text}


def _lines(view: View, row: VpnConnection, version: str) -> Iterator[str]:
    customer, gateway = view.find(CustomerGateway, row.customer), view.find(VpnGateway, row.gateway)
    yield "Amazon Web Services"
    yield "Virtual Private Cloud"
    yield ""
    yield f"Your VPN Connection ID           : {row.id}"
    yield f"Your Virtual Private Gateway ID  : {row.gateway or ''}"
    yield f"Your Customer Gateway ID         : {row.customer}"
    for number, tunnel in enumerate(row.tunnels, start=1):
        yield from ("", f"IPSec Tunnel #{number}", "=" * 80)
        yield from _keys(tunnel, version)
        yield from _interface(tunnel, (customer.ip if customer else None) or "")
        if row.static:
            yield "#4: Static Routes"
            yield from (f"  - {block} is routed to this tunnel" for block in row.routes)
        elif customer and gateway:
            yield "#4: Border Gateway Protocol (BGP)"
            yield f"  - Customer Gateway ASN     : {customer.asn}"
            yield f"  - Virtual Private Gateway ASN : {gateway.asn}"
            yield f"  - Neighbor IP Address      : {IPv4Network(tunnel.inside)[1]}"


def _keys(tunnel: Tunnel, version: str) -> Iterator[str]:
    numbers, choices = dict(tunnel.numbers), dict(tunnel.choices)
    for number, title, name, life in (
        (1, "Internet Key Exchange", "Phase1", 28800),
        (2, "IPSec", "Phase2", 3600),
    ):
        yield f"#{number}: {title} Configuration"
        if number == 1:
            yield f"  - IKE version              : {version.upper()}"
            yield "  - Authentication Method    : Pre-Shared Key"
            yield f"  - Pre-Shared Key           : {tunnel.key}"
        else:
            yield "  - Protocol                 : esp"
        encryption = choices.get(f"{name}EncryptionAlgorithms", ("AES128",))
        integrity = choices.get(f"{name}IntegrityAlgorithms", ("SHA1",))
        groups = choices.get(f"{name}DHGroupNumbers", ("2",))
        yield f"  - Encryption Algorithm     : {encryption[0]}"
        yield f"  - Authentication Algorithm : {integrity[0]}"
        yield f"  - Diffie-Hellman           : Group {groups[0]}"
        seconds = numbers.get(f"{name}LifetimeSeconds", life)
        yield f"  - Lifetime                 : {seconds} seconds"


def _interface(tunnel: Tunnel, customer: str) -> Iterator[str]:
    ours, theirs = (IPv4Network(tunnel.inside)[number] for number in (1, 2))
    yield "#3: Tunnel Interface Configuration"
    yield "Outside IP Addresses:"
    yield f"  - Customer Gateway         : {customer}"
    yield f"  - Virtual Private Gateway  : {tunnel.outside}"
    yield "Inside IP Addresses:"
    yield f"  - Customer Gateway         : {theirs}/30"
    yield f"  - Virtual Private Gateway  : {ours}/30"


KIND: Kind[Resource] = Kind(
    row=None,
    actions={"GetVpnConnectionDeviceSampleConfiguration": sample},
    reads=frozenset({"GetVpnConnectionDeviceSampleConfiguration"}),
    listings=(
        Listing(
            action="GetVpnConnectionDeviceTypes",
            result="VpnConnectionDeviceTypes",
            show=show,
            rows=lambda call: (DeviceType(GENERIC),),
        ),
    ),
)
