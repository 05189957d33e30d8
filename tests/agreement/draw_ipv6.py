"""Draws dual-stack clouds with IPv6-only subnets, and questions about packets over IPv6."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from tests.agreement.draw import _CLIENTS, _NUMBERS, _PROTOCOLS, _RANGES, PORTS, Draw

ANY = "::/0"
_OUTSIDE = ("3fff:800::20/128", "3fff:800::/64", "3fff:800::/21", "3fff::/20")


class DualDraw(Draw):
    """The cloud that :class:`Draw` makes of the same seed, and IPv6 in it."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        base = list(self.calls)
        self.dice = random.Random(~seed)
        vpcs = [call for call in base if call.get("do") == "CreateVpc"]
        self._blocks = {next(iter(call["as"])): _block(number) for number, call in enumerate(vpcs)}
        self._cidrs: dict[str, str] = {}
        self._asking: list[str] = []
        self._asked: list[str] = ["$mirror6", "$stranger6", "3fff:800::99", "2001:db8::1"]
        for vpc in self._blocks:
            self._vpc6(vpc, base)

    def _vpc6(self, vpc: str, base: list[dict[str, Any]]) -> None:
        begin = self._blocks[vpc].removesuffix("00::/56")
        block = {"VpcId": f"${vpc}", "Ipv6Pool": "Amazon", "Ipv6CidrBlock": self._blocks[vpc]}
        self._call("AssociateVpcCidrBlock", **block)
        mine = [call for call in base if any(name.startswith(vpc) for name in call.get("as", ()))]
        made = {
            do: [next(iter(call["as"])) for call in mine if call.get("do") == do] for do in _MADE
        }
        subnets = {}
        for number, name in enumerate(made["CreateSubnet"]):
            if self._likely(0.85):
                subnets[name] = f"{begin}{number:02x}::/64"
                self._call(
                    "AssociateSubnetCidrBlock", SubnetId=f"${name}", Ipv6CidrBlock=subnets[name]
                )
        cidrs = [*([ANY] * 6), *self._blocks.values(), *subnets.values(), *_OUTSIDE]
        for group in made["CreateSecurityGroup"]:
            self._rules6(group, made["CreateSecurityGroup"], cidrs)
        for acl in made["CreateNetworkAcl"]:
            for egress in (False, True):
                for number in range(200, 200 + self.dice.randint(1, 5)):
                    self._call("CreateNetworkAclEntry", **self._entry6(acl, number, egress, cidrs))
        for call in mine:
            if call.get("do") == "RunInstances":
                self._addresses(call, subnets)
        self._ways(vpc, made["CreateRouteTable"], subnets, made["RunInstances"])
        self._asked += [f"{begin}00::1", f"{begin}00::77", f"{begin}ff::1"]
        if self._likely(0.6):
            self._ipv6_only(vpc, f"{begin}80::", made)

    def _ipv6_only(self, vpc: str, begin: str, made: dict[str, list[str]]) -> None:
        """An IPv6-only subnet with one or two instances, and perhaps with an interface of one that
        has IPv4 elsewhere, or the other way round."""
        subnet, groups = f"{vpc}s6", made["CreateSecurityGroup"]
        block = {"Ipv6Native": True, "Ipv6CidrBlock": f"{begin}/64"}
        self._call("CreateSubnet", {subnet: "Subnet.SubnetId"}, VpcId=f"${vpc}", **block)
        if made["CreateRouteTable"] and self._likely(0.8):
            table = self.dice.choice(made["CreateRouteTable"])
            self._call("AssociateRouteTable", RouteTableId=f"${table}", SubnetId=f"${subnet}")
        for number in range(self.dice.randint(1, 2)):
            name, ip = f"{vpc}i6{number}", f"{begin}{10 + number}"
            station = {
                "DeviceIndex": 0,
                "SubnetId": f"${subnet}",
                "Groups": [f"${self.dice.choice(groups)}"],
                "Ipv6Addresses": [{"Ipv6Address": ip}],
            }
            self._instance(name, station, [ip], public=True)
            self._asking.append(name)
            self._asked.append(ip)
        if self._likely(0.4):
            self._other_interface(f"{vpc}i60", self.dice.choice(made["CreateSubnet"]), groups)
        if self._likely(0.4):
            self._other_interface(self.dice.choice(made["RunInstances"]), subnet, groups)

    def _other_interface(self, host: str, subnet: str, groups: list[str]) -> None:
        """A second interface, which an instance that has one already does not get."""
        kept = {f"{host}o6": "NetworkInterface.Ipv6Addresses[0].Ipv6Address"}
        kept[f"{host}o"] = "NetworkInterface.NetworkInterfaceId"
        group = f"${self.dice.choice(groups)}"
        self._call("CreateNetworkInterface", kept, SubnetId=f"${subnet}", Groups=[group])
        where = {"NetworkInterfaceId": f"${host}o", "InstanceId": f"${host}"}
        self._call("AttachNetworkInterface", DeviceIndex=1, **where)
        self._asked.append(f"${host}o6")

    def _rules6(self, group: str, groups: list[str], cidrs: list[str]) -> None:
        for _ in range(self.dice.randint(0, 5)):
            rules = [self._permission6(groups, cidrs)]
            self._call("AuthorizeSecurityGroupIngress", GroupId=f"${group}", IpPermissions=rules)
        if self._likely(0.3):
            rules = [self._permission6(groups, cidrs)]
            self._call("AuthorizeSecurityGroupEgress", GroupId=f"${group}", IpPermissions=rules)

    def _permission6(self, groups: list[str], cidrs: list[str]) -> dict[str, Any]:
        found = self._permission(groups, cidrs)
        if found["IpProtocol"] == "icmp":
            first, last = self.dice.choice(((-1, -1), (128, -1), (128, 0), (1, 4)))
            found |= {"IpProtocol": "icmpv6", "FromPort": first, "ToPort": last}
        if "IpRanges" in found:
            found["Ipv6Ranges"] = [{"CidrIpv6": each["CidrIp"]} for each in found.pop("IpRanges")]
        return found

    def _entry6(self, acl: str, number: int, egress: bool, cidrs: list[str]) -> dict[str, Any]:
        protocol = self.dice.choice(_PROTOCOLS)
        entry: dict[str, Any] = {
            "NetworkAclId": f"${acl}",
            "RuleNumber": number,
            "Egress": egress,
            "Protocol": "58" if protocol == "icmp" else _NUMBERS[protocol],
            "RuleAction": "allow" if self._likely(0.8) else "deny",
            "Ipv6CidrBlock": self.dice.choice(cidrs),
        }
        if protocol in ("tcp", "udp"):
            first, last = self.dice.choice((*_RANGES, *_CLIENTS, *_CLIENTS))
            entry["PortRange"] = {"From": first, "To": last}
        elif protocol == "icmp":
            entry["IcmpTypeCode"] = {"Type": self.dice.choice((-1, -1, 128, 129)), "Code": -1}
        return entry

    def _addresses(self, call: dict[str, Any], subnets: dict[str, str]) -> None:
        """Most instances get an address, some of them two, some one at their second interface, and
        some a prefix."""
        (name, _), (station,) = call["as"], call["with"]["NetworkInterfaces"]
        cidr = subnets.get(station["SubnetId"].removeprefix("$"))
        if cidr is None or not self._likely(0.85):
            return
        last = 10 + int(name[-1])
        ips = [cidr.replace("/64", f"{last}"), cidr.replace("/64", f"{100 + last}")]
        ips = ips[: 2 if self._likely(0.2) else 1]
        kept = {f"{name}6": "AssignedIpv6Addresses[0]"}
        where = {"NetworkInterfaceId": f"${name}e", "Ipv6Addresses": ips}
        self._call("AssignIpv6Addresses", kept, **where)
        self._asking.append(name)
        self._asked += ips
        if self._likely(0.5):
            kept = {f"{name}f6": "AssignedIpv6Addresses[0]"}
            second = {"NetworkInterfaceId": f"${name}f", "Ipv6AddressCount": 1}
            self._call("AssignIpv6Addresses", kept, **second)
            self._asked.append(f"${name}f6")
        if self._likely(0.3):
            prefix = cidr.replace("::/64", f":{last}::")
            delegated = {"NetworkInterfaceId": f"${name}e", "Ipv6Prefixes": [f"{prefix}/80"]}
            self._call("AssignIpv6Addresses", {}, **delegated)
            self._asked += [f"{prefix}{last}", prefix.replace("::", ":0:2:3")]

    def _ways(self, vpc: str, tables: list[str], subnets: dict[str, str], hosts: list[str]) -> None:
        kept = {f"{vpc}o": "EgressOnlyInternetGateway.EgressOnlyInternetGatewayId"}
        if self._likely(0.7):
            self._call("CreateEgressOnlyInternetGateway", kept, VpcId=f"${vpc}")
        targets = [
            *([{"GatewayId": f"${vpc}g"}] * 4),
            *([{"EgressOnlyInternetGatewayId": f"${vpc}o"}] * 3),
            *({"NetworkInterfaceId": f"${self.dice.choice(hosts)}e"} for _ in range(2)),
        ]
        far = [block for key, block in self._blocks.items() if key != vpc]
        for table in tables:
            for block in far if self.peered and self._likely(0.7) else ():
                route = {"RouteTableId": f"${table}", "DestinationIpv6CidrBlock": block}
                self._call("CreateRoute", VpcPeeringConnectionId="$pcx", **route)
            ways = [ANY] if self._likely(0.9) else []
            ways += [cidr for cidr in _OUTSIDE if self._likely(0.12)]
            ways += [cidr for cidr in subnets.values() if self._likely(0.2)]
            for cidr in ways:
                route = {"RouteTableId": f"${table}", "DestinationIpv6CidrBlock": cidr}
                self._call("CreateRoute", **route, **self.dice.choice(targets))

    def questions(self, count: int) -> Iterator[dict[str, Any]]:
        """As :meth:`Draw.questions`, over IPv6."""
        for question in super().questions(count):
            source = self.dice.choice((*self._asking, *self._asking, "mirror", "stranger"))
            asked = {"source": source, "target": self.dice.choice(self._asked), "ipv6": True}
            if question["port"] is not None:
                asked["port"] = self.dice.choice(PORTS)
            yield question | asked


def _block(number: int) -> str:
    return f"3fff:{number + 1}:0:100::/56"


_MADE = (
    "CreateSubnet",
    "CreateSecurityGroup",
    "CreateNetworkAcl",
    "RunInstances",
    "CreateRouteTable",
)
