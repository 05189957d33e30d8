"""Layers become directories for overlayfs; what would reach beyond them is refused."""

from __future__ import annotations

import gzip
import os
import stat
import struct
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest

from gureum.images import ImageError, ImageStore, Store, layers, overlay
from gureum.images.catalog import Catalog
from gureum.images.layers import Bounds, Packed
from gureum.images.pack import pack, size_of
from tests.images.archives import (
    archive,
    digest,
    folder,
    layout,
    link,
    member,
    packed,
    symlink,
)

pytestmark = pytest.mark.kernel

CAPABLE = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "oci")


def unpack(catalog: Catalog, tar: bytes, how: str = "", bounds: Bounds | None = None) -> Path:
    """The directory of a layer."""
    layer, blob = packed(catalog, tar, how)
    layers.unpack(catalog, layer, blob, bounds)
    return catalog.layer(layer.diff_id) / "fs"


def refused(catalog: Catalog, tar: bytes, what: str, bounds: Bounds | None = None) -> None:
    """The layer is refused with this text, and nothing of it is kept."""
    with pytest.raises(ImageError, match=what):
        unpack(catalog, tar, bounds=bounds)
    assert [path.name for path in catalog.layers.glob("[!.]*")] == []
    assert list(catalog.layers.glob(".new-*")) == []


@pytest.mark.parametrize("how", ["", "gzip", "zstd"])
def test_files_as_they_were(catalog: Catalog, how: str) -> None:
    capability = {"SCHILY.xattr.security.capability": CAPABLE.decode("latin-1")}
    assert CAPABLE.isascii()
    root = unpack(
        catalog,
        archive(
            folder("./", mode=0o711),
            folder("etc", mode=0o750, uid=5, gid=6),
            member("etc/file", b"text" * 1000, mode=0o640, uid=1000, gid=2000, mtime=5),
            member("bin/su", b"su", mode=0o4755),
            member("bin/ping", b"ping", mode=0o755, pax_headers=capability),
            symlink("lib", "/usr/lib"),
            link("etc/other", "etc/file"),
            member("pipe", type=tarfile.FIFOTYPE, mode=0o622),
            member("dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
            member("dev/hidden", type=tarfile.CHRTYPE, devmajor=0, devminor=0),
            member("noted", pax_headers={"SCHILY.xattr.user.note": "n"}),
        ),
        how,
    )
    file = root / "etc/file"
    status = file.stat()
    assert file.read_bytes() == b"text" * 1000
    assert stat.S_IMODE(status.st_mode) == 0o640
    assert (status.st_uid, status.st_gid, status.st_mtime, status.st_nlink) == (1000, 2000, 5, 2)
    assert (root / "etc/other").samefile(file)
    assert stat.S_IMODE(root.stat().st_mode) == 0o711
    assert (root / "etc").stat().st_mtime == 1_700_000_000
    assert stat.S_IMODE((root / "bin/su").stat().st_mode) == 0o4755
    assert stat.S_IMODE((root / "bin").stat().st_mode) == 0o755
    assert os.getxattr(root / "bin/ping", "security.capability") == CAPABLE
    assert os.getxattr(root / "noted", "user.note") == b"n"
    assert (root / "lib").readlink() == Path("/usr/lib")
    assert stat.S_ISFIFO((root / "pipe").stat().st_mode)
    # Device files are left out: nothing that runs from an image may open one.
    assert not list(root.glob("dev/*"))
    # Others than root do not come near programs that take root's rights.
    assert stat.S_IMODE(catalog.layers.stat().st_mode) == 0o700


def test_is_unpacked_once(catalog: Catalog) -> None:
    tar = archive(member("file", b"1"))
    first = unpack(catalog, tar).stat().st_ino
    assert unpack(catalog, tar, "gzip").stat().st_ino == first
    assert catalog.layer_size(digest(tar)) == 1


def test_whiteouts_hide_in_overlayfs(catalog: Catalog, tmp_path: Path) -> None:
    below = unpack(
        catalog,
        archive(
            member("gone", b"1"), member("dir/a"), member("dir/b"), member("whole/x"),
            member("both", b"old"), member("mixed/old"), member("stays"),
        ),
    )  # fmt: skip
    above = unpack(
        catalog,
        archive(
            member(".wh.gone"), member("dir/.wh.a"), member("dir/c"),
            member("whole/y"), member("whole/.wh..wh..opq"),
            member("both", b"new"), member(".wh.both"), member("mixed/new"), member(".wh.mixed"),
            member(".wh..wh.plnk"), member(".wh.never"),
        ),
    )  # fmt: skip
    assert stat.S_ISCHR((above / "gone").lstat().st_mode)
    assert (above / "gone").lstat().st_rdev == 0
    mount = tmp_path / "mount"
    mount.mkdir()
    script = (
        f"mount -t overlay -o lowerdir={above}:{below} x {mount} && cd {mount}"
        " && find . -mindepth 1 | sort && cat both"
    )
    said = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script], capture_output=True, text=True, check=True
    ).stdout
    assert said.split() == [
        "./both", "./dir", "./dir/b", "./dir/c", "./mixed", "./mixed/new", "./stays", "./whole",
        "./whole/y", "new",
    ]  # fmt: skip


