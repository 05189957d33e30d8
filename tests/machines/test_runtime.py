"""Choosing a runtime, and its command lines."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gureum.images import ImageStore
from gureum.machines import MachineError, oci, runtime
from gureum.machines.record import start_time
from tests.machines.rooms import tree

BUNDLE = Path("/state/instances/i-1")


def test_without_the_hybrid_trick_exec_is_the_runtimes_own() -> None:
    made = runtime.Runtime("/usr/bin/crun", True, Path("/state/runtime"), None)
    argv = made.exec_argv("i-1", ["echo", "$x"], {"A": "b c"})
    at = argv.index("/usr/bin/crun")
    assert argv[at : at + 5] == [
        "/usr/bin/crun", "--root", "/state/runtime", "--cgroup-manager=cgroupfs", "exec",
    ]  # fmt: skip
    assert argv[-3:] == ["i-1", "echo", "$x"]
    assert "--env=A=b c" in argv
    assert "--env=HOME=/root" in argv


def test_with_it_everything_runs_in_a_private_mount_namespace() -> None:
    made = runtime.Runtime("/usr/bin/crun", True, Path("/state/runtime"), Path("/state/empty"))
    argv = made.exec_argv("i-1", ["true"], {})
    assert "unshare" in argv
    assert "/state/empty" in argv


def test_on_a_terminal_the_program_has_all_that_its_container_gives(tmp_path: Path) -> None:
    made = runtime.Runtime("/usr/bin/crun", True, Path("/state/runtime"), None)
    own = {"cwd": "/", "args": ["init"], "env": ["A=own"], "rlimits": [{"type": "RLIMIT_CORE"}]}
    (tmp_path / "config.json").write_text(json.dumps({"process": own}))
    argv = made.exec_argv("i-1", ["echo", "$x"], {"A": "b c"}, tmp_path)
    process = json.loads(argv[argv.index("i-1") - 1])
    env = [*(f"{name}={value}" for name, value in oci.ENVIRONMENT.items()), "A=b c"]
    assert process == own | {"args": ["echo", "$x"], "env": env, "terminal": True}
    assert argv[-1] == "exec"


def test_cgroup_of() -> None:
    assert runtime.cgroup_of(os.getpid(), "memory").startswith("/")
    assert runtime.cgroup_of(99_999_999, "memory") == ""


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing has been probed yet."""
    monkeypatch.setattr(runtime, "_probed", {})


@pytest.mark.kernel
@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("name", ["crun", "runc"])
def test_each_runtime_is_seen_to_work_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    made = runtime.choose(tmp_path, ImageStore().ensure("gureum-base"), name)
    assert Path(made.program).name == name
    assert set(tree(tmp_path)) <= {"runtime", "empty"}


def program(folder: Path, name: str, text: str) -> None:
    """Put a shell script into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.mark.kernel
@pytest.mark.usefixtures("fresh")
def test_the_next_is_taken_where_the_first_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rootfs = ImageStore().ensure("gureum-base")
    program(tmp_path / "bin", "crun", "echo crun is broken >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    assert Path(runtime.choose(tmp_path, rootfs).program).name == "runc"
    program(tmp_path / "bin", "runc", "echo runc is broken >&2; exit 1")
    monkeypatch.setattr(runtime, "_probed", {})
    with pytest.raises(MachineError, match=r"(?s)crun is broken.*runc is broken"):
        runtime.choose(tmp_path, rootfs)


PROBE = """
import sys
from pathlib import Path
from gureum.images import ImageStore
from gureum.machines import runtime
runtime.choose(Path(sys.argv[1]), ImageStore().ensure("gureum-base"), "crun")
"""


@pytest.mark.kernel
@pytest.mark.usefixtures("fresh")
def test_what_a_killed_probe_left_is_removed(tmp_path: Path) -> None:
    root, crun = tmp_path / "state", shutil.which("crun")
    root.mkdir()
    # The runtime ends who called it as soon as the container runs.
    text = f'{crun} "$@"; case "$*" in *" run "*) kill -KILL $PPID;; esac'
    program(tmp_path / "bin", "crun", text)
    environment = {**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"}
    argv = [sys.executable, "-c", PROBE, str(root)]
    assert subprocess.run(argv, env=environment, check=False, timeout=20).returncode == -9
    (rest,) = root.glob("probe.*")
    pid = int((rest / "pid").read_text())
    assert runtime.cgroup_of(pid, "pids") == f"/gureum-{rest.name}"
    runtime.choose(root, ImageStore().ensure("gureum-base"), "crun")
    assert set(tree(root)) <= {"runtime", "empty"}
    assert start_time(pid) is None
    assert not list(Path("/sys/fs/cgroup").glob(f"**/gureum-{rest.name}"))
