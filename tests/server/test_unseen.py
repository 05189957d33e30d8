"""NAT64 and delegated prefixes in what is said of all pairs, and NAT64 in what names mean."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.engines.fake import FakeEngine
from gureum.errors import ApiError
from gureum.model.nat64 import PREFIX
from gureum.resources import REGISTRY
from gureum.resources.instance import observed
from gureum.server import places
from gureum.server.console_explain import Explainer
from gureum.server.console_policy import Policies
from gureum.server.console_reach import Reaches
from gureum.server.networks import Networks
from gureum.server.places import Scope
from tests.conftest import Cloud
from tests.explain.test_nat64 import APP, DB, INWARDS, NAT, Site

NOTE = "Not looked at: IPv6 that a NAT gateway makes IPv4 (NAT64), from {}."


class Console:
    """What the console answers about a site."""

    def __init__(self, cloud: Cloud) -> None:
        self.networks = Networks(cloud.store, REGISTRY, lambda host, version: False)
        self.site = Site(cloud)
        for key in (self.site.app, self.site.db):
            cloud.system(observed, cloud.now, key, "running")
        self.cloud = cloud

    @property
    def scope(self) -> Scope:
        view = self.cloud.store.view
        row = view.rows[self.site.vpc]
        return Scope(view, row.account, row.region)

    def reach(self, **asked: Any) -> list[str]:
        notes: list[str] = Reaches(self.networks)(self.scope, asked)["notes"]
        return notes

    def verify(self, text: str) -> Any:
        explainer = Explainer(self.networks, FakeEngine())
        return Policies(self.networks, explainer)(self.scope, {"text": text})

    def target(self, source: str, name: str) -> str:
        sender = places.resolve(self.scope, source)
        return places.target(self.scope, sender, name).address


@pytest.fixture
def console(cloud: Cloud) -> Console:
    return Console(cloud)


def test_reach_says_what_it_does_not_look_at(console: Console) -> None:
    app = console.site.app
    assert console.reach(source=app) == []
    console.site.translate()
    (note,) = console.reach(source=app)
    assert note.startswith(NOTE.format(console.site.native))
    assert console.reach(source=console.site.db, version=4) == []


def test_reach_says_whose_prefixes_it_does_not_look_at(console: Console) -> None:
    call, native = console.site.cloud.call, console.site.native
    call("CreateNetworkInterface", SubnetId=native)
    assert console.reach(source=console.site.app) == []
    made = call("CreateNetworkInterface", SubnetId=native, Ipv6PrefixCount=1)
    key = made["NetworkInterface"]["NetworkInterfaceId"]
    (note,) = console.reach(source=console.site.app)
    assert note.startswith(f"Not looked at: IPv6 prefixes that are delegated, to {key}.")
    assert console.reach(source=console.site.db, version=4) == []


def test_a_policy_is_told_so_and_knows_the_way_out(console: Console) -> None:
    site = console.site
    text = f"""
    - name: nothing
      subnets: {site.native}
      leave_by: nothing
    """
    before = console.verify(text)
    assert (before["holds"], before["notes"]) == (True, [])
    site.translate()
    after = console.verify(text)
    assert [each["by"] for each in after["statements"][0]["findings"]] == ["nat"]
    assert after["notes"][0].startswith(NOTE.format(site.native))
    assert console.verify(text.replace("leave_by: nothing", "leave_by: nat"))["holds"]


def test_a_name_of_ipv4_alone_means_the_address_that_stands_for_it(console: Console) -> None:
    site = console.site
    with pytest.raises(ApiError, match="has no IPv6 address"):
        console.target(site.app, site.db)
    site.translate()
    assert console.target(site.app, site.db) == INWARDS
    assert console.target(site.db, site.app) == APP
    assert places.whose(console.scope, site.vpc, INWARDS) == site.db
    where = {"RouteTableId": site.inner, "DestinationIpv6CidrBlock": PREFIX}
    site.cloud.call("DeleteRoute", **where)
    with pytest.raises(ApiError, match="has no IPv6 address"):
        console.target(site.app, site.db)


def test_hops_are_called_by_their_names(console: Console) -> None:
    nat = console.site.translate()
    where = console.scope, console.site.vpc
    assert places.whose(*where, f"64:ff9b::{NAT}") == nat
    assert places.whose(*where, "64:ff9b::100.64.0.1") == "internet gateway"
    assert places.whose(*where, f"64:ff9b::{DB}") == console.site.db
