"""Flows through a transit gateway as lines of a flow log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gureum.engines.flows import Flow
from gureum.resources.flow_log import FlowLog
from gureum.resources.flow_log_format import TRANSIT_FIELDS
from gureum.resources.transit_gateway import TransitGatewayAttachment
from gureum.services.flow_records import header
from gureum.services.transit_records import Crossing, crossings, line
from tests.conftest import Cloud
from tests.resources.building import make_subnet, make_vpc
from tests.resources.transit import attach, attachment, default_table, make_transit
from tests.services.flows import FLOW

ROLE = "arn:aws:iam::123456789012:role/flow-logs"


class Hub:
    """A transit gateway between two VPCs, 10.0.0.0/16 in two zones and 10.1.0.0/16."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.gateway = make_transit(cloud)
        zones = ("ap-northeast-2a", "ap-northeast-2b")
        self.vpcs = [make_vpc(cloud, cidr) for cidr in ("10.0.0.0/16", "10.1.0.0/16")]
        self.subnets = [
            [make_subnet(cloud, vpc, f"10.{n}.{m}.0/24", AvailabilityZone=zone)
             for m, zone in enumerate(zones, 1)]
            for n, vpc in enumerate(self.vpcs)
        ]  # fmt: skip
        self.keys = [
            attach(cloud, self.gateway, vpc, *subnets)
            for vpc, subnets in zip(self.vpcs, self.subnets, strict=True)
        ]

    def log(self, log_format: str = "") -> FlowLog:
        given: dict[str, Any] = {"LogFormat": log_format} if log_format else {}
        made = self.cloud.call(
            "CreateFlowLogs",
            ResourceIds=[self.gateway],
            ResourceType="TransitGateway",
            LogGroupName="flows",
            DeliverLogsPermissionArn=ROLE,
            **given,
        )
        row = self.cloud.store.view.find(FlowLog, made["FlowLogIds"][0])
        assert row is not None
        return row

    def row(self, number: int) -> TransitGatewayAttachment:
        found = self.cloud.store.view.find(TransitGatewayAttachment, self.keys[number])
        assert found is not None
        return found

    def lines(self, log: FlowLog, number: int, *flows: Flow) -> list[str]:
        mine = [flow for flow in flows if flow.interface == self.keys[number]]
        found = crossings(self.cloud.store.view, self.row(number), mine, flows)
        return [line(log, each) for each in found]

    def flow(self, number: int, *, inward: bool = True, **more: Any) -> Flow:
        flow = replace(
            FLOW,
            interface=self.keys[number],
            inward=inward,
            source="10.0.2.5",
            target="10.1.1.7",
            sport=4000,
            dport=80,
            packets=3,
            octets=180,
            tcp_flags=2,
        )
        return replace(flow, **more)


@pytest.fixture
def hub(cloud: Cloud) -> Hub:
    return Hub(cloud)


def _eni(hub: Hub, number: int, subnet: str) -> str:
    return next(foot.interface for foot in hub.row(number).feet if foot.subnet == subnet)


def test_all_fields_of_both_ends(hub: Hub) -> None:
    log = hub.log()
    coming, going = hub.flow(0), hub.flow(1, inward=False)
    names = header(log).split()
    assert names == list(TRANSIT_FIELDS)
    (first,), (second,) = hub.lines(log, 0, coming, going), hub.lines(log, 1, coming, going)
    source, target = hub.subnets[0][1], hub.subnets[1][1]  # the second zone, of both
    values = dict(zip(names, first.split(), strict=True))
    assert values == {
        "version": "6",
        "resource-type": "TransitGateway",
        "account-id": "123456789012",
        "tgw-id": hub.gateway,
        "tgw-attachment-id": hub.keys[0],
        "tgw-src-vpc-account-id": "123456789012",
        "tgw-dst-vpc-account-id": "123456789012",
        "tgw-src-vpc-id": hub.vpcs[0],
        "tgw-dst-vpc-id": hub.vpcs[1],
        "tgw-src-subnet-id": source,
        "tgw-dst-subnet-id": target,
        "tgw-src-eni": _eni(hub, 0, source),
        "tgw-dst-eni": _eni(hub, 1, target),
        "tgw-src-az-id": "apne2-az2",
        "tgw-dst-az-id": "apne2-az2",
        "tgw-pair-attachment-id": hub.keys[1],
        "srcaddr": "10.0.2.5",
        "dstaddr": "10.1.1.7",
        "srcport": "4000",
        "dstport": "80",
        "protocol": "6",
        "packets": "3",
        "bytes": "180",
        "start": "1418530010",
        "end": "1418530070",
        "log-status": "OK",
        "type": "IPv4",
        "packets-lost-no-route": "0",
        "packets-lost-blackhole": "0",
        "packets-lost-mtu-exceeded": "0",
        "packets-lost-ttl-expired": "0",
        "tcp-flags": "2",
        "region": "ap-northeast-2",
        "flow-direction": "ingress",
        "pkt-src-aws-service": "-",
        "pkt-dst-aws-service": "-",
    }
    other = values | {
        "tgw-attachment-id": hub.keys[1],
        "tgw-pair-attachment-id": hub.keys[0],
        "flow-direction": "egress",
    }
    assert second.split() == [other[name] for name in names]


def test_the_other_end_is_found_where_it_is_not_recorded(hub: Hub) -> None:
    log = hub.log("${tgw-pair-attachment-id} ${tgw-src-vpc-id} ${tgw-dst-vpc-id}")
    vpcs = " ".join(hub.vpcs)
    assert hub.lines(log, 0, hub.flow(0)) == [f"{hub.keys[1]} {vpcs}"]
    assert hub.lines(log, 1, hub.flow(1, inward=False)) == [f"{hub.keys[0]} {vpcs}"]


def test_lost_packets_are_in_the_record_of_their_header(hub: Hub) -> None:
    hub.cloud.call(
        "CreateTransitGatewayRoute",
        TransitGatewayRouteTableId=default_table(hub.cloud, hub.gateway),
        DestinationCidrBlock="10.7.0.0/16",
        Blackhole=True,
    )
    assert attachment(hub.cloud, hub.keys[0])["State"] == "available"
    log = hub.log(
        "${dstaddr} ${packets} ${bytes} ${packets-lost-no-route} ${packets-lost-blackhole} "
        "${packets-lost-ttl-expired} ${tgw-pair-attachment-id} ${tgw-dst-eni}"
    )
    lost: dict[str, Any] = {"accepted": False, "packets": 2}
    flows = (
        hub.flow(0, target="10.9.0.1", **lost),
        hub.flow(0, target="10.7.0.1", **lost),
        hub.flow(0),
        hub.flow(0, expired=True, **lost),
    )
    eni = _eni(hub, 1, hub.subnets[1][1])
    assert hub.lines(log, 0, *flows) == [
        "10.9.0.1 0 0 2 0 0 - -",
        "10.7.0.1 0 0 0 2 0 - -",
        f"10.1.1.7 3 180 0 0 2 {hub.keys[1]} {eni}",
    ]


def test_that_nothing_crossed(hub: Hub) -> None:
    log = hub.log("${tgw-attachment-id} ${srcaddr} ${packets-lost-no-route} ${log-status} ${start}")
    entry = Crossing(hub.cloud.store.view, hub.row(0), 7.5, 9.5, "NODATA")
    assert line(log, entry) == f"{hub.keys[0]} - - NODATA 7"
