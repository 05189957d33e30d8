"""Images that instances make: of what a container has changed, and by Docker's classic builder; and
containers that stand still."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gureum.images import Store
from tests.cloud.docker import Docker
from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel.packets import eventually

pytestmark = pytest.mark.kernel

COUNT = "i=0; while :; do i=$((i+1)); echo $i >/count; sleep 0.01; done"


@pytest.fixture(scope="module")
def guest(site: Site) -> Guest:
    return site.launch(site.private, site.group("none"))


@pytest.fixture(scope="module")
def docker(guest: Guest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    made = Docker(guest, tmp_path_factory.mktemp("home"))
    yield made
    own = set(made("images", "-q", "--no-trunc").split())
    made("image", "prune", "-af")  # the store is the machine's
    left = own - set(made("images", "-q", "--no-trunc").split())
    assert eventually(lambda: not left & set(Store().catalog.digests()))


def test_a_container_that_stands_still(
    docker: Docker, site: Site, guest: Guest, daemon: Daemon
) -> None:
    docker("run", "-d", "--name", "counter", "gureum-base", "sh", "-c", COUNT)
    pid = int(docker("inspect", "-f", "{{.State.Pid}}", "counter"))
    file = Path(f"/proc/{pid}/root/count")
    assert eventually(lambda: file.exists() and file.read_text() > "")
    docker("pause", "counter")
    seen = file.read_text()
    assert not eventually(lambda: file.read_text() not in ("", seen), 0.5)
    assert docker.state("counter") == "paused"
    assert "(Paused)" in docker("ps", "--filter", "status=paused", "--format", "{{.Status}}")
    assert "is already paused" in docker.fails("pause", "counter")
    assert "is paused, unpause the container before exec" in docker.fails("exec", "counter", "id")
    docker("unpause", "counter")
    assert eventually(lambda: file.read_text() not in ("", seen))
    assert docker.state("counter") == "running"
    assert "is not paused" in docker.fails("unpause", "counter")
    # who stands still can be ended, by himself and with his instance
    docker("pause", "counter")
    docker("kill", "counter")
    assert docker("inspect", "-f", "{{.State.ExitCode}}", "counter") == str(128 + signal.SIGKILL)
    docker("start", "counter")
    docker("pause", "counter")
    docker("rm", "-f", "counter")
    docker("run", "-d", "--name", "counter", "gureum-base", "sh", "-c", COUNT)
    docker("pause", "counter")
    site.ec2.stop_instances(InstanceIds=[guest.id])
    guest.becomes("stopped")
    site.ec2.start_instances(InstanceIds=[guest.id])
    guest.becomes("running")
    assert eventually(lambda: docker.run("ps").returncode == 0)
    assert docker.state("counter") == "exited"
    docker("rm", "counter")


def test_an_image_of_what_a_container_has_changed(docker: Docker) -> None:
    docker("run", "-d", "--name", "work", "-e", "A=b", "-w", "/srv", "-v", "/data", "gureum-base",
           "sleep", "1000")  # fmt: skip
    docker("exec", "work", "sh", "-c", "echo mine >/srv/file; rm /etc/profile; echo no >/data/file")
    digest = docker("commit", "-m", "for a test", "--change", 'CMD ["cat", "file"]', "--change",
                    "EXPOSE 8080", "work", "made:1")  # fmt: skip
    assert docker.state("work") == "running"
    (image,) = json.loads(docker("image", "inspect", "made:1"))
    assert image["Id"] == digest
    base = json.loads(docker("image", "inspect", "gureum-base"))[0]["RootFS"]["Layers"]
    assert image["RootFS"]["Layers"][:-1] == base
    assert "A=b" in image["Config"]["Env"]
    assert image["Config"]["ExposedPorts"] == {"8080/tcp": {}}
    assert docker("history", "--format", "{{.Comment}}", "made:1").splitlines()[0] == "for a test"
    assert docker("run", "--rm", "made:1") == "mine"
    assert docker.run("run", "--rm", "made:1", "ls", "/etc/profile", "/data/file").returncode != 0
    docker("rm", "-f", "work")
    assert "Deleted: " in docker("rmi", "made:1")
