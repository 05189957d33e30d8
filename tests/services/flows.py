"""What tests of flow logs have in common: interfaces of a cloud in memory, and flows of theirs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gureum.engines.flows import Flow
from gureum.resources.flow_log import FlowLog
from gureum.resources.network_interface import NetworkInterface
from gureum.services.flow_records import Entry
from tests.conftest import Cloud
from tests.resources.building import make_interface, make_subnet, make_vpc, plug_in

ROLE = "arn:aws:iam::123456789012:role/flow-logs"

FLOW = Flow(
    interface="eni-1",
    inward=True,
    accepted=True,
    source="172.31.16.139",
    target="10.0.1.21",
    protocol=6,
    sport=20641,
    dport=22,
    packets=20,
    octets=4249,
    begin=1418530010.9,
    end=1418530070.2,
    tcp_flags=3,
)


class Place:
    """A VPC with a subnet and an interface in it, 10.0.1.21."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.vpc = make_vpc(cloud)
        self.subnet = make_subnet(cloud, self.vpc)
        self.eni = self.interface("10.0.1.21", "i-0000000000000000a")

    def interface(self, ip: str, instance: str) -> str:
        made = make_interface(self.cloud, self.subnet, PrivateIpAddress=ip)
        plug_in(self.cloud, made["NetworkInterfaceId"], instance)
        return str(made["NetworkInterfaceId"])

    def log(self, key: str = "", of: str = "VPC", **more: Any) -> FlowLog:
        """A flow log, of the VPC and to the group ``flows`` unless something else is named."""
        where: dict[str, Any] = {"LogGroupName": "flows", "DeliverLogsPermissionArn": ROLE}
        given = {"TrafficType": "ALL", **({} if "LogDestination" in more else where), **more}
        made = self.cloud.call(
            "CreateFlowLogs", ResourceIds=[key or self.vpc], ResourceType=of, **given
        )
        row = self.cloud.store.view.find(FlowLog, made["FlowLogIds"][0])
        assert row is not None
        return row

    def row(self, eni: str = "") -> NetworkInterface:
        found = self.cloud.store.view.find(NetworkInterface, eni or self.eni)
        assert found is not None
        return found

    def entry(self, flow: Flow = FLOW, **changes: Any) -> Entry:
        """A flow of the interface, changed as told."""
        told = replace(flow, interface=self.eni, **changes)
        return Entry(self.cloud.store.view, self.row(), told.begin, told.end, flow=told)
