"""Images from a real registry: with and without credentials, whole and broken."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from gureum.images import (
    Credentials,
    ImageError,
    ImageInUseError,
    ImageNotFoundError,
    ImageStore,
    Store,
)
from gureum.images.reference import parse
from gureum.images.registry import local
from tests.images.archives import archive, compressed, digest, layout, member
from tests.images.registries import PASSWORD, USER, Registry, cutting, registry

pytestmark = pytest.mark.kernel

BASE = archive(member("etc/base", b"base" * 100))
BIG = archive(member("usr/big", os.urandom(3 << 20)))
TOP = archive(member("etc/top", b"top"))
CONFIG = {
    "Cmd": ["nginx"],
    "Env": ["A=b"],
    "ExposedPorts": {"80/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5_000_000_000},
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(ImageStore(tmp_path / "images", {}))


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[Registry]:
    with registry(tmp_path / "registry") as made:
        yield made


def kept(store: Store) -> dict[str, list[str]]:
    """What the store has on the disk, without locks."""
    root = store.catalog.root
    return {
        folder: sorted(path.name for path in (root / folder).glob("[!.]*"))
        for folder in ("blobs/sha256", "layers", "images")
    } | {"begun": sorted(path.name for path in root.rglob(".[np][eu]*"))}


def test_pull(store: Store, ours: Registry, tmp_path: Path) -> None:
    about = layout(tmp_path / "web", [BASE, TOP], CONFIG)
    ours.push(tmp_path / "web", "team/web:1")
    said: list[str] = []
    image = store.pull(f"{ours.host}/team/web:1", said.append)
    assert image.digest == about
    assert image.names == (f"{ours.host}/team/web:1",)
    assert [path.joinpath("etc", name).read_text()[:4] for path, name in zip(
        image.layers, ("base", "top"), strict=True)] == ["base", "top"]  # fmt: skip
    assert image.config.cmd == ("nginx",)
    # OCI's own configuration has no health check; what skopeo makes of one must not be ours.
    assert image.config.healthcheck
    assert image.config.healthcheck.interval == 5_000_000_000
    assert image.created == "2024-01-02T03:04:05Z"
    assert [step.created_by for step in image.history] == ["step 0", "step 1"]
    # Layers are fetched several at a time, in any order.
    assert sorted(line for line in said if line.startswith("fetching")) == sorted(
        f"fetching {layer.digest[7:19]}: 0.0 MiB" for layer in image.stack
    )
    assert [line for line in said if "unpacking" in line] == [
        f"{image.names[0]}: unpacking layer {number} of 2, 0.0 MiB" for number in (1, 2)
    ]
    assert store.find(image.sources[0]) == image
    assert image.sources[0].startswith(f"{ours.host}/team/web@sha256:")
    # Nothing but what the image has, and nothing begun.
    assert len(kept(store)["blobs/sha256"]) == 4
    assert kept(store)["begun"] == []


def test_layers_that_are_there_are_not_fetched_again(
    store: Store, ours: Registry, tmp_path: Path
) -> None:
    layout(tmp_path / "one", [BASE, BIG], CONFIG)
    layout(tmp_path / "two", [BASE, BIG, TOP], CONFIG)
    ours.push(tmp_path / "one", "one")
    ours.push(tmp_path / "two", "two")
    one = store.pull(f"{ours.host}/one")
    for layer in one.stack:
        ours.blob(layer.digest).unlink()  # the registry has them no more
    said: list[str] = []
    two = store.pull(f"{ours.host}/two", said.append)
    assert two.layers[:2] == one.layers
    assert sum("fetching" in line for line in said) == 1
    assert any("2 of its layers are here already" in line for line in said)


def test_a_name_moves(store: Store, ours: Registry, tmp_path: Path) -> None:
    layout(tmp_path / "one", [BASE], CONFIG)
    layout(tmp_path / "two", [TOP], CONFIG)
    name = f"{ours.host}/app:latest"
    ours.push(tmp_path / "one", "app")
    one = store.pull(name)
    ours.push(tmp_path / "two", "app")
    two = store.pull(name)
    assert store.find(name) == two
    assert store.find(one.digest).names == ()
    again = store.pull(one.sources[0])
    assert (again.digest, again.names) == (one.digest, ())


def test_an_index(store: Store, ours: Registry, tmp_path: Path) -> None:
    """Of several machines' images the one for this machine is taken."""
    layout(tmp_path / "one", [BASE], CONFIG)
    index = json.loads((tmp_path / "one/index.json").read_text())
    (here,) = index["manifests"]
    other = here | {"platform": {"os": "linux", "architecture": "riscv64"}}
    whole = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [other, here | {"platform": {"os": "linux", "architecture": "amd64"}}],
    }
    ours.push(tmp_path / "one", "many:one")
    put_manifest(ours, "many", "all", whole)
    image = store.pull(f"{ours.host}/many:all")
    assert image.layers[0].joinpath("etc/base").exists()
    assert len(image.sources) == 2
    for source in image.sources:
        assert store.find(source) == image
    put_manifest(ours, "many", "none", whole | {"manifests": [other]})
    with pytest.raises(ImageError, match="nothing for linux/amd64, only linux/riscv64"):
        store.pull(f"{ours.host}/many:none")


