"""Images of an instance's own, with Docker's own client: from and to a registry that wants to know
who one is, and never from one that the operator did not name."""

from __future__ import annotations

import base64
import json
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gureum.images import ImageStore, Store
from tests.cloud.docker import Docker
from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.images.archives import archive, compressed, digest, layout, member
from tests.images.registries import PASSWORD, USER, Registry, registry
from tests.kernel.packets import eventually

pytestmark = pytest.mark.kernel

LAYERS = [archive(member("etc/one", b"1" * 1000)), archive(member("etc/two", b"2" * 100_000))]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with registry(tmp_path_factory.mktemp("registry") / "data", locked=True) as made:
        yield made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """An image store of its own, with the machine's images of instances."""
    root = tmp_path_factory.mktemp("store") / "images"
    root.mkdir()
    (root / "gureum-base").symlink_to(ImageStore().ensure("gureum-base").parent)
    return Store(ImageStore(root))


@pytest.fixture(scope="module")
def daemon(
    ours: Registry, store: Store, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Daemon]:
    made = Daemon(
        tmp_path_factory.mktemp("cloud") / "state", "--no-host-link", f"--registry={ours.host}"
    )
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GUREUM_IMAGES", str(store.built.root))
        made.start()
        yield made
        made.close()


@pytest.fixture(scope="module")
def guest(site: Site) -> Guest:
    return site.launch(site.private, site.group("none"))


@pytest.fixture(scope="module")
def docker(guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    return Docker(guest, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def other(site: Site, guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    """The client of a neighbour, who has not logged in."""
    group = guest.show()["SecurityGroups"][0]["GroupId"]
    return Docker(site.launch(site.private, group), tmp_path_factory.mktemp("home"))


@pytest.fixture
def login(docker: Docker, ours: Registry) -> Iterator[None]:
    done = docker("login", "-u", USER, "--password-stdin", ours.host, stdin=PASSWORD)
    assert "Login Succeeded" in done
    yield
    docker("logout", ours.host)


def names(docker: Docker) -> list[str]:
    return docker("images", "--format", "{{.Repository}}:{{.Tag}}").split()


def test_pushed_and_pulled(
    docker: Docker, other: Docker, daemon: Daemon, ours: Registry, login: None
) -> None:
    name = f"{ours.host}/team/tool:1"
    docker("tag", "gureum-base", name)
    assert name in names(docker)
    assert name not in names(other)
    pushed = docker("push", name)
    assert f"The push refers to repository [{ours.host}/team/tool]" in pushed
    assert f"Untagged: {name}" in docker("rmi", name)
    assert "gureum-base:latest" in names(docker)  # the cloud's, which stays
    pulled = docker("pull", name)
    sent = pushed.split("digest: ")[1].split()[0]
    assert f"Digest: {sent}" in pulled
    assert ": Pull complete" in pulled
    assert f"Status: Downloaded newer image for {name}" in pulled
    assert f"Image is up to date for {name}" in docker("pull", name)
    by_digest = f"{ours.host}/team/tool@{sent}"
    docker("pull", by_digest)
    assert docker("inspect", "-f", "{{index .RepoDigests 0}}", name) == by_digest
    assert docker("run", "--rm", name, "echo", "it runs") == "it runs"
    secrets = (PASSWORD, base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode())
    said = (daemon.state / "test.log").read_text()
    assert not any(secret in said for secret in secrets)
    docker("rmi", name)


def test_nobody_else_has_it(
    docker: Docker, other: Docker, store: Store, ours: Registry, login: None, tmp_path: Path
) -> None:
    image = layout(tmp_path / "web", LAYERS[:1], {})
    ours.push(tmp_path / "web", "secret", f"--dest-creds={USER}:{PASSWORD}")
    name = f"{ours.host}/secret:latest"
    docker("pull", name)
    # who has not said who he is gets nothing, though the layers are on this machine
    assert name not in names(other)
    for each in (name, image, image[7:19]):
        assert "No such image" in other.fails("image", "inspect", each)
    assert "wants (other) credentials" in other.fails("pull", name)
    # with the last of its names goes the image, for nobody else has it
    assert store.holders(image)
    docker("rmi", name)
    assert eventually(lambda: image not in store.catalog.digests())


def test_wrong_credentials(docker: Docker, ours: Registry) -> None:
    done = docker.run("login", "-u", USER, "--password-stdin", ours.host, stdin="wrong")
    assert done.returncode == 1
    assert "incorrect username or password" in done.stderr


@pytest.mark.parametrize("how", ["other", "truncated", "gone"])
def test_a_registry_that_lies(
    docker: Docker, store: Store, ours: Registry, login: None, tmp_path: Path, how: str
) -> None:
    layout(tmp_path / "web", LAYERS, {})
    ours.push(tmp_path / "web", how, f"--dest-creds={USER}:{PASSWORD}")
    blob = ours.blob(digest(compressed(LAYERS[1], "gzip")))
    whole = blob.read_bytes()
    before = set(store.catalog.blobs.iterdir()), set(store.catalog.layers.glob("[!.]*"))
    if how == "gone":
        blob.unlink()
    else:
        blob.write_bytes(whole[:-1] + b"!" if how == "other" else whole[: len(whole) // 2])
    assert "could not be fetched" in docker.fails("pull", f"{ours.host}/{how}")
    assert (set(store.catalog.blobs.iterdir()), set(store.catalog.layers.glob("[!.]*"))) == before
    assert f"{ours.host}/{how}:latest" not in names(docker)
    blob.write_bytes(whole)
    docker("pull", f"{ours.host}/{how}")
    docker("rmi", f"{ours.host}/{how}")


def test_registries_that_nobody_named_are_asked_nothing(docker: Docker, guest: Guest) -> None:
    """A service of this machine, of which an instance's daemon is asked to be the client."""
    with socket.create_server(("127.0.0.1", 0)) as service:
        host = f"127.0.0.1:{service.getsockname()[1]}"
        docker("tag", "gureum-base", f"{host}/x")
        for words in (("pull", f"{host}/y"), ("push", f"{host}/x"), ("run", f"{host}/y")):
            assert "no registry that instances may use" in docker.fails(*words)
        done = docker.run("login", "-u", "a", "--password-stdin", host, stdin="b")
        assert "no registry that instances may use" in done.stderr
        assert select.select([service], [], [], 0)[0] == []
        docker("rmi", f"{host}/x")


def test_names_of_an_instances_own(docker: Docker, other: Docker, store: Store) -> None:
    """They mean to it what it says, and nothing to anybody else."""
    docker("tag", "gureum-base", "debian-12")
    docker("tag", "debian-12", "mine:2")
    assert {"debian-12:latest", "mine:2"} <= set(names(docker))
    assert not {"debian-12:latest", "mine:2"} & set(names(other))
    assert "docker.io/library/mine:2" not in store.catalog.names()
    assert docker("run", "--rm", "mine:2", "echo", "yes") == "yes"
    assert "an image of the cloud" in docker.fails("rmi", "gureum-base")
    docker("create", "--name", "user", "mine:2", "true")
    assert docker("rmi", "mine:2") == "Untagged: mine:2"
    assert "image is being used by stopped container" in docker.fails("rmi", "debian-12")
    assert docker("rmi", "-f", "debian-12").startswith("Untagged: debian-12:latest")
    docker("rm", "user")
    (image,) = json.loads(docker("image", "inspect", "gureum-base"))
    assert image["RepoTags"] == ["gureum-base:latest"]
