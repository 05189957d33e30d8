"""The options of the daemon: what they mean, and how ``gureum up`` hands them on."""

from __future__ import annotations

from typing import Any

import click
import pytest
from click.testing import CliRunner

from gureum.cli.serve import arguments, daemon_options

FOREIGN = "ami-0c55b159cbfafe1f0"


def parsed(*words: str) -> dict[str, Any]:
    """The options that a command line gives."""
    found: dict[str, Any] = {}

    @click.command()
    @daemon_options
    def command(**options: Any) -> None:
        found.update(options)

    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    return found


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--port=0", "--host=::1", "--bridge-filter=isolated"),
        ("--no-host-link", "--durable", "--allow-reset", "--no-machines"),
        (f"--ami-alias={FOREIGN}=debian-12", "--ami-alias=ami-12345678=gureum-base"),
        ("--registry=localhost:5000", "--registry=docker.io"),
        ("--auth=verify", "--allow-anyone"),
        ("--log-format=json", "--log-level=debug"),
    ],
)
def test_what_is_handed_on_means_the_same(words: tuple[str, ...]) -> None:
    given = parsed(*words)
    assert parsed(*arguments(given)) == given
    if words:
        assert given != parsed()


def test_aliases_are_pairs() -> None:
    assert parsed(f"--ami-alias={FOREIGN}=debian-12")["ami_aliases"] == ((FOREIGN, "debian-12"),)


def test_registries_go_by_the_names_that_images_have() -> None:
    words = (
        "--registry=index.docker.io",
        "--registry=docker.io",
        "--registry=https://a.example/v2/",
    )
    assert parsed(*words)["registries"] == ("docker.io", "a.example")


@pytest.mark.parametrize("word", ["", "a b", "host:port"])
def test_a_registry_that_is_none_is_refused(word: str) -> None:
    done = CliRunner().invoke(
        click.command()(daemon_options(lambda **_: None)), ["--registry", word]
    )
    assert done.exit_code == 2
    assert "is no registry" in done.output


@pytest.mark.parametrize("word", ["ami-1=debian-12", f"{FOREIGN}=windows", FOREIGN, "debian-12"])
def test_an_alias_that_is_none_is_refused(word: str) -> None:
    @click.command()
    @daemon_options
    def command(**options: Any) -> None:
        raise AssertionError(options)

    done = CliRunner().invoke(command, [f"--ami-alias={word}"])
    assert done.exit_code == 2
    assert "Invalid value for '--ami-alias'" in done.output
