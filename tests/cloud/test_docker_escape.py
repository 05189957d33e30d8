"""Attempts to get out of a container, and of the instance by way of its containers: each fails."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cloud.docker import Docker
from tests.cloud.site import Guest, Site
from tests.kernel import packets

pytestmark = pytest.mark.kernel

BASE = "gureum-base"


@pytest.fixture(scope="module")
def guest(site: Site) -> Guest:
    return site.launch(site.private, site.group("none"))


@pytest.fixture(scope="module")
def docker(guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    return Docker(guest, tmp_path_factory.mktemp("home"))


ATTEMPTS = {
    "mount a file system": "mount -t tmpfs none /mnt",
    "mount over proc": "mount -t proc none /mnt",
    "bind a folder": "mount --bind / /mnt",
    "unmount": "umount /proc/kcore",
    "mount a cgroup hierarchy": "mount -t cgroup -o memory none /mnt",
    "make a device": "mknod /tmp/disk b 254 0 && head -c1 /tmp/disk",
    "make memory's device": "mknod /tmp/mem c 1 1 && head -c1 /tmp/mem",
    "a mount namespace": "unshare -m true",
    "a user namespace": "unshare -U true",
    "a network namespace": "unshare -n true",
    "load a module": "insmod /etc/passwd",
    "the kernel's memory": "head -c1 /proc/kcore | grep .",
    "trigger a crash": "echo c >/proc/sysrq-trigger",
    "the core pattern": "echo '|/x' >/proc/sys/kernel/core_pattern",
    "a global setting": "echo 1 >/proc/sys/vm/overcommit_memory",
    "the clock": "date -s 2001-01-01; [ $(date +%Y) = 2001 ]",
    "the host name of another": "hostname other",
    "reboot": "reboot -f",
    "the kernel's log": "dmesg | grep .",
    "write to sysfs": "echo 1 >/sys/kernel/mm/ksm/run",
}
"""Shell commands, run as root, with all that an instance has."""

UNPRIVILEGED = {
    "turn off the link": "ip link set eth0 down",
    "another address": "ip addr add 172.17.0.99/16 dev eth0",
    "a route": "ip route add 10.0.0.0/8 dev eth0",
    "forward": "echo 1 >/proc/sys/net/ipv4/ip_forward",
}
"""What a container without ``--cap-add NET_ADMIN`` may not either."""


def _succeeded(docker: Docker, attempts: dict[str, str], *options: str) -> list[str]:
    script = "".join(
        f'if (set -e; {text}) >/dev/null 2>&1; then echo "{name}"; fi\n'
        for name, text in attempts.items()
    )
    said = docker("run", "--rm", *options, BASE, "sh", "-c", f"{script}\necho done")
    *names, last = said.splitlines()
    assert last == "done", said
    return names


def test_a_container_does_not_get_out(docker: Docker) -> None:
    assert _succeeded(docker, ATTEMPTS | UNPRIVILEGED) == []


def test_nor_does_a_privileged_one(docker: Docker) -> None:
    assert _succeeded(docker, ATTEMPTS, "--privileged") == []
    # what it may do is at home, as its instance may
    assert _succeeded(docker, {"forward": UNPRIVILEGED["forward"]}, "--privileged") == ["forward"]


def test_it_sees_its_own_processes_and_files_only(docker: Docker) -> None:
    seen = docker("run", "--rm", BASE, "sh", "-c", "ls -d /proc/[0-9]* | wc -l; ls /dev; id -u")
    count, *devices, uid = seen.splitlines()
    assert int(count) <= 3
    assert uid == "0"
    allowed = {"core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr",
               "stdin", "stdout", "tty", "urandom", "zero", "console"}  # fmt: skip
    assert set(devices) <= allowed


def test_its_power_counts_in_the_instance_only(docker: Docker, guest: Guest) -> None:
    docker("run", "-d", "--name", "idle", "--privileged", BASE, "sleep", "1000")
    pid = docker("inspect", "-f", "{{.State.Pid}}", "idle")
    own, ours = (Path(f"/proc/{each}/ns/user").stat().st_ino for each in (pid, "self"))
    assert own != ours
    conmon = _conmon(guest)
    inside = guest.site.daemon.gureum
    # the instance sees who keeps its containers, may end it, and cannot look into it
    for script in (f"ls /proc/{conmon}/root/", f"cat /proc/{conmon}/environ",
                   f"cat /proc/{conmon}/fd/1", f"head -c1 /proc/{conmon}/mem"):  # fmt: skip
        done = inside("exec", guest.id, "--", "sh", "-c", script)
        assert done.returncode != 0, script
        assert "denied" in done.stderr.lower(), done.stderr
    inside("exec", guest.id, "--", "kill", "-9", conmon)
    assert docker("wait", "idle") == "137"
    docker("rm", "idle")


def _conmon(guest: Guest) -> str:
    find = "for p in /proc/[0-9]*; do [ $(cat $p/comm) = conmon ] && echo ${p#/proc/}; done; true"
    done = guest.site.daemon.gureum("exec", guest.id, "--", "sh", "-c", find)
    return done.stdout.split()[0]


def test_no_mount_leads_to_the_machine(docker: Docker, guest: Guest) -> None:
    docker("run", "-d", "--name", "idle", BASE, "sleep", "1000")
    conmon = _conmon(guest)
    mark = Path("/tmp") / f"gureum-made-{os.getpid()}"
    for source in (f"/proc/{conmon}/root", f"/proc/{conmon}/root{mark}", f"/proc/{conmon}/cwd"):
        docker.fails("run", "--rm", "-v", f"{source}:/host", BASE, "true")
    # a link to it helps as little, and neither does the container's name for the instance's /proc
    guest.site.daemon.gureum("exec", guest.id, "--", "ln", "-s", f"/proc/{conmon}/root", "/srv/up")
    docker.fails("run", "--rm", "-v", "/srv/up:/host", BASE, "true")
    docker("run", "-d", "--name", "looks", "-v", "/proc:/theirs", BASE, "sleep", "1000")
    assert docker.run("exec", "looks", "ls", f"/theirs/{conmon}/root/").returncode != 0
    copied = docker.run("cp", f"looks:/theirs/{conmon}/root/etc/hostname", "-")
    assert copied.returncode != 0
    assert not mark.exists()
    whole = docker("run", "--rm", "-v", "/:/whole", BASE, "cat", "/whole/etc/hostname")
    assert (
        whole
        == Path(guest.site.daemon.state, "instances", guest.id, "seed/hostname").read_text().strip()
    )
    docker("rm", "-f", "idle", "looks")


def test_what_is_not_to_be_had_is_refused(docker: Docker) -> None:
    for options in (
        ("--device", "/dev/null:/dev/x"),
        ("--pid", "host"),
        ("--ipc", "host"),
        ("--uts", "host"),
        ("--userns", "host"),
        ("--cap-add", "SYS_ADMIN"),
        ("--cap-add", "SYS_MODULE"),
        ("--sysctl", "kernel.core_pattern=x"),
        ("-v", "../../etc:/x"),
        ("-v", "/tmp:/proc/x"),
    ):
        assert docker.run("run", "--rm", *options, BASE, "true").returncode != 0, options


def test_who_disturbs_his_own_network_harms_himself_only(docker: Docker, site: Site) -> None:
    """A link that is called docker0 and none of ours stops containers, not the cloud."""
    other = site.launch(site.private, site.group("other"))
    theirs = Docker(other, Path(docker.environment["HOME"]))
    daemon = site.daemon
    packets.sh(other.ns, *["ip", "link", "add", "docker0", "type", "veth", "peer", "name", "mine"])
    assert "networking" in theirs.fails("run", "-d", BASE, "sleep", "1000")
    revision = json.loads(daemon.gureum("status", "--json").stdout)
    assert (revision["in_force"], revision["error"]) == (revision["revision"], None)
    assert docker("run", "--rm", BASE, "echo", "unharmed") == "unharmed"
    packets.sh(other.ns, *["ip", "link", "del", "docker0"])
    assert theirs("run", "--rm", BASE, "echo", "mended") == "mended"
    # nor do rules of his own in our table, or none at all
    for rules in ("flush ruleset", "add chain inet gureum x", "delete table inet gureum"):
        packets.sh(other.ns, "nft", rules)
        assert theirs("run", "--rm", "-p", "80:80", BASE, "echo", "goes on") == "goes on"
