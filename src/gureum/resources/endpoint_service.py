"""Endpoint services: what a VPC endpoint can lead to, those of AWS in each region.

Sources: AWS PrivateLink Guide, "AWS services that integrate with AWS PrivateLink" and "Gateway
endpoints"; EC2 API Reference, DescribeVpcEndpointServices.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from gureum.errors import ApiError
from gureum.kind import Call, Kind, Listing, Selector, Shape
from gureum.model import Resource, Tags, View
from gureum.resources.prefix_list import GATEWAY_SERVICES
from gureum.resources.region import zones

GATEWAY, INTERFACE = "Gateway", "Interface"

AMAZON = "amazon"
"""The owner of AWS's own services."""

_INTERFACE_SERVICES = (
    "autoscaling",
    "cloudformation",
    "dynamodb",
    "ec2",
    "ec2messages",
    "ecr.api",
    "ecr.dkr",
    "ecs",
    "ecs-agent",
    "ecs-telemetry",
    "elasticfilesystem",
    "elasticloadbalancing",
    "events",
    "execute-api",
    "kinesis-streams",
    "kms",
    "lambda",
    "logs",
    "monitoring",
    "s3",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "ssmmessages",
    "states",
    "sts",
)
_DOMAINS = {
    "ecr.api": "api.ecr",
    "ecr.dkr": "dkr.ecr",
    "kinesis-streams": "kinesis",
}
"""Where a service's domain is not its name."""

_WILD = {"ecr.dkr": "*.dkr.ecr", "execute-api": "*.execute-api"}
"""Private names that stand for all of a domain."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service as those see it who may have an endpoint to it.

    ``domain`` is that of the endpoints' names, ``names`` are its own names, which private DNS has
    for the endpoint.  ``id`` orders a listing and is the service's id.
    """

    id: str
    created: str
    name: str
    type: str
    region: str
    owner: str
    domain: str
    names: tuple[str, ...] = ()
    zones: tuple[str, ...]
    policy: bool = False
    acceptance: bool = False
    configuration: str | None = None
    tags: Tags = ()


def amazon_services(region: str) -> Iterator[Service]:
    """The services of AWS's own in a region."""
    for name in GATEWAY_SERVICES:
        yield _amazon(region, name, GATEWAY)
    for name in _INTERFACE_SERVICES:
        yield _amazon(region, name, INTERFACE)


def _amazon(region: str, name: str, kind: str) -> Service:
    domain = f"{_DOMAINS.get(name, name)}.{region}"
    digest = hashlib.sha256(f"{region}/{name}/{kind}".encode()).hexdigest()[:17]
    gateway = kind == GATEWAY
    own = (f"{_WILD.get(name, _DOMAINS.get(name, name))}.{region}.amazonaws.com",)
    return Service(
        id=f"vpce-svc-{digest}",
        created="",
        name=f"com.amazonaws.{region}.{name}",
        type=kind,
        region=region,
        owner=AMAZON,
        domain=f"{domain}.amazonaws.com" if gateway else f"{domain}.vpce.amazonaws.com",
        names=() if gateway else own,
        zones=zones(region),
        policy=True,
    )


def services(call: Call) -> Iterator[Service]:
    """The services to which the caller may have endpoints in the region."""
    yield from amazon_services(call.region)


def asked_service(call: Call, name: str, kind: str) -> Service:
    """The service of a name and a type of endpoint.

    Raises:
        ApiError: ``InvalidServiceName``, ``InvalidParameter`` (it has another type).
    """
    found = [each for each in services(call) if each.name == name]
    if not found:
        raise ApiError("InvalidServiceName", _MISSING.format(name))
    for each in found:
        if each.type == kind:
            return each
    types = ", ".join(each.type for each in found)
    raise ApiError(
        "InvalidParameter",
        f"VpcEndpointType ({kind}) does not match available service types ([{types}]).",
    )


_MISSING = "The Vpc Endpoint Service '{}' does not exist"


# --- answers ------------------------------------------------------------------------------------
def show(service: Service, view: View) -> Shape:
    """The API's ``ServiceDetail`` structure."""
    shape: Shape = {
        "ServiceName": service.name,
        "ServiceId": service.id,
        "ServiceType": [{"ServiceType": service.type}],
        "ServiceRegion": service.region,
        "AvailabilityZones": list(service.zones),
        "Owner": service.owner,
        "BaseEndpointDnsNames": [service.domain],
        "VpcEndpointPolicySupported": service.policy,
        "AcceptanceRequired": service.acceptance,
        "ManagesVpcEndpoints": False,
        "Tags": [{"Key": key, "Value": value} for key, value in service.tags],
        "SupportedIpAddressTypes": ["ipv4"],
    }
    if service.names:
        shape |= {
            "PrivateDnsName": service.names[0],
            "PrivateDnsNames": [{"PrivateDnsName": name} for name in service.names],
            "PrivateDnsNameVerificationState": "verified",
        }
    return shape


def _listed(call: Call) -> Iterator[Service]:
    regions = call.get("ServiceRegions") or [call.region]
    return (each for each in services(call) if each.region in regions)


def _names(items: list[Shape]) -> Shape:
    """Names of the services that are shown, each once."""
    return {"ServiceNames": sorted({item["ServiceName"] for item in items})}


KIND: Kind[Resource] = Kind(
    row=None,
    listings=(
        Listing(
            action="DescribeVpcEndpointServices",
            result="ServiceDetails",
            show=show,
            rows=_listed,
            selectors={
                "ServiceNames": Selector(
                    path="ServiceName", code="InvalidServiceName", message=_MISSING
                )
            },
            paths={
                "service-type": "ServiceType[].ServiceType",
                "supported-ip-address-types": "SupportedIpAddressTypes[]",
            },
            summary=_names,
        ),
    ),
)
