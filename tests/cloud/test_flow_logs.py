"""Flow logs by the API and the command: records of real packets, also across a restart."""

from __future__ import annotations

import gzip
import json
import socket
from typing import Any

import pytest

from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel.mirrors import deaf
from tests.kernel.packets import eventually, make, ping

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

OPTIONS = ("--no-host-link", "--no-machines")
ROLE = "arn:aws:iam::123456789012:role/flow-logs"
FORMAT = "${interface-id} ${srcaddr} ${dstaddr} ${dstport} ${packets} ${bytes} ${action}"


@pytest.fixture(scope="module")
def guests(site: Site) -> tuple[Guest, Guest]:
    site.ec2.create_flow_logs(
        ResourceIds=[site.vpc],
        ResourceType="VPC",
        TrafficType="ALL",
        LogGroupName="/flows",
        DeliverLogsPermissionArn=ROLE,
        LogFormat=FORMAT,
    )
    group = site.group("web", ("udp", 53, "10.0.0.0/16"))
    return site.launch(site.public, group), site.launch(site.private, group)


def _send(one: Guest, two: Guest, *ports: int) -> None:
    with make(one.ns, socket.SOCK_DGRAM) as sender:
        for port in ports:
            sender.sendto(b"x" * 100, (two.ip, port))


def _shown(daemon: Daemon, *args: str) -> list[dict[str, Any]]:
    done = daemon.gureum("flow-logs", "--json", *args)
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)["rows"]
    return [row for row in rows if row["protocol"] == "udp"]


def _streams(daemon: Daemon) -> list[str]:
    folder = daemon.state / "flow-logs/cloud-watch-logs/123456789012/ap-northeast-2/%2Fflows"
    lines = [text for path in folder.iterdir() for text in path.read_text().splitlines()]
    return sorted(text for text in lines if " 53 " in text or " 54 " in text)


def _eni(guest: Guest) -> str:
    return str(guest.show()["NetworkInterfaces"][0]["NetworkInterfaceId"])


def test_records_of_real_packets(daemon: Daemon, site: Site, guests: tuple[Guest, Guest]) -> None:
    one, two = guests
    made = site.ec2.create_flow_logs(
        ResourceIds=[_eni(two)],
        ResourceType="NetworkInterface",
        TrafficType="REJECT",
        LogDestinationType="s3",
        LogDestination="arn:aws:s3:::bucket",
        LogFormat=FORMAT,
    )
    _send(one, two, 53, 54, 53)
    rows = _shown(daemon)
    told = [(r["interface"], r["way"], r["to"].partition(":")[2], r["action"]) for r in rows]
    assert sorted(told) == sorted(
        [
            (_eni(one), "out", "53", "ACCEPT"),
            (_eni(one), "out", "54", "ACCEPT"),
            (_eni(two), "in", "53", "ACCEPT"),
            (_eni(two), "in", "54", "REJECT"),
        ]
    )
    assert _streams(daemon) == sorted(
        [
            f"{_eni(one)} {one.ip} {two.ip} 53 2 256 ACCEPT",
            f"{_eni(one)} {one.ip} {two.ip} 54 1 128 ACCEPT",
            f"{_eni(two)} {one.ip} {two.ip} 53 2 256 ACCEPT",
            f"{_eni(two)} {one.ip} {two.ip} 54 1 128 REJECT",
        ]
    )
    (key,) = made["FlowLogIds"]
    assert [row["action"] for row in _shown(daemon, key)] == ["REJECT"]
    (path,) = (daemon.state / "flow-logs/s3/bucket").rglob("*.log.gz")
    head, record = gzip.decompress(path.read_bytes()).decode().splitlines()
    assert head.startswith("interface-id srcaddr")
    assert record == f"{_eni(two)} {one.ip} {two.ip} 54 1 128 REJECT"
    text = daemon.gureum("flow-logs", key).stdout
    assert "REJECT" in text
    assert f"{two.ip}:54" in text


