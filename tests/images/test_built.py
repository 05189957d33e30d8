"""The image store, with recipes of the tests' own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gureum.images import ImageError, ImageStore
from gureum.images.built import content, default_root
from gureum.images.recipes import Recipe


class Kitchen:
    """A recipe that counts how often it was made."""

    def __init__(self, text: str = "hello", version: str = "1") -> None:
        self.text, self.version, self.made = text, version, 0

    def build(self, rootfs: Path, progress: Callable[[str], None]) -> None:
        self.made += 1
        progress("cooking")
        if self.text == "burn":
            (rootfs / "half").write_text("done")
            raise OSError("no gas")
        (rootfs / "file").write_text(self.text)

    def store(self, root: Path) -> ImageStore:
        recipe = Recipe("small", "a small one", self.version, self.build)
        return ImageStore(root, {"small": recipe})


def names(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if not path.name.startswith(".lock"))


def test_is_built_when_first_wanted(tmp_path: Path) -> None:
    kitchen = Kitchen()
    store = kitchen.store(tmp_path / "images")
    assert [(info.name, info.built, info.digest) for info in store.list()] == [("small", False, "")]
    said: list[str] = []
    rootfs = store.ensure("small", said.append)
    assert (rootfs / "file").read_text() == "hello"
    assert rootfs.is_relative_to(tmp_path / "images")
    assert [line.partition(",")[0] for line in said] == [
        "small: building", "small: cooking", "small: 0 MiB",
    ]  # fmt: skip
    (info,) = store.list()
    assert (info.built, info.size, info.recipe) == (True, 5, "1")
    assert info.digest == f"sha256:{content(rootfs)[0]}"
    assert store.ensure("small") == kitchen.store(tmp_path / "images").ensure("small") == rootfs
    assert kitchen.made == 1


def test_a_newer_recipe_makes_a_new_one_and_leaves_the_old(tmp_path: Path) -> None:
    old = Kitchen().store(tmp_path).ensure("small")
    new = Kitchen("changed", "2").store(tmp_path).ensure("small")
    assert (old / "file").read_text() == "hello"
    assert (new / "file").read_text() == "changed"
    again = Kitchen("hello", "3").store(tmp_path).ensure("small")
    assert again not in (old, new)
    assert len(names(tmp_path)) == 4


def test_a_build_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="image small could not be built: no gas"):
        Kitchen("burn").store(tmp_path).ensure("small")
    assert names(tmp_path) == []
    assert Kitchen().store(tmp_path).ensure("small").exists()


def test_a_build_that_was_killed_is_cleared_away(tmp_path: Path) -> None:
    rest = tmp_path / ".building-small-abc"
    (rest / "rootfs").mkdir(parents=True)
    other = tmp_path / ".building-other-abc"
    other.mkdir()
    Kitchen().store(tmp_path).ensure("small")
    assert not rest.exists()
    assert other.exists()


def test_who_comes_meanwhile_waits(tmp_path: Path) -> None:
    kitchen = Kitchen()
    at_work, go_on = threading.Event(), threading.Event()

    def slowly(rootfs: Path, progress: Callable[[str], None]) -> None:
        at_work.set()
        assert go_on.wait(10)
        kitchen.build(rootfs, progress)

    stores = [ImageStore(tmp_path, {"small": Recipe("small", "", "1", slowly)}) for _ in range(3)]
    threads = [threading.Thread(target=store.ensure, args=("small",)) for store in stores]
    for thread in threads:
        thread.start()
    assert at_work.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert kitchen.made == 1


def test_unknown_names() -> None:
    with pytest.raises(ImageError, match="no image is called 'x'; there are gureum-base, debian"):
        ImageStore(Path("/nowhere")).ensure("x")


def test_content_sees_everything_but_times(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "folder").mkdir(parents=True)
    file = tree / "folder/file"
    file.write_text("text")
    (tree / "link").symlink_to("folder/file")
    first = content(tree)
    assert first[1] == 4
    os.utime(file, (1, 1))
    assert content(tree) == first
    seen = {first[0]}
    for change in (
        lambda: file.chmod(0o755),
        lambda: file.write_text("TEXT"),
        lambda: file.rename(tree / "folder/other"),
        lambda: (tree / "link").unlink(),
        lambda: (tree / "link").symlink_to("elsewhere"),
        lambda: (tree / "empty").mkdir(),
        lambda: os.mkfifo(tree / "pipe"),
    ):
        change()
        digest = content(tree)[0]
        assert digest not in seen
        seen.add(digest)


def test_where_images_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUREUM_IMAGES", "/elsewhere")
    assert default_root() == Path("/elsewhere")
    monkeypatch.delenv("GUREUM_IMAGES")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/me/state")
    assert default_root() == Path("/home/me/state/gureum/images")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_root() == Path("/var/lib/gureum/images")
