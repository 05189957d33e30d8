"""Predictions laid over real packets: confirmed where they hold, contradicted where they do not."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel.packets import eventually, listening, make, run, sh

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

ANY = "0.0.0.0/0"
TABLE = "gureum-trace"
MIRROR = "198.19.0.20"


@dataclass
class World:
    """Instances in a public subnet, in a private one behind a NAT gateway, in one without a way
    out, and in one whose ACL lets few answers out."""

    site: Site
    web: Guest
    twin: Guest
    private: Guest
    lonely: Guest
    answering: Guest
    hidden: Guest
    group: str


@pytest.fixture(scope="module")
def world(site: Site) -> World:
    group = site.group("all", ("tcp", 80, ANY), ("udp", 53, ANY), ("icmp", 8, ANY))
    subnets = {"lonely": "10.0.3.0/24", "answering": "10.0.4.0/24"}
    made = {name: site.subnet(cidr) for name, cidr in subnets.items()}
    site.table(made["lonely"])
    _narrow(site, made["answering"])
    _nat(site)
    guests = {
        "web": site.launch(site.public, group, public=True),
        "twin": site.launch(site.public, group, public=True),
        "hidden": site.launch(site.public, group),
        "private": site.launch(site.private, group),
        **{name: site.launch(subnet, group) for name, subnet in made.items()},
    }
    for name, guest in guests.items():
        site.ec2.create_tags(Resources=[guest.id], Tags=[{"Key": "Name", "Value": name}])
    return World(site, group=group, **guests)


def _nat(site: Site) -> None:
    address = site.ec2.allocate_address(Domain="vpc")["AllocationId"]
    made = site.ec2.create_nat_gateway(SubnetId=site.public, AllocationId=address)
    nat = made["NatGateway"]["NatGatewayId"]
    waiter = site.ec2.get_waiter("nat_gateway_available")
    waiter.wait(NatGatewayIds=[nat], WaiterConfig={"Delay": 1, "MaxAttempts": 20})
    table = site.table(site.private)
    site.ec2.create_route(RouteTableId=table, DestinationCidrBlock=ANY, NatGatewayId=nat)


FEW = (40000, 40999)
"""The client ports to which the ACL lets answers of port 80 out."""


def _narrow(site: Site, subnet: str) -> None:
    ec2 = site.ec2
    acl = ec2.create_network_acl(VpcId=site.vpc)["NetworkAcl"]["NetworkAclId"]
    ports = {"From": FEW[0], "To": FEW[1]}
    for egress, rest in (
        (False, {"Protocol": "-1"}),
        (True, {"Protocol": "6", "PortRange": ports}),
    ):
        ec2.create_network_acl_entry(
            NetworkAclId=acl, RuleNumber=100, Egress=egress, RuleAction="allow",
            CidrBlock=ANY, **rest,
        )  # fmt: skip
    only = [{"Name": "association.subnet-id", "Values": [subnet]}]
    (old,) = ec2.describe_network_acls(Filters=only)["NetworkAcls"]
    (item,) = (each for each in old["Associations"] if each["SubnetId"] == subnet)
    ec2.replace_network_acl_association(
        AssociationId=item["NetworkAclAssociationId"], NetworkAclId=acl
    )


@pytest.fixture(autouse=True)
def leaves_nothing(daemon: Daemon) -> Iterator[None]:
    """Each test begins with a daemon that serves, and ends without tables or readers."""
    if daemon.process is None or daemon.process.poll() is not None:
        daemon.start()
    yield
    assert armed(daemon) == []
    assert readers(daemon) == []


def namespaces(daemon: Daemon) -> list[Path]:
    return sorted(Path("/run/netns").glob(f"gu{daemon.tag}-*"))


def armed(daemon: Daemon) -> list[str]:
    """The tracing tables in namespaces of the cloud."""
    return [
        f"{ns.name}: {line}"
        for ns in namespaces(daemon)
        for line in run(ns, "nft", "list", "tables").stdout.splitlines()
        if TABLE in line
    ]


def readers(daemon: Daemon) -> list[str]:
    """The sockets in namespaces of the cloud that hear traces or capture frames."""
    found = []
    for ns in namespaces(daemon):
        packet = sh(ns, "cat", "/proc/net/packet").splitlines()[1:]
        netlink = [line.split() for line in sh(ns, "cat", "/proc/net/netlink").splitlines()[1:]]
        # netlink(7): protocol 12 is netfilter, and group 9 hears traces
        hears = [words for words in netlink if words[1] == "12" and int(words[3], 16) & 1 << 8]
        found += [f"{ns.name}: {each}" for each in (*packet, *hears)]
    return found


def live(daemon: Daemon, *question: str, status: int) -> dict[str, Any]:
    """What ``gureum explain --live --json`` prints; it must end with a status."""
    done = daemon.gureum("explain", "--live", "--json", *question)
    assert done.returncode == status, f"{done.stdout}\n{done.stderr}\n{daemon.log()}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def told(found: dict[str, Any], way: str) -> list[tuple[str, str]]:
    """What kind each step of a way is, and its status."""
    steps = found[way]["steps"] if found[way] else []
    return [
        ("" if each["step"] is None else steps[each["step"]]["kind"], each["status"])
        for each in found["evidence"][way]
    ]


def statuses(found: dict[str, Any], way: str) -> set[str]:
    return {status for _, status in told(found, way)}


def confirmed(daemon: Daemon, *question: str, status: int) -> dict[str, Any]:
    """A prediction that the packet must confirm."""
    found = live(daemon, *question, status=status)
    assert (found["evidence"]["verdict"], found["evidence"]["reasons"]) == ("confirmed", [])
    return found


def stopped(found: dict[str, Any], way: str = "forth") -> dict[str, Any]:
    """What was seen of the step that blocks."""
    steps = found[way]["steps"]
    (index,) = (number for number, step in enumerate(steps) if not step["passed"])
    (laid,) = (each for each in found["evidence"][way] if each["step"] == index)
    assert laid["status"] == "seen"
    return dict(laid)


# --- what works ---------------------------------------------------------------------------------
def test_an_admitted_connection_is_seen_at_every_step(daemon: Daemon, world: World) -> None:
    with listening(world.private.ns, 80):
        found = confirmed(daemon, "web", "private", "80", status=0)
    for way in ("forth", "back"):
        assert statuses(found, way) == {"seen"}
        assert {"arp", "group", "acl", "route", "deliver"} <= {kind for kind, _ in told(found, way)}
    assert found["evidence"]["outcome"] == "answered"
    steps = found["forth"]["steps"]
    groups = [each for each in found["evidence"]["forth"] if steps[each["step"]]["kind"] == "group"]
    assert [each["sightings"][0]["why"][1] for each in groups] == [
        steps[each["step"]]["by"][0] for each in groups
    ], "the rules of the trace are those of the prediction"
    (first,) = (
        step["frame"] for step in steps if step["place"].startswith("eni") and step["frame"]
    )
    sent = found["evidence"]["forth"][0]["sightings"][0]
    assert (sent["frame"], sent["ttl"], sent["at"]) == (first, 64, 0)
    (arrived,) = (s for each in found["evidence"]["forth"] for s in each["sightings"]
                  if s["stage"] == "received")  # fmt: skip
    assert arrived["ttl"] == 63
    assert arrived["at"] > 0


def test_the_table_for_people(daemon: Daemon, world: World) -> None:
    with listening(world.private.ns, 80):
        done = daemon.gureum("explain", "--live", "web", "private", "80")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"sent: {world.web.ip}:")
    assert lines[1].split() == ["forth", "layer", "where", "what", "said", "status", "seen"]
    assert "accept sgr-" in done.stdout
    assert "ttl 63 +" in done.stdout
    assert lines[-1] == "confirmed: the packet was answered"


@pytest.mark.parametrize(
    ("source", "target"),
    [("private", MIRROR), ("web", "mirror"), ("mirror", "web"), ("me", "web"), ("web", "twin")],
)
def test_every_way_out_and_in_is_confirmed(
    daemon: Daemon, world: World, source: str, target: str
) -> None:
    """By way of the NAT gateway, out of and into the internet gateway, inside the subnet."""
    receiver = {"web": world.web.ns, "twin": world.twin.ns}
    with listening(receiver.get(target, daemon.netns("host-mirror")), 80):
        found = confirmed(daemon, source, target, "80", status=0)
    assert statuses(found, "forth") == statuses(found, "back") == {"seen"}


def test_a_packet_turns_round_in_the_internet_gateway(daemon: Daemon, world: World) -> None:
    with listening(world.twin.ns, 80):
        found = confirmed(daemon, "web", world.twin.public_ip, "80", status=0)
    assert [kind for kind, _ in told(found, "forth")].count("translate") == 2
    assert statuses(found, "forth") == statuses(found, "back") == {"seen"}


def test_a_ping_and_a_datagram(daemon: Daemon, world: World) -> None:
    for source, target in (("web", "twin"), ("private", "mirror")):
        found = confirmed(daemon, source, target, status=0)
        assert statuses(found, "forth") == statuses(found, "back") == {"seen"}
    with make(world.private.ns, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("0.0.0.0", 53))
        found = confirmed(daemon, "web", "private", "udp/53", status=0)
        assert b"gureum" in receiver.recv(64)
    assert told(found, "forth")[-2:] == [("deliver", "seen"), ("listen", "predicted only")]
    assert statuses(found, "back") == {"not expected"}, "nobody need answer a datagram"
    assert found["evidence"]["outcome"] == "delivered, no answer came"


def test_where_nobody_listens_the_refusal_is_seen(daemon: Daemon, world: World) -> None:
    found = confirmed(daemon, "web", "private", "80", status=1)
    assert stopped(found)["said"] == "refused: reset"
    assert statuses(found, "back") == {"seen"}, "a reset takes the way of an answer"
    assert found["evidence"]["outcome"] == "refused (reset)"
    found = confirmed(daemon, "web", "private", "udp/53", status=1)
    assert found["evidence"]["outcome"] == "refused (icmp 3/3)"


def test_a_free_client_port_is_taken_of_those_that_work(daemon: Daemon, world: World) -> None:
    with listening(world.answering.ns, 80):
        found = confirmed(daemon, "web", "answering", "80", status=2)
    assert FEW[0] <= found["evidence"]["packet"]["source_port"] <= FEW[1]
    assert found["evidence"]["outcome"] == "answered"


def test_from_one_client_port(daemon: Daemon, world: World) -> None:
    call = ("web", "answering", "80", "--source-port")
    with listening(world.answering.ns, 80):
        inside = confirmed(daemon, *call, str(FEW[0] + 7), status=0)
        outside = confirmed(daemon, *call, str(FEW[1] + 7), status=1)
        taken = daemon.gureum("explain", "--live", *call, str(FEW[0] + 7))
    packets = [each["evidence"]["packet"]["source_port"] for each in (inside, outside)]
    assert packets == [FEW[0] + 7, FEW[1] + 7]
    assert stopped(outside, "back")["said"].startswith("drop acl-")
    assert f"Port {FEW[0] + 7} has flows" in taken.stderr
    low = daemon.gureum("explain", "--live", "private", "mirror", "80", "--source-port", "500")
    assert (low.returncode, "cannot be foretold" in low.stderr) == (1, True), low.stderr


def test_a_port_with_a_flow_is_not_taken_again(daemon: Daemon, world: World) -> None:
    """The second packet of a flow would be judged as established, by no rule."""
    question = ("web", "answering", "udp/53")
    _few_answers(world, "17", 40998, 40998)
    found = confirmed(daemon, *question, status=1)
    assert found["evidence"]["packet"]["source_port"] == 40998
    done = daemon.gureum("explain", "--live", *question)
    assert (done.returncode, "have flows" in done.stderr) == (1, True)
    _few_answers(world, "17", 40998, 41997)
    found = confirmed(daemon, *question, status=1)
    assert 40998 < found["evidence"]["packet"]["source_port"] <= 41997
    _few_answers(world, "6", *FEW)


def _few_answers(world: World, protocol: str, first: int, last: int) -> None:
    """Change to which client ports the narrow ACL lets answers out."""
    ec2 = world.site.ec2
    acls = ec2.describe_network_acls(Filters=[{"Name": "vpc-id", "Values": [world.site.vpc]}])
    (acl,) = (each["NetworkAclId"] for each in acls["NetworkAcls"] if not each["IsDefault"])
    ec2.replace_network_acl_entry(
        NetworkAclId=acl, RuleNumber=100, Egress=True, RuleAction="allow", Protocol=protocol,
        CidrBlock=ANY, PortRange={"From": first, "To": last},
    )  # fmt: skip


# --- what does not ------------------------------------------------------------------------------
def test_blocked_by_a_group(daemon: Daemon, world: World) -> None:
    found = confirmed(daemon, "web", "private", "81", status=1)
    assert stopped(found)["said"].startswith("drop ")
    assert world.group in stopped(found)["said"]
    assert told(found, "forth")[-1] == ("deliver", "not expected")
    assert statuses(found, "back") == {"not expected"}
    assert found["evidence"]["outcome"] == "not delivered"


def test_an_answer_blocked_by_an_acl(daemon: Daemon, world: World) -> None:
    found = confirmed(daemon, "web", "answering", status=1)
    assert statuses(found, "forth") == {"seen"}
    assert stopped(found, "back")["said"].startswith("drop acl-")
    assert found["evidence"]["outcome"] == "delivered, no answer came"


def test_no_route(daemon: Daemon, world: World) -> None:
    found = confirmed(daemon, "lonely", "mirror", "80", status=1)
    assert stopped(found)["said"] == "it went in and did not come out"
    assert ("group", "not expected") in told(found, "forth"), "routes are looked up first"


def test_no_public_address(daemon: Daemon, world: World) -> None:
    found = confirmed(daemon, "hidden", "mirror", "80", status=1)
    assert stopped(found)["said"].endswith("no-public-address")


def test_nobody_has_the_address(daemon: Daemon, world: World) -> None:
    found = confirmed(daemon, "web", "10.0.1.200", "80", status=1)
    assert stopped(found)["said"] == "no frame was sent: nobody answers ARP"
    found = confirmed(daemon, "web", "10.0.2.200", "80", status=1)
    found = confirmed(daemon, "me", world.private.ip, "80", status=1)
    assert stopped(found)["sightings"]


@pytest.mark.parametrize("question", [("icmp/3/1",), ("proto/47",), ("80", "--source-ip", MIRROR)])
def test_some_packets_are_not_sent(daemon: Daemon, world: World, question: tuple[str, ...]) -> None:
    done = daemon.gureum("explain", "--live", "web", "private", *question)
    assert (done.returncode, done.stdout) == (1, "")
    assert "sent" in done.stderr


@pytest.mark.parametrize("form", ["--osi", "--sides", "--aws-json"])
def test_other_forms_of_answer_do_not_go_along(daemon: Daemon, form: str) -> None:
    done = daemon.gureum("explain", "--live", form, "web", "private")
    assert (done.returncode, "--live goes with none of" in done.stderr) == (2, True)


# --- contradictions -----------------------------------------------------------------------------
def test_a_rule_that_is_missing_in_the_kernel_contradicts(daemon: Daemon, world: World) -> None:
    daemon.kill()
    daemon.start()  # the next pass that puts things right is a minute away then
    router = daemon.netns(world.site.vpc)
    (rule,) = (r for r in world.site.ec2.describe_security_group_rules(
        Filters=[{"Name": "group-id", "Values": [world.group]}])["SecurityGroupRules"]
        if r.get("FromPort") == 80)  # fmt: skip
    chain, handle = rule_of(router, rule["SecurityGroupRuleId"])
    sh(router, "nft", "delete", "rule", "inet", "gureum", chain, "handle", handle)
    with listening(world.private.ns, 80):
        found = live(daemon, "web", "private", "80", status=6)
        people = daemon.gureum("explain", "--live", "web", "private", "80")
    daemon.kill()
    daemon.start()  # puts the rule back
    assert found["works"], "the prediction knows nothing of it"
    assert found["evidence"]["verdict"] == "contradicted"
    (reason,) = found["evidence"]["reasons"]
    assert rule["SecurityGroupRuleId"] in reason
    assert "drop" in reason
    assert ("group", "contradicted") in told(found, "forth")
    assert people.returncode == 6
    assert "bug in Gureum" in people.stdout
    with listening(world.private.ns, 80):
        confirmed(daemon, "web", "private", "80", status=0)


def rule_of(router: Path, comment: str) -> tuple[str, str]:
    """Chain and handle of the rule with a comment."""
    chain = ""
    for line in sh(router, "nft", "-a", "list", "table", "inet", "gureum").splitlines():
        words = line.split()
        if words[:1] == ["chain"]:
            chain = words[1]
        elif f'comment "{comment}"' in line:
            return chain, words[-1]
    raise AssertionError(comment)


def test_a_packet_that_passes_a_block_contradicts(daemon: Daemon, world: World) -> None:
    router = daemon.netns(world.site.vpc)
    words = ("tcp", "dport", "81", "accept", "comment", '"by-hand"')
    sh(router, "nft", "insert", "rule", "inet", "gureum", "sg_in", *words)
    found = live(daemon, "web", "private", "81", status=6)
    daemon.kill()
    daemon.start()
    assert not found["works"]
    assert ("group", "contradicted") in told(found, "forth")
    assert ("", "seen only") in told(found, "forth"), "it was delivered"
    assert any("by-hand" in reason for reason in found["evidence"]["reasons"])
    confirmed(daemon, "web", "private", "81", status=1)


def test_an_unforeseen_drop_contradicts(daemon: Daemon, world: World) -> None:
    gateway = daemon.netns(world.site.gateway)
    words = ("tcp", "dport", "80", "drop", "comment", '"by-hand"')
    sh(gateway, "nft", "insert", "rule", "inet", "gureum", "passage", *words)
    with listening(daemon.netns("host-mirror"), 80):
        found = live(daemon, "web", "mirror", "80", status=6)
    daemon.kill()
    daemon.start()
    assert ("", "seen only") in told(found, "forth")
    assert any("by-hand" in reason for reason in found["evidence"]["reasons"])


def test_a_change_meanwhile_is_no_contradiction(daemon: Daemon, world: World) -> None:
    router = daemon.netns(world.site.vpc)
    words = ("tcp", "dport", "80", "drop", "comment", '"by-hand"')
    sh(router, "nft", "insert", "rule", "inet", "gureum", "sg_in", *words)
    with subprocess.Popen(
        [sys.executable, "-m", "gureum", "--state", str(daemon.state), "explain", "--live",
         "web", "private", "80"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as asking, listening(world.private.ns, 80):  # fmt: skip
        assert eventually(lambda: armed(daemon) != [], 10)
        world.site.ec2.create_tags(Resources=[world.site.vpc], Tags=[{"Key": "a", "Value": "b"}])
        output, errors = asking.communicate(timeout=20)
    daemon.kill()
    daemon.start()
    assert (output, asking.returncode) == ("", 1)
    assert "changed meanwhile" in errors


# --- what is left -------------------------------------------------------------------------------
def test_a_daemon_killed_while_it_traces_leaves_nothing(daemon: Daemon, world: World) -> None:
    call = [sys.executable, "-m", "gureum", "--state", str(daemon.state)]
    with subprocess.Popen(
        [*call, "explain", "--live", "web", "private", "81"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as asking:
        assert eventually(lambda: len(armed(daemon)) >= 2, 10)
        daemon.kill()
        asking.wait()
    assert (armed(daemon), readers(daemon)) == ([], []), "the kernel removes what nobody owns"
    daemon.start()
    confirmed(daemon, "web", "private", "81", status=1)


def test_a_start_removes_leftovers_and_nothing_of_a_guest(daemon: Daemon, world: World) -> None:
    places = (daemon.netns(world.site.vpc), daemon.netns(world.site.gateway), world.web.ns)
    daemon.kill()
    for ns in places:
        for family in ("inet", "bridge"):
            sh(ns, "nft", "add", "table", family, TABLE)
    daemon.start()
    assert armed(daemon) == [f"{world.web.ns.name}: table {f} {TABLE}" for f in ("inet", "bridge")]
    confirmed(daemon, "web", "private", "81", status=1)
    for family in ("inet", "bridge"):
        sh(world.web.ns, "nft", "delete", "table", family, TABLE)


def test_questions_at_once_take_turns(daemon: Daemon, world: World) -> None:
    with ThreadPoolExecutor(4) as pool, listening(world.private.ns, 80):
        asked = [("80", 0), ("81", 1)] * 2
        found = list(pool.map(
            lambda each: live(daemon, "web", "private", each[0], status=each[1]), asked
        ))  # fmt: skip
    assert [each["evidence"]["verdict"] for each in found] == ["confirmed"] * 4


def test_an_interrupted_asker_costs_nobody_the_turn(daemon: Daemon, world: World) -> None:
    call = [sys.executable, "-m", "gureum", "--state", str(daemon.state)]
    with subprocess.Popen([*call, "explain", "--live", "web", "private", "81"],
                          stdout=subprocess.DEVNULL) as asking:  # fmt: skip
        assert eventually(lambda: armed(daemon) != [], 10)
        asking.send_signal(signal.SIGKILL)
    assert eventually(lambda: armed(daemon) == [], 10)
    confirmed(daemon, "web", "private", "81", status=1)
