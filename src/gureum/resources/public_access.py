"""VPC Block Public Access: what of a region's VPCs may use internet gateways.

The rows are here, and what they mean for an address; the API's own actions are in
:mod:`gureum.resources.public_access_api`.

Source: VPC User Guide, "Block public access to VPCs and subnets".
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from gureum.model import Reader, Resource, ref

OFF, BIDIRECTIONAL, INGRESS = "off", "block-bidirectional", "block-ingress"
ALLOW_BOTH, ALLOW_EGRESS = "allow-bidirectional", "allow-egress"

GONE = frozenset({"delete-in-progress", "delete-complete"})
"""States of an exclusion that excludes nothing any more."""


@dataclass(frozen=True, kw_only=True)
class PublicAccessOptions(
    Resource,
    kind="vpc-block-public-access-options",
    prefix="vpcbpa",
    not_found="InvalidParameterValue",
    noun="block public access options",
):
    """What an account blocks in a region; there is no row where that was never said.  ``updated``
    is when it last was."""

    mode: str = OFF
    state: str = "default-state"
    updated: str


@dataclass(frozen=True, kw_only=True)
class PublicAccessExclusion(
    Resource,
    kind="vpc-block-public-access-exclusion",
    prefix="vpcbpa-exclude",
    not_found="InvalidVpcBlockPublicAccessExclusionId.NotFound",
    malformed="InvalidVpcBlockPublicAccessExclusionId.NotFound",
    noun="VPC Block Public Access exclusion",
):
    """A VPC or a subnet that is excepted; both are None once it is deleted."""

    vpc: str | None = ref("cascade", default=None)
    subnet: str | None = ref("cascade", default=None)
    arn: str
    mode: str
    state: str = "create-in-progress"
    updated: str
    ended: str | None = None


def options_id(account: str, region: str) -> str:
    """The id of an account's options in a region."""
    return f"vpcbpa-{account}/{region}"


class Situated(Protocol):
    """What is in a subnet: a network interface."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...

    @property
    def vpc(self) -> str: ...

    @property
    def subnet(self) -> str: ...


def exclusions(reader: Reader, where: Situated) -> Iterator[PublicAccessExclusion]:
    """The exclusions in force for what is in a subnet: the subnet's and its VPC's."""
    for key in (where.subnet, where.vpc):
        for row in reader.referrers(key, PublicAccessExclusion):
            if row.state not in GONE:
                yield row


def admits(reader: Reader, where: Situated, *, outwards: bool) -> bool:
    """Whether what is in a subnet may use an internet gateway; ``outwards`` says that connections
    only begin here on that way, as with NAT gateways and egress-only gateways."""
    vpc = reader.find(Resource, where.vpc)
    owner = vpc.account if vpc else where.account
    options = reader.find(PublicAccessOptions, options_id(owner, where.region))
    if options is None or options.mode == OFF:
        return True
    excepted = {row.mode for row in exclusions(reader, where)}
    if ALLOW_BOTH in excepted:
        return True
    return outwards and (options.mode == INGRESS or ALLOW_EGRESS in excepted)