def put_manifest(ours: Registry, name: str, tag: str, value: dict[str, object]) -> None:
    request = Request(
        f"http://{ours.host}/v2/{name}/manifests/{tag}",
        json.dumps(value).encode(),
        {"Content-Type": str(value["mediaType"])},
        method="PUT",
    )
    with urlopen(request, timeout=10) as answer:
        assert answer.status == 201


def test_credentials(store: Store, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    layout(tmp_path / "web", [TOP], CONFIG)
    with registry(tmp_path / "locked", locked=True) as ours:
        ours.push(tmp_path / "web", "web", f"--dest-creds={USER}:{PASSWORD}")
        for wrong in (None, Credentials(USER, "wrong")):
            with pytest.raises(ImageError, match=r"wants \(other\) credentials"):
                store.pull(f"{ours.host}/web", credentials=wrong)
        assert kept(store)["images"] == []
        right = Credentials(USER, PASSWORD)
        assert PASSWORD not in repr(right)
        assert store.pull(f"{ours.host}/web", credentials=right).config.cmd == ("nginx",)
    assert not [path for path in store.catalog.root.rglob("*auth*") if path.is_file()]
    assert PASSWORD not in str(capfd.readouterr())


def test_what_is_not_there(store: Store, ours: Registry, tmp_path: Path) -> None:
    layout(tmp_path / "web", [TOP], CONFIG)
    ours.push(tmp_path / "web", "web:1")
    for name in ("web:2", "other:1", f"web@{digest(b'')}"):
        with pytest.raises(ImageNotFoundError, match="is not in the registry"):
            store.pull(f"{ours.host}/{name}")
    with pytest.raises(ImageError, match=r"could not be fetched: .*connection refused"):
        store.pull("127.0.0.1:1/web")
    assert kept(store) == {"blobs/sha256": [], "layers": [], "images": [], "begun": []}


@pytest.mark.parametrize("how", ["other", "truncated", "gone"])
def test_a_registry_that_lies(store: Store, ours: Registry, tmp_path: Path, how: str) -> None:
    """A blob in the registry is changed, cut off or gone: nothing of the image is kept but the
    layers that were whole, and a pull when it is mended fetches the rest."""
    layout(tmp_path / "web", [BASE, BIG], CONFIG)
    ours.push(tmp_path / "web", "web")
    big = digest(compressed(BIG, "gzip"))
    blob = ours.blob(big)
    whole = blob.read_bytes()
    if how == "gone":
        blob.unlink()
    else:
        blob.write_bytes(whole[:-1] + b"!" if how == "other" else whole[: len(whole) // 2])
    with pytest.raises(ImageError, match="could not be fetched"):
        store.pull(f"{ours.host}/web")
    found = kept(store)
    assert big.removeprefix("sha256:") not in found["blobs/sha256"]
    assert (found["layers"], found["images"], found["begun"]) == ([], [], [])
    assert store.list() == []
    blob.write_bytes(whole)
    assert store.pull(f"{ours.host}/web").layers[1].joinpath("usr/big").exists()


def test_a_configuration_that_is_another(store: Store, ours: Registry, tmp_path: Path) -> None:
    about = layout(tmp_path / "web", [TOP], CONFIG)
    ours.push(tmp_path / "web", "web")
    ours.blob(about).write_text("{}")
    with pytest.raises(ImageError, match="could not be fetched"):
        store.pull(f"{ours.host}/web")
    assert kept(store)["images"] == []


def test_a_cut_connection(store: Store, ours: Registry, tmp_path: Path) -> None:
    """What came through whole before the cut is not fetched again."""
    layout(tmp_path / "web", [BASE, BIG], CONFIG)
    ours.push(tmp_path / "web", "web")
    with cutting(ours.host, 1 << 20) as host, pytest.raises(ImageError, match="could not be"):
        store.pull(f"{host}/web")
    found = kept(store)
    assert (found["layers"], found["images"], found["begun"]) == ([], [], [])
    base = digest(compressed(BASE, "gzip"))
    assert found["blobs/sha256"] in ([], [base.removeprefix("sha256:")])
    assert store.pull(f"{ours.host}/web").layers[1].joinpath("usr/big").exists()


def test_a_blob_of_ours_that_rotted(store: Store, ours: Registry, tmp_path: Path) -> None:
    """The store does not believe its own blobs either, and the next pull mends it."""
    layout(tmp_path / "web", [TOP], CONFIG)
    ours.push(tmp_path / "web", "web")
    store.catalog.prepare()
    blob = store.catalog.blob(digest(compressed(TOP, "gzip")))
    blob.write_bytes(b"rotten")
    with pytest.raises(ImageError, match="is refused"):
        store.pull(f"{ours.host}/web")
    assert not blob.exists()
    assert store.pull(f"{ours.host}/web").layers[0].joinpath("etc/top").exists()


def test_a_layer_that_attacks(store: Store, ours: Registry, tmp_path: Path) -> None:
    layout(tmp_path / "web", [BASE, archive(member("../../evil"))], CONFIG)
    ours.push(tmp_path / "web", "web")
    with pytest.raises(ImageError, match="evil leads out of the image"):
        store.pull(f"{ours.host}/web")
    assert kept(store)["images"] == []
    store.prune()
    assert kept(store) == {"blobs/sha256": [], "layers": [], "images": [], "begun": []}


def test_removal(store: Store, tmp_path: Path, ours: Registry) -> None:
    """Layers go with the last image that has them, images when nobody holds them."""
    layout(tmp_path / "one", [BASE], CONFIG)
    layout(tmp_path / "two", [BASE, TOP], CONFIG)
    for name in ("one", "two"):
        ours.push(tmp_path / name, name)
    one, two = (store.pull(f"{ours.host}/{name}") for name in ("one", "two"))
    store.hold(one.digest, "container:c1")
    with pytest.raises(ImageInUseError, match="it is used by container:c1"):
        store.remove(one.names[0])
    assert store.find(one.names[0]) == one
    gone = store.remove(two.id)
    assert (gone.names, gone.digest) == (two.names, two.digest)
    assert gone.freed > 3
    assert one.layers[0].exists()
    assert not two.layers[1].exists()
    assert len(kept(store)["blobs/sha256"]) == 3
    assert store.prune(everything=True).digests == ()
    store.release(one.digest, "container:c1")
    assert store.prune().digests == ()
    assert store.prune(everything=True).digests == (one.digest,)
    assert kept(store) == {"blobs/sha256": [], "layers": [], "images": [], "begun": []}
    assert not list(store.catalog.layers.iterdir())


def test_nothing_is_collected_while_others_bring_something_in(
    store: Store, tmp_path: Path, ours: Registry
) -> None:
    layout(tmp_path / "one", [BASE], CONFIG)
    ours.push(tmp_path / "one", "one")
    one = store.pull(f"{ours.host}/one")
    with store.catalog.adding():
        assert store.remove(one.names[0]).freed == 0
        assert one.layers[0].exists()
    assert store.prune().freed > 0
    assert not one.layers[0].exists()


def test_plain_http_is_for_loopback_only() -> None:
    for name in ("localhost/a", "localhost:5000/a", "127.0.0.1:5000/a", "127.9.9.9/a", "[::1]:5/a"):
        assert local(parse(name)), name
    for name in ("a", "docker.io/a", "10.0.0.1:5000/a", "localhost.example/a", "[2001:db8::1]/a"):
        assert not local(parse(name)), name
