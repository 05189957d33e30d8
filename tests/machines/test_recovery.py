"""What a daemon that was killed leaves, the next one takes up."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from gureum.machines import MachineError, MachineStatus, record, runtime
from tests.machines.rooms import Room, alive, cgroups, machine, run, until

pytestmark = pytest.mark.kernel

# A daemon of its own process: starts what it is told and then waits to be killed.
DAEMON = """
import sys
from pathlib import Path
from gureum.images import ImageStore
from gureum.machines import Machines
from tests.machines.rooms import machine
root, tag, only, stop, *wanted = sys.argv[1:]
machines = Machines(Path(root), tag, ImageStore(), only=only)
print("open", flush=True)
for key in wanted:
    machines.start(machine(key), Path(root).parent / f"net-{key}")
print("started", flush=True)
if stop:
    machines.stop(stop, 5)
sys.stdin.read()
"""


@contextmanager
def daemon(
    room: Room, *keys: str, stop: str = "", env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A daemon that starts ``keys`` and then stops one; killed at the end, if not before."""
    only = Path(room.machines.runtime).name
    room.machines.close()
    argv = [sys.executable, "-c", DAEMON, str(room.state), room.tag, only, stop, *keys]
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env
    )
    try:
        assert process.stdout
        assert process.stdout.readline() == "open\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def started(process: subprocess.Popen[str]) -> None:
    assert process.stdout
    assert process.stdout.readline() == "started\n"


def test_instances_outlive_the_daemon_and_are_taken_up(room: Room) -> None:
    for key in ("i-1", "i-2"):
        room.namespace(f"net-{key}")
    with daemon(room, "i-1", "i-2") as process:
        started(process)
        process.send_signal(signal.SIGKILL)
        process.wait()
    room.machines = room.open()
    seen = room.machines.observe()
    assert {key: (status.state, status.boot) for key, status in seen.items()} == {
        "i-1": ("running", 1),
        "i-2": ("running", 1),
    }
    room.wait_console("is up")
    # The console has a writer of its own.
    assert room.exec("echo still here >/proc/1/fd/1; echo yes") == "yes\n"
    room.wait_console("still here")
    room.machines.start(machine(), room.folder / "net-i-1")
    assert room.status().pid == seen["i-1"].pid
    room.exec("poweroff", "i-2", check=False)
    until(lambda: room.ended == ["i-2"], "the end of i-2")
    room.machines.stop("i-1", 5)
    room.wait_console("gureum: stopped")
    assert cgroups(room.tag) == []


def test_an_instance_that_ended_meanwhile(room: Room) -> None:
    room.namespace("net-i-1")
    with daemon(room, "i-1") as process:
        started(process)
    pid = record_of(room).pid
    assert pid is not None
    run("kill", "-KILL", str(pid))
    until(lambda: not alive(pid), "the end of i-1")
    room.machines = room.open()
    assert room.status() == MachineStatus("exited", 1, None, "gureum-base")
    assert cgroups(room.tag) == []
    room.machines.start(machine(), room.folder / "net-i-1")
    assert room.status().state == "running"


def record_of(room: Room, key: str = "i-1") -> record.Record:
    known = record.load(room.state / "instances" / key)
    assert known is not None
    return known


def test_a_daemon_killed_in_the_middle_of_a_start(room: Room, tmp_path: Path) -> None:
    """The next one waits for the start that was begun, and has the instance."""
    room.namespace("net-i-1")
    begun, go_on = tmp_path / "begun", tmp_path / "go-on"
    env = slow_runtime(tmp_path / "bin", room.machines.runtime, begun, go_on)
    with daemon(room, "i-1", env=env) as process:
        until(begun.exists, "the runtime")
        process.send_signal(signal.SIGKILL)
        process.wait()
    opened = threading.Thread(target=lambda: setattr(room, "machines", room.open()))
    opened.start()
    opened.join(0.2)
    assert opened.is_alive()
    go_on.touch()
    opened.join(15)
    assert not opened.is_alive()
    assert record_of(room).pid == room.status().pid
    assert (room.status().state, room.status().boot) == ("running", 1)
    room.exec("poweroff", check=False)
    until(lambda: room.ended == ["i-1"], "the end of i-1")


