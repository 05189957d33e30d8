"""Volumes inside instances: put in and taken out while they run, there after a stop, and never a
way out of the instance."""

from __future__ import annotations

import base64
import contextlib
import threading
from pathlib import Path

import pytest

from gureum.inside.copying import CopyError, copy
from gureum.machines import MachineError
from tests.machines.rooms import Room, machine

pytestmark = pytest.mark.kernel

DATA, MORE = "vol-0000000000000000a", "vol-0000000000000000b"


def test_a_volume_is_put_into_a_running_instance_and_taken_out(room: Room) -> None:
    plain, with_data = machine(), machine(volumes=(("sdf", DATA),))
    room.start(plain)
    assert room.exec("ls -d /run/volumes", check=False).startswith("ls:")
    for _ in range(2):
        room.machines.equip(with_data)
    assert room.exec("grep -c /run/volumes/ /proc/mounts") == "1\n"
    room.exec("echo kept >/run/volumes/sdf/note")
    assert (room.state / "volumes" / DATA / "note").read_text() == "kept\n"
    room.machines.equip(plain)
    assert room.exec("ls /run/volumes") == ""
    assert room.exec("grep -c /run/volumes/ /proc/mounts", check=False) == "0\n"
    assert room.machines.contents() == {DATA}
    room.machines.equip(machine(volumes=(("sdg", DATA),)))
    assert room.exec("cat /run/volumes/sdg/note") == "kept\n"


def test_a_volume_is_there_from_the_first_moment_of_the_next_boot(room: Room) -> None:
    with_data = machine(volumes=(("sdf", DATA), ("sdg", MORE)))
    room.start(with_data)
    room.exec("echo one >/run/volumes/sdf/note && echo two >/run/volumes/sdg/note")
    room.machines.stop("i-1", 5)
    again = machine(boot=2, volumes=(("sdf", MORE),))
    room.machines.start(again, room.folder / "net-i-1")
    assert room.exec("cat /run/volumes/sdf/note; ls /run/volumes") == "two\nsdf\n"


def test_a_volume_moves_and_outlives_its_instance(one_room: Room) -> None:
    room = one_room
    room.start(machine(volumes=(("sdf", DATA),)))
    room.exec("echo moved >/run/volumes/sdf/note")
    room.machines.delete("i-1")
    room.start(machine("i-2", volumes=(("xvdf", DATA),)))
    assert room.exec("cat /run/volumes/xvdf/note", "i-2") == "moved\n"
    room.start(machine("i-3"))
    room.machines.equip(machine("i-3", volumes=(("sdf", DATA),)))
    room.exec("echo both >>/run/volumes/sdf/note", "i-3")
    assert room.exec("cat /run/volumes/xvdf/note", "i-2") == "moved\nboth\n"


def test_a_copy_is_as_it_was(one_room: Room) -> None:
    room = one_room
    room.start(machine(volumes=(("sdf", DATA),)))
    room.exec("echo before >/run/volumes/sdf/note && chmod 640 /run/volumes/sdf/note")
    room.machines.copy_content(DATA, "snap-1")
    room.exec("echo after >/run/volumes/sdf/note")
    room.machines.copy_content(DATA, "snap-1")  # it has content: nothing happens
    room.machines.copy_content("snap-1", MORE)
    room.machines.copy_content("snap-2", "vol-1")  # there is nothing to be copied
    assert room.machines.contents() == {DATA, MORE, "snap-1"}
    room.machines.equip(machine(volumes=(("sdf", DATA), ("sdg", MORE))))
    assert room.exec("cat /run/volumes/sd?/note; stat -c %a /run/volumes/sdg/note") == (
        "after\nbefore\n640\n"
    )


def script(text: str) -> str:
    """User data that runs it."""
    return base64.b64encode(f"#!/bin/sh\n{text}\n".encode()).decode()


def test_who_changes_what_is_copied_leads_nobody_out_of_it(tmp_path: Path) -> None:
    """A folder becomes a link out of the tree and a folder again, all the time."""
    source, secret = tmp_path / "source", tmp_path / "secret"
    for folder in (source / "d", secret):
        folder.mkdir(parents=True)
        for number in range(300):
            (folder / f"f{number}").write_text(folder.name)
    (secret / "key").write_text("secret")
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            (source / "d").rename(source / "e")
            (source / "d").symlink_to(secret)
            done.wait(0.0003)
            (source / "d").unlink()
            (source / "e").rename(source / "d")
            done.wait(0.0003)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for number in range(40):
            with contextlib.suppress(CopyError):  # a file may be gone when its turn comes
                copy(str(source), ".", str(tmp_path), f"copy-{number}")
    finally:
        done.set()
        thread.join()
    found = [path for each in tmp_path.glob("copy-*") for path in each.rglob("*")]
    assert len(found) > 300
    assert any(path.name == "f299" and path.read_text() == "d" for path in found)
    assert [path for path in found if path.is_file() and path.read_text() == "secret"] == []


