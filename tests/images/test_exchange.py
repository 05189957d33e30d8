"""Images in files: out and in again, by us and by skopeo; and files that lie."""

from __future__ import annotations

import gzip
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import pytest

from gureum.images import Image, ImageError, ImageNotFoundError, ImageStore, Store
from gureum.images.export import Form
from gureum.images.recipes import Recipe
from tests.images.archives import archive, digest, layout, member
from tests.images.test_store import cook

pytestmark = pytest.mark.kernel

BASE = archive(member("etc/base", b"base" * 100), member("etc/gone"))
TOP = archive(member("etc/top", b"top"), member("etc/.wh.gone"))
CONFIG = {"Cmd": ["nginx"], "Healthcheck": {"Test": ["CMD", "true"]}}


def new(folder: Path) -> Store:
    built = ImageStore(folder, {"made": Recipe("made", "", "1", cook("made"))})
    return Store(built)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return new(tmp_path / "images")


def check(image: Image, about: str) -> None:
    assert image.digest == about
    assert image.config.healthcheck
    assert (image.layers[0] / "etc/base").read_bytes() == b"base" * 100
    assert (image.layers[1] / "etc/gone").is_char_device()


def test_an_oci_layout(store: Store, tmp_path: Path) -> None:
    about = layout(tmp_path / "in", [BASE, TOP], CONFIG, "web:1")
    said: list[str] = []
    (image,) = store.load(tmp_path / "in", said.append)
    check(image, about)
    assert image.names == ("docker.io/library/web:1",)
    assert [line.split(":")[0] for line in said] == [
        *(f"reading {layer.digest[7:19]}" for layer in image.stack), "web", "web",
    ]  # fmt: skip
    (again,) = store.load(tmp_path / "in", name="other")
    assert again.names == ("docker.io/library/other:latest", "docker.io/library/web:1")


@pytest.mark.parametrize(
    ("form", "how"),
    [
        ("oci", "gzip"), ("oci-archive", "zstd"), ("docker-archive", ""),
        ("docker-archive", "gzip"), ("docker-archive", "zstd"),
    ],
)  # fmt: skip
def test_out_and_in_again(store: Store, tmp_path: Path, form: Form, how: str) -> None:
    about = layout(tmp_path / "in", [BASE, TOP], CONFIG, "web:1", how)
    store.load(tmp_path / "in")
    store.tag("web:1", "example.com/web")
    store.save(["web:1"], tmp_path / "out", form)
    other = new(tmp_path / "other")
    (image,) = other.load(tmp_path / "out")
    check(image, about)
    assert image.names == ("docker.io/library/web:1", "example.com/web:latest")
    if form != "docker-archive":
        assert [layer.digest for layer in image.stack] == [
            layer.digest for layer in store.find("web:1").stack
        ]
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.parametrize("form", ["oci", "oci-archive", "docker-archive"])
def test_what_was_built_here_can_be_taken_elsewhere(
    store: Store, tmp_path: Path, form: Form
) -> None:
    store.built.ensure("made")
    made = store.find("made")
    store.save(["made"], tmp_path / "out", form)
    (image,) = new(tmp_path / "other").load(tmp_path / "out")
    assert (image.digest, image.names) == (made.digest, made.names)
    assert (image.layers[0] / "file").read_text() == "made"
    assert image.layers != made.layers
    (made.layers[0] / "file").write_text("MADE")
    with pytest.raises(ImageError, match="was changed: layer"):
        store.save(["made"], tmp_path / "more", form)
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize("form", ["oci", "oci-archive", "docker-archive"])
def test_skopeo_reads_what_we_write_and_we_what_it_writes(
    store: Store, tmp_path: Path, form: Form
) -> None:
    layout(tmp_path / "in", [BASE, TOP], CONFIG, "docker.io/library/web:1")
    store.load(tmp_path / "in")
    store.save(["web:1"], tmp_path / "out", form)
    target = tmp_path / "skopeo"
    subprocess.run(
        ["skopeo", "copy", "--quiet", f"{form}:{tmp_path / 'out'}",
         f"{form}:{target}:docker.io/library/copy:2"],
        check=True, stdin=subprocess.DEVNULL, capture_output=True,
    )  # fmt: skip
    (image,) = new(tmp_path / "other").load(target)
    assert image.names == ("docker.io/library/copy:2",)
    assert (image.layers[1] / "etc/top").read_text() == "top"
    assert image.config.cmd == ("nginx",)


