"""The store's images in the API, and the cloud's holds in the store."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest

from gureum.images import ImageStore, Store
from gureum.images.recipes import Recipe
from gureum.resources.image_stored import StoredImage
from gureum.server.stored_images import claim, forget, publish
from tests.conftest import Cloud


def cook(name: str) -> Callable[[Path, Callable[[str], None]], None]:
    def build(rootfs: Path, progress: Callable[[str], None]) -> None:
        progress("cooking")
        (rootfs / "file").write_text(name)

    return build


@pytest.fixture
def images(tmp_path: Path) -> Store:
    """One image that instances are made from, with a second name, and one that is not built."""
    built = ImageStore(tmp_path, {name: Recipe(name, "", "1", cook(name)) for name in ("a", "b")})
    built.ensure("a")
    return Store(built)


def names(cloud: Cloud) -> list[str]:
    return [row.name for row in cloud.store.view.all(StoredImage)]


def test_only_what_is_no_ami_anyway_becomes_one(images: Store, cloud: Cloud) -> None:
    publish(images, cloud.store, cloud.now)
    assert names(cloud) == []
    images.built = ImageStore(images.built.root, {})  # a recipe that is no more
    publish(images, cloud.store, cloud.now)
    assert names(cloud) == ["a:latest"]
    (row,) = cloud.store.view.all(StoredImage)
    assert platform.machine() != "x86_64" or row.architecture == "amd64"


def test_a_store_that_cannot_be_read_changes_nothing(images: Store, cloud: Cloud) -> None:
    images.built = ImageStore(images.built.root, {})
    Store(ImageStore(images.built.root, {"a": Recipe("a", "", "1", cook("a"))})).list()
    publish(images, cloud.store, cloud.now)
    (images.catalog.root / "names.json").write_text("broken")
    publish(images, cloud.store, cloud.now)
    assert names(cloud) == ["a:latest"]


def test_the_cloud_holds_what_it_uses(images: Store, cloud: Cloud) -> None:
    (image,) = images.list()
    images.hold(image.digest, "i-1 of cloud cafe")
    images.hold(image.digest, "i-1 of cloud beef")
    claim(images, cloud.store.view, "cafe")
    assert images.holders(image.digest) == ["i-1 of cloud beef"]
    forget(images, "beef")
    assert images.holders(image.digest) == []
