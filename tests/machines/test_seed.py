"""What an instance is told of itself."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

import pytest

from gureum.machines import MachineError, seed
from tests.machines.rooms import machine


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_files(tmp_path: Path) -> None:
    data = b64encode(b"#!/bin/sh\n").decode()
    seed.write(tmp_path, machine(keys=("ssh-ed25519 A a\n", "ssh-rsa B b"), user_data=data))
    assert read(tmp_path) == {
        "id": "i-1\n",
        "boot": "1\n",
        "hostname": "ip-10-9-0-10\n",
        "hosts": "127.0.0.1 localhost\n::1 localhost ip6-localhost\n"
        "10.9.0.10 ip-10-9-0-10.ap-northeast-2.compute.internal ip-10-9-0-10\n",
        "resolv.conf": "nameserver 10.9.0.2\nsearch ap-northeast-2.compute.internal\n",
        "authorized_keys": "ssh-ed25519 A a\nssh-rsa B b\n",
        "user-data": "#!/bin/sh\n",
    }


def test_a_name_without_a_domain(tmp_path: Path) -> None:
    seed.write(tmp_path, machine(hostname="web", search=()))
    files = read(tmp_path)
    assert files["hosts"].endswith("\n10.9.0.10 web\n")
    assert files["resolv.conf"] == "nameserver 10.9.0.2\n"


def test_name_servers_and_domains_as_they_are_given(tmp_path: Path) -> None:
    seed.write(tmp_path, machine(resolvers=("10.0.0.53", "10.0.1.53"), search=("a.example", "b")))
    wanted = "nameserver 10.0.0.53\nnameserver 10.0.1.53\nsearch a.example b\n"
    assert read(tmp_path)["resolv.conf"] == wanted
    seed.write(tmp_path, machine(resolvers=(), search=()))
    assert read(tmp_path)["resolv.conf"] == ""


def test_user_data_that_was_removed_is_gone(tmp_path: Path) -> None:
    seed.write(tmp_path, machine(user_data=b64encode(bytes(range(256))).decode()))
    assert (tmp_path / "user-data").read_bytes() == bytes(range(256))
    seed.write(tmp_path, machine())
    assert not (tmp_path / "user-data").exists()


@pytest.mark.parametrize("name", ["", "-a", "a-", "a..b", "a b", "a\nb", "x" * 65, "a_b.c", "ä"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(MachineError, match="is no host name"):
        seed.short_name(machine(hostname=name))


@pytest.mark.parametrize("data", ["%", "abc", "YQ==x"])
def test_user_data_that_is_not_base64(tmp_path: Path, data: str) -> None:
    with pytest.raises(MachineError, match="i-1: the user data is not base64"):
        seed.write(tmp_path, machine(user_data=data))


def test_lib_is_replaced_and_not_overwritten(tmp_path: Path) -> None:
    """A running instance keeps the file that it has."""
    seed.install_lib(tmp_path)
    boot = tmp_path / "boot"
    assert boot.read_bytes() == seed.BOOT.read_bytes()
    assert boot.stat().st_mode & 0o777 == 0o755
    number = boot.stat().st_ino
    seed.install_lib(tmp_path)
    assert boot.stat().st_ino == number
    boot.write_text("older")
    with boot.open() as running:
        seed.install_lib(tmp_path)
        assert running.read() == "older"
    assert boot.read_bytes() == seed.BOOT.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["boot", "tini"]
