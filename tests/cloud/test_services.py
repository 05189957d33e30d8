"""Names and metadata as instances meet them: real packets, a real daemon, hostile neighbours."""

from __future__ import annotations

import json
import socket
import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import dns.message
import dns.rcode
import h11
import pytest

from gureum.services.pace import CONNECTIONS
from tests.cloud.site import Guest, Site
from tests.daemon import REGION, Daemon
from tests.kernel import packets

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(180)]

ANY = "0.0.0.0/0"
METADATA, RESOLVER = "169.254.169.254", "169.254.169.253"
DOMAIN = f"{REGION}.compute.internal"
LIFETIME = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN = "X-aws-ec2-metadata-token"
TIME_WAIT = "06"
SERVICES = 5
"""Sockets that a VPC has for services."""


@pytest.fixture(autouse=True)
def up(daemon: Daemon) -> None:
    """Each test begins with a daemon that serves, whatever became of it before."""
    if daemon.process is None or daemon.process.poll() is not None:
        daemon.start()


@pytest.fixture(scope="module")
def named(site: Site) -> Site:
    """The site, with names."""
    site.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsHostnames={"Value": True})
    return site


@pytest.fixture(scope="module")
def web(named: Site) -> Guest:
    """An instance with a public address and a group that lets nothing in or out."""
    group = named.group("closed")
    every = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANY}]}]
    named.ec2.revoke_security_group_egress(GroupId=group, IpPermissions=every)
    named.ec2.create_key_pair(KeyName="mine")
    return named.launch(
        named.public,
        group,
        public=True,
        KeyName="mine",
        UserData="#!/bin/sh\necho hello\n",
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web"}]}],
    )


@pytest.fixture(scope="module")
def db(named: Site) -> Guest:
    return named.launch(named.private, named.group("db"))


class Browser:
    """One TCP connection to the metadata service, from a namespace."""

    def __init__(self, ns: Path) -> None:
        self.socket = packets.make(ns)
        self.socket.connect((METADATA, 80))
        self._state = h11.Connection(h11.CLIENT)

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, str, dict[str, str]]:
        """Status, body and headers of an answer."""
        fields = [("host", METADATA), *((k.replace("_", "-"), v) for k, v in headers.items())]
        request = h11.Request(method=method, target=path, headers=fields)
        self.socket.sendall(self._state.send(request) or b"")
        self.socket.sendall(self._state.send(h11.EndOfMessage()) or b"")
        head: Any = None
        body = b""
        while True:
            event = self._state.next_event()
            if event is h11.NEED_DATA:
                self._state.receive_data(self.socket.recv(65536))
            elif isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                raise AssertionError(event)
        if self._state.our_state is h11.DONE:
            self._state.start_next_cycle()
        fields_back = {name.decode(): value.decode() for name, value in head.headers}
        return head.status_code, body.decode(), fields_back


