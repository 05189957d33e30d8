"""The store: what names mean, what is there, who holds what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gureum.images import (
    ImageError,
    ImageInUseError,
    ImageNotFoundError,
    ImageStore,
    Store,
)
from gureum.images.recipes import Recipe


def cook(text: str) -> Callable[[Path, Callable[[str], None]], None]:
    def build(rootfs: Path, progress: Callable[[str], None]) -> None:
        progress("cooking")
        (rootfs / "file").write_text(text)

    return build


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two images that are built, and one that is not."""
    recipes = {name: Recipe(name, "", "1", cook(name)) for name in ("one", "two", "three")}
    built = ImageStore(tmp_path, recipes)
    built.ensure("one")
    built.ensure("two")
    return Store(built)


def test_what_was_built_is_an_image_of_one_layer(store: Store) -> None:
    one, two = store.list()
    assert one.names == ("docker.io/library/one:latest",)
    assert two.names == ("docker.io/library/two:latest",)
    assert [path.joinpath("file").read_text() for path in one.layers] == ["one"]
    assert one.layers[0].resolve() == store.built.ensure("one")
    assert len(str(one.layers[0])) < len(str(store.catalog.root)) + 20
    assert one.size == 3
    assert one.config.cmd == ("/bin/sh",)
    assert any(row.startswith("PATH=") for row in one.config.env)
    assert store.list() == [one, two] == Store(store.built).list()


def test_names_and_ids(store: Store) -> None:
    one, two = store.list()
    for name in (
        "one", "one:latest", "library/one", "docker.io/library/one:latest", one.digest, one.id,
        one.digest.removeprefix("sha256:"), one.digest[:20],
    ):  # fmt: skip
        assert store.find(name) == one, name
    assert store.find("two") == two
    for name in ("three", "one:other", "example.com/one", "0" * 64, f"one@{one.digest}"):
        with pytest.raises(ImageNotFoundError, match="no image"):
            store.find(name)
    with pytest.raises(ImageError, match="is no name of an image"):
        store.find("a b")


def test_holds_last(store: Store) -> None:
    one, two = store.list()
    store.hold(one.digest, "container:a/b")
    store.hold(one.digest, "instance:i-1")
    store.hold(one.digest, "instance:i-1")
    again = Store(store.built)
    assert again.holders(one.digest) == ["container:a/b", "instance:i-1"]
    assert again.holders(two.digest) == []
    again.release(one.digest, "instance:i-1")
    again.release(one.digest, "nobody")
    assert store.holders(one.digest) == ["container:a/b"]
    with pytest.raises(ImageNotFoundError):
        store.hold("sha256:" + "0" * 64, "x")


def test_names_are_given_and_taken(store: Store) -> None:
    one, two = store.list()
    tagged = store.tag("one", "example.com/mine:1")
    assert tagged.names == ("docker.io/library/one:latest", "example.com/mine:1")
    assert store.find("example.com/mine:1").digest == one.digest
    store.tag("two", "example.com/mine:1")
    assert store.find("example.com/mine:1").digest == two.digest
    assert store.remove("example.com/mine:1").names == ("example.com/mine:1",)
    assert store.find("two") == two
    with pytest.raises(ImageNotFoundError):
        store.remove("example.com/mine:1")
    with pytest.raises(ImageError, match="cannot be given"):
        store.tag("one", f"two@{one.digest}")
    store.tag("one", "again")
    with pytest.raises(ImageInUseError, match=r"has several names: docker\.io/library/"):
        store.remove(one.id)


def test_what_instances_are_made_from_stays(store: Store) -> None:
    one, _ = store.list()
    rootfs = one.layers[0].resolve()
    for name in ("one", one.id):
        with pytest.raises(ImageInUseError, match="instances of any cloud on this machine"):
            store.remove(name, force=True)
    assert store.prune(everything=True).digests == ()
    assert rootfs.joinpath("file").exists()
    # An older recipe's may go, and what it was made of stays for the instances that have it.
    newer = ImageStore(store.built.root, {"one": Recipe("one", "", "2", cook("newer"))})
    newer.ensure("one")
    again = Store(newer)
    assert again.find("one").digest != one.digest
    assert again.prune().digests == (one.digest,)
    assert rootfs.joinpath("file").exists()
    assert again.find("one").layers[0].joinpath("file").read_text() == "newer"