def test_a_layer_packed_again_is_the_same(catalog: Catalog) -> None:
    tree = unpack(
        catalog,
        archive(
            folder("d", mode=0o700, uid=7), member("d/f", b"1" * 600, mode=0o4711),
            link("h", "d/f"), symlink("s", "x"), member(".wh.gone"), member("o/.wh..wh..opq"),
            member("n" * 150, b"2"),
            member("c", pax_headers={"SCHILY.xattr.security.capability": CAPABLE.decode()}),
            member("p", type=tarfile.FIFOTYPE),
        ),
    )  # fmt: skip
    key = pack(tree, None)[0]
    path = catalog.root / "again.tar"
    with path.open("wb") as file:
        assert pack(tree, file) == (key, path.stat().st_size or file.tell())
    again = unpack(catalog, path.read_bytes())
    assert again != tree
    assert pack(again, None)[0] == key
    assert size_of(again) == size_of(tree) == 601
    for name in ("gone", "d/f", "c", "p", "n" * 150):
        one, two = (tree / name).lstat(), (again / name).lstat()
        assert (one.st_mode, one.st_rdev, one.st_nlink) == (two.st_mode, two.st_rdev, two.st_nlink)
    assert os.getxattr(again / "o", "trusted.overlay.opaque") == b"y"
    assert os.getxattr(again / "c", "security.capability") == CAPABLE


def test_many_layers_can_be_mounted() -> None:
    """The options of mount(2) are one page; the store's paths are short enough."""
    with tempfile.TemporaryDirectory(prefix="g-") as name:  # pytest's folders have long names
        root = Path(name)
        store = Store(ImageStore(root, {}))
        tars = [archive(member(f"f{number}", b"1")) for number in range(50)]
        layout(root / "in", tars, {}, "many:1", "")
        (image,) = store.load(root / "in")
        for part in ("upper", "work", "mount"):
            (root / part).mkdir()
        options = overlay.options(image.layers, root / "upper", root / "work")
        script = f"mount -t overlay -o {options} x {root}/mount && ls {root}/mount | wc -l"
        said = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", script], capture_output=True, text=True, check=False
        )
        assert (said.stdout, said.stderr) == ("50\n", "")


# --- attacks ------------------------------------------------------------------------------------
def test_names_that_lead_out(catalog: Catalog) -> None:
    for tar, what in (
        (archive(member("../evil")), "leads out of the image"),
        (archive(member("a/../../evil")), "leads out of the image"),
        (archive(member("a/../b")), "leads out of the image"),
        (archive(folder("..")), "leads out of the image"),
        (archive(member("/etc/evil")), "absolute name"),
        (archive(link("a", "../../etc/passwd")), "leads out of the image"),
        (archive(link("a", "/etc/passwd")), "absolute name"),
        (archive(link("a", "etc/passwd")), "is no file before it"),
        (archive(folder("d"), link("a", "d")), "is no file before it"),
        (archive(member("f\0g", pax_headers={"path": "f\0g"})), "NUL"),
        (archive(member("x" * 300)), "name too long"),
        (archive(folder("d/" * 2500)), "name too long"),
    ):
        refused(catalog, tar, what)


def test_links_that_lead_out(catalog: Catalog, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s")
    climb = "../" * 12 + str(outside).lstrip("/")
    for target in (str(outside), climb, "/", "..", "d/../.."):
        refused(
            catalog, archive(folder("d"), symlink("out", target), member("out/evil")),
            "leads out of the image",
        )  # fmt: skip
        refused(
            catalog, archive(folder("d"), symlink("out", target), link("h", "out/secret")),
            "leads out of the image",
        )  # fmt: skip
        refused(
            catalog, archive(folder("d"), symlink("out", target), member("out/.wh.secret")),
            "leads out of the image",
        )  # fmt: skip
        refused(
            catalog, archive(folder("d"), symlink("out", target), member("out/.wh..wh..opq")),
            "leads out of the image",
        )  # fmt: skip
        refused(
            catalog, archive(folder("d"), symlink("out", target), folder("out")), "is there twice"
        )
    refused(catalog, archive(symlink("a", "b"), symlink("b", "a"), member("a/x")), "symbolic links")
    refused(catalog, archive(symlink("a", "none"), member("a/x")), "a link that leads nowhere")
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]
    # One that stays inside is as good as any.
    root = unpack(catalog, archive(folder("d"), symlink("in", "d"), member("in/x", b"1")))
    assert (root / "d/x").read_bytes() == b"1"


