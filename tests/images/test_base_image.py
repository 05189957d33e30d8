"""The small image: what is in it, and that its programs run on nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gureum.images import base_image
from tests.machines.rooms import run

pytestmark = pytest.mark.kernel


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    made = tmp_path / "rootfs"
    made.mkdir()
    base_image.build(made, lambda line: None)
    assert [path.name for path in tmp_path.iterdir()] == ["rootfs"]
    return made


def test_its_programs_run_alone(rootfs: Path) -> None:
    said = run("chroot", rootfs, "/bin/sh", "-c", "echo hello | sed s/hello/works/; ls /usr/sbin/")
    assert said.startswith("works\n")
    assert "Dropbear" in run("chroot", rootfs, "/usr/bin/dropbear", "-V")
    key = "/etc/dropbear/key"
    run("chroot", rootfs, "/usr/bin/dropbearkey", "-t", "ed25519", "-f", key)
    assert (rootfs / key[1:]).exists()


def test_what_the_boot_script_and_the_scenario_need(rootfs: Path) -> None:
    programs = {path.name for path in (rootfs / "usr/bin").iterdir()}
    assert programs >= {
        "sh", "cat", "grep", "head", "sleep", "hostname", "httpd", "nc", "wget", "telnet", "ping",
        "traceroute", "ip", "arp", "netstat", "poweroff", "vi", "logger",
    }  # fmt: skip
    assert not (rootfs / "usr/bin/busybox").is_symlink()


def test_modes_and_owners(rootfs: Path) -> None:
    for path in [rootfs, *rootfs.rglob("*")]:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            continue
        assert not status.st_mode & 0o6000, path
        if status.st_mode & 0o002:
            assert status.st_mode & stat.S_ISVTX, path
        assert (status.st_uid == base_image.ADMIN) == (path == rootfs / "home/admin"), path
    assert (rootfs / "etc/shadow").stat().st_mode & 0o777 == 0o600
    held = os.getxattr(rootfs / "usr/bin/busybox", "security.capability")
    assert held == base_image.CAP_NET_RAW


def test_nobody_has_a_password(rootfs: Path) -> None:
    for row in (rootfs / "etc/shadow").read_text().splitlines():
        assert row.split(":")[1] == "*"
