"""Images that instances make: of what a container has changed, and by Docker's classic builder; and
containers that stand still."""

from __future__ import annotations

import json
import os
import signal
import tarfile
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL, CompletedProcess, Popen

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


DOCKERFILE = """
ARG BASE=none
FROM ${BASE}
ARG GREETING
ENV WHO="the world" \\
    WHERE=/srv/app
LABEL made.by=test
WORKDIR $WHERE
RUN echo "$GREETING, $WHO" >greeting && rm /etc/profile
COPY --chown=7 page*.html site .
COPY "with space" /deep/new/
ADD run.sh /usr/local/bin/run
EXPOSE 8080
VOLUME /data
USER nobody
ENTRYPOINT ["run"]
CMD ["greeting"]
"""


RUN = """#!/bin/sh
id -un; cat $1; ls -n page1.html | cut -d' ' -f3-10; cat sub/deep /deep/new/with*
"""


def build(docker: Docker, folder: Path, text: str, *words: str) -> CompletedProcess[str]:
    (folder / "Dockerfile").write_text(text)
    docker.environment["DOCKER_BUILDKIT"] = "0"
    return docker.run("build", *words, str(folder))


def test_a_dockerfile(docker: Docker, tmp_path: Path) -> None:
    (tmp_path / "site/sub").mkdir(parents=True)
    (tmp_path / "site/sub/deep").write_text("deep")
    (tmp_path / "site/link").symlink_to("/etc/passwd")
    (tmp_path / "page1.html").write_text("one")
    (tmp_path / "with space").write_text("spaced")
    (tmp_path / "run.sh").write_text(RUN)
    (tmp_path / "run.sh").chmod(0o755)
    before = docker("images", "-q", "--no-trunc").split()
    done = build(docker, tmp_path, DOCKERFILE, "-t", "app:1", "-t", "other", "--build-arg",
                 "BASE=gureum-base", "--build-arg", "GREETING=hello")  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert "Step 2/15 : FROM ${BASE}" in said
    assert {"Successfully tagged app:1", "Successfully tagged other:latest"} <= set(said)
    seen = docker("run", "--rm", "app:1").splitlines()
    assert seen[:2] == ["nobody", "hello, the world"]
    assert "7" in seen[2].split()
    assert seen[-1] == "deepspaced"
    assert docker("run", "--rm", "--entrypoint", "ls", "app:1", "-l", "link").endswith(
        "link -> /etc/passwd"
    )
    (image,) = json.loads(docker("image", "inspect", "app:1"))
    config = image["Config"]
    assert (config["Cmd"], config["User"], config["WorkingDir"]) == (
        ["greeting"],
        "nobody",
        "/srv/app",
    )
    assert (config["ExposedPorts"], config["Volumes"]) == ({"8080/tcp": {}}, {"/data": {}})
    assert config["Labels"]["made.by"] == "test"
    assert len(image["RootFS"]["Layers"]) == 5  # the base's, and those of RUN, COPY, COPY, ADD
    # neither containers nor images on the way are to be seen
    assert docker("ps", "-aq") == ""
    assert set(docker("images", "-q", "--no-trunc").split()) - set(before) == {image["Id"]}
    docker("rmi", "app:1", "other")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("RUN exit 3", "The command '/bin/sh -c exit 3' returned a non-zero code: 3"),
        ("COPY missing /", "file not found in build context"),
        ("COPY ../../../etc/passwd /", "file not found in build context"),
        ("COPY --from=x a /", "pull access denied for x:latest"),
        ("COPY --from=0 a /", "invalid from flag value 0: refers to current build stage"),
        ("COPY --from=1 a /", "invalid from flag value 1: index out of bounds"),
        ("COPY --from=gureum-base /no?e /", "stat /no?e: file does not exist"),
        ("COPY --chown=who Dockerfile /", "can't find uid for user who: no such user: who"),
        ("ADD http://198.18.0.1/a /", "ADD fetches nothing here"),
        ("FROM none-such", "pull access denied for none-such"),
        ("FETCH x", "unknown instruction: FETCH"),
        ("EXPOSE web", "Invalid containerPort: web"),
    ],
)
def test_a_build_that_fails(docker: Docker, tmp_path: Path, line: str, shown: str) -> None:
    before = docker("images", "-q")
    done = build(docker, tmp_path, f"FROM gureum-base\nENV A=b\n{line}", "-t", "bad")
    assert done.returncode != 0
    assert shown in done.stderr
    assert docker("ps", "-aq") == ""
    assert docker("images", "-q") == before


