"""The folder of namespaces: found, made, and not left behind."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytestmark = pytest.mark.kernel

CODE = """
from pathlib import Path
from gureum.engines.linux.namespaces import FOLDER, Namespaces
def mounts():
    return Path("/proc/self/mounts").read_text().count(f" {{FOLDER}} ")

hidden = mounts()  # those below the empty /run
spaces = Namespaces("00f0")
{before}
for name in ("a", "b"):
    spaces.create(name)
spaces.create("a")
spaces.remove("a")
print(FOLDER.is_dir(), mounts() > hidden)
spaces.remove("b")
print(FOLDER.is_dir(), mounts() > hidden)
print(sorted(path.name for path in Path("/run").iterdir()))
"""


def in_a_run_folder_of_its_own(before: str) -> list[str]:
    """Run the code where ``/run`` is empty, in a mount namespace of its own."""
    shell = 'mount -t tmpfs none /run && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", shell, sys.executable, CODE.format(before=before)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_folder_that_we_made_goes_with_our_last_namespace() -> None:
    assert in_a_run_folder_of_its_own("") == ["True True", "False False", "[]"]


def test_a_folder_that_was_there_stays() -> None:
    before = "import subprocess; subprocess.run(['ip', 'netns', 'add', 'other'], check=True)"
    assert in_a_run_folder_of_its_own(before) == ["True True", "True True", "['netns']"]


def test_a_folder_that_others_use_stays() -> None:
    before = "spaces.create('b'); (FOLDER / 'other').touch()"
    lines = in_a_run_folder_of_its_own(before)
    assert lines[1] == "True True"
    assert lines[2] == "['gureum-made-netns', 'netns']"
