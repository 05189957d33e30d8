"""IPv6 through the API, with boto3 and the AWS CLI, on real packets; and explained."""

from __future__ import annotations

import json
import socket
from ipaddress import IPv6Network
from typing import Any

import dns.message
import pytest

from tests.cloud.aws import aws
from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel.packets import (
    LONG,
    connection,
    give,
    inside,
    listening,
    make,
    ping,
    run,
    tcp,
    udp,
)

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ANY = "::/0"
ME = "3fff:800::10"
METADATA = "fd00:ec2::254"
TTL = "x-aws-ec2-metadata-token-ttl-seconds"


class Dual:
    """A site that becomes dual-stack: the public subnet goes out by the internet gateway, the
    private one by an egress-only one."""

    def __init__(self, daemon: Daemon) -> None:
        self.site = site = Site(daemon)
        words = ("--vpc-id", site.vpc, "--amazon-provided-ipv6-cidr-block")
        made = aws(daemon, "associate-vpc-cidr-block", *words)
        block = IPv6Network(made["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"])
        self.parts = list(block.subnets(new_prefix=64))
        for subnet, part in zip((site.public, site.private), self.parts, strict=False):
            site.ec2.associate_subnet_cidr_block(SubnetId=subnet, Ipv6CidrBlock=str(part))
            words = ("--subnet-id", subnet, "--assign-ipv6-address-on-creation")
            aws(daemon, "modify-subnet-attribute", *words)
        answer = aws(daemon, "create-egress-only-internet-gateway", "--vpc-id", site.vpc)
        self.only_out = answer["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        inner = site.table(site.private)
        site.ec2.create_route(
            RouteTableId=site.out, DestinationIpv6CidrBlock=ANY, GatewayId=site.gateway
        )
        to = ("--destination-ipv6-cidr-block", ANY)
        by = ("--egress-only-internet-gateway-id", self.only_out)
        aws(daemon, "create-route", "--route-table-id", inner, *to, *by)
        web = self.group("web", ("tcp", 80, {"Ipv6Ranges": [{"CidrIpv6": ANY}]}))
        peers = {"UserIdGroupPairs": [{"GroupId": web}]}
        inside = self.group("db", ("tcp", 3306, peers), ("icmpv6", 128, peers))
        self.web = site.launch(site.public, web)
        self.db = site.launch(site.private, inside)

    def group(self, name: str, *rules: tuple[str, int, dict[str, Any]]) -> str:
        key = self.site.group(name)
        for protocol, port, peers in rules:
            last = -1 if protocol == "icmpv6" else port
            rule = {"IpProtocol": protocol, "FromPort": port, "ToPort": last, **peers}
            self.site.ec2.authorize_security_group_ingress(GroupId=key, IpPermissions=[rule])
        return key


@pytest.fixture(scope="module")
def dual(daemon: Daemon) -> Dual:
    return Dual(daemon)


def fetch(guest: Guest, method: str, path: str, **headers: str) -> tuple[int, str]:
    """Status and body of an answer of the metadata service at its IPv6 address."""
    with make(guest.ns, ip=ANY) as client:
        client.connect((METADATA, 80))
        lines = [f"{method} {path} HTTP/1.1", f"host: [{METADATA}]", "connection: close"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        client.sendall("\r\n".join((*lines, "", "")).encode())
        said = b""
        while more := client.recv(4096):
            said += more
    head, _, body = said.decode().partition("\r\n\r\n")
    return int(head.split()[1]), body


def ipv6(guest: Guest) -> str:
    return str(guest.show()["Ipv6Address"])


def test_what_the_api_says_is_what_packets_do(dual: Dual) -> None:
    web, db, me = dual.web, dual.db, dual.site.me
    with listening(web.ns, 80, ANY), listening(web.ns, 81, ANY), listening(db.ns, 3306, ANY):
        table = (
            (me, ipv6(web), 80, "open"),
            (me, ipv6(web), 81, "timeout"),
            (me, ipv6(db), 3306, "timeout"),
            (web.ns, ipv6(db), 3306, "open"),
            (web.ns, ipv6(db), 22, "timeout"),
            (db.ns, ipv6(web), 80, "open"),
            (db.ns, ME, 80, "refused"),
            (web.ns, ME, 80, "refused"),
        )
        seen = [tcp(ns, ip, port) for ns, ip, port, _ in table]
    assert seen == [wanted for *_, wanted in table]
    assert ping(web.ns, ipv6(db)) == "reply"
    assert ping(me, ipv6(db)) == "timeout"
    with connection(db.ns, ME, me, 443) as (_, _, seen_as):
        assert seen_as == ipv6(db)


def test_a_new_instance_answers_at_once(dual: Dual) -> None:
    group = dual.web.show()["SecurityGroups"][0]["GroupId"]
    for _ in range(3):
        guest = dual.site.launch(dual.site.public, group)
        assert tcp(dual.site.me, ipv6(guest), 80, patience=0.5) == "refused"
        shown = run(guest.ns, "ip", "-6", "addr", "show", "dev", "eth0").stdout
        assert ipv6(guest) in shown
        assert "tentative" not in shown
        dual.site.ec2.terminate_instances(InstanceIds=[guest.id])


def test_addresses_come_and_go(dual: Dual) -> None:
    ec2, web = dual.site.ec2, dual.web
    eni = web.show()["NetworkInterfaces"][0]["NetworkInterfaceId"]
    late = str(dual.parts[0][0x77])
    ec2.assign_ipv6_addresses(NetworkInterfaceId=eni, Ipv6Addresses=[late])
    assert tcp(dual.site.me, late, 80, patience=0.5) == "refused"
    ec2.unassign_ipv6_addresses(NetworkInterfaceId=eni, Ipv6Addresses=[late])
    assert tcp(dual.site.me, late, 80, patience=0.3) == "timeout"
    assert tcp(dual.site.me, ipv6(web), 80) == "refused"


def test_addresses_of_a_delegated_prefix(daemon: Daemon, dual: Dual) -> None:
    """They reach the instance, are its own in its groups and flow logs, and are explained."""
    ec2, web, db, me = dual.site.ec2, dual.web, dual.db, dual.site.me
    eni = web.show()["NetworkInterfaces"][0]["NetworkInterfaceId"]
    ec2.create_flow_logs(
        ResourceIds=[eni], ResourceType="NetworkInterface", TrafficType="ALL",
        LogDestinationType="s3", LogDestination="arn:aws:s3:::prefix",
    )  # fmt: skip
    asked = ("--network-interface-id", eni, "--ipv6-prefix-count", "1")
    (prefix,) = aws(daemon, "assign-ipv6-addresses", *asked)["AssignedIpv6Prefixes"]
    pod, other = (str(IPv6Network(prefix)[number]) for number in (5, 6))
    give(web.ns, "eth0", pod)
    with listening(web.ns, 80, ANY), listening(db.ns, 3306, ANY):
        assert tcp(me, pod, 80) == "open"
        assert tcp(me, pod, 81, patience=0.3) == "timeout"
        assert tcp(db.ns, pod, 80) == "open"
        assert tcp(web.ns, ipv6(db), 3306, source=pod) == "open"  # as a member of its group
        explained = daemon.gureum("explain", "me", other, "80", "--json")
        assert explained.returncode == 0, explained.stdout
    rows = json.loads(daemon.gureum("flow-logs", "--json").stdout)["rows"]
    told = {(row["way"], row["to"], row["action"]) for row in rows if pod in row["to"]}
    assert {("in", f"[{pod}]:80", "ACCEPT"), ("in", f"[{pod}]:81", "REJECT")} <= told
    gone = ("--network-interface-id", eni, "--ipv6-prefixes", prefix)
    assert aws(daemon, "unassign-ipv6-addresses", *gone)["UnassignedIpv6Prefixes"] == [prefix]
    assert tcp(me, pod, 80, patience=0.3) == "timeout"
    assert tcp(web.ns, ipv6(db), 3306, source=pod, patience=0.3) == "timeout"
    run(web.ns, "ip", "address", "del", f"{pod}/128", "dev", "eth0")


def test_a_rule_is_in_force_when_the_call_returns(dual: Dual) -> None:
    group = dual.db.show()["SecurityGroups"][0]["GroupId"]
    rule = {"IpProtocol": "udp", "FromPort": 53, "ToPort": 53}
    rule["Ipv6Ranges"] = [{"CidrIpv6": f"{ipv6(dual.web)}/128"}]
    ends = (dual.web.ns, dual.db.ns, ipv6(dual.db), 53)
    for _ in range(3):
        dual.site.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
        assert udp(*ends)
        dual.site.ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=[rule])
        assert not udp(*ends, patience=0.3)


def test_metadata_and_names_have_ipv6_addresses(dual: Dual) -> None:
    web, ec2 = dual.web, dual.site.ec2
    token = {"method": "PUT", "path": "/latest/api/token", TTL: "60"}
    assert fetch(web, **token)[0] == 403  # unless it is switched on
    ec2.modify_instance_metadata_options(InstanceId=web.id, HttpProtocolIpv6="enabled")
    only = {"InstanceId": web.id, "HttpPutResponseHopLimit": 1}
    ec2.modify_instance_metadata_options(**only)
    with inside(web.ns):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x86DD))
    with raw:
        raw.settimeout(LONG)
        status, key = fetch(web, **token)
        assert status == 200
        while key.encode() not in (frame := raw.recv(65535)):
            pass
        assert frame[22:38] == socket.inet_pton(socket.AF_INET6, METADATA)
        assert frame[21] == 1, "the hop limit"
    path = "/latest/meta-data/instance-id"
    assert fetch(web, "GET", path, **{"x-aws-ec2-metadata-token": key}) == (200, web.id)
    assert fetch(dual.db, **token)[0] == 403
    ec2.modify_vpc_attribute(VpcId=dual.site.vpc, EnableDnsHostnames={"Value": True})
    name = web.show()["PrivateDnsName"]
    question = dns.message.make_query(name, "A")
    with make(web.ns, socket.SOCK_DGRAM, ip=ANY) as client:
        client.sendto(question.to_wire(), ("fd00:ec2::253", 53))
        said = dns.message.from_wire(client.recv(4096))
    assert [str(each) for rows in said.answer for each in rows] == [web.ip]
    explained = dual.site.daemon.gureum("explain", "-6", web.id, "fd00:ec2::254", "80")
    assert explained.returncode == 0, explained.stdout + explained.stderr


