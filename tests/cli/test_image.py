"""Images at the command line, through the daemon."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.clouds import Served
from tests.images.archives import archive, layout, member
from tests.images.registries import PASSWORD, USER, registry

TAR = archive(member("etc/file", b"x" * (2 << 20)))
CONFIG = {
    "Cmd": ["nginx", "-g", "daemon off;"], "Env": ["A=1"], "ExposedPorts": {"80/tcp": {}},
    "Healthcheck": {"Test": ["CMD", "true"]}, "User": "www-data",
}  # fmt: skip


def test_a_store_that_is_empty(served: Served) -> None:
    listed = served.cli("image", "list")
    assert listed.exit_code == 0
    assert listed.stderr == "Built when first wanted: gureum-base, debian-12, web, db, proxy\n"
    assert json.loads(served.cli("image", "list", "--json").stdout) == []
    assert served.cli("image", "prune").stdout == "0.0 MiB freed\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("inspect", "nginx"), "no image is called nginx"),
        (("inspect", "NGINX"), "'NGINX' is no name of an image (capitals are not allowed in it)"),
        (("rm", "nginx"), "no image is called nginx"),
        (("tag", "nginx", "other"), "no image is called nginx"),
        (("export", "nginx", "-o", "/nowhere/x"), "no image is called nginx"),
        (("pull", "a b"), "'a b' is no name of an image"),
        (("build", "nginx"), "no image of ours is called nginx; there are gureum-base, debian-12,"),
        (("build", "/nowhere.toml"), "/nowhere.toml cannot be read"),
    ],
)
def test_what_is_refused(served: Served, words: tuple[str, ...], said: str) -> None:
    result = served.cli("image", *words)
    assert result.exit_code == 1
    assert said in result.stderr


def test_a_recipe_that_is_none(served: Served, tmp_path: Path) -> None:
    recipe = tmp_path / "site.toml"
    recipe.write_text("packages = 5")
    result = served.cli("image", "build", str(recipe))
    assert (result.exit_code, result.stderr) == (1, "gureum: the recipe: packages is no list\n")
    recipe.write_text("packages = ")
    assert "is no TOML" in served.cli("image", "build", str(recipe)).stderr


@pytest.mark.kernel
def test_in_and_out(served: Served, tmp_path: Path) -> None:
    digest = layout(tmp_path / "in", [TAR], CONFIG, "site:1")
    came = served.cli("image", "import", str(tmp_path / "in"))
    key = digest[7:19]
    assert (came.exit_code, came.stdout) == (0, f"{key}  site:1  2.0 MiB\n")
    assert "site:1: unpacking layer 1 of 1" in came.stderr
    (row,) = json.loads(served.cli("image", "list", "--json").stdout)
    assert (row["names"], row["digest"], row["layers"]) == (["site:1"], digest, 1)
    assert served.cli("image", "tag", key, "example.com/site").exit_code == 0
    lines = served.cli("image", "list").stdout.splitlines()
    assert [line.split()[:2] for line in lines[2:]] == [
        ["site:1", key], ["example.com/site:latest", key],
    ]  # fmt: skip
    shown = served.cli("image", "inspect", "site:1").stdout
    for text in (
        f"digest        {digest}", "command       nginx -g daemon off;", "ports         80/tcp",
        "user          www-data", "health check  CMD true", "2.0   step 0",
    ):  # fmt: skip
        assert text in shown, shown
    full = json.loads(served.cli("image", "inspect", "site:1", "--json").stdout)
    assert full["config"]["env"] == ["A=1"]
    assert Path(full["stack"][0]["path"], "etc/file").exists()
    out = tmp_path / "out.tar"
    assert served.cli("image", "export", "site:1", "-o", str(out)).stdout.startswith(str(out))
    for name, said in (
        ("site:1", "untagged docker.io/library/site:1\n"),
        (key, f"untagged example.com/site:latest\nremoved  {key}  2.0 MiB\n"),
    ):
        assert served.cli("image", "rm", name).stdout == said
    assert served.cli("image", "import", str(out), "--name", "again").exit_code == 0
    assert served.cli("image", "prune", "--all").stdout.startswith(f"removed  {key}\n2.0 MiB freed")


@pytest.mark.kernel
def test_pull_with_a_password(served: Served, tmp_path: Path) -> None:
    layout(tmp_path / "in", [TAR], CONFIG)
    with registry(tmp_path / "registry", locked=True) as ours:
        ours.push(tmp_path / "in", "site", f"--dest-creds={USER}:{PASSWORD}")
        words = ("image", "pull", f"{ours.host}/site")
        assert "wants (other) credentials" in served.cli(*words).stderr
        login = ("--user", USER, "--password-stdin")
        assert served.cli(*words, *login, input="wrong\n").exit_code == 1
        came = served.cli(*words, *login, input=f"{PASSWORD}\n")
        assert came.exit_code == 0, came.stderr
        assert f"{ours.host}/site:latest" in came.stdout
        assert PASSWORD not in came.output


@pytest.mark.kernel
def test_build_from_a_file(served: Served, tmp_path: Path) -> None:
    layout(tmp_path / "in", [TAR], CONFIG, "base:1")
    served.cli("image", "import", str(tmp_path / "in"))
    (tmp_path / "page").write_text("page")
    recipe = tmp_path / "site.toml"
    recipe.write_text("from = 'base:1'\n[[file]]\npath = '/srv/page'\nsource = 'page'\n")
    made = served.cli("image", "build", str(recipe), "--json")
    assert made.exit_code == 0, made.stderr
    assert json.loads(made.stdout)["names"] == ["site:latest"]
    full = json.loads(served.cli("image", "inspect", "site", "--json").stdout)
    assert Path(full["stack"][1]["path"], "srv/page").read_text() == "page"
    assert [step["created_by"] for step in full["history"]] == ["step 0", "/srv/page"]
