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
        self.clients: dict[tuple[str, str, str], Any] = {}

    def ram(self, account: str, region: str = REGION) -> Any:
        return self._client("ram", account, region)

    def ec2(self, account: str, region: str = REGION) -> Any:
        return self._client("ec2", account, region)

    def _client(self, service: str, account: str, region: str) -> Any:
        """One client of each kind: they are slow to make."""
        key = (service, account, region)
        if key not in self.clients:
            self.clients[key] = self.cloud.client((account, "x"), service, region)
        return self.clients[key]

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