def test_a_copy_that_fails_says_why(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    with pytest.raises(CopyError, match="cannot open"):
        copy(str(tmp_path / "source"), ".", str(tmp_path / "nowhere"), "copy")


def test_a_disk_begins_with_a_snapshot_of_another(room: Room) -> None:
    first = machine(user_data=script("cat /run/gureum/seed/id >>/var/lib/ran"))
    room.start(first)
    room.wait_console("user data: exit status 0")
    room.exec("echo golden >/etc/golden && rm /etc/nsswitch.conf && mkdir -p /opt/app")
    room.machines.copy_disk("i-1", "snap-1")
    room.exec("echo later >/etc/golden")
    room.machines.delete("i-1")
    room.start(machine("i-2", user_data=first.user_data, disk="snap-1"))
    room.wait_console("user data: exit status 0", "i-2")
    assert room.exec("cat /etc/golden", "i-2") == "golden\n"
    assert room.exec("cat /var/lib/ran", "i-2").split() == ["i-1", "i-2"]
    assert room.exec("ls -d /opt/app", "i-2") == "/opt/app\n"
    assert "No such file" in room.exec("ls /etc/nsswitch.conf", "i-2", check=False)
    room.exec("echo mine >/etc/golden", "i-2")
    room.machines.stop("i-2", 5)
    room.machines.start(machine("i-2", boot=2, disk="snap-1"), room.folder / "net-i-2")
    assert room.exec("cat /etc/golden", "i-2") == "mine\n", "only the first start begins with it"
    room.start(machine("i-3", disk="snap-none"))
    assert "No such file" in room.exec("ls /etc/golden", "i-3", check=False)


def test_another_root_volume_is_another_disk(room: Room) -> None:
    """The old one keeps what it had, and may come back; a daemon before this knew of no root."""
    room.start(machine())
    room.exec("echo old >/etc/mark && rm /etc/nsswitch.conf")
    net = room.folder / "net-i-1"
    room.machines.start(machine(boot=2, root="vol-1"), net)
    assert room.exec("cat /etc/mark") == "old\n", "it is told for the first time"
    room.machines.start(machine(boot=3, root="vol-2"), net)
    assert "No such file" in room.exec("cat /etc/mark", check=False)
    assert room.exec("ls /etc/nsswitch.conf") == "/etc/nsswitch.conf\n"
    room.exec("echo new >/etc/mark")
    assert room.machines.contents() == {"vol-1"}
    room.machines.copy_content("vol-1", "snap-1")
    room.machines.start(machine(boot=4, root="vol-1"), net)
    assert room.exec("cat /etc/mark") == "old\n"
    assert room.machines.contents() == {"vol-2", "snap-1"}
    room.machines.start(machine(boot=5, root="vol-3", disk="snap-1"), net)
    assert room.exec("cat /etc/mark") == "old\n"
    room.exec("echo changed >/etc/mark")
    room.machines.start(machine(boot=6, root="vol-3", disk="snap-1"), net)
    assert room.exec("cat /etc/mark") == "changed\n"
    assert room.machines.contents() == {"vol-1", "vol-2", "snap-1"}


def test_a_volume_that_is_removed_is_gone(one_room: Room) -> None:
    room = one_room
    room.start(machine(volumes=(("sdf", DATA),)))
    room.exec("mkdir -p /run/volumes/sdf/deep && ln -s /etc /run/volumes/sdf/deep/link")
    room.machines.equip(machine())
    room.machines.remove_content(DATA)
    assert room.machines.contents() == set()
    room.machines.remove_content(DATA)
    assert (room.folder / "state" / "lib").exists()
    with pytest.raises(MachineError):
        room.machines.remove_content("../lib")


def test_an_instance_cannot_lead_a_volume_out_of_itself(room: Room) -> None:
    """Links that it made are followed inside it only, and what it has it cannot unmount."""
    room.start(machine())
    outside = room.folder / "outside"
    outside.mkdir()
    room.exec(f"ln -s {outside} /run/volumes")
    with pytest.raises(MachineError):  # there is no such folder inside
        room.machines.equip(machine(volumes=(("sdf", DATA),)))
    assert list(outside.iterdir()) == []
    room.exec("rm /run/volumes")
    room.machines.equip(machine(volumes=(("sdf", DATA),)))
    assert "ot permitted" in room.exec("umount /run/volumes/sdf", check=False)
    options = room.exec("grep /run/volumes/sdf /proc/mounts").split()[3]
    assert "nodev" in options.split(",")


def test_an_instance_that_does_not_run_is_equipped_when_it_starts(one_room: Room) -> None:
    room = one_room
    room.machines.equip(machine(volumes=(("sdf", DATA),)))
    assert room.machines.contents() == set()
    room.start(machine(volumes=(("sdf", DATA),)))
    assert room.exec("ls /run/volumes") == "sdf\n"