STAGES = """
ARG BASE=none
ARG WHO=somebody WHERE=/out
FROM $BASE AS first
ARG WHO WHERE
RUN mkdir $WHERE /out/sub && echo "made by $WHO" >/out/words && echo x >/out/.hidden
RUN ln -s words /out/link && ln -s /etc/passwd /out/passwd && ln /out/words /out/sub/hard

FROM first AS Second
RUN test -z "$WHO" && echo more >>/out/words

FROM scratch AS whole
COPY --from=gureum-base /bin/busybox /bin/
COPY --from=second /out/w*s /words
COPY --from=0 /out/ /all
COPY --from=first --chown=7:8 /out/link /out/.hid* /links/
COPY Dockerfile .
CMD ["ls"]
ENTRYPOINT ["/bin/busybox"]
HEALTHCHECK --interval=1m CMD ["/bin/busybox", "true"]

FROM none-such
RUN never
"""


def test_stages(docker: Docker, tmp_path: Path) -> None:
    before = docker("images", "-q")
    given = ("--build-arg", "BASE=gureum-base", "--build-arg", "WHO=me", "--build-arg", "NO=one")
    done = build(docker, tmp_path, STAGES, "-t", "staged", "--target", "Whole", *given)
    assert done.returncode == 0, done.stderr
    assert "Step 17/17 : HEALTHCHECK" in done.stdout
    assert "[Warning] One or more build-args [NO] were not consumed" in done.stdout
    assert docker("run", "--rm", "staged", "cat", "/words") == "made by me\nmore"
    assert docker("run", "--rm", "staged", "cat", "/all/words") == "made by me"
    assert docker("run", "--rm", "staged").split() == [
        "Dockerfile", "all", "bin", "dev", "etc", "links", "proc", "sys", "words",
    ]  # fmt: skip
    everything = docker("run", "--rm", "staged", "find", "/all", "/links", "-exec",
                        "/bin/busybox", "stat", "-c", "%n %u %g %h %N", "{}", ";")  # fmt: skip
    assert sorted(everything.splitlines()) == [
        "/all 0 0 3 /all",
        "/all/.hidden 0 0 1 /all/.hidden",
        "/all/link 0 0 1 '/all/link' -> 'words'",
        "/all/passwd 0 0 1 '/all/passwd' -> '/etc/passwd'",
        "/all/sub 0 0 2 /all/sub",
        "/all/sub/hard 0 0 2 /all/sub/hard",
        "/all/words 0 0 2 /all/words",
        "/links 0 0 2 /links",
        "/links/.hidden 7 8 1 /links/.hidden",
        "/links/link 7 8 1 /links/link",
    ]
    (image,) = json.loads(docker("image", "inspect", "staged"))
    assert image["Config"]["Cmd"] == ["ls"]
    assert image["Config"]["Healthcheck"]["Test"] == ["CMD", "/bin/busybox", "true"]
    assert docker("ps", "-aq") == ""
    docker("rmi", "staged")
    assert docker("images", "-q") == before
    done = build(docker, tmp_path, STAGES, "--target", "third", *given)
    assert 'target stage "third" could not be found' in done.stderr


def test_what_a_base_wants_of_those_built_on_it(docker: Docker, tmp_path: Path) -> None:
    text = "FROM gureum-base\nONBUILD COPY Dockerfile /srv/\nONBUILD RUN echo $((6*7)) >/answer"
    build(docker, tmp_path, text, "-t", "wants")
    done = build(docker, tmp_path, "FROM wants\nCMD cat /answer /srv/*", "-t", "built")
    assert "# Executing 2 build triggers" in done.stdout
    assert docker("run", "--rm", "built") == "42\nFROM wants\nCMD cat /answer /srv/*"
    assert json.loads(docker("image", "inspect", "built"))[0]["Config"].get("OnBuild") is None
    docker("rmi", "built", "wants")


