"""Dockerfiles, read and applied."""

from __future__ import annotations

import pytest

from gureum.images import ImageConfig, ImageError
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
from ${BASE} AS one
RUN echo a && \
    # a remark within
    echo b
COPY --chown=1:2 a "b c" /d/
CMD ["x", "y"]
"""


def test_lines_become_instructions() -> None:
    found = read_dockerfile(TEXT)
    assert [each.name for each in found] == ["ARG", "FROM", "RUN", "COPY", "CMD"]
    assert found[2].rest == "echo a &&     echo b"
    assert command(found[2], ()) == ("/bin/sh", "-c", "echo a &&     echo b")
    assert (found[3].flags, arguments(found[3], {})) == ({"chown": "1:2"}, ["a", "b c", "/d/"])
    assert command(found[4], ()) == ("x", "y")
    assert found[1].text == "from ${BASE} AS one"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("", "has one FROM"),
        ("FROM a\nFROM b", "has one FROM"),
        ("RUN a\nFROM b", "only ARG may come before FROM"),
        ("FROM a\nFETCH b", "unknown instruction: FETCH"),
        ("FROM a\nRUN", "RUN requires at least one argument"),
        ("FROM a\nCOPY --from=x a b", "--from is not known here"),
        ("FROM a\nRUN --mount=type=bind a", "--mount is not known here"),
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
        "EXPOSE 80 53/udp",
        "LABEL x=y",
        "USER me",
        "VOLUME [\"/data\"]",
        "STOPSIGNAL SIGQUIT",
        "ENTRYPOINT run $A",
    ):  # fmt: skip
        config = configured(config, read_instruction(line), {"A": "new"})
    assert config == ImageConfig(
        env=("A=new", "B=2", "C=with space", "D=as of old"),
        entrypoint=("/bin/sh", "-c", "run $A"),
        cmd=(),
        user="me",
        working_dir="/a/new",
        exposed_ports=("53/udp", "80/tcp"),
        volumes=("/data",),
        labels={"x": "y"},
        stop_signal="SIGQUIT",
    )
    shell = configured(config, read_instruction('SHELL ["/bin/ash", "-c"]'), {})
    assert configured(shell, read_instruction("CMD a"), {}).cmd == ("/bin/ash", "-c", "a")


@pytest.mark.parametrize("line", ["RUN a", "EXPOSE http", "ENV =b", "LABEL a=b c", "ENV A"])
def test_what_cannot_be_set(line: str) -> None:
    with pytest.raises(ImageError):
        configured(ImageConfig(), read_instruction(line), {})
