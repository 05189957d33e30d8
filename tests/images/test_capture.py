"""What somebody changed, as a layer."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gureum.images import Change, ImageConfig, ImageError, ImageStore, Store, layers
from gureum.images.pack import pack
from gureum.images.unpack import OPAQUE_ATTRIBUTE
from tests.images.archives import archive, layout, member

pytestmark = pytest.mark.kernel

BASE = archive(member("etc/base", b"base"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(ImageStore(tmp_path / "images", {}))
    layout(tmp_path / "base", [BASE], {"Cmd": ["sh"]})
    made.load(tmp_path / "base", name="base")
    return made


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    made = tmp_path / "upper"
    (made / "etc").mkdir(parents=True)
    return made


def derived(store: Store, upper: Path | None) -> Path:
    change = Change(upper, ImageConfig(cmd=("new",)), "a test", "2026-01-02T03:04:05Z")
    image = store.derive("base", change, "made")
    assert image.names == ("docker.io/library/made:latest",)
    assert (image.config.cmd, image.history[-1].created_by) == (("new",), "a test")
    assert image.stack[0] == store.find("base").stack[0]
    assert image.history[-1].empty == (upper is None)
    last = image.stack[-1]
    if upper is not None:
        assert pack(last.path, None)[0] == last.diff_id  # what is exported is what it is called
    return last.path


def test_a_layer_has_what_the_directory_has(store: Store, upper: Path) -> None:
    (upper / "etc/file").write_text("text")
    (upper / "etc/file").chmod(0o4755)
    os.link(upper / "etc/file", upper / "etc/same")
    os.setxattr(upper / "etc/file", "user.note", b"n")
    os.mknod(upper / "etc/base", stat.S_IFCHR, 0)
    (upper / "new").mkdir()
    os.setxattr(upper / "new", OPAQUE_ATTRIBUTE, b"y")
    os.mkfifo(upper / "pipe")
    path = derived(store, upper)
    assert (path / "etc/same").stat().st_ino == (path / "etc/file").stat().st_ino
    assert stat.S_IMODE((path / "etc/file").stat().st_mode) == 0o4755
    assert os.getxattr(path / "etc/file", "user.note") == b"n"
    assert stat.S_ISCHR((path / "etc/base").stat().st_mode)
    assert os.getxattr(path / "new", OPAQUE_ATTRIBUTE) == b"y"
    assert stat.S_ISFIFO((path / "pipe").stat().st_mode)


def test_only_settings(store: Store) -> None:
    assert derived(store, None) == store.find("base").layers[-1]


def test_links_lead_nowhere(store: Store, upper: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (upper / "file").symlink_to(tmp_path / "secret")
    (upper / "folder").symlink_to(tmp_path)
    path = derived(store, upper)
    assert sorted(each.name for each in path.iterdir()) == ["etc", "file", "folder"]
    assert (path / "file").is_symlink()
    assert (path / "folder").is_symlink()


def test_what_no_layer_can_say_is_refused(store: Store, upper: Path) -> None:
    os.setxattr(upper / "etc", "trusted.overlay.redirect", b"/old")
    with pytest.raises(ImageError, match=r"overlayfs noted trusted.overlay.redirect"):
        derived(store, upper)
    assert not list(store.catalog.root.rglob(".new-*"))


def test_it_has_bounds(store: Store, upper: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (upper / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    monkeypatch.setattr(layers, "MOST_BYTES", 1 << 22)
    with pytest.raises(ImageError, match="there is no room"):
        derived(store, upper)
    assert not list(store.catalog.root.rglob(".new-*"))
    assert len(store.list()) == 1
