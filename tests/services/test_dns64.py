"""DNS64: who gets addresses made of IPv4 ones, and of which names."""

from __future__ import annotations

import struct
from functools import partial
from ipaddress import IPv6Address

import dns.message
import dns.rcode
import pytest

from gureum.model.nat64 import synthesized
from gureum.resources import internet_host
from gureum.services.dns import answer
from gureum.services.dns64 import look_up_for
from gureum.services.names import zone
from tests.conftest import Cloud
from tests.resources.test_instance import image, show

BLOCK, NATIVE = "3fff:1:2:300::/56", "3fff:1:2:301::/64"
ASKER, OTHER = "3fff:1:2:301::a", "3fff:1:2:302::b"
DOMAIN = "ap-northeast-2.compute.internal"


class Resolver:
    """A VPC with an IPv6-only subnet that has DNS64, and one of both versions that has not."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        cloud.system(internet_host.provide, cloud.now)
        call = cloud.call
        block = {"Ipv6Pool": "Amazon", "Ipv6CidrBlock": BLOCK}
        self.vpc = str(call("CreateVpc", CidrBlock="10.0.0.0/16", **block)["Vpc"]["VpcId"])
        call("ModifyVpcAttribute", VpcId=self.vpc, EnableDnsHostnames={"Value": True})
        native = {"Ipv6Native": True, "Ipv6CidrBlock": NATIVE}
        self.one = self.subnet(**native)
        self.two = self.subnet(CidrBlock="10.0.2.0/24", Ipv6CidrBlock="3fff:1:2:302::/64")
        self.switch(self.one, on=True)
        self.launch(self.one, ASKER)
        self.launch(self.two, OTHER, "10.0.2.11")

    def subnet(self, **more: object) -> str:
        return str(self.cloud.call("CreateSubnet", VpcId=self.vpc, **more)["Subnet"]["SubnetId"])

    def switch(self, subnet: str, *, on: bool) -> None:
        value = {"EnableDns64": {"Value": on}}
        self.cloud.call("ModifySubnetAttribute", SubnetId=subnet, **value)

    def launch(self, subnet: str, ip6: str, ip: str = "") -> str:
        eni = {"DeviceIndex": 0, "SubnetId": subnet, "Ipv6Addresses": [{"Ipv6Address": ip6}]}
        eni |= {"PrivateIpAddress": ip} if ip else {}
        kind = {"ImageId": image(self.cloud), "InstanceType": "t3.micro"}
        made = self.cloud.call("RunInstances", MinCount=1, MaxCount=1, NetworkInterfaces=[eni],
                               **kind)  # fmt: skip
        return str(made["Instances"][0]["InstanceId"])

    def ask(self, name: str, kind: str = "AAAA", source: str = ASKER) -> list[str] | str:
        """The values of the answer, or its code where there are none."""
        view = self.cloud.store.view
        look_up = partial(look_up_for, view, (self.vpc, source))
        wire = dns.message.make_query(name, kind).to_wire()
        said = answer(wire, look_up, partial(zone, view, self.vpc))
        assert said is not None
        made = dns.message.from_wire(said)
        if not made.answer:
            return dns.rcode.to_text(made.rcode())
        return [str(each) for each in made.answer[0]]


@pytest.fixture
def resolver(cloud: Cloud) -> Resolver:
    return Resolver(cloud)


def test_what_has_ipv4_alone_gets_ipv6(resolver: Resolver) -> None:
    name = f"ip-10-0-2-11.{DOMAIN}"
    assert resolver.ask(name) == ["64:ff9b::a00:20b"]
    assert resolver.ask(name, "A") == ["10.0.2.11"]
    assert resolver.ask(name, source=OTHER) == "NOERROR"
    assert resolver.ask(f"ip-10-0-2-12.{DOMAIN}") == "NXDOMAIN"


def test_what_has_ipv6_is_left_as_it_is(resolver: Resolver) -> None:
    assert resolver.ask("mirror.internet.test") == resolver.ask(
        "mirror.internet.test", source=OTHER
    )
    assert str(resolver.ask("mirror.internet.test")[0]).startswith("3fff:800:")


def test_it_is_an_attribute_of_the_askers_subnet(resolver: Resolver) -> None:
    name = f"ip-10-0-2-11.{DOMAIN}"
    resolver.switch(resolver.one, on=False)
    assert resolver.ask(name) == "NOERROR"
    resolver.switch(resolver.two, on=True)
    assert resolver.ask(name, source=OTHER) == ["64:ff9b::a00:20b"]
    assert resolver.ask(name, source="10.0.2.11") == ["64:ff9b::a00:20b"]
    assert resolver.ask(name, source="10.0.2.99") == "NOERROR"


def test_what_no_gateway_translates_gets_none(resolver: Resolver) -> None:
    name = f"instance-data.{DOMAIN}"
    assert resolver.ask(name, "A") == ["169.254.169.254"]
    assert resolver.ask(name) == "NOERROR"


def test_names_of_translated_addresses(resolver: Resolver) -> None:
    name = IPv6Address(synthesized("10.0.2.11")).reverse_pointer
    assert resolver.ask(name, "PTR") == [f"ip-10-0-2-11.{DOMAIN}."]
    assert resolver.ask(name, "PTR", OTHER) == "NXDOMAIN"
    for other in (
        IPv6Address(synthesized("10.0.2.12")).reverse_pointer,
        IPv6Address(ASKER).reverse_pointer,
        name.removeprefix("b."),
        f"0.{name}",
        name.replace("b.0.2", "x.0.2", 1),
        name.replace("b.0.2", "_.0.2", 1),
    ):
        assert resolver.ask(other, "PTR") == "NXDOMAIN", other


def test_public_names(resolver: Resolver) -> None:
    """A public name means the private address to who is near, and so does what is made of it."""
    call = resolver.cloud.call
    gateway = call("CreateInternetGateway")["InternetGateway"]["InternetGatewayId"]
    call("AttachInternetGateway", InternetGatewayId=gateway, VpcId=resolver.vpc)
    instance = resolver.launch(resolver.two, "3fff:1:2:302::c", "10.0.2.12")
    address = call("AllocateAddress")
    where = {"InstanceId": instance, "AllocationId": address["AllocationId"]}
    call("AssociateAddress", **where)
    name = show(resolver.cloud, instance)["PublicDnsName"]
    assert resolver.ask(name) == [synthesized("10.0.2.12")]


def test_hostile_questions_are_answered_in_some_way(resolver: Resolver) -> None:
    labels = b"".join(bytes((1, 0x41 + at % 8)) for at in range(40))
    tail = b"\x03ip6\x04arpa\x00" + struct.pack("!HH", 12, 1)
    wire = struct.pack("!HHHHHH", 1, 0x100, 1, 0, 0, 0) + labels + tail
    view = resolver.cloud.store.view
    look_up = partial(look_up_for, view, (resolver.vpc, ASKER))
    said = answer(wire, look_up, partial(zone, view, resolver.vpc))
    assert said is not None
    assert dns.message.from_wire(said).rcode() == dns.rcode.NXDOMAIN
