"""Images from recipes: layers over a base, made once."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gureum.images import Image, ImageError, ImageStore, Store
from gureum.images.recipe_file import RecipeFile, read_recipe
from tests.images.archives import archive, folder, layout, member, symlink

pytestmark = pytest.mark.kernel


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One of its own, with the machine's images of instances."""
    system = ImageStore()
    root = tmp_path / "images"
    root.mkdir()
    for name in ("gureum-base", "debian-12"):
        (root / name).symlink_to(system.ensure(name).parent)
    return Store(ImageStore(root))


def recipe(text: str, base: str = "gureum-base", name: str = "made") -> RecipeFile:
    return read_recipe(f"from = '{base}'\nname = '{name}'\n{text}", None)


FILES = """
run = ["chmod 600 /etc/group", "rm /etc/services; ln -s b /srv/new/c"]
[[file]]
path = "/srv/new/deep/a"
text = "hello"
mode = "4711"
owner = "5:6"
[[file]]
path = "/etc/hostname"
text = "here"
[config]
cmd = ["/bin/true"]
env = {A = "1"}
"""


def build(store: Store, made: RecipeFile) -> tuple[Image, list[str]]:
    said: list[str] = []
    return store.build(made, None, said.append), said


def test_files_and_commands_are_a_layer(store: Store) -> None:
    base = store.find("gureum-base")
    image, _ = build(store, recipe(FILES))
    assert image.names == ("docker.io/library/made:latest",)
    assert image.layers[:1] == base.layers
    assert image.config.cmd == ("/bin/true",)
    assert image.config.env == (*base.config.env, "A=1")
    assert len(image.history) == 2
    top = image.layers[1]
    status = (top / "srv/new/deep/a").stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o4711, 5, 6)
    assert (top / "etc/services").lstat().st_rdev == 0
    assert stat.S_ISCHR((top / "etc/services").lstat().st_mode)
    assert stat.S_IMODE((top / "etc/group").stat().st_mode) == 0o600
    assert (top / "srv/new/c").is_symlink()
    # Folders that lead there are as they are below, and nothing of the build is left.
    for name in ("", "etc", "srv"):
        ours, below = (top / name).stat(), (base.layers[0] / name).stat()
        assert (ours.st_mode, ours.st_uid) == (below.st_mode, below.st_uid), name
    assert sorted(path.name for path in top.iterdir()) == ["etc", "srv"]
    assert sorted(path.name for path in (top / "etc").iterdir()) == [
        "group", "hostname", "services",
    ]  # fmt: skip
    assert list(store.catalog.layers.glob(".new-*")) == []


def test_a_step_is_made_once(store: Store) -> None:
    first, said = build(store, recipe(FILES))
    assert not any("is there already" in line for line in said)
    again, said = build(store, recipe(FILES))
    assert again == first
    assert any("is there already" in line for line in said)
    other, _ = build(store, recipe(FILES.replace("hello", "HELLO"), name="other"))
    assert other.layers[0] == first.layers[0]
    assert (other.layers[1] / "srv/new/deep/a").read_text() == "HELLO"
    renamed, _ = build(store, recipe(FILES.replace("true", "false"), name="third"))
    assert renamed.layers == first.layers
    assert renamed.digest != first.digest
    # Its layer goes with the last image, but for builds it is kept until everything is pruned.
    for name in ("made", "other", "third"):
        store.remove(name)
    assert first.layers[1].exists()
    store.prune(everything=True)
    assert not first.layers[1].exists()
    assert first.layers[0].exists()
    assert build(store, recipe(FILES))[0].layers[1].exists()


def test_a_command_that_fails(store: Store) -> None:
    with pytest.raises(ImageError, match="the build failed:\nso it is"):
        build(store, recipe("run = ['echo so it is; false']"))
    assert [name for image in store.list() for name in image.names if "made" in name] == []
    assert list(store.catalog.layers.glob(".new-*")) == []


def test_packages_are_a_layer_below(store: Store) -> None:
    text = "packages = ['tree']\nrun = ['tree --version >/version']"
    image, said = build(store, recipe(text, "debian-12"))
    assert "made:latest: Unpacking tree" in said
    packages, run = image.layers[1:]
    assert (packages / "usr/bin/tree").exists()
    assert (run / "version").read_text().startswith("tree v")
    for name in ("etc/resolv.conf", "etc/hosts", "usr/sbin/policy-rc.d"):
        assert not (packages / name).exists(), name
    assert not [path for path in packages.glob("var/lib/apt/lists/**/*") if path.is_file()]
    assert not list(packages.glob("var/cache/apt/**/*.deb"))
    assert image.stack[1].size < 20 << 20


def test_commands_never_run_over_what_was_fetched(store: Store, tmp_path: Path) -> None:
    """Its programs would run as root of this machine."""
    layout(tmp_path / "in", [archive(folder("bin"), member("bin/sh", b"evil"))], {}, "other:1")
    store.load(tmp_path / "in")
    for text in ("run = ['true']", "packages = ['tree']"):
        with pytest.raises(ImageError, match="other:1 was fetched: its programs are not run"):
            build(store, recipe(text, "other:1"))
    image, _ = build(store, recipe("[[file]]\npath = '/etc/a/b'\ntext = 'x'", "other:1"))
    assert (image.layers[1] / "etc/a/b").read_text() == "x"
    assert store.find("made") == image


def test_files_go_through_no_links(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tar = archive(symlink("etc", str(outside)), member("file"))
    layout(tmp_path / "in", [tar], {}, "other:1")
    store.load(tmp_path / "in")
    for path in ("/etc/x", "/etc/a/x", "/file/x"):
        with pytest.raises(ImageError, match="is no folder in the image below"):
            build(store, recipe(f"[[file]]\npath = '{path}'\ntext = 'x'", "other:1"))
    assert list(outside.iterdir()) == []


def test_a_ready_image(store: Store) -> None:
    """``web`` is built when it is wanted, and anew when its recipe is another."""
    image = Store().ensure("web")  # the machine's, where it may be there already
    assert image.config.cmd == ("nginx", "-g", "daemon off;")
    assert (image.layers[1] / "usr/sbin/nginx").exists()
    assert (image.layers[2] / "srv/web/index.html").read_text().startswith("<!doctype html>")
    said: list[str] = []
    assert Store().ensure("docker.io/library/web:latest", said.append) == image
    assert said == []
    assert store.own()["docker.io/library/db:latest"] == "db"