def test_a_compressed_docker_archive(store: Store, tmp_path: Path) -> None:
    about = layout(tmp_path / "in", [BASE, TOP], CONFIG, "web:1")
    store.load(tmp_path / "in")
    store.save(["web:1"], tmp_path / "out", "docker-archive")
    packed = tmp_path / "out.tar.gz"
    packed.write_bytes(gzip.compress((tmp_path / "out").read_bytes()))
    (image,) = new(tmp_path / "other").load(packed)
    check(image, about)


def test_what_is_no_image(store: Store, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").mkdir()
    (tmp_path / "tar").write_bytes(BASE)
    for name, what in (
        ("text", "cannot be read"), ("none", "cannot be read"),
        ("empty", "neither an OCI layout nor"), ("tar", "neither an OCI layout nor"),
    ):  # fmt: skip
        with pytest.raises(ImageError, match=what):
            store.load(tmp_path / name)
    with pytest.raises(ImageNotFoundError):
        store.save(["none"], tmp_path / "out")
    layout(tmp_path / "in", [BASE], CONFIG, "web:1")
    store.load(tmp_path / "in")
    with pytest.raises(ImageError, match="cannot be written"):
        store.save(["web:1"], tmp_path / "no/such/folder")


def test_layouts_that_lie(store: Store, tmp_path: Path) -> None:
    """Whatever is changed in a layout without its digests, it is refused and nothing is kept."""
    folder = tmp_path / "in"
    layout(folder, [BASE, TOP], CONFIG, "web:1")
    blobs = sorted((folder / "blobs/sha256").iterdir())
    for blob in blobs:
        whole = blob.read_bytes()
        for wrong in (whole[:-2], whole + b"\n", b""):
            blob.write_bytes(wrong)
            with pytest.raises(ImageError):
                store.load(folder)
            assert store.list() == []
            store.prune()
            for name in ("blobs/sha256", "layers"):
                assert list((store.catalog.root / name).iterdir()) == []
        blob.write_bytes(whole)
    blobs[0].unlink()
    with pytest.raises(ImageError, match="No such file"):
        store.load(folder)


def changed(folder: Path, **changes: Any) -> None:
    """A layout whose configuration has other members, and all digests right."""
    config = {
        "architecture": "amd64", "os": "linux", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(BASE)]},
    } | changes  # fmt: skip
    layout(folder, [BASE], {}, "web:1")
    index = json.loads((folder / "index.json").read_text())
    blobs = folder / "blobs/sha256"
    manifest = json.loads((blobs / index["manifests"][0]["digest"][7:]).read_text())

    def keep(value: Any, row: dict[str, Any]) -> None:
        data = json.dumps(value).encode()
        (blobs / digest(data)[7:]).write_bytes(data)
        row |= {"digest": digest(data), "size": len(data)}

    keep(config, manifest["config"])
    keep(manifest, index["manifests"][0])
    (folder / "index.json").write_text(json.dumps(index))


def test_configurations_that_are_none(store: Store, tmp_path: Path) -> None:
    for changes, what in (
        ({"rootfs": {"diff_ids": []}}, "do not have the same layers"),
        ({"rootfs": None}, "do not have the same layers"),
        ({"rootfs": {"diff_ids": ["../x"]}}, "'../x' is no digest"),
        ({"rootfs": {"diff_ids": [digest(TOP)]}}, "unpacked, its digest is"),
        ({"config": []}, None),
        ({"config": "x"}, "has config 'x'"),
        ({"config": {"Env": "A=b"}}, "has Env 'A=b', which is no list"),
        ({"config": {"Cmd": [1]}}, "has Cmd"),
        ({"config": {"User": 5}}, "has User 5, which is no text"),
        ({"config": {"Healthcheck": {"Interval": "5"}}}, "has Interval '5'"),
        ({"history": {"a": 1}}, "has history"),
        ({"created": 5}, "has created '5'"),
    ):
        changed(tmp_path / "in", **changes)
        if what is None:
            store.load(tmp_path / "in")
            store.remove("web:1")
        else:
            with pytest.raises(ImageError, match=what):
                store.load(tmp_path / "in")
            assert store.list() == []


def test_an_archive_whose_members_are_links_out(store: Store, tmp_path: Path) -> None:
    """A member that is a link is read within the archive only."""
    (tmp_path / "secret").write_text("[]")
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        (tmp_path / "tar").write_bytes(
            archive(member("manifest.json", type=kind, linkname=str(tmp_path / "secret")))
        )
        with pytest.raises(ImageError, match=r"manifest\.json"):
            store.load(tmp_path / "tar")
