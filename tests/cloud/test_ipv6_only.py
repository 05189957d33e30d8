"""IPv6-only subnets with running instances: the API, real packets, names, metadata, commands."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import pytest

from gureum.model.nat64 import synthesized
from tests.cloud.aws import aws
from tests.cloud.docker import Docker
from tests.cloud.site import Guest, Site
from tests.cloud.test_ipv6 import ANY, ME, TTL, fetch, ipv6
from tests.daemon import Daemon
from tests.kernel.packets import SHORT, eventually, listening, ping, run, tcp

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

BASE = "gureum-base"
DOMAIN = "ap-northeast-2.compute.internal"


@dataclass
class World:
    """``web`` is in an IPv6-only subnet, ``old`` in one of IPv4 alone, ``dual`` in one of both."""

    site: Site
    native: str
    group: str
    web: Guest
    dual: Guest
    old: Guest


@pytest.fixture(scope="module")
def world(daemon: Daemon) -> World:
    site = Site(daemon)
    words = ("--vpc-id", site.vpc, "--amazon-provided-ipv6-cidr-block")
    made = aws(daemon, "associate-vpc-cidr-block", *words)
    block = IPv6Network(made["Ipv6CidrBlockAssociation"]["Ipv6CidrBlock"])
    parts = [str(part) for _, part in zip(range(3), block.subnets(new_prefix=64), strict=False)]
    asked = ("--vpc-id", site.vpc, "--ipv6-native", "--ipv6-cidr-block", parts[1])
    native = str(aws(daemon, "create-subnet", *asked)["Subnet"]["SubnetId"])
    site.ec2.associate_subnet_cidr_block(SubnetId=site.public, Ipv6CidrBlock=parts[0])
    site.ec2.associate_route_table(RouteTableId=site.out, SubnetId=native)
    to = {"DestinationIpv6CidrBlock": ANY, "GatewayId": site.gateway}
    site.ec2.create_route(RouteTableId=site.out, **to)
    site.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsHostnames={"Value": True})
    group = site.group("web", ("icmp", 8, "0.0.0.0/0"))
    for protocol, first, last in (("tcp", 22, 80), ("icmpv6", 128, -1)):
        rule: dict[str, Any] = {"IpProtocol": protocol, "FromPort": first, "ToPort": last}
        rule["Ipv6Ranges"] = [{"CidrIpv6": ANY}]
        site.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[rule])
    interface = {"AssociatePublicIpAddress": False}
    guests = {
        "web": launch(site, native, group, MetadataOptions={"HttpProtocolIpv6": "enabled"}),
        "dual": site.launch(site.public, group, interface={**interface, "Ipv6AddressCount": 1}),
        "old": site.launch(site.private, group),
    }
    for name, guest in guests.items():
        site.ec2.create_tags(Resources=[guest.id], Tags=[{"Key": "Name", "Value": name}])
    return World(site, native, group, **guests)


def launch(site: Site, subnet: str, group: str, **more: Any) -> Guest:
    answer = site.ec2.run_instances(
        ImageId=site.image,
        InstanceType="t3.nano",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet,
        SecurityGroupIds=[group],
        **more,
    )
    guest = Guest(site, answer["Instances"][0]["InstanceId"])
    guest.becomes("running")
    return guest


def said(daemon: Daemon, *words: str, code: int = 0) -> str:
    """What a command prints."""
    done = daemon.gureum(*words)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_packets(world: World) -> None:
    web, dual, me = world.web, world.dual, world.site.me
    assert "PrivateIpAddress" not in web.show()
    with listening(web.ns, 80, ANY), listening(dual.ns, 80, ANY):
        table = (
            (me, ipv6(web), 80, "open"),
            (me, ipv6(web), 81, "timeout"),
            (dual.ns, ipv6(web), 80, "open"),
            (web.ns, ipv6(dual), 80, "open"),
            (web.ns, ME, 80, "refused"),
        )
        assert [tcp(ns, ip, port) for ns, ip, port, _ in table] == [want for *_, want in table]
    assert ping(me, ipv6(web)) == "reply"
    assert run(web.ns, "ip", "-4", "route").stdout == ""
    assert "Network is unreachable" in run(web.ns, "ping", "-c1", world.old.ip).stderr


def test_the_machine_knows_itself(daemon: Daemon, world: World) -> None:
    web, name = world.web, f"{world.web.id}.{DOMAIN}"
    assert said(daemon, "exec", "web", "--", "hostname").strip() == web.id
    assert f"{ipv6(web)} {name} {web.id}" in said(daemon, "exec", "web", "--", "cat", "/etc/hosts")
    told = said(daemon, "exec", "web", "--", "cat", "/etc/resolv.conf")
    assert "nameserver fd00:ec2::253\n" in told
    assert "nameserver 10." not in told
    for asked, address in ((name, ipv6(web)), ("mirror.internet.test", "3fff:8")):
        found = said(daemon, "exec", "web", "--", "nslookup", "-type=aaaa", asked)
        assert "fd00:ec2::253" in found
        assert f"Address: {address}" in found


def test_metadata(world: World) -> None:
    status, key = fetch(world.web, "PUT", "/latest/api/token", **{TTL: "60"})
    assert status == 200
    token = {"x-aws-ec2-metadata-token": key}
    names = ("ipv6", "local-hostname", "local-ipv4", "public-ipv4")
    found = {name: fetch(world.web, "GET", f"/latest/meta-data/{name}", **token) for name in names}
    assert found["ipv6"] == (200, ipv6(world.web))
    assert found["local-hostname"] == (200, f"{world.web.id}.{DOMAIN}")
    assert (found["local-ipv4"][0], found["public-ipv4"][0]) == (404, 404)


def test_commands_mean_ipv6_by_themselves(daemon: Daemon, world: World) -> None:
    web = world.web
    listed = said(daemon, "map")
    row = next(line for line in listed.splitlines() if web.id in line)
    assert ipv6(web) in row
    assert "IPv6-only" in listed
    for source, target in (("me", "web"), ("web", "me"), ("dual", "web"), ("web", "dual")):
        assert "3fff:" in said(daemon, "ping", source, target, "-c", "1")
    with listening(web.ns, 80, ANY):
        assert "open" in said(daemon, "port", "me", "web", "80")
        found = json.loads(said(daemon, "explain", "dual", "web", "80", "--json"))
        assert (found["works"], found["address"]) == (True, ipv6(web))
        assert said(daemon, "explain", "me", "web", "80", "--live")
    assert "fe80::1" in said(daemon, "explain", "web", "me", "icmp")
    without = said(daemon, "explain", "web", world.old.ip, "80", code=4)
    assert "has no IPv4 address" in without
    assert "has no IPv6 address" in said(daemon, "ping", "web", "old", code=4)
    reached = said(daemon, "reach", "--from", "me", "--to", "web")
    assert ipv6(web) in reached
    assert said(daemon, "reach", "-4", "--to", "web", code=4).endswith("web has no IPv4 address.\n")
    stations = json.loads(said(daemon, "segment", world.native, "--json"))["stations"]
    assert ipv6(web) in [each["ip"] for each in stations]
    assert said(daemon, "table", "arp", "web")
    assert "fe80::1" in said(daemon, "table", "route", "web")
    shown = json.loads(said(daemon, "story", "web", "dual", "--json"))
    assert shown["talks"][0]["said"] == f"{ipv6(world.dual)} answered"
    page = json.loads(said(daemon, "story", "web", "mirror", "http", "--json"))
    assert page["talks"][0]["to"] == "fd00:ec2::253", "the name is asked for over IPv6, too"


def test_ssh(daemon: Daemon, world: World, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    material = world.site.ec2.create_key_pair(KeyName="k", KeyType="ed25519")["KeyMaterial"]
    key.write_text(material)
    key.chmod(0o600)
    guest = launch(world.site, world.native, world.group, KeyName="k")
    assert guest.id in said(daemon, "ssh", guest.id, "-i", str(key), "--", "hostname")
    world.site.ec2.terminate_instances(InstanceIds=[guest.id])


def test_the_reachability_analyzer(world: World) -> None:
    ec2, web = world.site.ec2, world.web
    for source, target, works in (
        (world.dual.id, web.id, True),
        (world.site.gateway, web.id, True),
        (web.id, world.site.gateway, True),
        (web.id, world.old.id, False),
    ):
        asked = {"Source": source, "Destination": target, "Protocol": "tcp", "DestinationPort": 80}
        path = ec2.create_network_insights_path(**asked)["NetworkInsightsPath"]
        key = path["NetworkInsightsPathId"]
        made = ec2.start_network_insights_analysis(NetworkInsightsPathId=key)
        found = made["NetworkInsightsAnalysis"]
        done = ec2.describe_network_insights_analyses(
            NetworkInsightsAnalysisIds=[found["NetworkInsightsAnalysisId"]]
        )["NetworkInsightsAnalyses"][0]
        assert (done["Status"], done["NetworkPathFound"]) == ("succeeded", works), (source, done)


def test_flow_logs(daemon: Daemon, world: World) -> None:
    world.site.ec2.create_flow_logs(
        ResourceIds=[world.native],
        ResourceType="Subnet",
        TrafficType="ALL",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::bucket",
    )
    assert tcp(world.dual.ns, ipv6(world.web), 80) == "refused"
    assert tcp(world.dual.ns, ipv6(world.web), 81, patience=0.3) == "timeout"
    rows = json.loads(said(daemon, "flow-logs", "--json"))["rows"]
    mine = {(each["way"], each["flags"], each["action"]) for each in rows}
    assert mine == {("in", "SYN", "ACCEPT"), ("out", "RST", "ACCEPT"), ("in", "SYN", "REJECT")}
    assert all(f"[{ipv6(world.web)}]" in each["from"] + each["to"] for each in rows)


def test_nat64(daemon: Daemon, world: World) -> None:
    """By a NAT gateway to a machine of IPv4 alone, by its name."""
    site, old = world.site, world.old.show()
    address = site.ec2.allocate_address()["AllocationId"]
    made = site.ec2.create_nat_gateway(SubnetId=site.public, AllocationId=address)
    nat = made["NatGateway"]["NatGatewayId"]
    site.ec2.get_waiter("nat_gateway_available").wait(
        NatGatewayIds=[nat], WaiterConfig={"Delay": 0.05}
    )
    way = {"DestinationIpv6CidrBlock": "64:ff9b::/96", "NatGatewayId": nat}
    site.ec2.create_route(RouteTableId=site.out, **way)
    site.ec2.modify_subnet_attribute(SubnetId=world.native, EnableDns64={"Value": True})
    (subnet,) = site.ec2.describe_subnets(SubnetIds=[world.native])["Subnets"]
    assert subnet["EnableDns64"]
    name, aim = old["PrivateDnsName"], synthesized(old["PrivateIpAddress"])
    told = said(daemon, "exec", "web", "--", "nslookup", "-type=aaaa", name)
    assert f"Address: {aim}" in told
    pinged = said(daemon, "exec", "web", "--", "ping", "-6", "-c", "1", "-W", "5", name)
    assert "1 packets received" in pinged
    assert aim in said(daemon, "ping", "web", "old", "-c", "1")
    shown = said(daemon, "explain", "web", "old", "icmp", "--live")
    assert "IPv4 from here on (NAT64)" in shown
    assert nat in shown
    story = json.loads(said(daemon, "story", "web", "old", "--json"))
    assert story["talks"][-1]["said"] == f"{aim} answered"
    halves = said(daemon, "table", "nat", nat)
    assert aim in halves
    assert old["PrivateIpAddress"] in halves
    hops = said(daemon, "trace", "web", "old")
    assert nat in hops
    with listening(site.me, 8080):
        assert tcp(world.web.ns, synthesized("198.19.0.10"), 8080) == "open"
    reached = said(daemon, "reach", "-6", "--from", "web")
    assert "Not looked at: IPv6 that a NAT gateway makes IPv4 (NAT64)" in reached
    site.ec2.delete_nat_gateway(NatGatewayId=nat)
    assert eventually(lambda: ping(world.web.ns, aim, patience=SHORT) == "timeout")
    site.ec2.delete_route(RouteTableId=site.out, DestinationIpv6CidrBlock="64:ff9b::/96")
    assert "has no IPv6 address" in said(daemon, "ping", "web", "old", code=4)


def test_containers_have_no_way_out_but_the_hosts(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Networks of containers are of IPv4: they work within the instance, which has none itself."""
    docker = Docker(world.web, tmp_path_factory.mktemp("home"))
    docker("run", "-d", "--name", "one", BASE, "sleep", "1000")
    ip = docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "one")
    try:
        assert "1 packets received" in docker("run", "--rm", BASE, "ping", "-c", "1", ip)
        out = ("ping", "-c", "1", "-W", "1", "198.19.0.20")
        assert docker.run("run", "--rm", BASE, *out).returncode == 1
        daemon = world.site.daemon
        for target in ("me", ME):
            lost = said(daemon, "explain", "web/one", target, "80", code=4)
            assert lost == "gureum: The container one has no way out over IPv6.\n"
        host = ("run", "--rm", "--network", "host", BASE)
        assert "1 packets received" in docker(*host, "ping", "-c", "1", ME)
        assert "3fff:8" in docker(*host, "nslookup", "-type=aaaa", "mirror.internet.test")
    finally:
        docker("rm", "-f", "one")


def test_stopped_started_and_gone(world: World) -> None:
    ec2, site = world.site.ec2, world.site
    guest = launch(site, world.native, world.group)
    address = ipv6(guest)
    ec2.stop_instances(InstanceIds=[guest.id])
    guest.becomes("stopped")
    assert eventually(lambda: ping(site.me, address, patience=SHORT) == "timeout")
    ec2.start_instances(InstanceIds=[guest.id])
    guest.becomes("running")
    assert (ipv6(guest), ping(site.me, address)) == (address, "reply")
    ec2.terminate_instances(InstanceIds=[guest.id, world.web.id])
    for each in (guest, world.web):
        each.becomes("terminated")
    ec2.delete_subnet(SubnetId=world.native)
    links = subprocess.check_output(
        ["ip", "netns", "exec", site.daemon.netns(site.vpc).name, "ip", "-o", "link"], text=True
    )
    assert world.native[7:15] not in links