def slow_runtime(folder: Path, program: str, begun: Path, go_on: Path) -> dict[str, str]:
    """An environment where the runtime waits before it starts ``i-1``."""
    wait = f": >{begun}; until [ -e {go_on} ]; do sleep 0.02; done"
    return wrapped(folder, program, f'case "$*" in *" run "*" i-1") {wait};; esac')


def wrapped(folder: Path, program: str, first: str) -> dict[str, str]:
    """An environment where a shell script comes before the runtime."""
    folder.mkdir()
    wrapper = folder / Path(program).name
    wrapper.write_text(f'#!/bin/sh\n{first}\nexec {program} "$@"\n')
    wrapper.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def test_a_daemon_killed_in_the_middle_of_a_stop(room: Room, tmp_path: Path) -> None:
    """The next one knows that the instance did not end by itself."""
    room.namespace("net-i-1")
    # The runtime ends who asks it to remove what is left of i-1 once that ran.
    pid = room.state / "instances/i-1/pid"
    kill = f'case "$*" in *" delete "*" i-1") [ -e {pid} ] && kill -KILL $PPID;; esac'
    env = wrapped(tmp_path / "bin", room.machines.runtime, kill)
    with daemon(room, "i-1", stop="i-1", env=env) as process:
        started(process)
        assert process.wait(15) == -signal.SIGKILL
    assert pid.exists()
    room.machines = room.open()
    assert room.status() == MachineStatus("exited", 0, None, "gureum-base")
    assert room.ended == []
    assert cgroups(room.tag) == []


def test_one_that_cannot_be_taken_up_stops_nobody_else(
    one_room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("i-1", "i-2"):
        one_room.start(machine(key))
    one_room.machines.stop("i-1", 0)
    one_room.machines.close()
    # Something of it is left, and the runtime refuses to remove it.
    (one_room.state / "runtime/i-1").mkdir()
    refuse = 'case "$*" in *" delete "*" i-1") exit 1;; esac'
    env = wrapped(tmp_path / "bin", one_room.machines.runtime, refuse)
    monkeypatch.setenv("PATH", env["PATH"])
    monkeypatch.setattr(runtime, "_probed", {})
    one_room.machines = one_room.open()
    assert one_room.status("i-2").state == "running"
    assert one_room.status("i-1").state == "exited"
    (one_room.state / "runtime/i-1").rmdir()


def test_a_damaged_record_stops_nobody_else(one_room: Room) -> None:
    for key in ("i-1", "i-2"):
        one_room.start(machine(key))
    one_room.wait_console("is up")
    one_room.exec("echo kept >/root/note")
    one_room.machines.stop("i-1", 5)
    one_room.machines.close()
    (one_room.state / "instances/i-1/instance.json").write_text("")
    one_room.machines = one_room.open()
    assert one_room.machines.observe_one("i-1") is None
    assert one_room.status("i-2").state == "running"
    one_room.machines.start(machine(), one_room.folder / "net-i-1")
    assert one_room.exec("cat /root/note") == "kept\n"


def test_rests_of_a_removal_go(one_room: Room) -> None:
    one_room.machines.close()
    rest = one_room.state / "instances/.removed-i-1-17"
    shutil.copytree(one_room.state / "lib", rest)
    one_room.machines = one_room.open()
    assert not rest.exists()


def test_the_pid_of_another_process_is_not_taken_for_ours(one_room: Room) -> None:
    one_room.start(machine())
    one_room.machines.stop("i-1", 0)
    one_room.machines.close()
    folder = one_room.state / "instances/i-1"
    (folder / "pid").write_text("1")
    record.save(folder, record.Record("gureum-base", "/", 1, record.host_boot()))
    one_room.machines = one_room.open()
    assert one_room.status().state == "exited"
    record.save(folder, record.Record("gureum-base", "/", 1, record.host_boot(), False, 1, 12345))
    assert one_room.status().state == "exited"
    with pytest.raises(MachineError, match="does not run"):
        one_room.machines.exec_argv("i-1", ["true"], tty=False)
