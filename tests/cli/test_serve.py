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


@pytest.mark.parametrize("word", ["ami-1=debian-12", f"{FOREIGN}=windows", FOREIGN, "debian-12"])
def test_an_alias_that_is_none_is_refused(word: str) -> None:
    @click.command()
    @daemon_options
    def command(**options: Any) -> None:
        raise AssertionError(options)

    done = CliRunner().invoke(command, [f"--ami-alias={word}"])
    assert done.exit_code == 2
    assert "Invalid value for '--ami-alias'" in done.output