def fetch(guest: Guest, path: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    browser = Browser(guest.ns)
    with browser.socket:
        status, body, _ = browser.ask(method, path, **headers)
        return status, body


def token(guest: Guest, seconds: str = "600") -> str:
    status, body = fetch(guest, "/latest/api/token", "PUT", **{LIFETIME: seconds})
    assert status == 200
    return body


def meta(guest: Guest, path: str) -> str:
    """A category, as IMDSv2 asks for it."""
    status, body = fetch(guest, f"/latest/meta-data/{path}", **{TOKEN: token(guest)})
    assert status == 200, (path, status)
    return body


def resolve(
    guest: Guest, name: str, kind: str = "A", server: str = RESOLVER, *, tcp: bool = False
) -> tuple[str, list[str]]:
    """The code and the values of an answer."""
    question = dns.message.make_query(name, kind)
    wire = question.to_wire()
    sort = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with packets.make(guest.ns, sort) as client:
        client.connect((server, 53))
        client.settimeout(packets.LONG if tcp else packets.USUAL)
        for tries in range(1 if tcp else 5):
            client.sendall(struct.pack("!H", len(wire)) + wire if tcp else wire)
            try:
                said = client.recv(4096)
                break
            except TimeoutError:  # too many questions at once: datagrams are dropped
                assert not tcp, f"no answer over TCP ({tries})"
        else:
            raise AssertionError("no answer")
    answer = dns.message.from_wire(said[2:] if tcp else said)
    assert answer.id == question.id
    values = [item.to_text() for rrset in answer.answer for item in rrset]
    return dns.rcode.to_text(answer.rcode()), values


def inside(daemon: Daemon, guest: Guest, *argv: str) -> subprocess.CompletedProcess[str]:
    return daemon.gureum("exec", guest.id, "--", *argv)


# --- names --------------------------------------------------------------------------------------
def test_names_of_the_network_through_closed_groups(web: Guest, db: Guest) -> None:
    public = web.show()["PublicDnsName"]
    ip_name = f"ip-{db.ip.replace('.', '-')}.{DOMAIN}"
    reverse = ".".join(reversed(db.ip.split("."))) + ".in-addr.arpa"
    for server in (RESOLVER, "10.0.0.2"):
        for tcp in (False, True):
            assert resolve(web, ip_name, server=server, tcp=tcp) == ("NOERROR", [db.ip])
            assert resolve(web, public, server=server, tcp=tcp) == ("NOERROR", [web.ip])
            assert resolve(web, reverse, "PTR", server, tcp=tcp) == ("NOERROR", [f"{ip_name}."])
    assert resolve(web, f"ip-10-0-9-9.{DOMAIN}") == ("NXDOMAIN", [])
    assert resolve(web, "example.com") == ("NXDOMAIN", [])
    assert resolve(web, "mirror.internet.test") == ("NOERROR", ["198.19.0.20"])


def test_an_instances_own_programs_find_names(daemon: Daemon, web: Guest, db: Guest) -> None:
    """By its resolv.conf: base + 2, and the domain that completes short names."""
    name = f"ip-{db.ip.replace('.', '-')}"
    for asked in (name, f"{name}.{DOMAIN}"):
        done = inside(daemon, web, "nslookup", asked)
        assert db.ip in done.stdout, done.stdout + done.stderr
    assert inside(daemon, web, "nslookup", "nobody.example").returncode != 0


def test_another_network_has_other_names(daemon: Daemon, web: Guest, db: Guest) -> None:
    """Of the same addresses, too; public names mean public addresses there."""
    other = Site(daemon)
    other.ec2.modify_vpc_attribute(VpcId=other.vpc, EnableDnsHostnames={"Value": True})
    far = other.launch(other.public, other.group("far"), public=True)
    name = f"ip-{db.ip.replace('.', '-')}.{DOMAIN}"
    assert resolve(far, name) == ("NXDOMAIN", [])
    assert resolve(far, f"{db.id}.{DOMAIN}") == ("NXDOMAIN", [])
    assert resolve(far, web.show()["PublicDnsName"]) == ("NOERROR", [web.public_ip])
    assert resolve(web, far.show()["PublicDnsName"]) == ("NOERROR", [far.public_ip])


def test_dns_support_is_in_force_at_once(site: Site, web: Guest) -> None:
    name = web.show()["PublicDnsName"]
    site.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsHostnames={"Value": False})
    assert resolve(web, name) == ("NXDOMAIN", [])
    site.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsSupport={"Value": False})
    with packets.make(web.ns, socket.SOCK_DGRAM, patience=packets.SHORT) as client:
        client.sendto(dns.message.make_query(name, "A").to_wire(), (RESOLVER, 53))
        with pytest.raises(TimeoutError):
            client.recv(512)
    site.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsSupport={"Value": True})
    site.ec2.modify_vpc_attribute(VpcId=site.vpc, EnableDnsHostnames={"Value": True})
    assert resolve(web, name) == ("NOERROR", [web.ip])


# --- metadata -----------------------------------------------------------------------------------
def test_an_instance_is_told_about_itself(named: Site, web: Guest) -> None:
    shown = web.show()
    mac = shown["NetworkInterfaces"][0]["MacAddress"]
    told = {
        "instance-id": web.id,
        "ami-id": named.image,
        "local-ipv4": web.ip,
        "public-ipv4": web.public_ip,
        "public-hostname": shown["PublicDnsName"],
        "local-hostname": shown["PrivateDnsName"],
        "mac": mac,
        "placement/region": REGION,
        "security-groups": "closed",
        f"network/interfaces/macs/{mac}/subnet-id": named.public,
        "public-keys/": "0=mine",
    }
    assert {path: meta(web, path) for path in told} == told
    assert meta(web, "public-keys/0/openssh-key").startswith("ssh-rsa ")
    said = fetch(web, "/latest/user-data", **{TOKEN: token(web)})
    assert said == (200, "#!/bin/sh\necho hello\n")
    document = fetch(web, "/latest/dynamic/instance-identity/document", **{TOKEN: token(web)})[1]
    assert json.loads(document)["privateIp"] == web.ip