def test_steps_are_kept_for_other_builds(docker: Docker, tmp_path: Path) -> None:
    text = "FROM gureum-base\nARG X\nRUN date +%N$X >/when\nCOPY a* /a/\nCMD cat /when /a/*"

    def built(*more: str) -> tuple[int, list[str]]:
        done = build(docker, tmp_path, text, "-t", "kept", *more)
        assert done.returncode == 0, done.stderr
        return done.stdout.count(" ---> Using cache"), docker("run", "--rm", "kept").split()

    (tmp_path / "a1").write_text("one")
    count, first = built()
    assert count == 0
    os.utime(tmp_path / "a1", (1, 1))  # when a file was changed does not count
    assert built() == (3, first)
    (tmp_path / "a1").write_text("two")
    assert built() == (1, [first[0], "two"])
    assert built("--build-arg", "X=1")[0] == 0
    count, anew = built("--no-cache")
    assert count == 0
    assert anew != first
    assert built() == (3, anew)
    on_the_way = set(docker("images", "-aq").split()) - set(docker("images", "-q").split())
    assert on_the_way
    docker("builder", "prune", "-f")
    assert not on_the_way & set(docker("images", "-aq").split())
    assert built()[0] == 0
    docker("rmi", "kept")
    docker("image", "prune", "-f")


def test_archives_are_unpacked_by_add_alone(docker: Docker, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "some.data", "w:gz") as tar:
        for name, kind, link in (
            ("deep/file", tarfile.REGTYPE, ""),
            ("deep/hard", tarfile.LNKTYPE, "deep/file"),
            ("../out", tarfile.SYMTYPE, "/etc/passwd"),
            ("null", tarfile.CHRTYPE, ""),
        ):
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.uid, member.mode = kind, link, 5, 0o640
            tar.addfile(member)
    (tmp_path / "plain.tar").write_text("no archive")
    (tmp_path / "link").symlink_to("/plain.tar")
    text = """
FROM gureum-base
ADD some.data plain.tar /a/
COPY --chown=nobody:0 some.data link /b/
RUN echo loud
"""
    done = build(docker, tmp_path, text, "-q")
    assert done.returncode == 0, done.stderr
    digest = done.stdout.strip()
    shown = docker(
        "run", "--rm", digest, "sh", "-c", "cd /; stat -c '%n %u %a %h' a/* a/deep/* b/*"
    )
    assert shown.splitlines() == [
        "a/deep 0 755 2",
        "a/out 5 777 1",
        "a/plain.tar 0 644 1",
        "a/deep/file 5 640 2",
        "a/deep/hard 5 640 2",
        "b/link 65534 644 1",
        "b/some.data 65534 644 1",
    ]
    docker("rmi", digest)


def test_a_build_whose_client_goes(docker: Docker, tmp_path: Path) -> None:
    before = docker("images", "-q")
    (tmp_path / "Dockerfile").write_text("FROM gureum-base\nENV A=b\nRUN sleep 1000")
    classic = docker.environment | {"DOCKER_BUILDKIT": "0"}
    words = [str(docker.program), "build", str(tmp_path)]
    with Popen(words, env=classic, stdout=DEVNULL, stderr=DEVNULL) as client:
        assert eventually(lambda: docker("ps", "-q") != "")
        client.kill()
    assert eventually(lambda: docker("ps", "-aq") == "")
    assert eventually(lambda: docker("images", "-q") == before)


def test_saved_and_loaded(docker: Docker, tmp_path: Path) -> None:
    docker("run", "--name", "work", "gureum-base", "sh", "-c", "echo mine >/file")
    image = docker("commit", "--change", 'CMD ["cat", "/file"]', "work", "mine:1")
    docker("rm", "work")
    docker("tag", "mine:1", "also/mine")
    file = tmp_path / "saved.tar"
    docker("save", "-o", str(file), "mine:1", "also/mine")
    docker("rmi", "mine:1", "also/mine")
    assert eventually(lambda: image not in Store().catalog.digests())
    assert set(docker("load", "-i", str(file)).splitlines()) == {
        "Loaded image: mine:1", "Loaded image: also/mine:latest",
    }  # fmt: skip
    assert docker("run", "--rm", "also/mine") == "mine"
    assert docker("images", "-q", "--no-trunc", "mine") == image
    assert "docker.io/library/mine:1" not in Store().catalog.names()
    docker("rmi", "mine:1", "also/mine")
    file.write_bytes(file.read_bytes()[:-20000])
    assert "could not be loaded" in docker.fails("load", "-i", str(file))
    file.write_bytes(b"no tar file")
    assert "could not be loaded" in docker.fails("load", "-i", str(file))


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