def test_it_is_explained(dual: Dual) -> None:
    daemon = dual.site.daemon
    with listening(dual.db.ns, 3306, ANY):
        open_ = daemon.gureum("explain", dual.web.id, ipv6(dual.db), "3306", "--json")
        assert open_.returncode == 0, open_.stdout + open_.stderr
    found = json.loads(open_.stdout)
    assert found["forth"]["steps"][-1]["said"] == "somebody listens on tcp port 3306"
    by_name = daemon.gureum("explain", "-6", dual.db.id, "me", "--json")
    assert by_name.returncode == 0, by_name.stdout + by_name.stderr
    assert json.loads(by_name.stdout)["address"] == ME
    closed = daemon.gureum("explain", "me", ipv6(dual.db), "3306", "--json")
    assert closed.returncode == 1
    blocked = [step for step in json.loads(closed.stdout)["forth"]["steps"] if not step["passed"]]
    assert blocked[0]["place"] == dual.only_out
    forged = daemon.gureum("explain", dual.web.id, dual.db.id, "3306", "--source-ip", "3fff:1::1")
    assert forged.returncode == 1
    assert "may send from" in forged.stdout


def test_a_daemon_that_is_killed_leaves_packets_flowing(dual: Dual) -> None:
    daemon = dual.site.daemon
    with connection(dual.db.ns, ME, dual.site.me, 444) as (client, server, _):
        daemon.kill()
        client.sendall(b"x")
        assert server.recv(1) == b"x"
        daemon.start()
        client.sendall(b"y")
        assert server.recv(1) == b"y"
    assert tcp(dual.site.me, ipv6(dual.web), 80) == "refused"