def test_options_are_in_force_at_once(site: Site, web: Guest) -> None:
    path = "/latest/meta-data/instance-id"

    def set_to(**options: Any) -> None:
        site.ec2.modify_instance_metadata_options(InstanceId=web.id, **options)

    assert fetch(web, path)[0] == 401
    set_to(HttpTokens="optional")
    assert fetch(web, path) == (200, web.id)
    assert fetch(web, path, **{TOKEN: "guessed"})[0] == 401
    assert fetch(web, "/latest/meta-data/tags/instance/Name")[0] == 404
    set_to(InstanceMetadataTags="enabled")
    assert fetch(web, "/latest/meta-data/tags/instance/Name") == (200, "web")
    set_to(HttpEndpoint="disabled")
    assert fetch(web, path)[0] == 403
    set_to(HttpEndpoint="enabled", HttpTokens="required", InstanceMetadataTags="disabled")
    assert fetch(web, path)[0] == 401
    assert meta(web, "instance-id") == web.id


def test_a_token_goes_so_many_hops_and_no_further(site: Site, web: Guest) -> None:
    """The time to live of the answer's packets, and of those that follow on the connection."""
    site.ec2.modify_instance_metadata_options(InstanceId=web.id, HttpPutResponseHopLimit=1)
    with packets.inside(web.ns):
        raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
    browser = Browser(web.ns)
    with raw, browser.socket:
        raw.settimeout(packets.LONG)
        status, made, _ = browser.ask("PUT", "/latest/api/token", **{LIFETIME: "60"})
        assert status == 200
        assert browser.ask("GET", "/latest/meta-data/mac", **{TOKEN: made})[0] == 200
        assert [_ttl(raw, each) for each in (made.encode(), b"HTTP/1.1 200")] == [1, 1]
    site.ec2.modify_instance_metadata_options(InstanceId=web.id, HttpPutResponseHopLimit=2)


def _ttl(raw: socket.socket, marker: bytes) -> int:
    """The time to live of the next packet from the service that holds some bytes."""
    while True:
        frame = raw.recv(65535)
        if frame[26:30] == socket.inet_aton(METADATA) and marker in frame:
            return frame[22]


def test_tokens_are_good_in_their_own_instance_only(web: Guest, db: Guest) -> None:
    assert fetch(db, "/latest/meta-data/instance-id", **{TOKEN: token(web)})[0] == 401
    assert meta(web, "instance-id") == web.id
    assert meta(db, "instance-id") == db.id


def test_nobody_is_told_about_another(site: Site, web: Guest, db: Guest) -> None:
    """Neither with the address of another on its link, nor with its check off."""
    for check in (True, False):
        site.ec2.modify_instance_attribute(InstanceId=web.id, SourceDestCheck={"Value": check})
        packets.sh(web.ns, "ip", "addr", "add", f"{db.ip}/32", "dev", "eth0")
        try:
            assert packets.tcp(web.ns, METADATA, 80, source=db.ip) == packets.TIMEOUT
            assert meta(web, "instance-id") == web.id
        finally:
            packets.sh(web.ns, "ip", "addr", "del", f"{db.ip}/32", "dev", "eth0")
    site.ec2.modify_instance_attribute(InstanceId=web.id, SourceDestCheck={"Value": True})


def test_an_instances_own_programs_fetch_metadata(daemon: Daemon, site: Site, web: Guest) -> None:
    site.ec2.modify_instance_metadata_options(InstanceId=web.id, HttpTokens="optional")
    url = f"http://{METADATA}/latest/meta-data/instance-id"
    assert inside(daemon, web, "wget", "-qO-", url).stdout == web.id
    site.ec2.modify_instance_metadata_options(InstanceId=web.id, HttpTokens="required")
    assert "401" in inside(daemon, web, "wget", "-qO-", url).stderr


