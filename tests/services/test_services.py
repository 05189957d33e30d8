"""The sockets of services: opened, answered, closed, opened anew; here on loopback."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import pytest

from gureum.engines.fake import FakeEngine
from gureum.program import Service
from gureum.resources import internet_host
from gureum.resources.instance import Instance, observed
from gureum.resources.network_interface import NetworkInterface
from gureum.services import Services
from gureum.services.callers import caller, instance_at
from tests.conftest import Cloud
from tests.kernel.packets import eventually
from tests.resources.test_instance import one, subnet

TCP, UDP = 6, 17


class Loopback(FakeEngine):
    """Opens each service at a free port of 127.0.0.1; routers are files of a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.ports: dict[Service, int] = {}
        self.refuse: set[Service] = set()

    def netns(self, host: str) -> Path:
        return self.folder / host

    def listen(self, service: Service) -> socket.socket:
        if service in self.refuse:
            raise OSError("told to fail")
        kind = socket.SOCK_STREAM if service.protocol == TCP else socket.SOCK_DGRAM
        made = socket.socket(socket.AF_INET, kind | socket.SOCK_NONBLOCK)
        made.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            made.listen()
        self.ports[service] = made.getsockname()[1]
        return made


class Site:
    """Services of one VPC."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self.cloud = cloud
        cloud.system(internet_host.provide, cloud.now)
        self.vpc = str(cloud.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])
        self.engine = Loopback(folder)
        self.engine.netns(self.vpc).touch()
        self.services = Services(self.engine, lambda: cloud.store.view)
        base = Service(self.vpc, "dns", "10.0.0.2", UDP, 53)
        self.udp, self.tcp = base, replace(base, protocol=TCP)
        self.metadata = Service(self.vpc, "metadata", "169.254.169.254", TCP, 80)

    def sync(self, *wanted: Service) -> None:
        self.services.sync(wanted, self.cloud.store.view)

    def ask(self, service: Service) -> str | None:
        """The code of the answer about a host of the internet; None if there is none."""
        wire = dns.message.make_query("mirror.internet.test", "A").to_wire()
        stream = service.protocol == TCP
        with socket.socket(socket.AF_INET, _KIND[service.protocol]) as client:
            client.settimeout(5)
            try:
                client.connect(("127.0.0.1", self.engine.ports[service]))
                client.sendall(len(wire).to_bytes(2) + wire if stream else wire)
                said = client.recv(4096)
            except ConnectionError:
                return None
        return dns.rcode.to_text(dns.message.from_wire(said[2:] if stream else said).rcode())


_KIND = {TCP: socket.SOCK_STREAM, UDP: socket.SOCK_DGRAM}


@pytest.fixture
def site(cloud: Cloud, tmp_path: Path) -> Iterator[Site]:
    made = Site(cloud, tmp_path)
    yield made
    made.services.stop()


def test_services_come_and_go(site: Site) -> None:
    site.sync(site.udp, site.tcp)
    assert [site.ask(each) for each in (site.udp, site.tcp)] == ["NOERROR"] * 2
    site.services.close([site.udp, site.metadata])
    assert [site.ask(each) for each in (site.udp, site.tcp)] == [None, "NOERROR"]
    site.services.change([site.udp, site.tcp], site.cloud.store.view)
    assert [site.ask(each) for each in (site.udp, site.tcp)] == ["NOERROR"] * 2
    site.sync(site.udp)
    assert [site.ask(each) for each in (site.udp, site.tcp)] == ["NOERROR", None]
    site.services.stop()
    assert site.ask(site.udp) is None
    site.services.stop()


def test_what_is_wanted_twice_is_opened_once(site: Site) -> None:
    site.sync(site.udp)
    port = site.engine.ports[site.udp]
    site.sync(site.udp)
    assert site.engine.ports[site.udp] == port


def test_a_router_that_was_made_anew_is_listened_in_anew(site: Site) -> None:
    site.sync(site.udp)
    port = site.engine.ports[site.udp]
    old = site.engine.netns(site.vpc)
    old.rename(old.with_suffix(".old"))
    old.touch()
    site.sync(site.udp)
    assert site.engine.ports[site.udp] != port
    assert site.ask(site.udp) == "NOERROR"


def test_firstthat_cannot_be_opened_is_told_and_the_others_are(site: Site) -> None:
    site.engine.refuse = {site.tcp}
    with pytest.raises(OSError, match="told to fail"):
        site.sync(site.tcp, site.udp)
    assert site.ask(site.udp) == "NOERROR"
    site.engine.refuse = set()
    site.sync(site.tcp, site.udp)
    assert site.ask(site.tcp) == "NOERROR"


def test_closing_a_service_ends_its_conversations(site: Site) -> None:
    site.sync(site.metadata)
    with socket.create_connection(("127.0.0.1", site.engine.ports[site.metadata])) as client:
        client.settimeout(5)
        client.sendall(b"GET / HTTP/1.1\r\n")
        assert eventually(lambda: bool(site.services._open[site.metadata].clients))
        site.services.close([site.metadata])
        with contextlib.suppress(ConnectionError):
            assert client.recv(100) == b""


def test_who_has_no_instance_is_not_told_anything(site: Site) -> None:
    site.sync(site.metadata)
    with socket.create_connection(("127.0.0.1", site.engine.ports[site.metadata])) as client:
        client.settimeout(5)
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(100) == b""


# --- who asks -----------------------------------------------------------------------------------
def _launched(cloud: Cloud, place: dict[str, Any], ip: str) -> str:
    eni = {"DeviceIndex": 0, "SubnetId": place["SubnetId"], "PrivateIpAddress": ip}
    return str(one(cloud, NetworkInterfaces=[eni])["InstanceId"])


def test_an_address_is_its_instances_while_that_is_up(cloud: Cloud) -> None:
    place = subnet(cloud)
    key, source = _launched(cloud, place, "10.0.1.10"), (place["VpcId"], "10.0.1.10")

    def at(source: tuple[str, str]) -> str | None:
        row = instance_at(cloud.store.view, source)
        return row.id if row else None

    assert at(source) == key
    assert at((place["VpcId"], "10.0.1.11")) is None
    other = str(cloud.call("CreateVpc", CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"])
    assert at((other, "10.0.1.10")) is None
    cloud.system(observed, cloud.now, key, "running")
    cloud.call("StopInstances", InstanceIds=[key])
    cloud.system(observed, cloud.now, key, "stopped")
    assert at(source) is None


def test_an_address_on_its_way_to_another_is_nobodys(cloud: Cloud) -> None:
    """The rows say so before the kernel does."""
    place = subnet(cloud)
    vpc = place["VpcId"]
    first, two = (_launched(cloud, place, f"10.0.1.{last}") for last in (10, 20))
    enis = {row.host: row.id for row in cloud.store.view.all(NetworkInterface) if row.vpc == vpc}
    cloud.call(
        "AssignPrivateIpAddresses", NetworkInterfaceId=enis[first], PrivateIpAddresses=["10.0.1.99"]
    )
    source, in_force = (vpc, "10.0.1.99"), cloud.store.view
    assert _id(caller(in_force, cloud.store.view, source)) == first
    cloud.call(
        "UnassignPrivateIpAddresses",
        NetworkInterfaceId=enis[first],
        PrivateIpAddresses=["10.0.1.99"],
    )
    cloud.call(
        "AssignPrivateIpAddresses", NetworkInterfaceId=enis[two], PrivateIpAddresses=["10.0.1.99"]
    )
    assert _id(caller(in_force, cloud.store.view, source)) is None
    assert _id(caller(cloud.store.view, cloud.store.view, source)) == two


def _id(row: Instance | None) -> str | None:
    return row.id if row else None


def test_a_delegated_address_is_the_interfaces_too(cloud: Cloud) -> None:
    place = subnet(cloud)
    key = _launched(cloud, place, "10.0.1.10")
    eni = next(row.id for row in cloud.store.view.all(NetworkInterface) if row.host == key)
    cloud.call("AssignPrivateIpAddresses", NetworkInterfaceId=eni, Ipv4Prefixes=["10.0.1.32/28"])
    found = [instance_at(cloud.store.view, (place["VpcId"], f"10.0.1.{x}")) for x in (33, 48)]
    assert [_id(row) for row in found] == [key, None]
