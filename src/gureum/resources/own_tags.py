"""The tags that an account gives to what another one shares with it: each has tags of its own.

Sources: VPC User Guide, "Responsibilities and permissions for owners and participants" (tags are
not shared); Terraform's ``aws_ec2_tag``, with which participants tag subnets.
"""

from __future__ import annotations

from dataclasses import dataclass

from gureum.kind import Kind
from gureum.model import Reader, Resource, Tags, ref


@dataclass(frozen=True, kw_only=True)
class OwnTags(
    Resource,
    kind="own-tags",
    prefix="own-tags",
    not_found="InvalidID",
    noun="tags",
):
    """The ``tags`` of an account for a resource of another one's.  The id is made of both."""

    resource: str = ref("cascade")


def own_tags_id(account: str, resource: str) -> str:
    """The id of the row of an account's tags for a resource."""
    return f"own-tags-{account}/{resource}"


def tags_for(reader: Reader, row: Resource, account: str) -> Tags:
    """The tags that an account sees of a resource: its own, which of its own resource are all."""
    if row.account == account:
        return row.tags
    found = reader.find(OwnTags, own_tags_id(account, row.id))
    return found.tags if found else ()


KIND = Kind(row=OwnTags)
