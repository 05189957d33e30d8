"""What names mean to containers."""

from __future__ import annotations

from typing import Any

import pytest

from gureum.containers import Container, ContainerNetwork, changes
from gureum.containers.names import meaning, named_networks
from gureum.containers.networks import common
from gureum.model import Txn, View
from tests.containers.room import ACCOUNT, HOST, NOW, REGION, run, store


def on(*networks: str, aliases: tuple[str, ...] = ()) -> dict[str, Any]:
    """The part of a request that says which networks."""
    ends = {name: {"Aliases": list(aliases)} for name in networks}
    return {
        "HostConfig": {"NetworkMode": networks[0]},
        "NetworkingConfig": {"EndpointsConfig": ends},
    }


def network(txn: Txn, name: str) -> None:
    changes.create_network(
        txn, ContainerNetwork(**common(txn, HOST, NOW), name=name, link="", cidr="", gateway="")
    )


@pytest.fixture(scope="module")
def view() -> View:
    made = store()
    with made.transaction(ACCOUNT, REGION) as txn:
        for name in ("front", "back"):
            network(txn, name)
        run(txn, "plain")
        run(txn, "proxy", **on("front"))
        run(txn, "App", **on("front", "back", aliases=("Pool",)))
        run(txn, "other", **on("back", aliases=("pool",)))
    return made.view


def asks(view: View, who: str, name: str) -> dict[str, tuple[str, ...]] | None:
    (row,) = (each for each in view.all(Container) if each.name == who)
    return meaning(row, view, name)


def ips(view: View, who: str) -> list[str]:
    return [end.ip for row in view.all(Container) if row.name == who for end in row.endpoints]


def test_those_on_the_same_network_are_known(view: View) -> None:
    front, back = ips(view, "App")
    assert asks(view, "proxy", "app") == {"A": (front,)}
    assert asks(view, "proxy", "APP.Front") == {"A": (front,)}
    assert asks(view, "other", "app") == {"A": (back,)}
    assert asks(view, "other", "other") == {"A": tuple(ips(view, "other"))}
    (row,) = (each for each in view.all(Container) if each.name == "App")
    assert asks(view, "proxy", row.id[:12]) == {"A": (front,)}


def test_an_alias_may_mean_several(view: View) -> None:
    found = asks(view, "other", "pool")
    assert found is not None
    assert sorted(found["A"]) == sorted([ips(view, "App")[1], *ips(view, "other")])


def test_no_others_are(view: View) -> None:
    for who, name in (("proxy", "other"), ("proxy", "app.back"), ("proxy", "plain"),
                      ("plain", "plain"), ("proxy", "front"), ("proxy", "")):  # fmt: skip
        assert asks(view, who, name) is None, (who, name)
    (plain,) = (each for each in view.all(Container) if each.name == "plain")
    assert not list(named_networks(plain, view))


def test_addresses_have_names(view: View) -> None:
    front, back = ips(view, "App")

    def reverse(ip: str) -> str:
        return ".".join(reversed(ip.split("."))) + ".in-addr.arpa"

    assert asks(view, "proxy", reverse(front)) == {"PTR": ("App.front",)}
    assert asks(view, "proxy", reverse(back)) is None
    assert asks(view, "proxy", "1.in-addr.arpa") is None
    assert asks(view, "proxy", "x.0.18.172.in-addr.arpa") is None
