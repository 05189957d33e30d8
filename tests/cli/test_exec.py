"""Running programs in places.  The machine room in memory runs them on this machine."""

from __future__ import annotations

import pytest

from tests.cli.clouds import Served


@pytest.mark.parametrize(
    "words",
    [
        ("web", "--", "sh", "-c", "exit 7"),
        ("web", "sh", "-c", "exit 7"),
        ("--no-tty", "web", "--", "sh", "-c", "exit 7"),
    ],
)
def test_the_status_is_the_program_s(shop: Served, words: tuple[str, ...]) -> None:
    assert shop.process("exec", *words).returncode == 7


def test_options_after_the_place_are_the_program_s(shop: Served) -> None:
    done = shop.process("exec", "web", "printf", "%s|", "--json", "--", "-t", "--help")
    assert done.stdout == "--json|--|-t|--help|"


def test_streams_are_the_program_s(shop: Served) -> None:
    done = shop.process("exec", "web", "sh", "-c", "echo out; echo err >&2; cat")
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_an_instance_that_does_not_run_is_told(shop: Served) -> None:
    shop.api.call("StopInstances", InstanceIds=[shop.ids["db"]])
    shop.until("db", "stopped")
    done = shop.process("exec", "db", "true")
    assert done.returncode == 4
    assert done.stderr == f"gureum: The instance {shop.ids['db']} (db) is stopped, not running.\n"


def test_the_console_is_printed_as_it_is(shop: Served) -> None:
    assert shop.cli("console", "web").output == "boot 1\n"
