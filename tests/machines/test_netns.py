"""Who owns a network namespace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gureum.machines import MachineError, netns
from tests.machines.rooms import inside, namespace

pytestmark = pytest.mark.kernel


def test_a_user_namespace_of_its_own(tmp_path: Path) -> None:
    with namespace(tmp_path / "net") as path:
        fd = netns.owner(path)
        assert fd is not None
        owner = Path(f"/proc/self/fd/{fd}").readlink()
        assert str(owner).startswith("user:[")
        assert owner != Path("/proc/self/ns/user").readlink()
        assert not os.get_inheritable(fd)
        os.close(fd)
        assert "lo" in inside(path, "ip", "link")


def test_ours(tmp_path: Path) -> None:
    with namespace(tmp_path / "net", own_user=False) as path:
        assert netns.owner(path) is None
    assert netns.owner(Path("/proc/self/ns/net")) is None


def test_what_is_no_namespace(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "absent", Path("/dev/null")):
        with pytest.raises(MachineError, match="is no network namespace"):
            netns.owner(path)
