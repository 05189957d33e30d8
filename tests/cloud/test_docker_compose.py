"""The workshop's proxy, app and database as a compose file, with Debian's docker-compose."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.clients.installed import installed
from tests.cloud.docker import Docker, get
from tests.cloud.site import Guest, Site
from tests.cloud.test_docker_ready import BUILD
from tests.kernel.packets import eventually

pytestmark = pytest.mark.kernel

FILE = """
version: "3.8"
services:
  proxy:
    image: proxy
    ports: ["80:80"]
    environment: {UPSTREAM: "app:8080"}
    depends_on: [app]
    networks: [front]
  app:
    image: gureum-base
    command: sh -c "echo page-of-the-app >/srv/index.html; exec httpd -f -p 8080 -h /srv"
    depends_on: [db]
    networks: [front, back]
  db:
    image: db
    environment: {MARIADB_ROOT_PASSWORD: secret}
    volumes: ["data:/var/lib/mysql"]
    networks: {back: {aliases: [database]}}
    restart: unless-stopped
networks: {front: {}, back: {internal: true}}
volumes: {data: {}}
"""


class Compose:
    """``docker-compose`` for an instance, with the project in a folder."""

    def __init__(self, docker: Docker, folder: Path) -> None:
        self._docker = docker
        self._folder = folder
        self._program = installed("compose") / "docker-compose"

    def __call__(self, *words: str) -> str:
        """Run it, which must succeed; all that it printed."""
        done = subprocess.run(
            [self._program, "--project-name", "shop", "--ansi", "never", *words],
            cwd=self._folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=BUILD, check=False, env=self._docker.environment,
        )  # fmt: skip
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def web(site: Site) -> Guest:
    return site.launch(site.public, site.group("web", ("tcp", 80, "0.0.0.0/0")), public=True)


@pytest.fixture(scope="module")
def docker(web: Guest, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    return Docker(web, tmp_path_factory.mktemp("home"))


def test_proxy_app_and_database(docker: Docker, site: Site, web: Guest, tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(FILE)
    compose = Compose(docker, tmp_path)
    for image in ("proxy", "db"):
        docker("pull", image, patience=BUILD)
    compose("up", "-d")
    assert eventually(lambda: "page-of-the-app" in get(site.me, web.public_ip, 80))
    rows = {row.split()[0]: row for row in compose("ps").splitlines() if row.startswith("shop_")}
    assert sorted(rows) == ["shop_app_1", "shop_db_1", "shop_proxy_1"]
    assert all(" Up " in row for row in rows.values())
    assert "0.0.0.0:80->80/tcp" in rows["shop_proxy_1"]
    # who shares a network knows the others by service and by alias, and no one else
    greeting = "exec nc -w 1 {} 3306 </dev/null | head -c 40"
    for name in ("db", "database"):
        ask = ("exec", "-T", "app", "sh", "-c", greeting.format(name))
        assert eventually(lambda ask=ask: "MariaDB" in compose(*ask), 30)  # type: ignore[misc]
    assert "bad address" in compose("exec", "-T", "app", "sh", "-c", "nc nobody 1 2>&1 || true")
    hosts = compose("exec", "-T", "proxy", "cat", "/etc/hosts")
    assert " app" in hosts.replace("\t", " ")
    assert "database" not in hosts
    logs = compose("logs", "proxy")
    assert 'GET / HTTP/1.0" 200' in logs
    assert "proxy_1" in logs
    assert "up-to-date" in compose("up", "-d")
    compose("down", "-v", "-t", "1")
    assert docker("ps", "-aq") == docker("volume", "ls", "-q") == ""
    assert not [name for name in docker("network", "ls", "--format", "{{.Name}}").split()
                if name.startswith("shop")]  # fmt: skip
    assert get(site.me, web.public_ip, 80) == "refused"
