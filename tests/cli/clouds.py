"""A cloud in memory behind a real unix socket, and the commands run against it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any

import uvicorn
from click.testing import CliRunner, Result

from gureum.cli import cli
from gureum.engines.fake import FakeEngine
from gureum.images import ImageStore
from gureum.machines import FakeMachines
from gureum.reconcile import Reconciler
from gureum.resources import REGISTRY, internet_host
from gureum.resources.image import provided
from gureum.resources.instance import Instance
from gureum.server.analyses import Analyses
from gureum.server.cloud import Cloud as Parts
from gureum.server.console import console
from gureum.server.networks import Networks
from gureum.server.settings import socket_path
from gureum.services import NoFlows, NoServices
from gureum.services.flow_recorder import Told
from tests.conftest import Cloud

NOW = "2026-11-24T08:00:00.000Z"
ENDPOINT = "http://127.0.0.1:4566"


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until a condition holds; it must."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition did not come true"
        time.sleep(0.005)


class Flows(NoFlows):
    """Flows that a test says were recorded."""

    def __init__(self) -> None:
        self.all: list[Told] = []

    def told(self, after: int) -> list[Told]:
        return [each for each in self.all if each.number > after]


@dataclass
class Workshop:
    """A cloud in memory with the parts of a daemon; nothing of it reaches the kernel."""

    api: Cloud = field(default_factory=Cloud)
    engine: FakeEngine = field(default_factory=FakeEngine)
    machines: FakeMachines = field(default_factory=FakeMachines)
    stops: list[bool] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api.dispatch.clock = self._clock
        store = self.api.store
        with store.transaction(internet_host.OWNER, internet_host.PLACE) as txn:
            internet_host.provide(txn, NOW)
        reconciler = Reconciler(store, REGISTRY, self.engine, self.machines, lambda: NOW)
        # Unix sockets have short paths, shorter than some of pytest's folders.
        self.folder = tempfile.TemporaryDirectory(prefix="gu-")
        self.state = Path(self.folder.name)
        self.flows = Flows()
        images = ImageStore(self.state / "images")
        networks = Networks(store, REGISTRY, self.engine.forwards)
        self.parts = Parts(
            self.state,
            "cafe",
            store,
            REGISTRY,
            self.engine,
            self.machines,
            images,
            reconciler,
            NoServices(),
            self.api.dispatch,
            networks,
            Analyses(store, networks, self._clock),
            self.flows,
        )
        reconciler.start()
        self.parts.analyses.start()
        self.app = console(self.parts, ENDPOINT, self._stop)

    def _clock(self) -> str:
        """A second later at each call, so that rows have an order."""
        now = datetime.fromisoformat(self.api.now) + timedelta(seconds=1)
        self.api.now = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return self.api.now

    def _stop(self, *, tear_down: bool) -> None:
        self.stops.append(tear_down)

    def close(self) -> None:
        self.parts.analyses.stop()
        self.parts.reconciler.stop()
        self.folder.cleanup()

    # --- building -------------------------------------------------------------------------------
    def make(self, action: str, member: str, key: str, name: str, **params: Any) -> str:
        """Make something with a Name tag; its id, which is remembered under that name."""
        kind = {
            "CreateVpc": "vpc",
            "CreateSubnet": "subnet",
            "CreateInternetGateway": "internet-gateway",
            "CreateRouteTable": "route-table",
            "CreateNatGateway": "natgateway",
        }[action]
        tags = [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}]}]
        answer = self.api.call(action, TagSpecifications=tags, **params)
        self.ids[name] = str(answer[member][key])
        return self.ids[name]

    def run(
        self, name: str, subnet: str, *, public: bool = False, group: str = "", ip: str = ""
    ) -> str:
        """A running instance with that Name tag."""
        eni: dict[str, Any] = {"DeviceIndex": 0, "SubnetId": self.ids[subnet]}
        eni["AssociatePublicIpAddress"] = public
        if group:
            eni["Groups"] = [self.ids[group]]
        if ip:
            eni["PrivateIpAddress"] = ip
        answer = self.api.call(
            "RunInstances",
            ImageId=provided(self.api.region)[0].id,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[eni],
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": name}]}
            ],
        )
        key = str(answer["Instances"][0]["InstanceId"])
        self.ids[name] = key
        self.until(name, "running")
        return key

    def until(self, name: str, state: str) -> None:
        """Wait until an instance has a state."""
        until(lambda: self.row(name).state == state)

    def row(self, name: str) -> Instance:
        """An instance's row."""
        row = self.parts.store.view.find(Instance, self.ids[name])
        assert row is not None
        return row

    def shown(self, name: str) -> dict[str, Any]:
        """An instance as the API shows it."""
        answer = self.api.call("DescribeInstances", InstanceIds=[self.ids[name]])
        found: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
        return found

    def build(self) -> Workshop:
        """One VPC: ``web`` outside with a public address, ``db`` inside without one."""
        vpc = self.make("CreateVpc", "Vpc", "VpcId", "shop", CidrBlock="192.168.55.0/24")
        for name, cidr, zone in (
            ("outside", "192.168.55.0/26", "ap-northeast-2a"),
            ("inside", "192.168.55.128/27", "ap-northeast-2c"),
        ):
            where = {"VpcId": vpc, "CidrBlock": cidr, "AvailabilityZone": zone}
            self.make("CreateSubnet", "Subnet", "SubnetId", name, **where)
        gateway = self.make("CreateInternetGateway", "InternetGateway", "InternetGatewayId", "gate")
        self.api.call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=vpc)
        table = self.make("CreateRouteTable", "RouteTable", "RouteTableId", "out", VpcId=vpc)
        everywhere = "0.0.0.0/0"
        route = {"DestinationCidrBlock": everywhere, "GatewayId": gateway}
        self.api.call("CreateRoute", RouteTableId=table, **route)
        self.api.call("AssociateRouteTable", RouteTableId=table, SubnetId=self.ids["outside"])
        group = self.api.call("CreateSecurityGroup", GroupName="www", Description="w", VpcId=vpc)
        self.ids["www"] = str(group["GroupId"])
        permission = {"IpProtocol": "tcp", "FromPort": 8080, "ToPort": 8080}
        permission["IpRanges"] = [{"CidrIp": everywhere}]
        self.api.call(
            "AuthorizeSecurityGroupIngress", GroupId=self.ids["www"], IpPermissions=[permission]
        )
        self.run("web", "outside", public=True, group="www")
        self.run("db", "inside")
        return self

    def build6(self) -> Workshop:
        """IPv6 beside it: ``web`` is on the internet by the gateway, ``db`` reaches that by an
        egress-only one.  Ports stay open to IPv4 only."""
        call, vpc = self.api.call, self.ids["shop"]
        call("AssociateVpcCidrBlock", VpcId=vpc, AmazonProvidedIpv6CidrBlock=True)
        (shown,) = call("DescribeVpcs", VpcIds=[vpc])["Vpcs"]
        block = shown["Ipv6CidrBlockAssociationSet"][0]["Ipv6CidrBlock"]
        parts = IPv6Network(block).subnets(new_prefix=64)
        for name, subnet in (("web", "outside"), ("db", "inside")):
            part = str(next(parts))
            call("AssociateSubnetCidrBlock", SubnetId=self.ids[subnet], Ipv6CidrBlock=part)
            self.ids[f"{name}6"] = self.assign6(name)
        made = call("CreateEgressOnlyInternetGateway", VpcId=vpc)
        self.ids["eigw"] = made["EgressOnlyInternetGateway"]["EgressOnlyInternetGatewayId"]
        inner = self.make("CreateRouteTable", "RouteTable", "RouteTableId", "in", VpcId=vpc)
        call("AssociateRouteTable", RouteTableId=inner, SubnetId=self.ids["inside"])
        self.lead6("out", GatewayId=self.ids["gate"])
        self.lead6("in", EgressOnlyInternetGatewayId=self.ids["eigw"])
        return self

    def assign6(self, name: str) -> str:
        """One more IPv6 address of an instance."""
        (eni,) = self.shown(name)["NetworkInterfaces"]
        key = eni["NetworkInterfaceId"]
        made = self.api.call("AssignIpv6Addresses", NetworkInterfaceId=key, Ipv6AddressCount=1)
        return str(made["AssignedIpv6Addresses"][0])

    def lead6(self, table: str, **target: str) -> None:
        """The route of a table for all of IPv6."""
        to = {"RouteTableId": self.ids[table], "DestinationIpv6CidrBlock": "::/0"}
        self.api.call("CreateRoute", **to, **target)


class Served(Workshop):
    """A workshop whose console answers on the unix socket of its state folder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        path = str(socket_path(self.state))
        config = uvicorn.Config(
            self.app, uds=path, lifespan="off", log_config=None, access_log=False, ws="none"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until(lambda: self._server.started)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        super().close()

    def cli(self, *args: str, **more: Any) -> Result:
        """A command, run in this process."""
        return run(self.state, *args, **more)

    def process(self, *args: str) -> subprocess.CompletedProcess[str]:
        """A command, run as a process of its own: for those that become another program."""
        return process(self.state, *args)


def run(state: Path, *args: str, **more: Any) -> Result:
    """A command on a state folder, run in this process; bugs are not swallowed."""
    result = CliRunner().invoke(cli, ["--state", str(state), *args], **more)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def process(
    state: Path, *args: str, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A command on a state folder as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gureum", "--state", str(state), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | (env or {}),
    )
