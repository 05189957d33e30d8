"""Instances of images that have several layers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gureum.images import ImageInUseError, ImageStore, Store
from gureum.images.recipe_file import read_recipe
from gureum.machines import MachineError
from tests.machines.rooms import Room, machine

pytestmark = pytest.mark.kernel

RECIPE = """
from = "gureum-base"
name = "layered"
run = ["rm /etc/services"]
[[file]]
path = "/etc/layered"
text = "of the layer"
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store of its own, which the room takes too."""
    system = ImageStore()
    root = tmp_path / "images"
    root.mkdir()
    (root / "gureum-base").symlink_to(system.ensure("gureum-base").parent)
    monkeypatch.setenv("GUREUM_IMAGES", str(root))
    return Store()


def test_an_instance_has_all_layers_and_holds_them(store: Store, room: Room) -> None:
    image = store.build(read_recipe(RECIPE, None))
    status = room.start(machine(image=image.digest))
    assert status.image == image.digest
    look = "cat /etc/layered; test ! -e /etc/services && test -e /etc/passwd && echo ok"
    assert room.exec(look) == "of the layerok\n"
    room.exec("echo mine >/etc/layered")
    with pytest.raises(ImageInUseError, match=f"i-1 of cloud {room.tag}"):
        store.remove("layered")
    room.machines.stop("i-1", 1)
    room.machines.close()
    room.machines = room.open()
    room.start(machine(image=image.digest, boot=2), room.folder / "net-i-1")
    assert room.exec("cat /etc/layered") == "mine\n"
    assert (image.layers[1] / "etc/layered").read_text() == "of the layer"
    room.machines.delete("i-1")
    assert not store.holders(image.digest)
    assert store.remove("layered").digest == image.digest


def test_a_record_from_before_there_were_layers(one_room: Room) -> None:
    """An instance that an older daemon made goes on with its one directory."""
    one_room.start(machine())
    one_room.machines.stop("i-1", 1)
    file = one_room.state / "instances/i-1/instance.json"
    old = json.loads(file.read_text())
    del old["above"]
    file.write_text(json.dumps(old))
    one_room.start(machine(boot=2), one_room.folder / "net-i-1")
    assert one_room.status().boot == 2


def test_an_image_that_is_gone(one_room: Room) -> None:
    with pytest.raises(MachineError, match="i-1: no image has the id sha256:0000"):
        one_room.start(machine(image="sha256:" + "0" * 64))
