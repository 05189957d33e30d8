"""The engine's life: once and twice, damage and repair, failure at every step, a new engine."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import pytest

from gureum.engines import EngineError
from gureum.program import (
    Address,
    Filter,
    Gateway,
    Guard,
    Host,
    InternetHost,
    Member,
    Port,
    PublicAddress,
    Router,
    Segment,
    SegmentMode,
    Statement,
    Table,
    Uplink,
    ViaUplink,
)
from tests.kernel import packets
from tests.kernel.lab import Lab, remains
from tests.kernel.networks import ANY, ANY6, Net, allow, internet, via

pytestmark = pytest.mark.kernel

TCP = 6
PLACES = (Router, Segment, Host, Port, Gateway, Uplink, InternetHost, Table, Filter)
"""What others name without embedding it."""
VERDICTS = """
    web   db         tcp/5432 pass
    plain db         tcp/5432 drop
    me    198.18.0.1 tcp/80   pass
    me    198.18.0.1 tcp/81   drop
    web   10.0.2.21  tcp/5432 pass   # a secondary address
    db    me         tcp/80   pass
    plain web        tcp/80   pass
"""


def whole_cloud() -> set[Statement]:
    """A small cloud in which every type of statement occurs."""
    net = Net(cidr6="3fff:1:2:300::/56")
    a = net.segment("a", "10.0.1.0/24", cidr6="3fff:1:2:301::/64")
    b = net.segment("b", "10.0.2.0/24", mode="switch", cidr6="3fff:1:2:302::/64")
    net.group("sg-web", [allow(protocol=TCP, ports=80, untracked=True)])
    net.group("sg-db", [allow("sg-web", protocol=TCP, ports=5432)])
    net.group("sg-plain")
    gateway = net.gateway("1")
    web6 = "3fff:1:2:301::10"
    net.instance("web", a, "10.0.1.10", "sg-web", ip6=web6)
    net.instance("plain", a, "10.0.1.30", "sg-plain")
    db = net.instance("db", b, "10.0.2.20", "sg-db")
    guard = next(s for s in net.statements if isinstance(s, Guard) and s.port == db)
    net.statements.remove(guard)
    net.add(replace(guard, addresses=("10.0.2.20", "10.0.2.21")))
    net.add(Address(db, "10.0.2.21", primary=False))
    box = net.instance("box", a, "10.0.1.40", "sg-web", forwarding=True)
    net.instance("box1", b, "10.0.2.40", "sg-plain", host=box.host, index=1)
    net.public(gateway, "10.0.1.10", "198.18.0.1")
    net.route("a", ANY, ViaUplink(gateway))
    net.route("b", ANY, net.nat("1", a, "10.0.1.5", "10.0.1.6"))
    net.public(gateway, "10.0.1.5", "198.18.0.5")
    net.public(gateway, "10.0.1.6", "198.18.0.6")
    only_out = net.egress_only("2")
    net.global_(only_out, a, web6)
    net.route("a", ANY6, ViaUplink(only_out))
    net.route("b", "3fff:1:2:301::/64", via(box, "10.0.1.40"))
    return net.statements | internet()


def test_a_second_time_changes_nothing(lab: Lab) -> None:
    lab.build(whole_cloud())
    steps: list[str] = []
    lab.engine.executor.trap = steps.append
    lab.engine.sync(lab.statements)
    lab.engine.apply(lab.statements, ())
    lab.engine.apply((), [Host("i-nobody", "instance", "vpc-1", "x")])
    lab.adopt()
    assert not lab.engine.drift(lab.statements)
    assert steps == []
    lab.check(VERDICTS)


def test_a_path_of_changes_leads_where_a_start_leads(lab: Lab) -> None:
    """Places first, then the rest in any order: what is there in the end is the same."""
    everything = sorted(whole_cloud(), key=repr)
    random.Random(7).shuffle(everything)
    places: list[Statement] = [s for s in everything if isinstance(s, PLACES)]
    rest: list[Statement] = [s for s in everything if not isinstance(s, (*PLACES, SegmentMode))]
    modes: list[Statement] = [s for s in everything if isinstance(s, SegmentMode)]
    parts: list[list[Statement]] = [places, rest[::3], modes, rest[1::3], rest[2::3]]
    lab.build(())
    for part in parts:
        lab.change(add=part)
        assert not lab.engine.drift(lab.statements)
    lab.check(VERDICTS)
    for part in reversed(parts):
        lab.change(remove=part)
        assert not lab.engine.drift(lab.statements)
    assert remains(lab.tag) == []


def _delete_link(lab: Lab) -> None:
    packets.sh(lab.ns("vpc-1"), "ip", "link", "delete", "e-web")


def _delete_bridge(lab: Lab) -> None:
    packets.sh(lab.ns("vpc-1"), "ip", "link", "delete", "s-a")


def _flush_chain(lab: Lab) -> None:
    packets.sh(lab.ns("vpc-1"), "nft", "flush", "chain", "inet", "gureum", "sg_in")


def _add_rule(lab: Lab) -> None:
    rule = "insert rule inet gureum sg_in accept"
    packets.sh(lab.ns("vpc-1"), "nft", *rule.split())


def _add_chain(lab: Lab) -> None:
    packets.sh(
        lab.ns("igw-1"),
        "nft",
        "add chain inet gureum x { type filter hook forward priority -5; policy drop; }",
    )


def _delete_table(lab: Lab) -> None:
    packets.sh(lab.ns("vpc-1"), "nft", "delete", "table", "bridge", "gureum")


def _change_set(lab: Lab) -> None:
    packets.sh(lab.ns("vpc-1"), "nft", "flush", "set", "bridge", "gureum", "owns")
    packets.sh(lab.ns("vpc-1"), "nft", "add element inet gureum m-sg-web { 10.0.1.30, 10.0.7.7 }")


def _delete_instance(lab: Lab) -> None:
    packets.sh(lab.ns("vpc-1"), "ip", "netns", "delete", f"gu{lab.tag}-i-web")


def _delete_router(lab: Lab) -> None:
    packets.sh(lab.ns("vpc-1"), "ip", "netns", "delete", f"gu{lab.tag}-vpc-1")


def _delete_gateway(lab: Lab) -> None:
    packets.sh(lab.ns("vpc-1"), "ip", "netns", "delete", f"gu{lab.tag}-igw-1")


def _unmounted_file(lab: Lab) -> None:
    _delete_instance(lab)
    lab.ns("i-web").touch()


def _foreign_namespace(lab: Lab) -> None:
    """One of the right name that does not belong to a user namespace of its own."""
    _delete_instance(lab)
    packets.sh(lab.ns("vpc-1"), "ip", "netns", "add", f"gu{lab.tag}-i-web")


def _change_routes(lab: Lab) -> None:
    ns = lab.ns("vpc-1")
    packets.sh(
        ns, "ip", "route", "replace", "blackhole", "default", "table", "1001", "proto", "103"
    )
    packets.sh(
        ns, "ip", "route", "add", "198.19.0.10/32", "dev", "s-b", "table", "1002", "proto", "103"
    )
    packets.sh(ns, "ip", "rule", "delete", "fwmark", "1002")
    packets.sh(lab.ns("i-web"), "ip", "route", "delete", "default")


def _change_links(lab: Lab) -> None:
    ns = lab.ns("vpc-1")
    packets.sh(ns, "ip", "link", "set", "e-web", "down")
    packets.sh(ns, "ip", "link", "set", "e-plain", "nomaster")
    packets.sh(ns, "ip", "link", "set", "s-b", "address", "02:00:00:00:00:77")
    packets.sh(ns, "bridge", "link", "set", "dev", "e-box", "learning", "on", "flood", "on")
    packets.sh(lab.ns("i-web"), "ip", "address", "flush", "dev", "eth0")
    packets.sh(lab.ns("i-db"), "ip", "link", "set", "eth0", "mtu", "1280")
    packets.sh(lab.ns("i-plain"), "ip", "address", "flush", "dev", "eth0")
    packets.sh(lab.ns("i-plain"), "ip", "address", "add", "10.0.1.30/8", "dev", "eth0")


def _change_addresses(lab: Lab) -> None:
    """The kernel forgets routes, neighbours and settings of a link with its last address."""
    for ns, link in (("vpc-1", "s-a"), ("i-web", "eth0"), ("me", "eth0")):
        packets.sh(lab.ns(ns), "ip", "address", "flush", "dev", link)


def _change_neighbours(lab: Lab) -> None:
    ns = lab.ns("vpc-1")
    packets.sh(
        ns,
        "ip",
        "neigh",
        "replace",
        "10.0.1.10",
        "lladdr",
        "02:00:00:00:00:66",
        "dev",
        "s-a",
        "nud",
        "permanent",
    )
    packets.sh(
        ns,
        "ip",
        "neigh",
        "add",
        "10.0.1.77",
        "lladdr",
        "02:00:00:00:00:66",
        "dev",
        "s-a",
        "nud",
        "permanent",
    )
    packets.sh(ns, "bridge", "fdb", "delete", "02:01:0a:00:01:0a", "dev", "e-web", "master")


def _change_sysctls(lab: Lab) -> None:
    packets.sh(lab.ns("vpc-1"), "sysctl", "-qw", "net.ipv4.ip_forward=0")
    packets.sh(lab.ns("igw-1"), "sysctl", "-qw", "net.ipv4.ip_forward=0")


def _leftovers(lab: Lab) -> None:
    ns = lab.ns("vpc-1")
    packets.sh(ns, "ip", "netns", "add", f"gu{lab.tag}-i-old")
    packets.sh(
        ns,
        "ip",
        "link",
        "add",
        "e-old",
        "type",
        "veth",
        "peer",
        "name",
        "eth0",
        "netns",
        f"gu{lab.tag}-i-old",
    )
    packets.sh(ns, "ip", "link", "add", "s-old", "type", "bridge")


@pytest.mark.parametrize(
    "damage",
    [
        _delete_link, _delete_bridge, _flush_chain, _add_rule, _add_chain, _delete_table,
        _change_set, _delete_instance, _delete_router, _delete_gateway, _unmounted_file,
        _foreign_namespace, _change_routes, _change_links, _change_addresses,
        _change_neighbours, _change_sysctls,
        _leftovers,
    ],
)  # fmt: skip
def test_damage_is_seen_and_repaired(lab: Lab, damage: Callable[[Lab], None]) -> None:
    lab.build(whole_cloud())
    damage(lab)
    assert lab.engine.drift(lab.statements)
    lab.engine.sync(lab.statements)
    assert not lab.engine.drift(lab.statements)
    lab.check(VERDICTS)
    assert [path for path in remains(lab.tag) if path.endswith("-old")] == []
    assert "/8" not in packets.sh(lab.ns("i-plain"), "ip", "-o", "address", "show", "eth0")


def test_what_a_guest_does_at_home_is_left_alone(one_lab: Lab) -> None:
    lab = one_lab
    lab.build(whole_cloud())
    ns = lab.ns("i-plain")
    packets.sh(ns, "ip", "address", "add", "10.0.1.31/32", "dev", "eth0")
    packets.sh(ns, "ip", "link", "add", "own", "type", "bridge")
    packets.sh(ns, "ip", "route", "add", "10.9.0.0/16", "dev", "eth0", "proto", "103")
    packets.sh(ns, "nft", "add table inet gureum")
    packets.sh(ns, "nft", "add table inet other")
    assert not lab.engine.drift(lab.statements)


def test_flows_live_through_a_new_engine(lab: Lab) -> None:
    """Established connections stay, and not one datagram of a stream is lost meanwhile."""
    lab.build(whole_cloud())
    web, me, db = lab.ns("i-web"), lab.ns("me"), lab.ns("i-db")
    with (
        packets.connection(me, "198.18.0.1", web, 80) as (outer, inner, _),
        packets.connection(web, "10.0.2.20", db, 5432) as (near, far, _),
        packets.stream(web, me, "198.19.0.10", 7000) as lost,
    ):
        lab.adopt()
        lab.adopt()
        for sender, receiver in ((outer, inner), (inner, outer), (near, far), (far, near)):
            assert packets.alive(sender, receiver)
        assert lost() == 0


def test_flows_live_through_changes_beside_them(lab: Lab) -> None:
    lab.build(whole_cloud())
    beside = {s for s in lab.statements if _of_host(s, "i-plain")}
    with packets.stream(lab.ns("i-web"), lab.ns("me"), "198.19.0.10", 7000) as lost:
        for _ in range(3):
            lab.change(remove=beside)
            lab.change(add=beside)
        assert lost() == 0
    lab.check(VERDICTS)


def _of_host(statement: Statement, host: str) -> bool:
    match statement:
        case Host(id=id):
            return id == host
        case Port(host=owner):
            return owner == host
        case Address(port=port) | Guard(port=port):
            return port.host == host
    return False


def test_every_step_may_fail_once(lab: Lab) -> None:
    """Whichever step of a tear-down or a build fails, it is reported, and the next sync brings
    what is missing."""
    everything = whole_cloud()
    steps = _count_steps(lab, lambda: lab.build(everything))
    for number in range(0, steps, 7):
        _fail_step(lab, number)
        failures = [_failure(lab, ()), _failure(lab, everything)]
        assert ["told to fail" in failure for failure in failures].count(True) == 1
        assert _failure(lab, everything) == ""
        assert not lab.engine.drift(everything), number
    lab.check(VERDICTS)


def _failure(lab: Lab, wanted: Collection[Statement]) -> str:
    try:
        lab.engine.sync(wanted)
    except EngineError as error:
        return "; ".join(error.failures)
    return ""


def test_after_a_failure_apply_brings_what_is_missing(lab: Lab) -> None:
    everything = whole_cloud()
    lab.build(())
    steps = _count_steps(lab, lambda: lab.change(everything))
    lab.change(remove=everything)
    for number in range(0, steps, 11):
        _fail_step(lab, number)
        with pytest.raises(EngineError, match=r"told to fail"):
            lab.engine.apply(everything, ())
        for _ in range(3):  # what needed the failed part failed too
            try:
                lab.engine.apply((), ())
            except EngineError:
                continue
            break
        assert not lab.engine.drift(everything), number
        lab.engine.apply((), everything)
        assert remains(lab.tag) == [], number


def test_a_crash_between_any_two_steps(lab: Lab) -> None:
    """The engine is gone for good after step n; the next one adopts and completes."""
    everything = whole_cloud()
    lab.build(())
    steps = _count_steps(lab, lambda: lab.change(everything))
    for number in range(3, steps, 13):
        lab.engine.sync(())
        lab.statements = everything
        _die_at_step(lab, number)
        with pytest.raises(KeyboardInterrupt):
            lab.engine.sync(everything)
        lab.adopt()
        assert not lab.engine.drift(everything), number
    lab.check(VERDICTS)


def test_where_no_rules_are_in_force_no_link_comes_up(lab: Lab) -> None:
    everything = whole_cloud()

    def refuse_rules(step: str) -> None:
        if step.startswith("change") and "vpc-1" in step:
            raise OSError(5, "told to fail")

    lab.engine.executor.trap = refuse_rules
    assert "told to fail" in _failure(lab, everything)
    assert "e-web" not in packets.sh(lab.ns("vpc-1"), "ip", "link")
    lab.engine.executor.trap = lambda _step: None
    lab.build(everything)
    lab.check(VERDICTS)


def _count_steps(lab: Lab, act: Callable[[], None]) -> int:
    steps: list[str] = []
    lab.engine.executor.trap = steps.append
    act()
    lab.engine.executor.trap = lambda _step: None
    assert len(steps) > 100
    return len(steps)


def _trap_at(lab: Lab, number: int, error: Callable[[], BaseException], once: bool) -> None:
    left = [number]

    def trap(_step: str) -> None:
        left[0] -= 1
        if left[0] == -1 or (left[0] < 0 and not once):
            raise error()

    lab.engine.executor.trap = trap


def _fail_step(lab: Lab, number: int) -> None:
    _trap_at(lab, number, lambda: OSError(5, "told to fail"), once=True)


def _die_at_step(lab: Lab, number: int) -> None:
    _trap_at(lab, number, KeyboardInterrupt, once=False)


def test_calls_from_many_threads(one_lab: Lab) -> None:
    lab = one_lab
    lab.build(whole_cloud())
    members = [Member("vpc-1", "sg-web", f"10.0.9.{number}") for number in range(40)]
    threads = [threading.Thread(target=lab.engine.apply, args=([member], ())) for member in members]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lab.statements |= set(members)
    assert not lab.engine.drift(lab.statements)


def test_namespace_files_by_id(one_lab: Lab) -> None:
    lab = one_lab
    lab.build(whole_cloud())
    folder = Path("/run/netns")
    assert lab.ns("i-web") == folder / f"gu{lab.tag}-i-web"
    assert lab.ns("nat-1") == folder / f"gu{lab.tag}-nat-1"
    assert lab.ns("me") == folder / f"gu{lab.tag}-host-me"
    assert all(lab.ns(name).exists() for name in ("i-web", "nat-1", "me", "other"))


def test_a_public_address_and_its_host_go_together(one_lab: Lab) -> None:
    lab = one_lab
    lab.build(whole_cloud())
    gone = {s for s in lab.statements if _of_host(s, "i-web")}
    gone.add(PublicAddress("igw-1", "vpc-1", "10.0.1.10", "198.18.0.1"))
    lab.change(remove=[*gone, InternetHost("other", "198.19.0.20")])
    assert not lab.engine.drift(lab.statements)
    lab.check("""
        db me         icmp pass
        me 198.18.0.1 icmp drop
    """)