def test_a_file_is_not_written_through_a_link(catalog: Catalog, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    refused(catalog, archive(symlink("f", str(target)), member("f", b"evil")), "is there twice")
    assert target.read_text() == "mine"


def test_whiteouts_that_escape(catalog: Catalog) -> None:
    for name in (".wh.", ".wh..", ".wh...", "d/.wh..", "d/.wh..."):
        refused(catalog, archive(folder("d"), member(name)), "would hide what is not below it")


def test_twice(catalog: Catalog) -> None:
    for first, second in (
        (member("f"), member("f")),
        (member("f"), member("./f")),
        (member("f"), symlink("f", "x")),
        (symlink("f", "x"), member("f")),
        (member("f"), folder("f")),
        (folder("f"), member("f")),
        (member("f"), member("f", type=tarfile.FIFOTYPE)),
        (member("f"), link("f", "f")),
    ):
        refused(catalog, archive(first, second), "is there twice")
    # A folder may be named again, as some builders do; the last word counts.
    root = unpack(catalog, archive(folder("d", mode=0o700), member("d/x"), folder("d", mode=0o711)))
    assert stat.S_IMODE((root / "d").stat().st_mode) == 0o711


def test_attributes_of_overlayfs_are_not_taken(catalog: Catalog) -> None:
    headers = {
        "SCHILY.xattr.trusted.overlay.redirect": "/etc",
        "SCHILY.xattr.user.overlay.opaque": "y",
        "SCHILY.xattr.security.selinux": "x",
    }
    root = unpack(catalog, archive(folder("d", pax_headers=headers)))
    assert os.listxattr(root / "d") == []


def test_bounds(catalog: Catalog) -> None:
    bomb = archive(member("zeros", bytes(5 << 20)))
    layer, blob = packed(catalog, bomb, "gzip")
    assert layer.size < 10_000
    with pytest.raises(ImageError, match="more than 1048576 bytes"):
        layers.unpack(catalog, layer, blob, Bounds(bytes=1 << 20))
    many = archive(*(member(f"f{number}") for number in range(20)))
    refused(catalog, many, "more than 10 entries", Bounds(entries=10))
    refused(catalog, archive(member("f", uid=1 << 32)), "belongs to 4294967296:0")
    # No file is believed to be as large as it says.
    info, _ = member("f")
    info.size = 1 << 60
    refused(catalog, info.tobuf(tarfile.GNU_FORMAT), "the disk is full")


@pytest.mark.parametrize("how", ["gzip", "zstd"])
def test_blobs_that_are_not_what_was_promised(catalog: Catalog, how: str) -> None:
    tar = archive(member("f", os.urandom(100_000)))
    layer, blob = packed(catalog, tar, how)
    whole = blob.read_bytes()
    other = Packed(digest(b""), layer.size, layer.media, layer.diff_id)
    for wrong, data, what in (
        (layer, whole[:-3000], "cut off|broken one"),
        (layer, whole[:-1], "cut off|broken one"),
        (layer, b"", "has 0 bytes|broken one"),
        (layer, whole + bytes(5), "has .* bytes, not|broken one"),
        (layer, b"nonsense", "broken one"),
        (other, whole, f"its digest is {layer.digest}, not {other.digest}"),
        (
            Packed(layer.digest, layer.size, layer.media, other.digest),
            whole,
            "unpacked, its digest",
        ),
        (
            Packed(layer.digest, 5, layer.media, layer.diff_id),
            whole,
            f"has {layer.size} bytes, not 5",
        ),
    ):
        file = catalog.root / "wrong"
        file.write_bytes(data)
        with pytest.raises(ImageError, match=what):
            layers.unpack(catalog, wrong, file)
    assert [path.name for path in catalog.layers.glob("[!.]*")] == []
    layers.unpack(catalog, layer, blob)


def test_gzip_in_many_members(catalog: Catalog) -> None:
    tar = archive(member("f", b"1" * 5000), member("g", b"2" * 5000))
    blob = b"".join(gzip.compress(tar[at : at + 1000]) for at in range(0, len(tar), 1000)) + bytes(
        9
    )
    catalog.prepare()
    key = catalog.keep(blob)
    layer = Packed(key, len(blob), "application/vnd.docker.image.rootfs.diff.tar.gzip", digest(tar))
    layers.unpack(catalog, layer, catalog.blob(key))
    assert (catalog.layer(layer.diff_id) / "fs/g").read_bytes() == b"2" * 5000


def test_an_unknown_kind_of_layer(catalog: Catalog) -> None:
    layer, blob = packed(catalog, archive(member("f")))
    foreign = Packed(layer.digest, layer.size, "application/x-foreign", layer.diff_id)
    with pytest.raises(ImageError, match="is a application/x-foreign, which is not known"):
        layers.unpack(catalog, foreign, blob)
