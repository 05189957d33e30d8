"""Recipes as people write them, and what is no recipe."""

from __future__ import annotations

from pathlib import Path

import pytest

from gureum.images import Healthcheck, ImageConfig, ImageError
from gureum.images.build import merged, steps
from gureum.images.ready import LABEL, READY, ready_recipe
from gureum.images.recipe_file import File, read_recipe

WHOLE = """
from = "debian-12"
name = "site"
description = "a site"
packages = ["nginx-light", "curl", "curl"]
clean = ["rm -rf /x"]
run = ["echo a"]

[[file]]
path = "/srv/a"
text = "hello"

[[file]]
path = "/srv/b"
source = "b.bin"
mode = "4755"
owner = "5:6"

[config]
env = {A = "1", B = "two words"}
cmd = ["run"]
entrypoint = ["/init"]
user = "www-data"
workdir = "/srv"
ports = ["80/tcp"]
volumes = ["/data"]
labels = {x = "y"}
stop_signal = "SIGQUIT"
healthcheck = {test = ["CMD", "true"], interval = 5, retries = 2}
"""


def test_a_whole_one(tmp_path: Path) -> None:
    (tmp_path / "b.bin").write_bytes(b"\0\1")
    found = read_recipe(WHOLE, tmp_path)
    assert (found.base, found.name, found.description) == ("debian-12", "site", "a site")
    assert found.packages == ("curl", "nginx-light")
    assert found.files == (
        File("/srv/a", b"hello", 0o644, 0, 0),
        File("/srv/b", b"\0\1", 0o4755, 5, 6),
    )
    assert found.config == ImageConfig(
        env=("A=1", "B=two words"), entrypoint=("/init",), cmd=("run",), user="www-data",
        working_dir="/srv", exposed_ports=("80/tcp",), volumes=("/data",), labels={"x": "y"},
        stop_signal="SIGQUIT", healthcheck=Healthcheck(("CMD", "true"), 5 * 10**9, retries=2),
    )  # fmt: skip
    assert [(step.packages, step.clean, len(step.files), step.run) for step in steps(found)] == [
        (("curl", "nginx-light"), ("rm -rf /x",), 0, ()),
        ((), (), 2, ("echo a",)),
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("from = ", "is no TOML"),
        ("nmae = 'x'", "the recipe has no 'nmae'; there are clean, config"),
        ("packages = ['a;b']", "'a;b' is no name of a Debian package"),
        ("packages = ['--option']", "is no name of a Debian package"),
        ("packages = 'nginx'", "packages is no list"),
        ("clean = ['x']", "clean is for what packages leave"),
        ("name = 5", "name is no text"),
        ("config = 5", "config is no table"),
        ("[config]\nports = ['80']", "'80' is no port: write it as 80/tcp"),
        ("[config]\nvolume = 'x'", "config has no 'volume'"),
        ("[config.healthcheck]\ninterval = '5s'", 'healthcheck\'s interval is "5s"'),
        ("[file]\npath = '/x'", "file is no list"),
        ("[[file]]\npath = 'x'\ntext = ''", "'x' is no absolute path"),
        ("[[file]]\npath = '/../x'\ntext = ''", "is no absolute path"),
        ("[[file]]\npath = '/x/'\ntext = ''", "is no absolute path"),
        ("[[file]]\npath = '/x'", "/x needs either text or source"),
        ("[[file]]\npath = '/x'\ntext = ''\nsource = 'y'", "/x needs either text or source"),
        ("[[file]]\npath = '/x'\nsource = 'y'", "the recipe is in no folder"),
        ("[[file]]\npath = '/x'\ntext = ''\nmode = 'rwx'", "/x has mode 'rwx'"),
        ("[[file]]\npath = '/x'\ntext = ''\nowner = 'me'", "owner 'me'"),
    ],
)
def test_no_recipes(text: str, what: str) -> None:
    with pytest.raises(ImageError, match=what):
        read_recipe(text, None)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"/x: .*No such file"):
        read_recipe("[[file]]\npath = '/x'\nsource = 'y'", tmp_path)


def test_a_configuration_over_another() -> None:
    below = ImageConfig(
        env=("PATH=/bin", "A=1"), cmd=("sh",), entrypoint=("/e",), exposed_ports=("80/tcp",),
        labels={"a": "1", "b": "2"}, user="root",
    )  # fmt: skip
    above = ImageConfig(env=("A=2",), exposed_ports=("443/tcp",), labels={"b": "3"})
    found = merged(below, above)
    assert found.env == ("PATH=/bin", "A=2")
    assert (found.cmd, found.entrypoint, found.user) == (("sh",), ("/e",), "root")
    assert found.exposed_ports == ("443/tcp", "80/tcp")
    assert found.labels == {"a": "1", "b": "3"}
    assert merged(below, ImageConfig(entrypoint=("/f",))).cmd == ()
    assert merged(below, ImageConfig(cmd=("c",))).entrypoint == ("/e",)


def test_the_ready_ones() -> None:
    for name in READY:
        recipe = ready_recipe(f"docker.io/library/{name}:latest")
        assert recipe is not None
        assert (recipe.base, recipe.name) == ("debian-12", name)
        assert recipe.description
        assert recipe.packages
        assert recipe.config.cmd
        assert recipe.config.exposed_ports
        assert len(recipe.config.labels[LABEL]) == 12
        for file in recipe.files:
            assert not file.mode & 0o111 or file.data.startswith(b"#!/bin/sh\n"), file.path
    assert ready_recipe("web:1") is None
    assert ready_recipe("example.com/web") is None
    assert ready_recipe("no name") is None
