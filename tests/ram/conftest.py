"""Two accounts of an open cloud that real clients of AWS's speak to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.server.secured import REGION, Secured

OWNER, OTHER, THIRD = "111111111111", "222222222222", "333333333333"


class World:
    """The cloud; clients of its accounts are called by what they are for."""

    def __init__(self) -> None:
        self.cloud = Secured("open")

    def ram(self, account: str, region: str = REGION) -> Any:
        return self.cloud.client((account, "x"), "ram", region)

    def ec2(self, account: str, region: str = REGION) -> Any:
        return self.cloud.client((account, "x"), "ec2", region)

    def listed(self, account: str = OWNER, *cidrs: str) -> dict[str, Any]:
        """A new prefix list."""
        made: dict[str, Any] = self.ec2(account).create_managed_prefix_list(
            PrefixListName="offices",
            MaxEntries=5,
            AddressFamily="IPv4",
            Entries=[{"Cidr": cidr} for cidr in cidrs],
        )["PrefixList"]
        return made

    def share(self, *arns: str, to: tuple[str, ...] = (OTHER,), **more: Any) -> str:
        """A new share of the owner's."""
        made = self.ram(OWNER).create_resource_share(
            name="ours", resourceArns=list(arns), principals=list(to), **more
        )
        return str(made["resourceShare"]["resourceShareArn"])

    def invitation(self, share: str, account: str = OTHER) -> str:
        found = self.ram(account).get_resource_share_invitations(resourceShareArns=[share])
        (only,) = found["resourceShareInvitations"]
        return str(only["resourceShareInvitationArn"])

    def accept(self, share: str, account: str = OTHER) -> None:
        arn = self.invitation(share, account)
        self.ram(account).accept_resource_share_invitation(resourceShareInvitationArn=arn)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World()
    yield made
    made.cloud.close()
