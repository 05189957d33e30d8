"""An instance reaches nothing but itself, though its root is the host's uid 0."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gureum.machines import MachineStatus
from tests.machines.rooms import Room, connect, inside, machine, namespace, run

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(600)]

# Every call with arguments that are not refused as such, by its number on x86-64; prints names and
# errors.  Run by the instance's Python.
CALLS = r"""
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
NEWUSER, NEWNS, NEWNET = 0x10000000, 0x20000, 0x40000000
path = lambda text: ctypes.c_char_p(text.encode())
own = os.open("/proc/self/ns/net", os.O_RDONLY)
for name, number, *args in [
    ("mount", 165, path("none"), path("/mnt"), path("tmpfs"), 0, 0),
    ("umount2", 166, path("/proc/kcore"), 2),
    ("pivot_root", 155, path("/mnt"), path("/mnt")),
    ("open_tree", 428, -100, path("/"), 1),
    ("move_mount", 429, -100, path("/mnt"), -100, path("/srv"), 0),
    ("fsopen", 430, path("tmpfs"), 0),
    ("mount_setattr", 442, -100, path("/proc"), 0, 0, 0),
    ("unshare user", 272, NEWUSER),
    ("unshare mount", 272, NEWNS),
    ("unshare net", 272, NEWNET),
    ("setns", 308, own, 0),
    ("clone user", 56, NEWUSER | 17, 0, 0, 0, 0),
    ("clone3", 435, 0, 0),
    ("open_by_handle_at", 304, -100, 0, 0),
    ("init_module", 175, 0, 0, path("")),
    ("finit_module", 313, -1, path(""), 0),
    ("kexec_load", 246, 0, 0, 0, 0),
    ("bpf", 321, 0, 0, 0),
    ("perf_event_open", 298, 0, 0, -1, -1, 0),
    ("userfaultfd", 323, 0),
    ("io_uring_setup", 425, 1, 0),
    ("add_key", 248, path("user"), path("x"), path("y"), 1, -3),
    ("keyctl", 250, 0, -3, 0),
    ("request_key", 249, path("user"), path("x"), 0, 0),
    ("syslog", 103, 3, 0, 0),
    ("reboot", 169, 0xfee1dead, 672274793, 0, 0),
    ("settimeofday", 164, 0, 0),
    ("clock_settime", 227, 0, 0),
    ("sethostname", 170, path("x"), 1),
    ("swapon", 167, path("/x"), 0),
    ("acct", 163, 0),
    ("quotactl", 179, 0, 0, 0, 0),
    ("iopl", 172, 3),
    ("personality 32 bit", 135, 8),
    ("socket vsock", 41, 40, 1, 0),
    ("socket alg", 41, 38, 5, 0),
    ("socket kcm", 41, 41, 5, 0),
    ("no such call", 10_000),
]:
    result = libc.syscall(number, *args)
    print(name, "=", errno.errorcode[ctypes.get_errno()] if result == -1 else "DONE")
    if result == 0 and name == "clone user":
        os._exit(0)
"""

# What libc takes as "this kernel is older" and does without.
UNKNOWN = {"clone user", "clone3", "personality 32 bit", "socket vsock", "socket alg",
           "socket kcm", "no such call"}  # fmt: skip


def test_refused_system_calls(room: Room, debian: str) -> None:
    room.start(machine(image=debian, memory=256))
    said = python(room, CALLS)
    answers = dict(row.split(" = ") for row in said.splitlines())
    assert answers == {name: "ENOSYS" if name in UNKNOWN else "EPERM" for name in answers}
    assert len(answers) == 38


def python(room: Room, text: str, *, check: bool = True) -> str:
    """Run a program by the instance's Python."""
    argv = room.machines.exec_argv("i-1", ["python3", "-c", text], tty=False)
    return run(*argv, check=check)


