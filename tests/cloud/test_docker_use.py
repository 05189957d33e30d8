"""What people do with containers, with Docker's own client: streams, files, bounds, networks."""

from __future__ import annotations

import json
import os
import pty
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import pytest

from gureum.images import Store
from tests.cloud.docker import Docker
from tests.cloud.site import Guest, Site
from tests.kernel import packets
from tests.kernel.packets import eventually

pytestmark = pytest.mark.kernel

BASE = "gureum-base"
METADATA = "instance-data.ap-northeast-2.compute.internal"
MISSING = "No such container:path"  # in the client's words


@pytest.fixture(scope="module")
def guest(site: Site) -> Guest:
    return site.launch(site.private, site.group("none"))


@pytest.fixture(scope="module")
def docker(guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    return Docker(guest, tmp_path_factory.mktemp("home"))


@pytest.fixture
def sleeper(docker: Docker) -> Iterator[str]:
    """A container that does nothing."""
    docker("run", "-d", "--name", "sleeper", BASE, "sleep", "1000")
    yield "sleeper"
    docker("rm", "-f", "sleeper")


# --- streams ------------------------------------------------------------------------------------
def test_in_the_foreground(docker: Docker) -> None:
    done = docker.run("run", "--rm", BASE, "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")
    assert docker("run", "--rm", "-i", BASE, "cat", stdin="it was told\n") == "it was told"
    assert docker.run("run", "--rm", BASE, "no-such-program").returncode == 127
    assert docker.run("run", "--rm", BASE, "/etc").returncode == 126
    assert docker("ps", "-aq") == ""


def test_logs(docker: Docker) -> None:
    script = "for i in 1 2 3; do echo line $i; done; echo oops >&2; sleep 0.5; echo late"
    docker("run", "-d", "--name", "talker", BASE, "sh", "-c", script)
    followed = docker.run("logs", "-f", "talker")
    assert followed.stdout.splitlines() == ["line 1", "line 2", "line 3", "late"]
    assert followed.stderr.splitlines()[0] == "oops"
    assert docker("logs", "--tail", "1", "talker") == "late"
    assert docker("logs", "-t", "--tail", "1", "talker").partition(" ")[0].startswith("20")
    docker("rm", "talker")


def _dialogue(docker: Docker, argv: list[str], said: list[tuple[bytes, bytes]]) -> int:
    """Run the client at a terminal: wait for what is on its left, then type what is on its right;
    the exit code."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(docker.program, [str(docker.program), *argv], docker.environment)
    shown, until = b"", time.monotonic() + 30
    try:
        for wanted, typed in said:
            while wanted not in shown:
                assert time.monotonic() < until, shown
                if select.select([terminal], [], [], 0.1)[0]:
                    shown += os.read(terminal, 4096)
            shown = shown.partition(wanted)[2]
            os.write(terminal, typed)
        while True:
            try:
                os.read(terminal, 4096)
            except OSError:
                break
    finally:
        os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_a_terminal(docker: Docker, sleeper: str) -> None:
    inside = [(b"#", b"echo two-$((1+1))\n"), (b"two-2", b"tty\n"), (b"/dev/pts", b"exit 4\n")]
    assert _dialogue(docker, ["exec", "-it", sleeper, "sh"], inside) == 4
    assert _dialogue(docker, ["run", "-it", "--rm", BASE, "sh"], inside) == 4


def test_a_terminal_shows_all_that_is_written_last(docker: Docker, sleeper: str) -> None:
    script = ("sh", "-c", "seq -w 25000; exit 3")
    whole = "".join(f"{each:05}\n" for each in range(1, 25001))
    for words in (("exec", "-t", sleeper), ("run", "-t", "--rm", BASE)):
        done = docker.run(*words, *script)
        assert (done.returncode, done.stdout) == (3, whole)


def test_exec(docker: Docker, sleeper: str) -> None:
    done = docker.run("exec", "-u", "nobody", "-w", "/tmp", "-e", "A=b", sleeper,
                      "sh", "-c", "id -un; pwd; echo $A; exit 5")  # fmt: skip
    assert (done.returncode, done.stdout.split()) == (5, ["nobody", "/tmp", "b"])
    assert docker("exec", "-i", sleeper, "cat", stdin="given") == "given"
    assert docker.run("exec", sleeper, "no-such-program").returncode in (126, 127)
    assert "no matching entries in passwd file" in docker.fails("exec", "-u", "who", sleeper, "id")
    docker("exec", "-d", sleeper, "touch", "/tmp/detached")
    assert eventually(lambda: docker.run("exec", sleeper, "ls", "/tmp/detached").returncode == 0)


# --- files --------------------------------------------------------------------------------------
def test_copies(docker: Docker, sleeper: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content\n")
    docker("cp", str(tmp_path / "file"), f"{sleeper}:/")
    assert docker("exec", sleeper, "cat", "/file") == "content"
    docker("cp", f"{sleeper}:/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "content\n"
    assert MISSING in docker.fails("cp", f"{sleeper}:/nowhere", str(tmp_path))
    assert "A /file" in docker("diff", sleeper).splitlines()
    docker("create", "--name", "still", BASE, "cat", "/etc/given")
    docker("cp", str(tmp_path / "file"), "still:/etc/given")
    assert docker("start", "-a", "still") == "content"
    docker("rm", "still")


def test_copies_stay_inside(docker: Docker, sleeper: str, tmp_path: Path) -> None:
    """Links that a container prepares lead to its own files, and never to the machine's."""
    mark = Path("/tmp") / f"gureum-mark-{os.getpid()}"
    mark.write_text("the machine's")
    try:
        links = {"link": str(mark), "up": "/", "magic": f"/proc/1/root{mark}"}
        for name, target in links.items():
            docker("exec", sleeper, "ln", "-s", target, f"/{name}")
        for path in ("/link", f"/up{mark}", "/magic"):
            assert MISSING in docker.fails("cp", "-L", f"{sleeper}:{path}", str(tmp_path))
        docker("exec", sleeper, "sh", "-c", "rm -rf /opt; ln -s /tmp /opt")
        (tmp_path / "new").write_text("new")
        docker("cp", str(tmp_path / "new"), f"{sleeper}:/opt/")
        assert docker("exec", sleeper, "cat", "/tmp/new") == "new"
        assert not Path("/tmp/new").exists()
    finally:
        mark.unlink()


def test_mounts(docker: Docker, guest: Guest) -> None:
    docker("run", "--rm", "-v", "/srv/shared:/here", BASE, "sh", "-c", "echo hello >/here/file")
    done = guest.site.daemon.gureum("exec", guest.id, "--", "cat", "/srv/shared/file")
    assert done.stdout.strip() == "hello"
    assert not Path("/srv/shared").exists()  # it was the instance's, not the machine's
    ro = docker.fails("run", "--rm", "-v", "/srv/shared:/here:ro", BASE, "touch", "/here/file")
    assert "Read-only" in ro
    assert "Read-only" in docker.fails("run", "--rm", "--read-only", BASE, "touch", "/file")
    docker("run", "--rm", "--read-only", "--tmpfs", "/run:size=1m", BASE, "touch", "/run/file")
    filled = docker("run", "--rm", "-v", "etc:/etc", BASE, "head", "-1", "/etc/passwd")
    assert filled.startswith("root:")  # an empty volume begins with what the image has
    docker("volume", "rm", "etc")
    assert "No such volume" in docker.fails("volume", "inspect", "etc")


# --- bounds -------------------------------------------------------------------------------------
def test_limits(docker: Docker, guest: Guest) -> None:
    docker("run", "-d", "--name", "small", "--memory", "32m", "--cpus", "0.25", "--pids-limit",
           "16", BASE, "sleep", "1000")  # fmt: skip
    pid = int(docker("inspect", "-f", "{{.State.Pid}}", "small"))
    groups = Path(f"/proc/{pid}/cgroup").read_text()
    assert f"-{guest.id}/docker/" in groups  # below the instance's own
    forked = docker.run("exec", "small", "sh", "-c",
                        "for i in $(seq 30); do sleep 5 & done 2>&1; echo done")  # fmt: skip
    assert "can't fork" in forked.stdout + forked.stderr
    docker("rm", "-f", "small")
    greedy = docker.run("run", "--name", "greedy", "--memory", "16m", BASE, "sh", "-c",
                        "x=$(head -c 64000000 /dev/zero | tr '\\0' a); echo survived")  # fmt: skip
    assert "survived" not in greedy.stdout
    assert docker("inspect", "-f", "{{.State.OOMKilled}}", "greedy") == "true"
    docker("rm", "greedy")
    assert "6MB" in docker.fails("run", "--rm", "--memory", "1m", BASE, "true")


def test_restart_policies(docker: Docker) -> None:
    docker("run", "-d", "--name", "stubborn", "--restart", "on-failure:2", BASE, "sh", "-c",
           "echo try; exit 1")  # fmt: skip
    assert eventually(lambda: docker("logs", "stubborn").split() == ["try"] * 3)
    assert eventually(lambda: docker.state("stubborn") == "exited")
    assert docker("inspect", "-f", "{{.RestartCount}}", "stubborn") == "2"
    docker("rm", "stubborn")
    docker("run", "-d", "--name", "eternal", "--restart", "always", BASE, "sleep", "1000")
    pid = docker("inspect", "-f", "{{.State.Pid}}", "eternal")
    os.kill(int(pid), 9)
    assert eventually(
        lambda: docker("inspect", "-f", "{{.State.Pid}}", "eternal") not in (pid, "0")
    )
    docker("kill", "eternal")
    assert docker.state("eternal") == "exited"  # somebody wanted that
    docker("rm", "eternal")


def test_signals_and_exit_codes(docker: Docker) -> None:
    docker("run", "-d", "--name", "kind", BASE, "sh", "-c",
           "trap 'exit 9' TERM; echo ready; while :; do sleep 0.1; done")  # fmt: skip
    assert eventually(lambda: docker("logs", "kind") == "ready")
    docker("stop", "kind")
    assert docker("inspect", "-f", "{{.State.ExitCode}}", "kind") == "9"
    docker("start", "kind")
    docker("kill", "kind")
    assert docker("wait", "kind") == "137"
    assert "is not running" in docker.fails("kill", "kind")
    docker("rm", "kind")


# --- networks -----------------------------------------------------------------------------------
def test_networks_of_ones_own(docker: Docker) -> None:
    docker("network", "create", "inner")
    docker("run", "-d", "--name", "one", "--network", "inner", BASE, "sleep", "1000")
    docker("run", "-d", "--name", "two", "--network", "inner", "--network-alias", "other", BASE,
           "sleep", "1000")  # fmt: skip
    docker("run", "-d", "--name", "far", BASE, "sleep", "1000")
    hello = ("exec", "one", "ping", "-c1")
    assert eventually(lambda: docker.run(*hello, "two").returncode == 0)
    assert docker.run(*hello, "other").returncode == 0
    address = docker("inspect", "-f", "{{.NetworkSettings.Networks.inner.IPAddress}}", "one")
    assert address.startswith("172.18.")
    assert docker.run("exec", "far", "ping", "-c1", "-W1", address).returncode == 1
    docker("network", "connect", "inner", "far")
    assert eventually(lambda: docker.run("exec", "far", "ping", "-c1", "one").returncode == 0)
    assert "active endpoints" in docker.fails("network", "rm", "inner")
    docker("rm", "-f", "one", "two", "far")
    docker("network", "rm", "inner")


def _addresses(docker: Docker, name: str, asked: str) -> list[str]:
    """What a container's name server says of a name."""
    done = docker.run("exec", name, "nslookup", "-type=a", f"{asked}.")
    return [row.split()[1] for row in done.stdout.splitlines() if row.startswith("Address: ")]


def _asked(ns: Path, name: str, how: str) -> str:
    """The address that the name server in a container's network tells."""
    query = dns.message.make_query(f"{name}.", "A")
    with packets.inside(ns):
        said = getattr(dns.query, how)(query, "127.0.0.11", timeout=10)
    return str(next(iter(said.answer[0])))


def test_names_on_networks_of_ones_own(docker: Docker, guest: Guest) -> None:
    docker("network", "create", "inner")
    inner = ("--network", "inner", "--network-alias")
    for name in ("asks", "one", "two", "three"):
        docker("run", "-d", "--name", name, *inner, f"{name[0]}all", BASE, "sleep", "1000")
    shown = docker("exec", "asks", "cat", "/etc/resolv.conf", "/etc/hosts")
    assert shown.splitlines()[0] == "nameserver 127.0.0.11"
    assert "two" not in shown
    known = set(_addresses(docker, "asks", "tall"))
    assert len(known) == 2
    for first in known:  # each in its turn
        assert eventually(lambda it=first: _addresses(docker, "asks", "tall")[0] == it)  # type: ignore[misc]
    (two,) = _addresses(docker, "asks", "two.inner")
    assert two in known
    assert "name = two.inner" in docker("exec", "asks", "nslookup", two)
    # all else is asked of the instance's own name server, by UDP and TCP
    guest.site.ec2.modify_vpc_attribute(VpcId=guest.site.vpc, EnableDnsHostnames={"Value": True})
    running = docker("inspect", "-f", "{{.State.Pid}}", "asks")
    for name, address in ((METADATA, "169.254.169.254"), ("two", two)):
        for how in ("udp", "tcp"):
            assert _asked(Path(f"/proc/{running}/ns/net"), name, how) == address
    assert _addresses(docker, "asks", "nobody") == []
    docker("rm", "-f", "three")
    assert _addresses(docker, "asks", "tall") == [two]
    assert _addresses(docker, "asks", "three") == []
    # a container may have a name server of its own
    docker("exec", "-d", "one", "nc", "-ll", "-p", "53", "-e", "echo", "own")
    own = ("exec", "one", "sh", "-c", "nc -w 1 127.0.0.1 53 </dev/null || true")
    assert eventually(lambda: docker(*own) == "own")
    # one that comes later, on the default network before, has the names of its own networks
    docker("run", "-d", "--name", "late", BASE, "sleep", "1000")
    assert "127.0.0.11" not in docker("exec", "late", "cat", "/etc/resolv.conf")
    docker("network", "connect", "inner", "late")
    assert eventually(lambda: _addresses(docker, "late", "two") == [two])
    docker("network", "disconnect", "inner", "late")
    assert eventually(lambda: "127.0.0.11" not in docker("exec", "late", "cat", "/etc/resolv.conf"))
    # another daemon serves those that run
    guest.site.daemon.kill()
    guest.site.daemon.start()
    assert eventually(lambda: _addresses(docker, "asks", "two") == [two])
    docker("rm", "-f", "asks", "one", "two", "late")
    docker("network", "rm", "inner")


def test_the_instances_own_network_and_none(docker: Docker, guest: Guest) -> None:
    own = docker("run", "--rm", "--network", "host", BASE, "ip", "-o", "-4", "address", "show")
    assert guest.ip in own
    none = docker("run", "--rm", "--network", "none", BASE, "ip", "-o", "link")
    assert [row.split(":")[1].strip() for row in none.splitlines()] == ["lo"]


# --- refusals -----------------------------------------------------------------------------------
def test_refusals(docker: Docker, sleeper: str) -> None:
    assert "is already in use" in docker.fails("create", "--name", sleeper, BASE, "true")
    assert "No such container" in docker.fails("start", "nobody")
    assert "You cannot remove a running container" in docker.fails("rm", sleeper)
    assert "does not have it" in docker.fails("run", "--rm", "not-here", "true")
    docker("run", "-d", "--name", "first", "-p", "8081:80", BASE, "sleep", "100")
    taken = docker.fails("run", "--name", "second", "-p", "8081:80", BASE, "true")
    assert "port is already allocated" in taken
    docker("rm", "-f", "first", "second")
    assert "unknown capability" in docker.fails("run", "--rm", "--cap-add", "FLY", BASE, "true")


def test_listing(docker: Docker, sleeper: str) -> None:
    rows = [json.loads(row) for row in docker("ps", "--format", "{{json .}}").splitlines()]
    assert [(row["Names"], row["State"], row["Image"]) for row in rows] == [
        (sleeper, "running", BASE)
    ]
    assert docker("ps", "-q", "-f", "name=nobody") == ""
    assert "sleep 1000" in docker("top", sleeper)
    used = json.loads(docker("stats", "--no-stream", "--format", "{{json .}}", sleeper))
    assert used["PIDs"] == "1"
    assert used["MemUsage"].endswith("512MiB")


def test_a_client_that_says_nonsense(docker: Docker) -> None:
    for words in (b"GET / HTTP/9.9\r\n\r\n", b"\0" * 100 + b"\r\n\r\n", b"GET /" + b"a" * 40_000):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            client.connect(str(docker.socket))
            client.sendall(words)
            assert client.recv(100).startswith(b"HTTP/1.1 4")
    assert docker("ps", "-q") == ""


def test_the_image_of_a_container_is_held(docker: Docker, site: Site) -> None:
    store = Store()
    image = store.find(BASE)
    docker("create", "--name", "held", BASE, "true")
    key = docker("inspect", "-f", "{{.Id}}", "held")
    holder = f"{key}, a container in cloud {site.daemon.tag}"
    assert holder in store.holders(image.digest)
    docker("rm", "held")
    assert eventually(lambda: holder not in store.holders(image.digest))


# --- health -------------------------------------------------------------------------------------
def test_health_checks(docker: Docker) -> None:
    check = ("--health-cmd", "test -f /tmp/ok", "--health-interval", "1s", "--health-retries", "1")
    docker("run", "-d", "--name", "patient", *check, BASE, "sleep", "1000")

    def health(name: str = "patient") -> str:
        return docker("inspect", "-f", "{{.State.Health.Status}}", name)

    assert eventually(lambda: health() == "unhealthy")
    assert "(unhealthy)" in docker("ps", "--format", "{{.Status}}")
    docker("exec", "patient", "touch", "/tmp/ok")
    assert eventually(lambda: health() == "healthy")
    assert docker("ps", "-q", "--filter", "health=healthy") != ""
    assert docker("ps", "-q", "--filter", "health=unhealthy") == ""
    hung = ("--health-cmd", "sleep 100", "--health-interval", "1s", "--health-timeout", "1s")
    docker("run", "-d", "--name", "hung", *hung, "--health-retries", "1", BASE, "sleep", "1000")
    assert eventually(lambda: health("hung") == "unhealthy")

    def told() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            docker("inspect", "-f", "{{json .State.Health.Log}}", "hung")
        )
        return found

    assert eventually(lambda: len(told()) >= 3)
    assert told()[0]["ExitCode"] == -1
    assert "exceeded timeout (1s)" in told()[0]["Output"]
    left = [line for line in docker("top", "hung").splitlines() if line.endswith("sleep 100")]
    assert len(left) <= 1, "those that took too long were ended"
    docker("rm", "-f", "patient", "hung")
