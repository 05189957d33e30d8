"""What time does to shares: invitations expire, what has ended is forgotten; a restart, nothing."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from gureum.errors import ApiError
from gureum.model import Resource
from gureum.model.timestamps import timestamp
from gureum.resources.resource_share import (
    KEPT,
    OPEN_FOR,
    ResourceShare,
    ShareAssociation,
    ShareInvitation,
    is_shared,
)
from gureum.store import SqliteStore
from tests.conftest import Cloud
from tests.ram.test_transit_gateways import OTHER, ram

LIST = {"MaxEntries": 2, "AddressFamily": "IPv4", "PrefixListName": "ours"}


@pytest.fixture
def other(cloud: Cloud) -> Cloud:
    made = Cloud(account=OTHER)
    made.store, made.dispatch = cloud.store, cloud.dispatch
    return made


def share(cloud: Cloud) -> str:
    """A share of a new list, to which the other account is asked."""
    arn = cloud.call("CreateManagedPrefixList", **LIST)["PrefixList"]["PrefixListArn"]
    made = ram(cloud, "CreateResourceShare", name="x", resourceArns=[arn], principals=[OTHER])
    return str(made["resourceShare"]["resourceShareArn"])


def invitation(other: Cloud) -> str:
    (found,) = ram(other, "GetResourceShareInvitations")["resourceShareInvitations"]
    return str(found["resourceShareInvitationArn"])


def later(span: timedelta, *clouds: Cloud) -> None:
    """Let time pass, and the reconciler look at all rows."""
    for cloud in clouds:
        cloud.now = timestamp(datetime.fromisoformat(cloud.now) + span)
    cloud = clouds[0]
    for row in list(cloud.store.view.rows.values()):
        kind = cloud.dispatch.registry.by_row.get(type(row))
        if kind is not None and kind.expired is not None:
            with cloud.store.transaction(row.account, row.region) as txn:
                current = txn.find(type(row), row.id)
                if current is not None:
                    kind.expired(txn, current, cloud.now)


def rows(cloud: Cloud, cls: type[Resource]) -> list[str]:
    return [str(getattr(row, "status", "")) for row in cloud.store.view.all(cls)]


def test_an_invitation_expires(cloud: Cloud, other: Cloud) -> None:
    key = share(cloud)
    later(OPEN_FOR - timedelta(seconds=1), cloud, other)
    assert rows(cloud, ShareInvitation) == ["PENDING"]
    arn = invitation(other)
    other.now = timestamp(datetime.fromisoformat(other.now) + timedelta(seconds=1))
    with pytest.raises(ApiError) as caught:  # also before the reconciler comes by
        ram(other, "AcceptResourceShareInvitation", resourceShareInvitationArn=arn)
    assert caught.value.code == "ResourceShareInvitationExpiredException"
    later(timedelta(seconds=1), cloud)
    assert rows(cloud, ShareInvitation) == ["EXPIRED"]
    asked = {"associationType": "PRINCIPAL", "resourceShareArns": [key]}
    (member,) = ram(cloud, "GetResourceShareAssociations", **asked)["resourceShareAssociations"]
    assert member["status"] == "FAILED"


def test_what_has_ended_is_forgotten(cloud: Cloud, other: Cloud) -> None:
    key = share(cloud)
    ram(other, "AcceptResourceShareInvitation", resourceShareInvitationArn=invitation(other))
    later(10 * KEPT, cloud, other)
    assert rows(cloud, ResourceShare) == ["ACTIVE"]
    ram(cloud, "DeleteResourceShare", resourceShareArn=key)
    later(KEPT - timedelta(seconds=1), cloud)
    assert rows(cloud, ResourceShare) == ["DELETED"]
    later(timedelta(seconds=1), cloud)
    for cls in (ResourceShare, ShareAssociation, ShareInvitation):
        assert rows(cloud, cls) == []
    assert len(cloud.call("DescribeManagedPrefixLists")["PrefixLists"]) == 3, "the list stays"


def test_a_restart_changes_nothing(tmp_path: Path) -> None:
    cloud, other = Cloud(), Cloud(account=OTHER)
    store = SqliteStore(tmp_path / "gureum.db")
    for each in (cloud, other):
        each.dispatch.store = store
        each.store = store  # type: ignore[assignment]  # any store will do
    share(cloud)
    ram(other, "AcceptResourceShareInvitation", resourceShareInvitationArn=invitation(other))
    store.close()
    again = SqliteStore(tmp_path / "gureum.db")
    (key,) = (row.resource for row in again.view.all(ShareAssociation) if row.resource)
    assert is_shared(again.view, str(key), OTHER)
    again.close()
