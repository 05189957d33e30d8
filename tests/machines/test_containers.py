"""The life of an instance: start, restart, stop, end by itself, delete."""

from __future__ import annotations

import base64
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gureum.machines import MachineError, MachineStatus
from tests.machines.rooms import Room, alive, cgroups, machine, run, tree, until

pytestmark = pytest.mark.kernel


def script(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_starts_with_its_identity(room: Room) -> None:
    status = room.start(machine())
    assert (status.state, status.boot, status.image) == ("running", 1, "gureum-base")
    room.wait_console("i-1 is up, boot 1")
    assert room.exec("hostname; cat /etc/hostname").split() == ["ip-10-9-0-10"] * 2
    assert room.exec("hostname -f").strip() == "ip-10-9-0-10.ap-northeast-2.compute.internal"
    assert room.exec("cat /etc/resolv.conf").splitlines() == [
        "nameserver 10.9.0.2",
        "search ap-northeast-2.compute.internal",
    ]
    assert room.exec("cat /proc/1/cmdline").startswith("/run/gureum/lib/tini")
    netns = room.folder / "net-i-1"
    assert Path(f"/proc/{status.pid}/ns/net").stat().st_ino == netns.stat().st_ino


def test_starting_twice_changes_nothing(room: Room) -> None:
    first = room.start(machine())
    room.machines.start(machine(), room.folder / "net-i-1")
    assert room.status() == first


def test_another_boot_restarts_it_with_the_same_disk(room: Room) -> None:
    first = room.start(machine())
    room.wait_console("boot 1")
    room.exec("echo kept >/root/note; echo lost >/run/note")
    room.machines.start(machine(boot=2), room.folder / "net-i-1")
    second = room.status()
    assert (second.state, second.boot) == ("running", 2)
    assert second.pid != first.pid
    assert not alive(first.pid)
    room.wait_console("boot 2")
    assert room.exec("cat /root/note; ls /run").split()[0] == "kept"
    assert "note" not in room.exec("ls /run")
    assert "boot 1" in room.console()


def test_stop_is_kind_and_keeps_the_disk(room: Room) -> None:
    room.start(machine())
    room.wait_console("is up")
    room.exec("echo kept >/root/note")
    room.machines.stop("i-1", 5)
    assert room.status() == MachineStatus("exited", 0, None, "gureum-base")
    room.wait_console("gureum: stopped")
    assert cgroups(room.tag) == []
    room.machines.stop("i-1", 5)
    room.machines.start(machine(), room.folder / "net-i-1")
    assert room.exec("cat /root/note") == "kept\n"


def test_stop_lets_everybody_end_kindly(room: Room) -> None:
    wait = "trap 'echo goodbye; exit' TERM; echo waiting; sleep 60 & wait"
    room.start(machine(user_data=script(f"#!/bin/sh\n({wait}) &\n")))
    room.wait_console("waiting")
    room.machines.stop("i-1", 5)
    room.wait_console("goodbye")


def test_stop_does_not_wait_for_the_unwilling(room: Room) -> None:
    room.start(machine(user_data=script("#!/bin/sh\ntrap '' TERM\necho deaf\nsleep 60\n")))
    room.wait_console("deaf")
    room.machines.stop("i-1", 0)
    assert room.status().state == "exited"
    assert "stopping" not in room.console()


def test_a_stop_that_was_asked_for_is_no_exit(room: Room) -> None:
    room.start(machine())
    room.start(machine("i-2"))
    room.machines.stop("i-1", 1)
    room.machines.start(machine("i-2", boot=2), room.folder / "net-i-2")
    room.machines.delete("i-2")
    room.start(machine("i-3"))
    os.kill(room.status("i-3").pid or 0, signal.SIGKILL)
    until(lambda: room.ended, "the end of i-3")
    assert room.ended == ["i-3"]


@pytest.mark.parametrize("command", ["poweroff", "halt", "kill -TERM 1"])
def test_ends_by_itself(room: Room, command: str) -> None:
    room.start(machine(boot=3))
    room.wait_console("is up")
    room.exec(command, check=False)
    until(lambda: room.ended == ["i-1"], "the word that i-1 has ended")
    assert room.status() == MachineStatus("exited", 3, None, "gureum-base")
    room.wait_console("gureum: stopped")
    assert cgroups(room.tag) == []
    room.machines.start(machine(boot=4), room.folder / "net-i-1")
    assert room.status().state == "running"


def test_user_data_runs_once(room: Room) -> None:
    data = script("#!/bin/sh\necho hello from $(id -u)\necho x >>/root/count\nexit 7\n")
    room.start(machine(user_data=data))
    room.wait_console("user data: exit status 7")
    assert "hello from 0" in room.console()
    room.machines.start(machine(user_data=data, boot=2), room.folder / "net-i-1")
    room.wait_console("boot 2")
    room.machines.stop("i-1", 5)
    room.machines.start(machine(user_data=data, boot=3), room.folder / "net-i-1")
    room.wait_console("boot 3")
    assert room.exec("cat /root/count") == "x\n"


def test_rc_local_runs_at_every_boot(room: Room) -> None:
    data = script("#!/bin/sh\nprintf '#!/bin/sh\\necho y >>/root/boots\\n' >/etc/rc.local\n"
                  "chmod +x /etc/rc.local\n")  # fmt: skip
    netns = room.namespace("net-i-1")
    for boot in (1, 2, 3):
        room.machines.start(machine(user_data=data, boot=boot), netns)
        ran = "y\n" * boot
        until(lambda: room.exec("cat /root/boots", check=False) == ran, f"boot {boot}")  # noqa: B023


def test_user_data_that_is_no_script(one_room: Room) -> None:
    one_room.start(machine(user_data=script("#cloud-config\n")))
    one_room.wait_console("only scripts that begin with #! are run")


def test_delete_leaves_nothing(room: Room) -> None:
    files = tree(room.state)
    netns = room.namespace("net-i-1")
    room.start(machine(), netns)
    room.wait_console("is up")
    assert [mount for mount in mounts(room) if mount != str(netns)] == []
    assert cgroups(room.tag) != []
    pid = room.status().pid
    room.machines.delete("i-1")
    assert room.machines.observe_one("i-1") is None
    assert room.machines.console("i-1") == b""
    assert not alive(pid)
    assert cgroups(room.tag) == []
    assert tree(room.state) == files
    until(lambda: str(room.state) not in commands(), "the end of the console's writer")
    assert mounts(room) == [str(netns)]


def mounts(room: Room) -> list[str]:
    """The host's mounts below the room's folder."""
    rows = Path("/proc/self/mountinfo").read_text().splitlines()
    return [row.split()[4] for row in rows if str(room.folder) in row]


def commands() -> str:
    """The command lines of all processes."""
    return run("sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null", check=False)


def test_unknown_ids_are_stopped_and_deleted_already(one_room: Room) -> None:
    files = tree(one_room.state)
    one_room.machines.stop("i-9", 1)
    one_room.machines.delete("i-9")
    assert tree(one_room.state) == files
    for key in ("../i-1", "", ".i-1", "i-1/x"):
        with pytest.raises(MachineError, match="is no instance id"):
            one_room.machines.delete(key)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"image": "windows"}, "no image is called 'windows'"),
        ({"user_data": "%%%"}, "not base64"),
        ({"hostname": "a b"}, "is no host name"),
        ({"memory": 0}, "could not be started|ended as soon as"),
    ],
)
def test_a_start_that_fails_is_undone(
    one_room: Room, changes: dict[str, Any], complaint: str
) -> None:
    netns = one_room.namespace("net-i-1")
    with pytest.raises(MachineError, match=complaint):
        one_room.machines.start(machine(**changes), netns)
    status = one_room.machines.observe_one("i-1")
    assert status is None or (status.state, status.boot) == ("exited", 0)
    assert cgroups(one_room.tag) == []
    one_room.machines.start(machine(), netns)
    assert one_room.status().state == "running"


def test_a_namespace_must_be_one(one_room: Room) -> None:
    for path in (one_room.folder / "absent", one_room.folder):
        with pytest.raises(MachineError, match="is no network namespace"):
            one_room.machines.start(machine(), path)


def test_many_at_once(room: Room) -> None:
    keys = [f"i-{number}" for number in range(24)]
    spaces = {key: room.namespace(f"net-{key}") for key in keys}
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda key: room.machines.start(machine(key), spaces[key]), keys))
    seen = room.machines.observe()
    assert sorted(seen) == sorted(keys)
    assert len({status.pid for status in seen.values()}) == len(keys)
    with ThreadPoolExecutor(6) as pool:
        names = pool.map(lambda key: room.exec("cat /run/gureum/seed/id", key), keys)
    assert [name.strip() for name in names] == keys
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(room.machines.delete, keys))
    assert room.machines.observe() == {}
    assert cgroups(room.tag) == []