def test_the_kernel_counts_while_the_daemon_is_away(
    daemon: Daemon, guests: tuple[Guest, Guest]
) -> None:
    one, two = guests
    before = _streams(daemon)
    target = two.ip
    daemon.kill()
    with make(one.ns, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x" * 50, (target, 53))
    daemon.start()
    assert len(_shown(daemon)) == 2
    new = [text for text in _streams(daemon) if text not in before]
    assert sorted(text.split(" ", 3)[3] for text in new) == ["53 1 78 ACCEPT", "53 1 78 ACCEPT"]


def test_what_is_deleted_is_recorded_to_the_end_and_its_records_stay(
    daemon: Daemon, site: Site, guests: tuple[Guest, Guest]
) -> None:
    one, two = guests
    eni, ip = _eni(two), two.ip
    assert ping(one.ns, ip, patience=0.2) == "timeout"
    site.ec2.terminate_instances(InstanceIds=[two.id])
    folder = daemon.state / "flow-logs/cloud-watch-logs/123456789012/ap-northeast-2/%2Fflows"
    path = folder / f"{eni}-all.log"
    assert eventually(lambda: f"{ip} 0 1 36 REJECT" in path.read_text(), 10)


def test_there_is_nothing_to_show_without_a_flow_log(daemon: Daemon) -> None:
    done = daemon.gureum("flow-logs", "--region", "us-east-1")
    assert done.returncode == 1
    assert "no flow log" in done.stderr


def test_what_crosses_a_transit_gateway_is_recorded(
    daemon: Daemon, site: Site, guests: tuple[Guest, Guest]
) -> None:
    one, _ = guests
    ec2, far = site.ec2, Site(daemon, "10.1.0.0/16")
    two = far.launch(far.private, far.group("far", ("udp", 53, "10.0.0.0/16")))
    gateway = ec2.create_transit_gateway()["TransitGateway"]["TransitGatewayId"]
    ids = {"Filters": [{"Name": "transit-gateway-id", "Values": [gateway]}]}
    shown = ec2.describe_transit_gateways
    assert eventually(lambda: shown()["TransitGateways"][0]["State"] == "available")
    for each, subnet, table in ((site, site.public, site.out), (far, far.private, "")):
        ec2.create_transit_gateway_vpc_attachment(
            TransitGatewayId=gateway, VpcId=each.vpc, SubnetIds=[subnet]
        )
        ec2.create_route(
            RouteTableId=table or far.table(far.private),
            DestinationCidrBlock="10.0.0.0/8",
            TransitGatewayId=gateway,
        )
    found = ec2.describe_transit_gateway_attachments
    ready = ["available"] * 2
    assert eventually(
        lambda: [a["State"] for a in found(**ids)["TransitGatewayAttachments"]] == ready
    )
    keys = {a["ResourceId"]: a["TransitGatewayAttachmentId"]
            for a in found(**ids)["TransitGatewayAttachments"]}  # fmt: skip
    ec2.create_flow_logs(
        ResourceIds=[gateway],
        ResourceType="TransitGateway",
        LogGroupName="/transit",
        DeliverLogsPermissionArn=ROLE,
        LogFormat="${tgw-attachment-id} ${tgw-pair-attachment-id} ${dstaddr} ${packets} ${bytes} "
        "${packets-lost-no-route} ${flow-direction}",
    )
    with make(one.ns, socket.SOCK_DGRAM) as sender, deaf(two.ns, 53):
        for ip in (two.ip, two.ip, "10.9.0.1"):
            sender.sendto(b"x" * 100, (ip, 53))
    rows = [row for row in _shown(daemon) if row["interface"] in keys.values()]
    assert [row["action"] for row in rows].count("REJECT") == 1
    folder = daemon.state / "flow-logs/cloud-watch-logs/123456789012/ap-northeast-2/%2Ftransit"
    lines = [text for path in folder.iterdir() for text in path.read_text().splitlines()]
    near, away = keys[site.vpc], keys[far.vpc]
    assert sorted(lines) == sorted(
        [
            f"{near} {away} {two.ip} 2 256 0 ingress",
            f"{away} {near} {two.ip} 2 256 0 egress",
            f"{near} - 10.9.0.1 0 0 1 ingress",
        ]
    )
