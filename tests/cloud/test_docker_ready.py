"""Week 1, step 2 of the workshop with the images that are ready, built if they are not there yet:
``proxy`` before the service of its instance, ``db`` with a volume that outlives it; and both with
an app between them as a compose file, with Debian's docker-compose."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gureum.images import Store
from gureum.images.pack import pack
from tests.clients.installed import installed
from tests.cloud.docker import Docker, ask, get
from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel import packets
from tests.kernel.packets import eventually

pytestmark = pytest.mark.kernel

BUILD = 300.0
"""Seconds in which an image is built; 4 to 7 where the mirror is near."""
APP = "mkdir -p /srv && echo app-on-the-instance >/srv/index.html && httpd -p 8080 -h /srv"
PASSWORD = "it's a `secret`"
DB = ("run", "-d", "--name", "db", "-p", "3306:3306", "-v", "data:/var/lib/mysql", "--restart",
      "unless-stopped", "-e", f"MARIADB_ROOT_PASSWORD={PASSWORD}", "-e", "MARIADB_DATABASE=shop",
      "-e", "MARIADB_USER=app", "-e", "MARIADB_PASSWORD=app's", "--health-interval",
      "1s", "db")  # fmt: skip


@pytest.fixture(scope="module")
def web(site: Site) -> Guest:
    return site.launch(site.public, site.group("web", ("tcp", 80, "0.0.0.0/0")), public=True)


@pytest.fixture(scope="module")
def db(site: Site, web: Guest) -> Guest:
    group = web.show()["SecurityGroups"][0]["GroupId"]
    return site.launch(site.private, site.group("db", ("tcp", 3306, group)))


@pytest.fixture(scope="module")
def docker(web: Guest, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    return Docker(web, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def on_db(db: Guest, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    return Docker(db, tmp_path_factory.mktemp("home"))


def greets(web: Guest, db: Guest) -> bool:
    """Whether the database says its first words to the other instance (its protocol's "Initial
    Handshake Packet" has the server's version)."""
    with packets.make(web.ns) as connection:
        connection.settimeout(5)
        try:
            connection.connect((db.ip, 3306))
            return b"MariaDB" in connection.recv(1024)
        except OSError:
            return False


def test_a_proxy_before_the_instances_service(
    docker: Docker, daemon: Daemon, site: Site, web: Guest
) -> None:
    assert daemon.gureum("exec", web.id, "--", "sh", "-c", APP).returncode == 0
    pulled = docker("pull", "proxy", patience=BUILD).splitlines()
    assert pulled[-1] == "docker.io/library/proxy:latest"
    assert "Status: Image is up to date for proxy:latest" in pulled
    docker("run", "-d", "--name", "proxy", "-p", "80:80", "proxy")
    assert eventually(lambda: get(site.me, web.public_ip, 80).startswith("HTTP/1.1 200"))
    page = get(site.me, web.public_ip, 80)
    assert "Server: nginx" in page
    assert "app-on-the-instance" in page
    assert get(site.me, web.public_ip, 8080, patience=1) == "timeout"  # the group has no such rule
    assert '"GET / HTTP/1.0" 200' in docker("logs", "proxy")
    # the same, before a server that is a container, too
    assert daemon.gureum("exec", web.id, "--", "busybox", "killall", "httpd").returncode == 0
    docker("pull", "web", patience=BUILD)
    docker("run", "-d", "--name", "app", "-p", "8080:80", "web")
    assert eventually(lambda: "It works" in get(site.me, web.public_ip, 80))
    docker("rm", "-f", "app", "proxy")


def test_a_database_whose_data_outlives_its_container_and_a_stop(
    docker: Docker, on_db: Docker, site: Site, web: Guest, db: Guest
) -> None:
    on_db("pull", "db", patience=BUILD)
    on_db(*DB)
    assert eventually(lambda: greets(web, db), 30)

    def query(text: str) -> str:
        """From a container on the other instance, over the network between them."""
        return docker("run", "--rm", "-e", "MYSQL_PWD=app's", "db", "mariadb", "--batch",
                      "--skip-column-names", f"--host={db.ip}", "--user=app", "shop",
                      f"--execute={text}")  # fmt: skip

    query("CREATE TABLE carts (id INT PRIMARY KEY, what TEXT); INSERT INTO carts VALUES (1, 'tea')")
    assert eventually(lambda: on_db("inspect", "-f", "{{.State.Health.Status}}", "db") == "healthy")
    on_db("exec", "db", "touch", "/usr/bin/own")
    assert on_db.run("exec", "db", "rm", "/usr/sbin/mariadbd").returncode == 0
    on_db("rm", "-f", "db")
    assert ask(web.ns, db.ip, 3306) == "refused"
    on_db(*DB)  # the image has its program, and not what was written
    assert eventually(lambda: greets(web, db))
    assert on_db.run("exec", "db", "ls", "/usr/bin/own").returncode != 0
    assert query("SELECT what FROM carts") == "tea"
    site.ec2.stop_instances(InstanceIds=[db.id])
    db.becomes("stopped")
    site.ec2.start_instances(InstanceIds=[db.id])
    db.becomes("running")
    assert eventually(lambda: greets(web, db))
    query("INSERT INTO carts VALUES (2, 'cake')")
    assert query("SELECT what FROM carts ORDER BY id").split() == ["tea", "cake"]
    for layer in Store().find("db").stack[1:]:  # what is over debian-12 is what it was made as
        assert pack(layer.path, None)[0] == layer.diff_id
    on_db("rm", "-f", "db")
    on_db("volume", "rm", "data")


# --- a compose file -----------------------------------------------------------------------------
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
    known = ("exec", "-T", "proxy", "sh", "-c", "getent hosts app; getent hosts database || true")
    assert len(compose(*known).splitlines()) == 1
    logs = compose("logs", "proxy")
    assert 'GET / HTTP/1.0" 200' in logs
    assert "proxy_1" in logs
    assert "up-to-date" in compose("up", "-d")
    compose("down", "-v", "-t", "1")
    assert docker("ps", "-aq") == docker("volume", "ls", "-q") == ""
    assert not [name for name in docker("network", "ls", "--format", "{{.Name}}").split()
                if name.startswith("shop")]  # fmt: skip
    assert get(site.me, web.public_ip, 80) == "refused"
