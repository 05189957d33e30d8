"""Frames of running instances as they come: in words, in layers, for Wireshark; and the end."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import httpx
import pytest

from gureum.server.console_watch import MOST
from tests.cloud.site import Guest, Site
from tests.cloud.test_live import namespaces
from tests.daemon import Daemon
from tests.frames.samples import client_hello
from tests.kernel import packets
from tests.kernel.packets import connection, eventually, listening, make

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(120)]

ANY = "0.0.0.0/0"
PATIENCE = 20.0
"""Seconds until a command listens, or does no more, on a busy machine; it takes some 0.5 s."""


@pytest.fixture(scope="module")
def guests(site: Site) -> tuple[Guest, Guest]:
    group = site.group("all", ("tcp", 80, ANY), ("udp", 53, ANY), ("icmp", 8, ANY))
    found = site.launch(site.public, group, public=True), site.launch(site.private, group)
    for guest, name in zip(found, ("web", "db"), strict=True):
        site.ec2.create_tags(Resources=[guest.id], Tags=[{"Key": "Name", "Value": name}])
    return found


def readers(daemon: Daemon) -> list[str]:
    """The packet sockets in namespaces of the cloud."""
    found: list[str] = []
    for ns in namespaces(daemon):
        with packets.inside(ns):
            found += Path("/proc/thread-self/net/packet").read_text().splitlines()[1:]
    return found


@pytest.fixture(autouse=True)
def leaves_nothing(daemon: Daemon) -> Iterator[None]:
    """Each test ends without anybody who listens."""
    yield
    assert eventually(lambda: readers(daemon) == [], PATIENCE)


@contextlib.contextmanager
def watching(
    daemon: Daemon, where: str, *options: str, out: int | IO[bytes] = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """A watch that listens already."""
    before = len(readers(daemon))
    call = [sys.executable, "-m", "gureum", "--state", str(daemon.state), "watch", where, *options]
    with subprocess.Popen(
        call, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE
    ) as process:
        try:
            assert eventually(lambda: len(readers(daemon)) > before, PATIENCE)
            yield process
        finally:
            process.kill()


def ended(process: subprocess.Popen[bytes], status: int = 0) -> tuple[str, str]:
    """What a watch has said when it has ended by itself."""
    out, error = process.communicate(timeout=PATIENCE)
    assert process.returncode == status, error.decode()
    return out.decode(errors="replace"), error.decode()


def frames(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_ping_at_the_ports_of_a_subnet(daemon: Daemon, guests: tuple[Guest, Guest]) -> None:
    web, db = guests
    with watching(daemon, web.site.public, "--proto", "icmp", "-c", "2", "--json") as process:
        assert packets.ping(web.ns, db.ip, size=32) == "reply"
        asks, told = frames(ended(process)[0])
    assert (asks["way"], told["way"]) == ("received", "sent")
    assert asks["link"]["to"] == told["link"]["to"] == "web"
    assert (asks["source"], asks["target"]) == (told["target"], told["source"])
    assert asks["said"].startswith(f"IPv4 {web.ip} > {db.ip} ttl 64 | ICMP echo request")
    assert told["said"].startswith(f"IPv4 {db.ip} > {web.ip} ttl 63 | ICMP echo reply")
    assert asks["size"] == 14 + 20 + 8 + 32 == len(bytes.fromhex(asks["data"]))
    assert 0 < told["at"] - asks["at"] < 1_000_000_000


def test_both_ends_of_a_link_see_the_same_frame(
    daemon: Daemon, guests: tuple[Guest, Guest]
) -> None:
    web, _ = guests
    eni = web.show()["NetworkInterfaces"][0]["NetworkInterfaceId"]
    options = ("--proto", "icmp", "-c", "1", "--json", "--host", "me")
    with watching(daemon, "web", *options) as inside, watching(daemon, eni, *options) as outside:
        assert packets.ping(web.site.me, web.public_ip) == "reply"
        ((near,), (far,)) = frames(ended(inside)[0]), frames(ended(outside)[0])
    assert near["data"] == far["data"]
    assert (near["way"], near["link"]["name"], near["link"]["to"]) == ("received", "eth0", "")
    assert (far["way"], far["link"]["to"]) == ("sent", "web")


def test_the_layers_of_a_name_and_a_page(daemon: Daemon, guests: tuple[Guest, Guest]) -> None:
    web, db = guests
    with watching(daemon, "web", "--osi", "--proto", "dns", "-c", "2") as process:
        found = daemon.gureum("exec", "web", "--", "nslookup", "instance-data.ec2.internal")
        out, _ = ended(process)
    assert found.stdout
    for unit in ("1 physical: ", "2 data link: Ethernet frame", "3 network: IPv4 packet"):
        assert unit in out
    for unit in ("4 transport: UDP datagram", "7 application: DNS message", "DNS query"):
        assert unit in out
    with (
        listening(db.ns, 80) as server,
        watching(daemon, "db", "--proto", "http", "-c", "2", "--json") as process,
        make(web.ns) as client,
    ):
        client.connect((db.ip, 80))
        taken, _ = server.accept()
        with taken:
            client.sendall(b"GET /page HTTP/1.1\r\nHost: db\r\n\r\n")
            taken.recv(100)
            taken.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
        asks, told = frames(ended(process)[0])
    assert asks["layers"][-1]["said"] == "HTTP GET /page HTTP/1.1"
    assert told["layers"][-1]["said"] == "HTTP HTTP/1.1 204 No Content"
    assert [each["layer"] for each in asks["layers"]] == [2, 3, 4, 7]


def test_a_hello_and_a_page_over_several_segments(
    daemon: Daemon, guests: tuple[Guest, Guest]
) -> None:
    web, db = guests
    hello, page = client_hello("db.example"), b"GET /page HTTP/1.1\r\nHost: db\r\n\r\n"
    for proto, message, said in (
        ("tls", hello, "TLS client hello db.example TLS 1.3 [3 segments]"),
        ("http", page, "HTTP GET /page HTTP/1.1 [3 segments]"),
    ):
        with (
            watching(daemon, "db", "--proto", proto, "-c", "3", "--json") as process,
            connection(web.ns, db.ip, db.ns, 80) as (client, server, _),
        ):
            for low, high in itertools.pairwise((0, 20, 25, len(message))):
                client.sendall(message[low:high])
                assert len(server.recv(4096)) == high - low
            *_, last = frames(ended(process)[0])
        assert last["layers"][-1]["said"] == said


def test_a_filter_lets_nothing_else_through(daemon: Daemon, guests: tuple[Guest, Guest]) -> None:
    web, db = guests
    with watching(daemon, "db", "-P", "80", "-H", "web", "-c", "2", "--json") as process:
        assert packets.ping(web.ns, db.ip) == "reply"
        assert packets.tcp(web.ns, db.ip, 80) == packets.REFUSED
        found = frames(ended(process)[0])
    assert [each["layers"][2]["fields"][5]["value"] for each in found] == ["SYN", "RST,ACK"]


def test_a_file_and_a_pipe_that_tcpdump_reads(
    daemon: Daemon, guests: tuple[Guest, Guest], tmp_path: Path
) -> None:
    web, db = guests
    path = tmp_path / "frames.pcapng"
    with (
        watching(daemon, "db", "-p", "icmp", "--pcap", str(path), "-s", "60", "-c", "2") as one,
        watching(daemon, "db", "-p", "icmp", "--pcap", "-", "-c", "1") as two,
    ):
        assert packets.ping(web.ns, db.ip, size=100) == "reply"
        out, error = ended(one)
        raw, _ = two.communicate(timeout=PATIENCE)
    assert len(out.splitlines()) == 2
    assert error == "2 frames, 284 bytes\n"
    read = subprocess.run(["tcpdump", "-nr", path], capture_output=True, text=True, check=True)
    assert "ICMP echo request" in read.stdout
    assert "length 108" in read.stdout, "the packet's own length is told, though it was cut"
    assert path.stat().st_size < 500
    piped = subprocess.run(["tcpdump", "-nr", "-"], input=raw, capture_output=True, check=True)
    assert b"ICMP echo request" in piped.stdout


def test_more_than_the_rate_is_lost_and_counted(
    daemon: Daemon, guests: tuple[Guest, Guest]
) -> None:
    """Whatever comes, no more is told than the rate allows, and all is told or counted."""
    web, db = guests
    with (
        watching(daemon, "db", "-p", "udp", "--rate", "20", "--for", "3", "--json") as process,
        make(web.ns, socket.SOCK_DGRAM) as sender,
        make(db.ns, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("0.0.0.0", 53))
        sender.connect((db.ip, 53))
        for number in range(300):
            sender.send(str(number).encode())
        out, error = ended(process)
    told = len(out.splitlines())
    assert 1 <= told <= 3 * 20 + 2
    assert f", {300 - told} more were lost" in error


def test_it_ends_after_so_many_megabytes(daemon: Daemon, guests: tuple[Guest, Guest]) -> None:
    web, db = guests
    options = ("-p", "udp", "--size", "1", "--rate", "10000", "--json")
    with (
        watching(daemon, "db", *options) as process,
        make(web.ns, socket.SOCK_DGRAM) as sender,
        make(db.ns, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("0.0.0.0", 53))
        sender.connect((db.ip, 53))
        for _ in range(200):
            sender.send(b"u" * 8000)
        out, _ = ended(process)
    told = sum(each["size"] for each in frames(out))
    assert 1_000_000 <= told < 1_000_000 + 64 * 9000, "it ends with the batch that is too much"


def test_an_instance_that_comes_later_is_seen(daemon: Daemon, guests: tuple[Guest, Guest]) -> None:
    web, _ = guests
    with watching(daemon, web.site.private, "-p", "icmp", "-c", "1", "--json") as process:
        third = web.site.launch(web.site.private, web.show()["SecurityGroups"][0]["GroupId"])
        until = time.monotonic() + packets.LONG
        while process.poll() is None and time.monotonic() < until:
            packets.ping(web.ns, third.ip, patience=packets.SHORT)
        (seen,) = frames(ended(process)[0])
    assert seen["link"]["to"] == third.id


# --- how it ends --------------------------------------------------------------------------------
def test_it_ends_with_its_reader(daemon: Daemon, guests: tuple[Guest, Guest]) -> None:
    """Also where there is nothing to write, and whoever kills it leaves nobody listening."""
    ends, begins = os.pipe()
    with watching(daemon, "db", "-p", "dhcp", out=begins) as process:
        os.close(begins)
        os.close(ends)
        assert process.wait(packets.LONG) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b"0 frames, 0 bytes\n"
    with watching(daemon, "db") as process:
        process.send_signal(signal.SIGKILL)
        assert eventually(lambda: readers(daemon) == [], PATIENCE)


def test_it_ends_with_what_is_watched(daemon: Daemon, guests: tuple[Guest, Guest]) -> None:
    site = guests[0].site
    third = site.launch(site.private, guests[0].show()["SecurityGroups"][0]["GroupId"])
    with watching(daemon, third.id) as process:
        site.ec2.terminate_instances(InstanceIds=[third.id])
        third.becomes("terminated")
        assert "it is gone" in ended(process)[1]


def test_ctrl_c_is_how_it_ends(daemon: Daemon, guests: tuple[Guest, Guest]) -> None:
    web, db = guests
    with watching(daemon, "db", "--proto", "icmp") as process:
        assert packets.ping(web.ns, db.ip) == "reply"
        assert process.stdout is not None
        assert b"echo request" in process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert "frame" in ended(process)[1]


def test_no_more_than_a_few_at_a_time(daemon: Daemon, guests: tuple[Guest, Guest]) -> None:
    with contextlib.ExitStack() as stack:
        transport = httpx.HTTPTransport(uds=str(daemon.state / "gureum.sock"))
        client = stack.enter_context(httpx.Client(transport=transport, base_url="http://gureum"))
        for _ in range(MOST):
            told = stack.enter_context(client.stream("POST", "/watch", json={"place": "db"}))
            assert told.status_code == 200
        done = daemon.gureum("watch", "db")
        assert (done.returncode, f"{MOST} watches are going on" in done.stderr) == (1, True)
    assert eventually(lambda: readers(daemon) == [], PATIENCE)
    assert daemon.gureum("watch", "db", "--for", "0.1").returncode == 0


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (("nowhere",), 4, "No place is called 'nowhere'"),
        (("db", "--host", "nobody"), 4, "No place is called 'nobody'"),
        (("db", "--host", "fe80::1%x or port 80"), 1, "without a zone"),
    ],
)
def test_refusals(
    daemon: Daemon, guests: tuple[Guest, Guest], args: tuple[str, ...], status: int, says: str
) -> None:
    done = daemon.gureum("watch", *args)
    assert (done.returncode, done.stdout) == (status, "")
    assert says in done.stderr


def test_it_ends_with_the_daemon(daemon: Daemon, guests: tuple[Guest, Guest]) -> None:
    """A daemon that is killed leaves nobody listening; one that is told to end is not kept up."""
    with watching(daemon, "db") as process:
        daemon.kill()
        assert eventually(lambda: readers(daemon) == [], PATIENCE)
        assert "hung up" in ended(process, status=1)[1]
    daemon.start()
    with watching(daemon, "db") as process:
        assert daemon.gureum("down", "--keep").returncode == 0
        assert "the daemon ends" in ended(process)[1]
    assert daemon.process is not None
    daemon.process.wait(packets.LONG)
    assert "timeout graceful" not in daemon.log()
