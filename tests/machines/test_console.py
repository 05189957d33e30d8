"""Consoles are written by a process of their own, and bounded."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from gureum.machines import console
from tests.machines.rooms import run, until

LIMIT = console.KEPT + console.READS * console.BLOCK


def test_tail_over_two_files(tmp_path: Path) -> None:
    assert console.tail(tmp_path) == b""
    (tmp_path / "console").write_bytes(b"new")
    assert console.tail(tmp_path) == b"new"
    (tmp_path / "console.1").write_bytes(b"old")
    assert console.tail(tmp_path) == b"oldnew"
    (tmp_path / "console.1").write_bytes(b"x" + b"o" * console.KEPT)
    assert console.tail(tmp_path) == b"o" * (console.KEPT - 3) + b"new"
    (tmp_path / "console").write_bytes(b"y" + b"n" * console.KEPT)
    assert console.tail(tmp_path) == b"n" * console.KEPT


def printing(folder: Path, script: str) -> subprocess.Popen[bytes]:
    """A shell script whose console is kept in ``folder``."""
    read, write = os.pipe()
    try:
        argv = console.wrap(folder, ["sh", "-c", script])
        return subprocess.Popen(argv, stdin=read, stdout=write, stderr=subprocess.PIPE)
    finally:
        os.close(read)
        os.close(write)


def test_both_streams_are_kept_and_the_callers_error_stream_is_there(tmp_path: Path) -> None:
    process = printing(tmp_path, "echo out; echo error >&2; echo complaint >&8; cat; exit 5")
    _, errors = process.communicate(timeout=10)
    assert (process.returncode, errors) == (5, b"complaint\n")
    until(lambda: console.tail(tmp_path) == b"out\nerror\n", "the console")


def test_lines_are_there_at_once(tmp_path: Path) -> None:
    process = printing(tmp_path, "echo first; exec sleep 60")
    until(lambda: console.tail(tmp_path) == b"first\n", "the first line")
    process.kill()
    process.communicate()


@pytest.mark.kernel
def test_a_flood_is_bounded_and_its_end_is_kept(tmp_path: Path) -> None:
    process = printing(
        tmp_path, "dd if=/dev/zero bs=4096 count=2000 2>/dev/null | tr '\\0' x; echo the end"
    )
    process.communicate(timeout=30)
    until(lambda: console.tail(tmp_path).endswith(b"x" * 100 + b"the end\n"), "the end")
    assert len(console.tail(tmp_path)) == console.KEPT
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert set(sizes) <= {"console", "console.1"}
    assert all(size <= LIMIT for size in sizes.values()), sizes


@pytest.mark.kernel
def test_a_full_disk_stops_nobody(tmp_path: Path) -> None:
    run("mount", "-t", "tmpfs", "-o", "size=64k", "full", tmp_path)
    try:
        # More than the pipe holds, and than one dd reads.
        process = printing(tmp_path, "seq 400000 && echo done >&8")
        _, errors = process.communicate(timeout=30)
        assert errors == b"done\n"
        assert console.tail(tmp_path).startswith(b"1\n2\n3\n")
    finally:
        run("umount", "--lazy", tmp_path)


def test_a_folder_that_goes_stops_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "i-1"
    folder.mkdir()
    go_on = tmp_path / "go-on"
    script = f"echo one; until [ -e {go_on} ]; do sleep 0.01; done; seq 1000; echo done >&8"
    process = printing(folder, script)
    until(lambda: console.tail(folder) == b"one\n", "the first line")
    folder.rename(tmp_path / "gone")
    (tmp_path / "gone/console").unlink()
    (tmp_path / "gone").rmdir()
    go_on.touch()
    _, errors = process.communicate(timeout=10)
    assert errors == b"done\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["go-on"]