def test_privileges_of_every_way_in(room: Room) -> None:
    """PID 1 and exec'ed programs have the filter and the same few capabilities."""
    room.start(machine())
    for process in ("1", "self"):
        status = room.exec(f"cat /proc/{process}/status")
        rows = dict(row.split(":\t", 1) for row in status.splitlines() if ":\t" in row)
        assert rows["Seccomp"] == "2"
        assert rows["CapEff"] == rows["CapBnd"] == "00000000a00435fb"
        assert rows["CapInh"] == rows["CapAmb"] == "0" * 16
    for kind in ("user", "net", "mnt", "pid", "ipc", "uts", "cgroup"):
        here = Path("/proc/self/ns", kind).readlink()
        first = room.exec(f"readlink /proc/1/ns/{kind}").strip()
        assert first == room.exec(f"readlink /proc/self/ns/{kind}").strip()
        assert first != str(here)


@pytest.mark.parametrize(
    "file",
    [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/hostname",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/fs/file-max",
        "/proc/sys/net/netfilter/nf_conntrack_max",
        "/proc/sysrq-trigger",
        "/proc/irq/default_smp_affinity",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/class/net/lo/mtu",
        "/sys/module/printk/parameters/time",
        "/run/gureum/lib/boot",
        "/run/gureum/lib/tini",
        "/run/gureum/seed/id",
        "/proc/1/exe",
    ],
)
def test_files_of_the_host_cannot_be_written(one_room: Room, file: str) -> None:
    one_room.start(machine())
    done = one_room.exec(f"echo x 2>&1 >>{file} && echo WRITTEN", check=False)
    assert "WRITTEN" not in done
    assert "can't create" in done or "write error" in done


def test_its_own_network_settings_can_be_written(room: Room) -> None:
    room.start(machine())
    host = Path("/proc/sys/net/ipv4/ip_forward").read_text()
    for value in ("1", "0"):
        room.exec(f"echo {value} >/proc/sys/net/ipv4/ip_forward")
        assert room.exec("cat /proc/sys/net/ipv4/ip_forward") == f"{value}\n"
    assert Path("/proc/sys/net/ipv4/ip_forward").read_text() == host


def test_secrets_of_the_host_are_hidden(room: Room) -> None:
    room.start(machine())
    for file in ("kallsyms", "modules", "keys", "slabinfo", "timer_list", "kmsg", "kcore"):
        assert room.exec(f"head -c 1 /proc/{file} 2>/dev/null", check=False) == "", file
    assert Path("/proc/kallsyms").read_text() != ""
    assert room.exec("ls -A /sys/firmware /sys/kernel/debug").split() == [
        "/sys/firmware:",
        "/sys/kernel/debug:",
    ]
    assert room.exec("dmesg >/dev/null 2>&1 || echo refused") == "refused\n"


def test_only_its_own_processes_are_there(room: Room) -> None:
    room.start(machine())
    room.start(machine("i-2"))
    assert int(room.exec("ls -d /proc/[0-9]* | wc -l")) < 12
    other = room.status("i-2").pid
    assert "No such process" in room.exec(f"kill -9 {other}", check=False)
    assert room.status("i-2").state == "running"


def test_no_device_can_be_made_or_opened(room: Room) -> None:
    room.start(machine())
    for device in ("b 259 0", "b 254 0", "c 1 1", "c 10 200"):
        assert "not permitted" in room.exec(f"mknod /root/device {device}", check=False)
    names = room.exec("find /dev -type b -o -type c").split()
    known = {"null", "zero", "full", "random", "urandom", "tty", "ptmx", "console"}
    assert {Path(name).name for name in names} <= known


def test_a_device_file_in_the_disk_opens_nothing(one_room: Room) -> None:
    """Even if one got there: made by the host here."""
    one_room.start(machine())
    upper = one_room.state / "instances/i-1/upper"
    one_room.machines.stop("i-1", 0)
    os.mknod(upper / "mem", 0o666 | 0o020000, os.makedev(1, 3))
    one_room.machines.start(machine(), one_room.folder / "net-i-1")
    assert "denied" in one_room.exec("cat /mem", check=False)


