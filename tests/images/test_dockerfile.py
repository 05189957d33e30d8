"""Dockerfiles, read and applied."""

from __future__ import annotations

import pytest

from gureum.images import Healthcheck, ImageConfig, ImageError
from gureum.images.dockerfile import (
    arguments,
    command,
    configured,
    read_dockerfile,
    read_instruction,
    substituted,
)

TEXT = r"""
# syntax=docker/dockerfile:1
ARG BASE=debian-12
from --platform=linux/amd64 ${BASE} AS One
RUN echo a && \
    # a remark within
    echo b
COPY --chown=1:2 a "b c" /d/
CMD ["x", "y"]

FROM one
COPY --from=0 /d /e
FROM scratch as last
"""


def test_lines_become_instructions() -> None:
    found = read_dockerfile(TEXT)
    assert [each.name for each in found.arguments] == ["ARG"]
    assert [(each.base, each.name) for each in found.stages] == [
        ("${BASE}", "one"), ("one", ""), ("scratch", "last"),
    ]  # fmt: skip
    assert found.size == 8
    one, two, last = found.stages
    assert one.start.flags == {"platform": "linux/amd64"}
    run, copy, cmd = one.steps
    assert run.rest == "echo a &&     echo b"
    assert command(run, ()) == ("/bin/sh", "-c", "echo a &&     echo b")
    assert (copy.flags, arguments(copy, {})) == ({"chown": "1:2"}, ["a", "b c", "/d/"])
    assert command(cmd, ()) == ("x", "y")
    assert two.steps[0].flags == {"from": "0"}
    assert last.steps == ()


def test_a_target_ends_it() -> None:
    found = read_dockerfile(TEXT)
    assert found.until("") == found
    assert [each.name for each in found.until("ONE").stages] == ["one"]
    with pytest.raises(ImageError, match='target stage "two" could not be found'):
        found.until("two")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "no build stage in current context"),
        ("RUN a\nFROM b", "no build stage in current context"),
        ("FROM a AS x\nFROM b AS X", "duplicate name x"),
        ("FROM a b", "FROM requires either one or three arguments"),
        ("FROM a AS 1st", 'invalid name for build stage: "1st"'),
        ("FROM a\nFETCH b", "unknown instruction: FETCH"),
        ("FROM a\nRUN", "RUN requires at least one argument"),
        ("FROM a\nCOPY --chown=1", "COPY requires at least one argument"),
        ("FROM a\nADD --from=x a b", "ADD: unknown flag: from"),
        ("FROM a\nCOPY --link a b", "the --link option requires BuildKit"),
        ("FROM a\nCOPY --chmod=755 a b", "the --chmod option requires BuildKit"),
        ("FROM a\nRUN --mount=type=bind a", "the --mount option requires BuildKit"),
        ("FROM a\nRUN <<EOF\na\nEOF", "heredocs are not known here"),
    ],
)
def test_what_is_refused(text: str, shown: str) -> None:
    with pytest.raises(ImageError, match=shown):
        read_dockerfile(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A-${A}_$NONE.", "1-1_."),
        (r"\$A", "$A"),
        ("${A:-no} ${NONE:-no}", "1 no"),
        ("${A:+yes} ${NONE:+yes}.", "yes ."),
        ("$ {A} $1", "$ {A} $1"),
    ],
)
def test_variables(text: str, value: str) -> None:
    assert substituted(text, {"A": "1"}) == value


def test_what_instructions_set() -> None:
    config = ImageConfig(env=("A=1", "B=2"), entrypoint=("old",), cmd=("old",))
    for line in (
        "ENV A=new C='with space'",
        "ENV D as of old",
        "WORKDIR /a",
        "WORKDIR $A",
        "EXPOSE 80 53/udp 8000-8002",
        "LABEL x=y",
        "USER me",
        "VOLUME [\"/data\"]",
        "STOPSIGNAL SIGQUIT",
        "ONBUILD RUN echo it's on",
        "ONBUILD COPY . /src",
        "ENTRYPOINT run $A",
    ):  # fmt: skip
        config = configured(config, read_instruction(line), {"A": "new"})
    assert config == ImageConfig(
        env=("A=new", "B=2", "C=with space", "D=as of old"),
        entrypoint=("/bin/sh", "-c", "run $A"),
        cmd=(),
        user="me",
        working_dir="/a/new",
        exposed_ports=("53/udp", "80/tcp", "8000/tcp", "8001/tcp", "8002/tcp"),
        on_build=("RUN echo it's on", "COPY . /src"),
        volumes=("/data",),
        labels={"x": "y"},
        stop_signal="SIGQUIT",
    )
    shell = configured(config, read_instruction('SHELL ["/bin/ash", "-c"]'), {})
    assert configured(shell, read_instruction("CMD a"), {}).cmd == ("/bin/ash", "-c", "a")


@pytest.mark.parametrize(
    ("line", "check"),
    [
        ("HEALTHCHECK NONE", Healthcheck(("NONE",))),
        ("HEALTHCHECK CMD curl it's", Healthcheck(("CMD-SHELL", "curl it's"))),
        (
            'HEALTHCHECK --interval=1m30s --timeout=1.5s --start-period=9ms --retries=2 CMD ["a"]',
            Healthcheck(("CMD", "a"), 90 * 10**9, 1_500_000_000, 9_000_000, 2),
        ),
    ],
)
def test_health_checks(line: str, check: Healthcheck) -> None:
    assert configured(ImageConfig(), read_instruction(line), {}).healthcheck == check


@pytest.mark.parametrize(
    "line",
    [
        "RUN a",
        "EXPOSE http",
        "EXPOSE 9-8",
        "EXPOSE 65536",
        "ENV =b",
        "LABEL a=b c",
        "ENV A",
        "HEALTHCHECK NONE a",
        "HEALTHCHECK CMD",
        "HEALTHCHECK curl",
        "HEALTHCHECK --interval=1 CMD a",
        "HEALTHCHECK --interval=1us CMD a",
        "HEALTHCHECK --retries=0 CMD a",
        "ONBUILD ONBUILD RUN a",
        "ONBUILD FROM a",
        "ONBUILD FETCH",
    ],
)
def test_what_cannot_be_set(line: str) -> None:
    with pytest.raises(ImageError):
        configured(ImageConfig(), read_instruction(line), {})
