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
    verification: str = "verified"
    policy: bool = False
    acceptance: bool = False
    configuration: str | None = None
    tags: Tags = ()


@dataclass(frozen=True, kw_only=True)
class Permission:
    """A principal that may have endpoints to a service: an ARN, or ``*`` for everybody."""

    id: str
    principal: str


@dataclass(frozen=True, kw_only=True)
class PrivateName:
    """A private name of a service, with what proves to AWS that its domain is the owner's: the
    text record ``record`` of the domain must be ``value``."""

    name: str
    record: str
    value: str
    state: str = "pendingVerification"


@dataclass(frozen=True, kw_only=True)
class EndpointService(
    Resource,
    kind="vpc-endpoint-service",
    prefix="vpce-svc",
    not_found="InvalidVpcEndpointServiceId.NotFound",
    malformed="InvalidVpcEndpointServiceId.Malformed",
    noun="VpcEndpointService",
    missing="The VpcEndpointService Id '{id}' does not exist",
):
    """A service that an account offers behind its load balancers, which are ARNs here.

    ``by_owner`` says that the owner pays for the endpoints.
    """

    acceptance: bool = True
    network_balancers: tuple[str, ...] = ()
    gateway_balancers: tuple[str, ...] = ()
    private_name: PrivateName | None = None
    permissions: tuple[Permission, ...] = ()
    by_owner: bool = False

    @property
    def name(self) -> str:
        """The name by which endpoints ask for it."""
        return f"com.amazonaws.vpce.{self.region}.{self.id}"

    @property
    def domain(self) -> str:
        """The end of the names of its endpoints."""
        return f"{self.id}.{self.region}.vpce.amazonaws.com"

    @property
    def type(self) -> str:
        """The type of the endpoints that lead to it."""
        return "GatewayLoadBalancer" if self.gateway_balancers else INTERFACE

    def admits(self, account: str) -> bool:
        """Whether an account may have endpoints to it: the owner, and whom permissions name."""
        named = f"arn:aws:iam::{account}:"
        return account == self.account or any(
            each.principal == "*" or each.principal.startswith(named) for each in self.permissions
        )

    def offered(self) -> Service:
        """The service as those see it who may have endpoints to it."""
        name = self.private_name
        return Service(
            id=self.id,
            created=self.created,
            name=self.name,
            type=self.type,
            region=self.region,
            owner=self.account,
            domain=self.domain,
            names=(name.name,) if name else (),
            verification=name.state if name else "verified",
            zones=zones(self.region),
            acceptance=self.acceptance,
            configuration=self.id,
            tags=self.tags,
        )


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
    for row in call.txn.view.all(EndpointService):
        if row.region == call.region and row.admits(call.account):
            yield row.offered()


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
            "PrivateDnsNameVerificationState": service.verification,
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