def test_programs_left_for_the_host_cannot_be_reached(one_room: Room) -> None:
    """A set-uid program of an instance is one of the host's uid 0: nobody else gets there."""
    one_room.start(machine())
    one_room.exec("cp /bin/busybox /bin/evil; chmod 4755 /bin/evil")
    evil = one_room.state / "instances/i-1/upper/usr/bin/evil"
    assert evil.stat().st_mode & 0o4755 == 0o4755
    assert evil.stat().st_uid == 0
    assert (one_room.state / "instances").stat().st_mode & 0o777 == 0o700


def test_modules_cannot_be_loaded(one_room: Room, debian: str) -> None:
    one_room.start(machine(image=debian, memory=256))
    said = python(
        one_room,
        "import os\n"
        "print([name for name in ('/lib/modules', '/dev/mem', '/dev/kmsg', '/dev/net/tun')"
        " if os.path.exists(name)])",
    )
    assert said == "[]\n"


# The attack of a neighbour: a link at the other end of one's own is named by the number that the
# kernel gave to its namespace.  {index} is that of the link there.
REMOVE = r"""
import os, socket, struct
attribute = struct.pack("HHi", 8, 46, 0)  # IFLA_TARGET_NETNSID 0
body = struct.pack("BxHiII", 0, 0, {index}, 0, 0) + attribute
message = struct.pack("IHHII", 16 + len(body), 17, 5, 1, 0) + body  # RTM_DELLINK
with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
    sock.send(message)
    print(os.strerror(-struct.unpack_from("i", sock.recv(4096), 16)[0]))
"""
MACVLAN = "ip link add link if{index} name evil link-netnsid 0 type macvlan"


def test_a_neighbours_link_is_out_of_reach(room: Room, debian: str) -> None:
    with namespace(room.folder / "outside", own_user=False) as outside:
        netns = room.namespace("net-i-1")
        connect(outside, netns)
        index = inside(netns, "sh", "-c", "ip -o link show eth0").split("@if")[1].split(":")[0]
        room.start(machine(image=debian, memory=256), netns)
        assert python(room, REMOVE.format(index=index)).strip() == "Permission denied"
        assert "not permitted" in room.exec(MACVLAN.format(index=index), check=False)
        assert "peer" in inside(outside, "ip", "link")
        # The attack is a real one: it works with the host's own capabilities.
        inside(netns, *MACVLAN.format(index=index).split())
        said = inside(netns, sys.executable, "-c", REMOVE.format(index=index))
        assert said.strip() == "Success"
        assert "peer" not in inside(outside, "ip", "link")


def test_a_namespace_of_the_hosts_gives_no_power_over_it(room: Room) -> None:
    netns = room.namespace("net-i-1", own_user=False)
    room.machines.start(machine(), netns)
    assert isinstance(room.status(), MachineStatus)
    assert "00000000a00425fb" in room.exec("grep CapEff /proc/1/status")
    assert "not permitted" in room.exec("ip link set lo up", check=False)


def test_its_own_links_are_its_own(room: Room) -> None:
    room.start(machine())
    room.exec("ip link set lo up && ip link add b0 type bridge && ip addr add 10.1.2.3/32 dev b0")
    assert "10.1.2.3" in room.exec("ip addr show dev b0")


def test_everybody_may_ping(room: Room) -> None:
    room.start(machine())
    room.wait_console("is up")
    room.exec("ip link set lo up")
    assert "1 packets received" in room.exec("su -s /bin/sh nobody -c 'ping -c 1 127.0.0.1'")
    assert "127.0.0.1" in room.exec("su -s /bin/sh nobody -c 'traceroute -n -m 1 127.0.0.1'")
