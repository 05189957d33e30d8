"""The reader of tar archives agrees with Python's own, and takes nothing that is broken."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest

from gureum.images import tarstream
from gureum.images.tarstream import Source, TarError
from tests.images.archives import archive, folder, link, member, symlink


def read(data: bytes, piece: int = 700) -> list[tarstream.Entry]:
    """All entries, from a source of small pieces."""
    rest = [data[at : at + piece] for at in range(0, len(data), piece)]
    source = Source(lambda: rest.pop(0) if rest else b"")
    found = []
    for entry in tarstream.entries(source):
        found.append(entry)
        for _ in source.pieces(entry.size + tarstream.padding(entry.size)):
            pass
    source.drain()
    return found


LONG = "a-folder-with-a-name/" * 12


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_agrees_with_the_standard_library(form: int) -> None:
    members = [
        folder("d", mode=0o1777), member("d/empty"), member("d/file", b"x" * 1500, mode=0o4755),
        member("owned", b"y" * 512, uid=1000, gid=50, mtime=0), symlink("s", "d/file"),
        link("h", "d/file"), member("p", type=tarfile.FIFOTYPE),
        member("n", type=tarfile.CHRTYPE, devmajor=1, devminor=3), member("split/" * 20 + "file"),
    ]  # fmt: skip
    if form != tarfile.USTAR_FORMAT:
        members += [
            member(LONG + "file", b"deep"), link("far", LONG + "file"), symlink("t", LONG),
            member("big-id", uid=3_000_000, gid=4_000_000_000), member("é"),
        ]  # fmt: skip
    found = read(archive(*members, form=form))
    assert [
        (
            e.name.decode().rstrip("/"),
            bytes([e.kind]),
            e.mode,
            e.uid,
            e.gid,
            e.size,
            e.target.decode(),
        )
        for e in found
    ] == [(m.name, m.type, m.mode, m.uid, m.gid, m.size, m.linkname) for m, _ in members]
    assert [e.mtime for e in found] == [m.mtime * 10**9 for m, _ in members]


def test_agrees_with_gnu_tar(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "a/b").mkdir(parents=True)
    (tree / "a/b/file").write_bytes(b"text")
    for form in ("v7", "oldgnu", "gnu", "ustar", "posix"):
        data = subprocess.run(
            ["tar", f"--format={form}", "--sort=name", "-C", tree, "-c", "."],
            capture_output=True, check=True,
        ).stdout  # fmt: skip
        found = read(data)
        assert [e.name for e in found] == [b"./", b"./a/", b"./a/b/", b"./a/b/file"], form
        assert [e.kind for e in found] == [*b"5550"], form


def test_fractions_of_seconds_and_attributes() -> None:
    headers = {"mtime": "12.345", "SCHILY.xattr.user.x": "a=b\nc", "comment": "none"}
    (entry,) = read(archive(member("f", pax_headers=headers)))
    assert entry.mtime == 12_345_000_000
    assert entry.xattrs == {"user.x": b"a=b\nc"}
    (entry,) = read(archive(member("f", pax_headers={"mtime": "-1.5"})))
    assert entry.mtime == -1_500_000_000


def test_an_extended_header_is_of_one_entry_and_global_ones_of_none() -> None:
    data = archive(member("x", pax_headers={"SCHILY.xattr.user.x": "1"}), member("y"))
    assert [entry.xattrs for entry in read(data)] == [{"user.x": b"1"}, {}]
    made = tarfile.TarInfo.create_pax_global_header({"path": "other"})
    assert [entry.name for entry in read(made + archive(member("y")))] == [b"y"]


def pax(records: bytes) -> bytes:
    """An archive with an extended header of these bytes."""
    info, _ = member("PaxHeader", records, type=b"x")
    return archive((info, records), form=tarfile.USTAR_FORMAT)[
        : 512 + len(records) + -len(records) % 512
    ] + archive(member("f"))


def test_broken_ones() -> None:
    whole = archive(member("f", b"data"))
    for data, what in (
        (b"\1" * 512, "checksum"),
        (whole[:700], "ends in the middle"),
        (whole[:300], "ends in the middle"),
        (whole[:10] + b"!" + whole[11:], "checksum is wrong"),
        (archive(member("f", type=b"S")), "of type 'S'"),
        (archive(member("f", type=b"M")), "of type 'M'"),
        (pax(b"12 path=abc"), "extended header is broken"),
        (pax(b"99 path=abc\n"), "extended header is broken"),
        (pax(b"-1 path=abc\n"), "extended header is broken"),
        (pax(b"0 path=abc\n"), "extended header is broken"),
        (pax(b"9 pathabc\n"), "extended header is broken"),
        (pax(b"11 size=-1\n"), "size is -1"),
        (pax(b"22 GNU.sparse.major=1\n"), "sparse"),
        (pax(b"11 mtime=x\n"), "mtime is x"),
        (pax(b"12 path=abc\n")[:1024], "ends after an extended header"),
        (negative_size(), "has a size of -1 bytes"),
    ):
        with pytest.raises(TarError, match=what):
            read(data)


def negative_size() -> bytes:
    """GNU's binary form can say less than nothing."""
    block = bytearray(archive(member("f"), form=tarfile.USTAR_FORMAT)[:512])
    block[124:136] = b"\xff" * 12
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + bytes(1024)


def test_a_long_header_is_not_read_into_memory() -> None:
    info, _ = member("x", type=b"L")
    info.size = tarstream.MOST_HEADER + 1
    block = info.tobuf(tarfile.USTAR_FORMAT)
    with pytest.raises(TarError, match="an extended header has 1048577 bytes"):
        read(block + bytes(1024))
