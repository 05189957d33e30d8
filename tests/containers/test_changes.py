"""What becomes of containers, networks and volumes, and what of the network follows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from gureum.containers import Container, ContainerNetwork, DockerError, changes, find
from gureum.containers.lower import inside
from gureum.containers.networks import networks_of, new_id
from gureum.model import Txn
from gureum.program import InnerHost, InnerPort, InnerSegment, Published
from gureum.resources.instance import Instance
from tests.containers.room import ACCOUNT, HOST, NOW, REGION, created, run, store

LATER = "2026-11-29T08:01:00.000Z"


@pytest.fixture
def txn() -> Iterator[Txn]:
    with store().transaction(ACCOUNT, REGION) as made:
        yield made


def _now(txn: Txn, row: Container) -> Container:
    found = txn.view.find(Container, row.id)
    assert found is not None
    return found


def test_a_life(txn: Txn) -> None:
    row = run(txn, "web", HostConfig={"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}})
    assert (row.state, row.wanted, row.run) == ("created", True, 1)
    assert (row.endpoints[0].ip, row.endpoints[0].mac) == ("172.17.0.2", "02:42:ac:11:00:02")
    changes.began(txn, row, NOW, run=1)
    assert _now(txn, row).state == "running"
    changes.ended(txn, _now(txn, row), LATER, run=1, code=3)
    over = _now(txn, row)
    assert (over.state, over.exit_code, over.finished, over.wanted) == ("exited", 3, LATER, False)
    assert over.endpoints[0].ip == ""
    again = changes.ask_to_run(txn, over)
    changes.ended(txn, again, LATER, run=1, code=9)  # what an earlier start says counts no more
    assert _now(txn, row) == again


def test_what_the_network_needs(txn: Txn) -> None:
    bindings = {"PortBindings": {"80/tcp": [{"HostPort": "8080"}]}}
    row = run(txn, "web", HostConfig=bindings)
    created(txn, "idle", HostConfig=bindings)
    bridge = networks_of(txn.view, HOST)[0]
    lan = InnerSegment(bridge.id, HOST, "docker0", "172.17.0.0/16", "172.17.0.1")
    assert set(inside(txn.view, HOST)) == {
        lan,
        InnerHost(row.id, HOST, "web"),
        InnerPort(lan, row.id, 0, "172.17.0.2", "02:42:ac:11:00:02", True),
        Published(lan, row.id, "", 6, 8080, "172.17.0.2", 80),
    }
    assert set(inside(txn.view, HOST, row.id)) == {lan}


def test_names_are_ones_own(txn: Txn) -> None:
    row = created(txn, "web")
    with pytest.raises(DockerError, match="already in use") as refused:
        created(txn, "web")
    assert refused.value.status == 409
    with pytest.raises(DockerError, match="Invalid container name"):
        created(txn, "-web")
    changes.rename(txn, row, "other")
    assert find.container(txn.view, HOST, "other").id == row.id
    assert find.container(txn.view, HOST, row.id[:5]).id == row.id
    with pytest.raises(DockerError, match="No such container: web"):
        find.container(txn.view, HOST, "web")


def test_addresses_and_ports_are_given_once(txn: Txn) -> None:
    free = {"PortBindings": {"80/tcp": [{"HostPort": ""}]}}
    one, two = (run(txn, name, HostConfig=free) for name in ("one", "two"))
    assert [row.endpoints[0].ip for row in (one, two)] == ["172.17.0.2", "172.17.0.3"]
    assert [row.ports[0].given for row in (one, two)] == [32768, 32769]
    taken = {"PortBindings": {"80/tcp": [{"HostIp": "10.0.0.1", "HostPort": "32768"}]}}
    with pytest.raises(DockerError, match="port is already allocated"):
        run(txn, "three", HostConfig=taken)
    changes.ended(txn, one, NOW, run=1, code=0)
    assert run(txn, "four").endpoints[0].ip == "172.17.0.2"


@pytest.mark.parametrize(
    ("policy", "code", "manual", "by_itself", "with_instance"),
    [
        ("no", 1, False, False, False),
        ("always", 0, False, True, True),
        ("always", 0, True, False, True),
        ("unless-stopped", 0, False, True, True),
        ("unless-stopped", 0, True, False, False),
        ("on-failure", 0, False, False, False),
        ("on-failure", 1, False, True, False),
        ("on-failure", 1, True, False, False),
    ],
)
def test_restart_policies(
    txn: Txn, policy: str, code: int, manual: bool, by_itself: bool, with_instance: bool
) -> None:
    row = run(txn, "web", HostConfig={"RestartPolicy": {"Name": policy}})
    if manual:
        changes.ask_to_stop(txn, row)
    changes.ended(txn, _now(txn, row), NOW, run=1, code=code)
    assert changes.starts_again(_now(txn, row)) == by_itself
    assert changes.starts_with_instance(_now(txn, row)) == with_instance


def test_a_policy_with_a_limit(txn: Txn) -> None:
    policy = {"Name": "on-failure", "MaximumRetryCount": 2}
    row = run(txn, "web", HostConfig={"RestartPolicy": policy})
    tries = 0
    while True:
        row = _now(txn, row)
        changes.ended(txn, row, NOW, run=row.run, code=1)
        row = _now(txn, row)
        if not changes.starts_again(row):
            break
        changes.run_again(txn, row, NOW, by_policy=True)
        tries += 1
    assert tries == 2


def test_what_removes_itself(txn: Txn) -> None:
    row = run(txn, "web", HostConfig={"AutoRemove": True}, Volumes={"/data": {}})
    assert [each.anonymous for each in find.volumes_of(txn.view, HOST)] == [True]
    changes.ended(txn, row, NOW, run=1, code=0)
    assert find.containers_of(txn.view, HOST) == []
    assert find.volumes_of(txn.view, HOST) == []


def test_volumes_outlive_containers(txn: Txn) -> None:
    row = created(txn, "db", HostConfig={"Binds": ["data:/data"]})
    (volume,) = find.volumes_of(txn.view, HOST)
    with pytest.raises(DockerError, match="volume is in use"):
        changes.remove_volume(txn, volume)
    changes.remove(txn, row, with_volumes=True)
    assert [each.name for each in find.volumes_of(txn.view, HOST)] == ["data"]  # it has a name
    changes.remove_volume(txn, volume)


def test_all_goes_with_the_instance(txn: Txn) -> None:
    run(txn, "web", HostConfig={"Binds": ["data:/data"]})
    instance = txn.view.find(Instance, HOST)
    assert instance is not None
    txn.delete(instance)
    assert not txn.view.rows


def test_nothing_starts_where_no_instance_runs(txn: Txn) -> None:
    row = created(txn, "web")
    instance = txn.view.find(Instance, HOST)
    assert instance is not None
    txn.put(replace(instance, state="stopped"))
    with pytest.raises(DockerError, match="does not run"):
        changes.ask_to_run(txn, row)


# --- networks -----------------------------------------------------------------------------------
def _network(txn: Txn, name: str, **more: object) -> ContainerNetwork:
    key = new_id()
    row = ContainerNetwork(
        id=key, account=ACCOUNT, region=REGION, created=LATER, instance=HOST, name=name,
        link=f"br-{key[:12]}", cidr="", gateway="", **more,  # type: ignore[arg-type]
    )  # fmt: skip
    return changes.create_network(txn, row)


def test_networks_get_blocks_of_their_own(txn: Txn) -> None:
    one, two = _network(txn, "one"), _network(txn, "two")
    assert (one.cidr, one.gateway) == ("172.18.0.0/16", "172.18.0.1")
    assert two.cidr == "172.19.0.0/16"
    with pytest.raises(DockerError, match="already exists"):
        _network(txn, "one")
    with pytest.raises(DockerError, match="predefined"):
        _network(txn, "host")


def test_who_is_on_two_networks_goes_out_by_the_open_one(txn: Txn) -> None:
    _network(txn, "closed", internal=True)
    row = created(txn, "web", HostConfig={"NetworkMode": "closed"})
    opened = _network(txn, "opened")
    changes.connect(txn, row, replace(row.endpoints[0], network=opened.id))
    changes.ask_to_run(txn, _now(txn, row))
    links = sorted((s for s in inside(txn.view, HOST) if isinstance(s, InnerPort)),
                   key=lambda link: link.index)  # fmt: skip
    assert [(link.ip, link.gateway) for link in links] == [
        ("172.18.0.2", False),
        ("172.19.0.2", True),
    ]
    with pytest.raises(DockerError, match="active endpoints"):
        changes.remove_network(txn, opened)
    changes.disconnect(txn, _now(txn, row), opened)
    changes.remove_network(txn, opened)


# --- images -------------------------------------------------------------------------------------
def _named(txn: Txn) -> dict[str, tuple[str, ...]]:
    return {row.digest: row.names for row in find.images_of(txn.view, HOST)}


def test_a_name_is_one_images(txn: Txn) -> None:
    changes.name_image(txn, HOST, "sha256:1", "a", NOW)
    changes.name_image(txn, HOST, "sha256:1", "b", NOW)
    changes.name_image(txn, HOST, "sha256:1", "", NOW)
    assert _named(txn) == {"sha256:1": ("a", "b")}
    changes.name_image(txn, HOST, "sha256:2", "a", LATER)
    assert _named(txn) == {"sha256:1": ("b",), "sha256:2": ("a",)}
    (newest, _) = find.images_of(txn.view, HOST)
    changes.unname_image(txn, newest, "a")
    assert _named(txn) == {"sha256:1": ("b",), "sha256:2": ()}


def test_an_image_stays_while_a_container_has_it(txn: Txn) -> None:
    image = changes.name_image(txn, HOST, "sha256:1", "web", NOW)  # the digest that containers have
    row = run(txn, "web")
    for force in (False, True):
        with pytest.raises(DockerError, match=r"cannot be forced.*used by running container"):
            changes.remove_image(txn, image, force=force)
    changes.ended(txn, _now(txn, row), LATER, run=1, code=0)
    with pytest.raises(DockerError, match=r"must be forced.*used by stopped container"):
        changes.remove_image(txn, image, force=False)
    changes.remove_image(txn, image, force=True)
    assert _named(txn) == {}


def test_images_are_bounded(txn: Txn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST", 1)
    changes.name_image(txn, HOST, "sha256:1", "a", NOW)
    changes.name_image(txn, HOST, "sha256:1", "b", NOW)
    with pytest.raises(DockerError, match="there are 1 images on this instance already"):
        changes.name_image(txn, HOST, "sha256:2", "c", NOW)


def test_steps_of_builds_are_kept_for_others(txn: Txn) -> None:
    for number in range(4):
        changes.keep_step(txn, HOST, f"sha256:{number}", "sha256:base", f"step {number}",
                          f"2026-11-29T08:00:0{number}.000Z")  # fmt: skip
    changes.name_image(txn, HOST, "sha256:0", "result", NOW)
    changes.keep_step(txn, HOST, "sha256:0", "sha256:base", "again", NOW)
    rows = {row.digest: row for row in find.images_of(txn.view, HOST)}
    assert (rows["sha256:0"].step, rows["sha256:0"].passing) == ("again", False)
    assert (rows["sha256:1"].parent, rows["sha256:1"].passing) == ("sha256:base", True)
    assert changes.forget_steps(txn, HOST, 2) == ["sha256:1"]
    changes.name_image(txn, HOST, "sha256:2", "", NOW)  # somebody wants it for itself
    assert changes.forget_steps(txn, HOST, 0) == ["sha256:3"]
    assert {row.digest for row in find.images_of(txn.view, HOST)} == {"sha256:0", "sha256:2"}


# --- pausing ------------------------------------------------------------------------------------
def test_who_runs_can_stand_still(txn: Txn) -> None:
    row = run(txn, "web")
    with pytest.raises(DockerError, match="is not running"):
        changes.pause(txn, row, on=True)
    changes.began(txn, row, NOW, run=1)
    with pytest.raises(DockerError, match="is not paused"):
        changes.pause(txn, _now(txn, row), on=False)
    changes.pause(txn, _now(txn, row), on=True)
    assert (_now(txn, row).status, _now(txn, row).state) == ("paused", "running")
    with pytest.raises(DockerError, match="is already paused"):
        changes.pause(txn, _now(txn, row), on=True)
    changes.ended(txn, _now(txn, row), LATER, run=1, code=0)
    assert _now(txn, row).status == "exited"
