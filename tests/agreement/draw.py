"""Draws clouds and questions at random, with a liking for the edges of ranges and of prefixes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from tests.agreement.replay import ApiCall
from tests.conftest import Cloud
from tests.resources.test_instance import image

PORTS = (53, 80, 443, 3306, 8080)
"""Ports on which every host answers."""

ANY = "0.0.0.0/0"
_RANGES = ((0, 65535), (80, 80), (80, 443), (444, 3306), (1, 79), (3306, 3306), (8080, 8081))
_CLIENTS = ((1024, 65535), (32768, 60999), (32768, 45000), (45001, 65535), (49152, 65535))
_PROTOCOLS = ("tcp", "tcp", "udp", "udp", "icmp", "-1", "-1")
_NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "-1": "-1"}
_VPCS = ("10.0.0.0/16", "10.0.0.0/16", "10.1.0.0/16", "172.20.0.0/20")
_OUTSIDE = ("198.19.0.20/32", "198.19.0.0/24", "198.18.0.0/16", "198.16.0.0/12", "10.0.0.0/8")


class Draw:
    """One cloud; :attr:`calls` make it and :meth:`questions` ask about it."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.calls: list[ApiCall] = []
        self.hosts: list[str] = []
        self.addresses: list[str] = ["$mirror", "$stranger", "198.18.255.254", "203.0.113.9"]
        self._image = image(Cloud())
        self.tables: list[str] = []
        cidrs = [self.dice.choice(_VPCS) for _ in range(self.dice.choice((1, 1, 2)))]
        if self._likely(0.25):
            cidrs = self.dice.sample(sorted(set(_VPCS)), 2)
        for vpc, cidr in enumerate(cidrs):
            self._vpc(f"v{vpc}", cidr)
        self.peered = len(set(cidrs)) == 2 and self._likely(0.85)
        if self.peered:
            self._peering(cidrs)

    def _call(self, do: str, kept: dict[str, str] | None = None, /, **params: Any) -> None:
        self.calls.append({"do": do, "with": params, "as": kept or {}})

    def _likely(self, chance: float) -> bool:
        return self.dice.random() < chance

    # --- a VPC ----------------------------------------------------------------------------------
    def _vpc(self, vpc: str, cidr: str) -> None:
        begin = cidr.rsplit(".", 2)[0]
        self._call("CreateVpc", {vpc: "Vpc.VpcId"}, CidrBlock=cidr)
        subnets = {f"{vpc}s{n}": f"{begin}.{n}.0/24" for n in range(self.dice.randint(1, 3))}
        for name, block in subnets.items():
            kept = {name: "Subnet.SubnetId"}
            self._call("CreateSubnet", kept, VpcId=f"${vpc}", CidrBlock=block)
        if self._likely(0.85):
            gateway = {f"{vpc}g": "InternetGateway.InternetGatewayId"}
            self._call("CreateInternetGateway", gateway)
            where = {"InternetGatewayId": f"${vpc}g", "VpcId": f"${vpc}"}
            self._call("AttachInternetGateway", **where)
        cidrs = [*([ANY] * 6), cidr, *subnets.values(), *_OUTSIDE]
        groups = [f"{vpc}r{n}" for n in range(3)]
        for name in groups:
            group = {"GroupName": name, "Description": name, "VpcId": f"${vpc}"}
            self._call("CreateSecurityGroup", {name: "GroupId"}, **group)
        for name in groups:
            self._rules(name, groups, cidrs)
        hosts = self._instances(vpc, subnets, groups)
        self._nat_gateway(vpc, list(subnets))
        self._tables(vpc, subnets, hosts)
        for name in subnets:
            if self._likely(0.35):
                self._acl(vpc, name, cidrs)

    def _rules(self, group: str, groups: list[str], cidrs: list[str]) -> None:
        for _ in range(self.dice.randint(0, 6)):
            rules = [self._permission(groups, cidrs)]
            self._call("AuthorizeSecurityGroupIngress", GroupId=f"${group}", IpPermissions=rules)
        if self._likely(0.3):
            every = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY}]}]
            self._call("RevokeSecurityGroupEgress", GroupId=f"${group}", IpPermissions=every)
            for _ in range(self.dice.randint(0, 3)):
                rules = [self._permission(groups, cidrs)]
                self._call("AuthorizeSecurityGroupEgress", GroupId=f"${group}", IpPermissions=rules)

    def _permission(
        self, groups: list[str], cidrs: list[str], *, near: bool = True
    ) -> dict[str, Any]:
        protocol = self.dice.choice(_PROTOCOLS)
        found: dict[str, Any] = {"IpProtocol": protocol}
        if protocol in ("tcp", "udp"):
            found["FromPort"], found["ToPort"] = self.dice.choice(_RANGES)
        elif protocol == "icmp":
            found["FromPort"], found["ToPort"] = self.dice.choice(
                ((-1, -1), (8, -1), (8, 0), (3, 4))
            )
        if near and self._likely(0.4):
            found["UserIdGroupPairs"] = [{"GroupId": f"${self.dice.choice(groups)}"}]
        else:
            found["IpRanges"] = [{"CidrIp": self.dice.choice(cidrs)}]
        return found

    def _acl(self, vpc: str, subnet: str, cidrs: list[str]) -> None:
        name = f"{subnet}a"
        self._call("CreateNetworkAcl", {name: "NetworkAcl.NetworkAclId"}, VpcId=f"${vpc}")
        for egress in (False, True):
            for number in range(100, 100 + self.dice.randint(1, 5)):
                self._call("CreateNetworkAclEntry", **self._entry(name, number, egress, cidrs))
        only = [{"Name": "association.subnet-id", "Values": [f"${subnet}"]}]
        mine = f"NetworkAcls[0].Associations[?SubnetId=='{{{subnet}}}'] | [0]"
        kept = {f"{name}old": f"{mine}.NetworkAclAssociationId"}
        self._call("DescribeNetworkAcls", kept, Filters=only)
        joined = {"NetworkAclId": f"${name}", "AssociationId": f"${name}old"}
        self._call("ReplaceNetworkAclAssociation", **joined)

    def _entry(self, acl: str, number: int, egress: bool, cidrs: list[str]) -> dict[str, Any]:
        protocol = self.dice.choice(_PROTOCOLS)
        entry: dict[str, Any] = {
            "NetworkAclId": f"${acl}",
            "RuleNumber": number,
            "Egress": egress,
            "Protocol": _NUMBERS[protocol],
            "RuleAction": "allow" if self._likely(0.75) else "deny",
            "CidrBlock": self.dice.choice(cidrs),
        }
        if protocol in ("tcp", "udp"):
            first, last = self.dice.choice((*_RANGES, *_CLIENTS, *_CLIENTS))
            entry["PortRange"] = {"From": first, "To": last}
        elif protocol == "icmp":
            kind = self.dice.choice((-1, -1, 0, 8))
            entry["IcmpTypeCode"] = {"Type": kind, "Code": -1}
        return entry

    # --- hosts ----------------------------------------------------------------------------------
    def _instances(self, vpc: str, subnets: dict[str, str], groups: list[str]) -> list[str]:
        found = []
        for number in range(self.dice.randint(2, 4)):
            name, subnet = f"{vpc}i{number}", self.dice.choice(list(subnets))
            prefix = subnets[subnet].removesuffix("0/24")
            ips = [f"{prefix}{10 + number}", f"{prefix}{110 + number}"]
            ips = ips[: 2 if self._likely(0.2) else 1]
            station = {
                "DeviceIndex": 0,
                "SubnetId": f"${subnet}",
                "Groups": [
                    f"${group}" for group in self.dice.sample(groups, self.dice.choice((1, 1, 2)))
                ],
                "PrivateIpAddresses": [
                    {"PrivateIpAddress": ip, "Primary": ip == ips[0]} for ip in ips
                ],
            }
            public = len(ips) == 1 and self._likely(0.6)
            if len(ips) == 1:
                station["AssociatePublicIpAddress"] = public
            self._instance(name, station, ips, public=public)
            found.append(name)
            if self._likely(0.25):
                self._second_interface(name, self.dice.choice(list(subnets)), groups)
        return found

    def _instance(
        self, name: str, station: dict[str, Any], ips: list[str], *, public: bool
    ) -> None:
        self._call(
            "RunInstances",
            {
                name: "Instances[0].InstanceId",
                f"{name}e": "Instances[0].NetworkInterfaces[0].NetworkInterfaceId",
            },
            ImageId=self._image,
            InstanceType="t3.micro",
            MinCount=1,
            MaxCount=1,
            NetworkInterfaces=[station],
        )
        self.hosts.append(name)
        self.addresses += ips
        if public:
            kept = {f"{name}p": "NetworkInterfaces[0].Association.PublicIp"}
            self._call("DescribeNetworkInterfaces", kept, NetworkInterfaceIds=[f"${name}e"])
            self.addresses.append(f"${name}p")
        elif self._likely(0.5):
            self._elastic_ip(name, ips[-1])
        if self._likely(0.25):
            off = {"Value": False}
            self._call(
                "ModifyNetworkInterfaceAttribute",
                NetworkInterfaceId=f"${name}e",
                SourceDestCheck=off,
            )
            if self._likely(0.8):
                self.calls.append({"forward": name})

    def _second_interface(self, host: str, subnet: str, groups: list[str]) -> None:
        kept = {f"{host}f": "NetworkInterface.NetworkInterfaceId"}
        kept[f"{host}fi"] = "NetworkInterface.PrivateIpAddress"
        group = f"${self.dice.choice(groups)}"
        self._call("CreateNetworkInterface", kept, SubnetId=f"${subnet}", Groups=[group])
        where = {"NetworkInterfaceId": f"${host}f", "InstanceId": f"${host}"}
        self._call("AttachNetworkInterface", DeviceIndex=1, **where)
        self.addresses.append(f"${host}fi")

    def _elastic_ip(self, name: str, ip: str) -> None:
        kept = {f"{name}x": "AllocationId", f"{name}p": "PublicIp"}
        self._call("AllocateAddress", kept)
        where = {"NetworkInterfaceId": f"${name}e", "PrivateIpAddress": ip}
        self._call("AssociateAddress", AllocationId=f"${name}x", **where)
        self.addresses.append(f"${name}p")

    # --- ways -----------------------------------------------------------------------------------
    def _nat_gateway(self, vpc: str, subnets: list[str]) -> None:
        if not self._likely(0.6):
            return
        name = f"{vpc}n"
        self._call("AllocateAddress", {f"{name}x": "AllocationId", f"{name}p": "PublicIp"})
        kept = {
            name: "NatGateway.NatGatewayId",
            f"{name}i": "NatGateway.NatGatewayAddresses[0].PrivateIp",
        }
        where = {"SubnetId": f"${self.dice.choice(subnets)}", "AllocationId": f"${name}x"}
        self._call("CreateNatGateway", kept, **where)
        self.addresses += [f"${name}p", f"${name}i"]

    def _tables(self, vpc: str, subnets: dict[str, str], hosts: list[str]) -> None:
        targets = [
            *([{"GatewayId": f"${vpc}g"}] * 3),
            *([{"NatGatewayId": f"${vpc}n"}] * 2),
            *({"NetworkInterfaceId": f"${self.dice.choice(hosts)}e"} for _ in range(3)),
        ]
        for subnet in subnets:
            if self._likely(0.2):
                continue  # the main table
            name = f"{subnet}t"
            self._call("CreateRouteTable", {name: "RouteTable.RouteTableId"}, VpcId=f"${vpc}")
            self.tables.append(name)
            self._call("AssociateRouteTable", RouteTableId=f"${name}", SubnetId=f"${subnet}")
            ways = [ANY] if self._likely(0.85) else []
            ways += [cidr for cidr in _OUTSIDE if self._likely(0.12)]
            ways += [cidr for cidr in subnets.values() if self._likely(0.25)]
            for cidr in ways:
                route = {"RouteTableId": f"${name}", "DestinationCidrBlock": cidr}
                self._call("CreateRoute", **route, **self.dice.choice(targets))
        if self._likely(0.15):
            self._call("DeleteNatGateway", NatGatewayId=f"${vpc}n")

    def _peering(self, cidrs: list[str]) -> None:
        """Both VPCs joined, with routes from most subnets, not always to the whole of the other,
        and with groups that let the other in, or some of it."""
        target = self._joined(cidrs)
        for group in [f"v{vpc}r{number}" for vpc in (0, 1) for number in range(3)]:
            if self._likely(0.6):
                rule = self._permission([], [cidrs[1 - int(group[1])]], near=False)
                self._call(
                    "AuthorizeSecurityGroupIngress", GroupId=f"${group}", IpPermissions=[rule]
                )
        for table in self.tables:
            far = cidrs[1 - int(table[1])]
            begin = far.rsplit(".", 2)[0]
            to = self.dice.choice((far, far, far, f"{begin}.0.0/24", "172.16.0.0/12", "10.0.0.0/8"))
            if self._likely(0.85):
                route = {"RouteTableId": f"${table}", "DestinationCidrBlock": to}
                self._call("CreateRoute", **target, **route)

    def _joined(self, cidrs: list[str]) -> dict[str, str]:
        """A peering connection between the VPCs, as the target of a route."""
        ends = {"VpcId": "$v0", "PeerVpcId": "$v1"}
        kept = {"pcx": "VpcPeeringConnection.VpcPeeringConnectionId"}
        self._call("CreateVpcPeeringConnection", kept, **ends)
        if self._likely(0.95):
            self._call("AcceptVpcPeeringConnection", VpcPeeringConnectionId="$pcx")
        return {"VpcPeeringConnectionId": "$pcx"}

    # --- questions ------------------------------------------------------------------------------
    def questions(self, count: int) -> Iterator[dict[str, Any]]:
        """Packets to ask about: ``source`` is a host, ``target`` an address, ``port`` and
        ``source_port`` are None for a ping, ``follow`` says that the packet is followed on its
        way, as half of them are.  No two have the same client port."""
        for number in range(count):
            source = self.dice.choice((*self.hosts, *self.hosts, "mirror", "stranger"))
            near = [each for each in self.addresses if source[:2] in each]
            private = [each for each in self.addresses if each.startswith(("10.", "172."))]
            if self.peered and self._likely(0.4):
                near = private
            target = self.dice.choice(near if near and self._likely(0.4) else self.addresses)
            protocol = self.dice.choice(("tcp", "tcp", "udp", "icmp"))
            ports: dict[str, int | None] = {"port": None, "source_port": None}
            if protocol != "icmp":
                edge = self.dice.choice(
                    (32768 + number, 45000 - number, 45001 + number, 60999 - number)
                )
                ports = {"port": self.dice.choice(PORTS), "source_port": edge}
            follow = number % 2 == 1
            yield {"source": source, "target": target, "protocol": protocol, **ports,
                   "follow": follow}  # fmt: skip
