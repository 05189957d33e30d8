"""Customer gateway: what AWS knows of the device at a customer's end of a VPN; a record.

Sources: Site-to-Site VPN Guide, "Customer gateway options"; EC2 API Reference,
CreateCustomerGateway.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import AddressValueError, IPv4Address

from gureum.errors import ApiError, invalid_combination, missing_parameter
from gureum.kind import Call, Kind, Listing, Shape
from gureum.model import Resource, Txn, View
from gureum.model.txn import not_found
from gureum.resources.shapes import tag_list
from gureum.resources.vpn_connection import live
from gureum.resources.vpn_gateway import is_over

MAX_GATEWAYS = 50
"""Customer gateways per region (Site-to-Site VPN quotas)."""

DEFAULT_ASN = 65000
"""The BGP number of who gives none."""


@dataclass(frozen=True, kw_only=True)
class CustomerGateway(
    Resource,
    kind="customer-gateway",
    prefix="cgw",
    not_found="InvalidCustomerGatewayID.NotFound",
    malformed="InvalidCustomerGatewayId.Malformed",
    noun="customerGateway",
):
    """A device by its address, or by its certificate (an ARN).  ``ended`` is when it was deleted;
    it stays visible for an hour."""

    ip: str | None = None
    asn: int = DEFAULT_ASN
    certificate: str | None = None
    device: str | None = None
    ended: str | None = None


def create(call: Call) -> Shape:
    """CreateCustomerGateway: one of the same address and number is answered with again."""
    ip = call.get("IpAddress") or call.get("PublicIp")
    certificate = call.get("CertificateArn")
    if not (ip or certificate):
        raise missing_parameter("IpAddress")
    if call.get("BgpAsn") and call.get("BgpAsnExtended"):
        raise invalid_combination("BgpAsn and BgpAsnExtended cannot both be given.")
    asn = int(call.get("BgpAsnExtended") or call.get("BgpAsn") or DEFAULT_ASN)
    if not 0 < asn < 2**32:
        raise ApiError("InvalidParameterValue", f"Value ({asn}) for parameter bgpAsn is invalid.")
    text = _address(ip) if ip else None
    there = [row for row in call.txn.all(CustomerGateway) if row.ended is None]
    for row in there:
        if text is not None and (row.ip, row.asn, row.certificate) == (text, asn, certificate):
            call.tags_for(CustomerGateway.kind)
            return {"CustomerGateway": show(row, call.txn.view)}
    if len(there) >= MAX_GATEWAYS:
        raise ApiError(
            "CustomerGatewayLimitExceeded",
            "The maximum number of customer gateways has been reached.",
        )
    made = CustomerGateway(
        **call.common(CustomerGateway),
        ip=text,
        asn=asn,
        certificate=certificate,
        device=call.get("DeviceName"),
    )
    return {"CustomerGateway": show(call.created(made), call.txn.view)}


def _address(text: str) -> str:
    try:
        return str(IPv4Address(text))
    except AddressValueError:
        raise ApiError(
            "InvalidParameterValue",
            f"Value ({text}) for parameter ipAddress is invalid. This is not a valid IPv4 address.",
        ) from None


def delete(call: Call) -> Shape:
    """DeleteCustomerGateway: refused while a VPN connection uses it."""
    row = there(call, call.params["CustomerGatewayId"])
    if any(live(call.txn.view, row.id)):
        raise ApiError("IncorrectState", f"The customer gateway '{row.id}' is in use.")
    call.txn.put(replace(row, ended=call.now))
    return {}


def there(call: Call, key: str) -> CustomerGateway:
    """The gateway, unless it was deleted.

    Raises:
        ApiError: ``InvalidCustomerGatewayID.NotFound``.
    """
    row = call.txn.get(CustomerGateway, key)
    if row.ended is not None:
        raise not_found(CustomerGateway, key)
    return row


def expired(txn: Txn, row: CustomerGateway, now: str) -> None:
    """Forget a gateway that was deleted an hour ago."""
    if is_over(row.ended, now):
        txn.delete(row)


def show(row: CustomerGateway, view: View) -> Shape:
    """The API's ``CustomerGateway`` structure."""
    shape: Shape = {
        "CustomerGatewayId": row.id,
        "State": "deleted" if row.ended else "available",
        "Type": "ipsec.1",
        "Tags": tag_list(row),
    }
    number = "BgpAsn" if row.asn < 2**31 else "BgpAsnExtended"
    given = {
        number: str(row.asn),
        "IpAddress": row.ip,
        "CertificateArn": row.certificate,
        "DeviceName": row.device,
    }
    return shape | {name: value for name, value in given.items() if value is not None}


KIND = Kind(
    row=CustomerGateway,
    actions={"CreateCustomerGateway": create, "DeleteCustomerGateway": delete},
    listings=(
        Listing(
            action="DescribeCustomerGateways",
            result="CustomerGateways",
            show=show,
            ids="CustomerGatewayIds",
        ),
    ),
    expired=expired,
)
