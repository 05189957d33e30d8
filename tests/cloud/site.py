"""A small network built through the API, and packets in it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.daemon import Daemon


class Site:
    """A VPC with an internet gateway, a public and a private subnet, and groups by name."""

    def __init__(self, daemon: Daemon, cidr: str = "10.0.0.0/16", account: str = "test") -> None:
        self.daemon = daemon
        self.ec2 = daemon.ec2(account=account)
        self.me = daemon.netns("host-me")
        base = cidr.rsplit(".", 2)[0]
        self.vpc = self.ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        self.public = self.subnet(f"{base}.1.0/24")
        self.private = self.subnet(f"{base}.2.0/24")
        self.gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=self.gateway, VpcId=self.vpc)
        self.out = self.table(self.public)
        self.ec2.create_route(
            RouteTableId=self.out, DestinationCidrBlock="0.0.0.0/0", GatewayId=self.gateway
        )
        answer = self.ec2.describe_images(Filters=[{"Name": "name", "Values": ["gureum-base*"]}])
        self.image = answer["Images"][0]["ImageId"]

    def subnet(self, cidr: str, **more: Any) -> str:
        answer = self.ec2.create_subnet(VpcId=self.vpc, CidrBlock=cidr, **more)
        return str(answer["Subnet"]["SubnetId"])

    def table(self, subnet: str) -> str:
        """A route table of its own for a subnet."""
        answer = self.ec2.create_route_table(VpcId=self.vpc)
        key = str(answer["RouteTable"]["RouteTableId"])
        self.ec2.associate_route_table(RouteTableId=key, SubnetId=subnet)
        return key

    def group(self, name: str, *rules: tuple[str, int, str]) -> str:
        """A group that admits ``(protocol, port, cidr or group id)``."""
        answer = self.ec2.create_security_group(GroupName=name, Description=name, VpcId=self.vpc)
        key = str(answer["GroupId"])
        for each in rules:
            self.allow(key, *each)
        return key

    def allow(self, group: str, protocol: str, port: int, peer: str) -> None:
        self.ec2.authorize_security_group_ingress(
            GroupId=group, IpPermissions=[permission(protocol, port, peer)]
        )

    def forbid(self, group: str, protocol: str, port: int, peer: str) -> None:
        self.ec2.revoke_security_group_ingress(
            GroupId=group, IpPermissions=[permission(protocol, port, peer)]
        )

    def launch(
        self,
        subnet: str,
        group: str,
        *,
        public: bool = False,
        interface: Mapping[str, Any] = {},
        **more: Any,
    ) -> Guest:
        """One running instance; ``interface`` says more of its interface."""
        answer = self.ec2.run_instances(
            ImageId=self.image,
            InstanceType="t3.nano",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[
                {
                    "DeviceIndex": 0,
                    "SubnetId": subnet,
                    "Groups": [group],
                    "AssociatePublicIpAddress": public,
                    **interface,
                }
            ],
            **more,
        )
        guest = Guest(self, answer["Instances"][0]["InstanceId"])
        guest.becomes("running")
        return guest


class Guest:
    """An instance, and its network namespace for packets."""

    def __init__(self, site: Site, key: str) -> None:
        self.site = site
        self.id = key
        self.ns: Path = site.daemon.netns(key)

    def show(self) -> dict[str, Any]:
        answer = self.site.ec2.describe_instances(InstanceIds=[self.id])
        found: dict[str, Any] = answer["Reservations"][0]["Instances"][0]
        return found

    @property
    def ip(self) -> str:
        return str(self.show()["PrivateIpAddress"])

    @property
    def public_ip(self) -> str:
        return str(self.show()["PublicIpAddress"])

    def becomes(self, state: str, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while (now := self.show()["State"]["Name"]) != state:
            assert time.monotonic() < until, f"{self.id} is {now}, not {state}"
            time.sleep(0.02)


def permission(protocol: str, port: int, peer: str) -> dict[str, Any]:
    """An IpPermission for one port or ICMP type."""
    last = -1 if protocol == "icmp" else port
    found: dict[str, Any] = {"IpProtocol": protocol, "FromPort": port, "ToPort": last}
    if peer.startswith("sg-"):
        found["UserIdGroupPairs"] = [{"GroupId": peer}]
    else:
        found["IpRanges"] = [{"CidrIp": peer}]
    return found
