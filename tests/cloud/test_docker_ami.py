"""An AMI that was made from an instance is an image for containers, too: of whom may launch it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from gureum.images import ImageStore, Store
from tests.cloud.docker import Docker
from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel.packets import eventually

pytestmark = pytest.mark.kernel

OTHER = "222222222222"
CHANGES = """
set -e
echo made >/made
chmod 4711 /made
ln /made /same
rm /etc/profile
rm -rf /etc/dropbear && mkdir /etc/dropbear && echo new >/etc/dropbear/new
"""
LOOK = "cat /same; ls -l /made | cut -c1-10; ls /etc/profile; ls /etc/dropbear"


@pytest.fixture(scope="module")
def guest(site: Site) -> Guest:
    return site.launch(site.private, site.group("none"))


def test_a_container_of_an_ami(daemon: Daemon, site: Site, guest: Guest, tmp_path: Path) -> None:
    docker = Docker(guest, tmp_path)
    base = docker("run", "--rm", "gureum-base", "ls", "-a", "/etc/dropbear", "/etc/profile")
    assert "/etc/profile" in base
    done = daemon.gureum("exec", guest.id, "--", "sh", "-c", CHANGES)
    assert done.returncode == 0, done.stderr
    ami = site.ec2.create_image(InstanceId=guest.id, Name="golden", NoReboot=True)["ImageId"]
    try:
        assert eventually(lambda: daemon.gureum("image", "inspect", ami).returncode == 0)
        shown = _json(daemon, "image", "inspect", ami, "--json")
        below = _json(daemon, "image", "inspect", "gureum-base", "--json")
        diff_ids = [layer["diff_id"] for layer in shown["stack"]]
        assert diff_ids[:-1] == [layer["diff_id"] for layer in below["stack"]]
        assert shown["history"][-1]["created_by"] == f"{ami} of {guest.id}"
        assert ami in daemon.gureum("image", "list").stdout
        _is_exported(daemon, ami, diff_ids[-1], tmp_path)
        assert eventually(lambda: docker.run("image", "inspect", ami).returncode == 0)
        seen = docker.run("run", "--rm", ami, "sh", "-c", LOOK)
        assert seen.stdout.split() == ["made", "-rws--x--x", "new"]
        assert "/etc/profile: No such file" in seen.stderr
        # it is no image of everybody's, and not one AMI more
        found = site.ec2.describe_images(Filters=[{"Name": "name", "Values": ["ami-*"]}])
        assert found["Images"] == []
        _is_only_for_who_may_launch_it(daemon, site, ami, shown["digest"], tmp_path)
        refused = daemon.gureum("image", "rm", ami)
        assert f"it is used by {ami}, an AMI in cloud {daemon.tag}" in refused.stderr
    finally:
        site.ec2.deregister_image(ImageId=ami)
    assert eventually(lambda: daemon.gureum("image", "inspect", ami).returncode != 0)
    assert "No such image" in docker.fails("image", "inspect", ami)


def _is_only_for_who_may_launch_it(
    daemon: Daemon, site: Site, ami: str, digest: str, tmp_path: Path
) -> None:
    there = Site(daemon, "10.9.0.0/16", OTHER)
    (tmp_path / "other").mkdir()
    other = Docker(there.launch(there.private, there.group("none")), tmp_path / "other")
    assert "gureum-base" in other("images")
    assert ami not in other("images")
    for each in (ami, digest, digest[7:19]):
        assert "No such image" in other.fails("image", "inspect", each)
    assert "pull access denied" in other.fails("run", "--rm", ami, "true")
    change = {"Add": [{"UserId": OTHER}]}
    site.ec2.modify_image_attribute(ImageId=ami, LaunchPermission=change)
    assert other("run", "--rm", ami, "cat", "/made") == "made"


def _is_exported(daemon: Daemon, ami: str, layer: str, folder: Path) -> None:
    """As an archive from which another store has the same image, whiteouts and all."""
    file = folder / "ami.tar"
    done = daemon.gureum("image", "export", ami, "-o", str(file))
    assert done.returncode == 0, done.stderr
    with tarfile.open(file) as tar:
        inner = tar.extractfile(f"blobs/sha256/{layer.removeprefix('sha256:')}")
        assert inner is not None
        with tarfile.open(fileobj=inner) as diff:
            names = diff.getnames()
    assert {"made", "etc/.wh.profile", "etc/dropbear/.wh..wh..opq"} <= set(names)
    (image,) = Store(ImageStore(folder / "images", {})).load(file)
    assert image.stack[-1].diff_id == layer
    assert (image.layers[-1] / "made").stat().st_nlink == 2


def _json(daemon: Daemon, *words: str) -> Any:
    done = daemon.gureum(*words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
