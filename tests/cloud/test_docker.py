"""Week 1, step 2 of the workshop with the stock Docker client, on real packets: a proxy container
before the instance's own service, a database container whose data outlives it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.docker import Docker, ask, get
from tests.cloud.site import Guest, Site
from tests.daemon import Daemon
from tests.kernel import packets
from tests.kernel.packets import eventually

pytestmark = pytest.mark.kernel

APP = "mkdir -p /srv && echo app-on-the-instance >/srv/index.html && httpd -p 8080 -h /srv"
GREET = ("sh", "-c", "exec nc -ll -p 3306 -e cat /var/lib/db/greeting")


@pytest.fixture(scope="module")
def web(site: Site) -> Guest:
    group = site.group("web", ("tcp", 80, "0.0.0.0/0"))
    return site.launch(site.public, group, public=True)


@pytest.fixture(scope="module")
def db(site: Site) -> Guest:
    return site.launch(site.private, site.group("db", ("tcp", 3306, "10.0.0.0/16")))


@pytest.fixture(scope="module")
def docker(web: Guest, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    return Docker(web, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def on_db(db: Guest, tmp_path_factory: pytest.TempPathFactory) -> Docker:
    return Docker(db, tmp_path_factory.mktemp("home"))


@pytest.fixture
def sleeper(docker: Docker) -> Iterator[str]:
    """A container that does nothing."""
    docker("run", "-d", "--name", "sleeper", "gureum-base", "sleep", "1000")
    yield "sleeper"
    docker("rm", "-f", "sleeper")


def _inside(daemon: Daemon, guest: Guest, script: str) -> str:
    done = daemon.gureum("exec", guest.id, "--", "sh", "-c", script)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_engine_tells_who_it_is(docker: Docker, daemon: Daemon, web: Guest) -> None:
    about = json.loads(docker("version", "--format", "{{json .}}"))
    assert (about["Server"]["ApiVersion"], about["Server"]["MinAPIVersion"]) == ("1.43", "1.24")
    assert "gureum-base" in docker("images", "--format", "{{.Repository}}").split()
    assert docker("info", "--format", "{{.Name}}") == web.id
    # the client outside spoke to the socket that is inside
    assert docker.socket.stat().st_mode & 0o777 == 0o660
    rows = _inside(daemon, web, "for path in /run /var/run; do ls -lL $path/docker.sock; done")
    assert rows.count("srw-rw----") == 2


def test_a_proxy_in_a_container_before_the_instances_service(
    docker: Docker, daemon: Daemon, site: Site, web: Guest
) -> None:
    _inside(daemon, web, APP)
    docker("run", "-d", "--name", "proxy", "-p", "80:80", "gureum-base",
           "nc", "-ll", "-p", "80", "-e", "nc", "172.17.0.1", "8080")  # fmt: skip
    assert eventually(lambda: get(site.me, web.public_ip, 80).startswith("HTTP/1.1 200"))
    assert "app-on-the-instance" in get(site.me, web.public_ip, 80)
    assert get(site.me, web.public_ip, 8080, patience=1) == "timeout"  # the group has no such rule
    assert docker("port", "proxy") == "80/tcp -> 0.0.0.0:80"
    assert docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "proxy") == "172.17.0.2"
    # also the instance itself, by its own address and by loopback, and another container
    for ip in (web.ip, "127.0.0.1"):
        assert "app-on-the-instance" in get(web.ns, ip, 80)
    asked = docker("run", "--rm", "gureum-base", "wget", "-qO-", f"http://{web.ip}/")
    assert asked == "app-on-the-instance"
    _is_explained(daemon, web)
    site.forbid(_group(web), "tcp", 80, "0.0.0.0/0")
    assert get(site.me, web.public_ip, 80, patience=1) == "timeout"
    site.allow(_group(web), "tcp", 80, "0.0.0.0/0")
    docker("stop", "-t", "1", "proxy")
    assert get(site.me, web.public_ip, 80) == "refused"
    docker("start", "proxy")
    assert eventually(lambda: get(site.me, web.public_ip, 80).startswith("HTTP/1.1 200"))
    docker("rm", "-f", "proxy")


def _is_explained(daemon: Daemon, web: Guest) -> None:
    """The way that the page came, from the internet into the container and back."""
    found = _json(daemon, "explain", "me", web.id, "tcp/80", "--json")
    assert (found["works"], found["listening"]) == (True, True)
    forth, back = (found[way]["steps"] for way in ("forth", "back"))
    last = [step["kind"] for step in forth[-5:]]
    assert last == ["translate", "route", "switch", "deliver", "listen"]
    assert "the instance's own input rules" in forth[-5]["said"]
    assert (forth[-5]["after"]["target"], forth[-5]["after"]["target_port"]) == ("172.17.0.2", 80)
    assert [step["kind"] for step in back[:2]] == ["send", "translate"]
    assert back[1]["after"]["source"] == web.ip
    found = _json(daemon, "explain", f"{web.id}/proxy", "me", "tcp/80", "--json")
    assert [step["kind"] for step in found["forth"]["steps"][:2]] == ["send", "translate"]
    assert found["forth"]["steps"][0]["packet"]["source"] == "172.17.0.2"


def _json(daemon: Daemon, *words: str) -> Any:
    return json.loads(daemon.gureum(*words).stdout)


def test_what_a_container_is(docker: Docker, daemon: Daemon, web: Guest, sleeper: str) -> None:
    docker("exec", sleeper, "sh", "-c", "echo new >/file; rm /etc/passwd; ping -c1 172.17.0.1")
    seen = _json(daemon, "container", "inspect", web.id, sleeper, "--json")
    pid = seen["container"]["pid"]
    changes = {row["path"]: row["what"] for row in seen["layers"]["changes"]}
    assert (changes["/file"], changes["/etc/passwd"]) == ("added", "deleted")
    rows = {row["kind"]: row for row in seen["namespaces"]}
    for kind, row in rows.items():
        assert row["container"] == Path(f"/proc/{pid}/ns/{kind}").stat().st_ino
        # all its own, but for the user namespace, which is its instance's
        assert (row["container"] == row["instance"]) == (kind == "user")
        assert row["container"] != row["machine"]
    assert seen["cgroup"]["processes"] == [pid]
    (network,) = seen["network"]
    known = {(row["mac"], row["link"]) for row in network["macs"]}
    assert (network["mac"], network["outside"]) in known  # the bridge has learned it
    shown = daemon.gureum("container", "inspect", web.id, sleeper)
    assert network["outside"] in shown.stdout
    missing = daemon.gureum("container", "inspect", web.id, "nobody")
    assert missing.returncode != 0
    assert "No such container: nobody" in missing.stderr


def test_docker_from_the_machine(
    docker: Docker, daemon: Daemon, web: Guest, sleeper: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{docker.program.parent}:{os.environ['PATH']}")
    listed = daemon.gureum("docker", web.id, "ps", "--format", "{{.Names}}")
    assert listed.stdout.split() == [sleeper]
    assert daemon.gureum("docker", web.id, "exec", sleeper, "sh", "-c", "exit 6").returncode == 6


def _group(guest: Guest) -> str:
    return str(guest.show()["SecurityGroups"][0]["GroupId"])


def test_a_container_reaches_the_internet_in_its_instances_name(
    docker: Docker, site: Site, web: Guest
) -> None:
    with packets.listening(site.me, 8000) as server:
        docker("run", "-d", "--rm", "gureum-base", "nc", "198.19.0.10", "8000")
        connection, (seen, _) = server.accept()
        connection.close()
    assert seen == web.public_ip


def test_a_database_whose_data_outlives_it(
    on_db: Docker, docker: Docker, daemon: Daemon, site: Site, db: Guest, web: Guest
) -> None:
    run = ("run", "-d", "--name", "db", "-p", "3306:3306", "-v", "data:/var/lib/db", "--restart",
           "unless-stopped", "gureum-base", *GREET)  # fmt: skip
    on_db(*run)
    on_db("exec", "db", "sh", "-c", "echo persisted >/var/lib/db/greeting; echo lost >/own")
    assert eventually(lambda: ask(web.ns, db.ip, 3306).strip() == "persisted")
    on_db("rm", "-f", "db")
    assert ask(web.ns, db.ip, 3306) == "refused"
    on_db(*run)
    assert eventually(lambda: ask(web.ns, db.ip, 3306).strip() == "persisted")
    assert on_db.run("exec", "db", "cat", "/own").returncode == 1  # a new layer over the image
    site.ec2.stop_instances(InstanceIds=[db.id])
    db.becomes("stopped")
    site.ec2.start_instances(InstanceIds=[db.id])
    db.becomes("running")
    assert eventually(lambda: ask(web.ns, db.ip, 3306).strip() == "persisted")
    on_db("rm", "-f", "db")
    assert on_db("volume", "ls", "-q") == "data"
    on_db("volume", "rm", "data")


def test_a_daemon_that_is_killed_loses_nothing(
    docker: Docker, daemon: Daemon, site: Site, web: Guest
) -> None:
    docker("run", "-d", "--name", "kept", "-p", "80:80", "gureum-base",
           "nc", "-ll", "-p", "80", "-e", "echo", "still-here")  # fmt: skip
    address = web.public_ip
    before = docker("inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "kept")
    daemon.kill()
    assert eventually(lambda: ask(site.me, address, 80).strip() == "still-here")
    daemon.start()
    assert eventually(lambda: docker.run("ps").returncode == 0)
    assert docker("inspect", "-f", "{{.State.Pid}} {{.State.StartedAt}}", "kept") == before
    assert ask(site.me, web.public_ip, 80).strip() == "still-here"
    # who ends meanwhile is seen to have ended, with its own code
    docker("run", "-d", "--name", "short", "gureum-base", "sh", "-c",
           "trap 'exit 7' USR1; echo ready; while :; do sleep 0.1; done")  # fmt: skip
    assert eventually(lambda: docker("logs", "short") == "ready")
    pid = int(docker("inspect", "-f", "{{.State.Pid}}", "short"))
    daemon.kill()
    os.kill(pid, signal.SIGUSR1)
    assert eventually(lambda: not Path(f"/proc/{pid}").exists())
    daemon.start()
    assert eventually(lambda: docker.run("inspect", "short").returncode == 0)
    assert eventually(lambda: docker.state("short") == "exited")
    assert docker("inspect", "-f", "{{.State.ExitCode}}", "short") == "7"
    docker("rm", "-f", "kept", "short")