# --- hostile clients ----------------------------------------------------------------------------
def router(site: Site) -> Path:
    return site.daemon.netns(site.vpc)


def open_sockets(ns: Path) -> int:
    """What the daemon has open in a router; a connection whose client is gone counts until it is
    closed, one that is only remembered (TIME_WAIT) does not."""
    with packets.inside(ns):
        tcp, udp = (
            Path(f"/proc/thread-self/net/{name}").read_text().splitlines()[1:]
            for name in ("tcp", "udp")
        )
    return len(udp) + sum(line.split()[3] != TIME_WAIT for line in tcp)


def test_a_thousand_questions_leave_nothing_open(site: Site, web: Guest) -> None:
    name = web.show()["PublicDnsName"]
    for number in range(500):
        resolve(web, name, tcp=number % 2 == 0)
        fetch(web, "/latest/meta-data/")
    assert packets.eventually(lambda: open_sockets(router(site)) == SERVICES, 20), open_sockets(
        router(site)
    )


def test_clients_that_say_nothing_or_nonsense(site: Site, web: Guest, db: Guest) -> None:
    """They are let go of after a while, hold others up in nothing, and are heard no more than so
    often at once."""
    many = [packets.make(web.ns, patience=20) for _ in range(40)]
    for each in many:
        each.connect((METADATA, 80))
        each.sendall(b"GET / HTTP/1.1\r\nX: ")
    started = time.monotonic()
    assert meta(db, "instance-id") == db.id
    assert time.monotonic() - started < packets.LONG
    assert open_sockets(router(site)) <= SERVICES + CONNECTIONS + 1
    for each in many:
        with each:
            assert _is_over(each)
    for junk in (b"", b"\0" * 12, b"\xff" * 500, b"\0\1" * 600, bytes(range(40))):
        with packets.make(web.ns, socket.SOCK_DGRAM) as client:
            client.sendto(junk, (RESOLVER, 53))
    for junk in (b"\0\1\2\3\r\n\r\n", b"G" * 100_000, b"PUT / HTTP/9.9\r\n\r\n"):
        with packets.make(web.ns, patience=20) as client:
            client.connect((METADATA, 80))
            try:
                client.sendall(junk)
                while client.recv(4096):
                    pass
            except ConnectionError:
                pass
    assert resolve(web, web.show()["PublicDnsName"]) == ("NOERROR", [web.ip])
    assert meta(web, "instance-id") == web.id
    assert packets.eventually(lambda: open_sockets(router(site)) == SERVICES, 20), open_sockets(
        router(site)
    )
    assert "Traceback" not in site.daemon.log()


def _is_over(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionError:
        return True


# --- life ---------------------------------------------------------------------------------------
def test_a_new_daemon_answers_for_a_killed_one(daemon: Daemon, web: Guest) -> None:
    name, ip = web.show()["PublicDnsName"], web.ip
    old = token(web)
    daemon.kill()
    assert packets.tcp(web.ns, METADATA, 80) == packets.REFUSED
    daemon.start()
    assert resolve(web, name) == ("NOERROR", [ip])
    assert fetch(web, "/latest/meta-data/", **{TOKEN: old})[0] == 401
    assert meta(web, "instance-id") == web.id


def test_both_services_are_explained(daemon: Daemon, web: Guest) -> None:
    for target, service in ((METADATA, "80"), (RESOLVER, "udp/53"), (RESOLVER, "53")):
        done = daemon.gureum("explain", web.id, target, service, "--live")
        assert "no group and no ACL applies" in done.stdout, done.stdout + done.stderr
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_network_goes_with_its_services(daemon: Daemon) -> None:
    other = Site(daemon, "10.7.0.0/16")
    assert open_sockets(router(other)) == SERVICES
    with router(other).open() as file:  # keeps the namespace to look into
        held = Path(f"/proc/self/fd/{file.fileno()}")
        other.ec2.detach_internet_gateway(InternetGatewayId=other.gateway, VpcId=other.vpc)
        for subnet in (other.public, other.private):
            other.ec2.delete_subnet(SubnetId=subnet)
        other.ec2.delete_route_table(RouteTableId=other.out)
        other.ec2.delete_vpc(VpcId=other.vpc)
        assert not router(other).exists()
        assert open_sockets(held) == 0
