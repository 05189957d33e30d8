"""The command line as a whole: help, documentation, statuses."""

from __future__ import annotations

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import gureum
from gureum.cli import COMMANDS, cli
from gureum.server.settings import socket_path
from tests.cli.clouds import Served, process, run

DOCS = Path(gureum.__file__).parents[2] / "docs" / "cli.md"


def leaves(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """All commands below one, with their full names."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for each in COMMANDS if command is cli else command.commands:
            below = command.get_command(context, each)
            assert below is not None
            assert below.name == each
            yield from leaves(below, f"{name} {each}")
    else:
        yield name, command


ALL = dict(leaves(cli, "gureum"))


def test_every_file_of_a_command_is_in_the_list() -> None:
    folder = Path(gureum.__file__).parent / "cli"
    text = {path: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    found = (path for path, code in text.items() if "@click.command(" in code)
    with_commands = {path.stem.rstrip("_").replace("_", "-") for path in found}
    groups = {"account", "cidr", "container", "iam", "image", "internet", "medium"}
    assert with_commands | groups == set(COMMANDS)


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_and_explains_its_options(name: str) -> None:
    command = ALL[name]
    assert command.help
    assert command.get_short_help_str(60).endswith(".")
    unexplained = {
        param.name for param in command.params if isinstance(param, click.Option) and not param.help
    }
    self_explaining = {"log_format", "log_level", "count", "port", "max_hops"}
    assert unexplained <= self_explaining


@pytest.mark.parametrize("name", ALL)
def test_every_command_is_in_the_documentation_with_an_example(name: str) -> None:
    sections = re.split(r"^## ", DOCS.read_text(encoding="utf-8"), flags=re.MULTILINE)
    section = next((text for text in sections if text.startswith(f"`{name}`\n")), None)
    assert section is not None, f"docs/cli.md has no section `{name}`"
    assert re.search(rf"^\$ .*{name}\b", section, re.MULTILINE), "no example"


def test_the_documentation_knows_no_command_that_is_not_there() -> None:
    titles = re.findall(r"^## `(.*)`$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    assert titles == list(ALL)


def test_every_command_that_prints_facts_prints_json() -> None:
    silent = {"gureum down", "gureum exec", "gureum ssh", "gureum internet remove", "gureum serve"}
    silent |= {"gureum account delete-key", "gureum docker"}
    without = {
        name
        for name, command in ALL.items()
        if all("--json" not in param.opts for param in command.params)
    }
    assert without == silent


def test_the_version_is_told(tmp_path: Path) -> None:
    assert gureum.__version__ in run(tmp_path, "--version").output


def test_the_help_lists_statuses_and_commands(tmp_path: Path) -> None:
    text = run(tmp_path, "--help").output
    assert "3    no cloud is running" in text
    places = [text.index(f"\n  {name} ") for name in COMMANDS]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "args",
    [
        ("status",),
        ("map",),
        ("env",),
        ("exec", "web"),
        ("ssh", "web"),
        ("ping", "a", "b"),
        ("trace", "a", "b"),
        ("port", "a", "b", "1"),
        ("table", "arp", "a"),
        ("watch", "a"),
        ("story", "a", "b"),
        ("flow-logs",),
        ("segment", "a"),
        ("segment", "a", "hub"),
        ("docker", "a", "ps"),
        ("container", "inspect", "a", "b"),
        ("console", "a"),
        ("internet", "list"),
    ],
)
def test_without_a_cloud_the_status_is_3_and_the_way_out_is_told(
    tmp_path: Path, args: tuple[str, ...]
) -> None:
    result = run(tmp_path, *args)
    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr.startswith(f"gureum: no cloud is running in {tmp_path}: ")
    assert "'gureum up'" in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_socket_that_nobody_serves_is_no_cloud() -> None:
    with tempfile.TemporaryDirectory() as folder:  # as after kill -9
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(socket_path(Path(folder))))
        assert run(Path(folder), "status").exit_code == 3


@pytest.mark.parametrize(
    ("args", "status", "says"),
    [
        (("ping", "me", "nobody"), 4, "No place is called 'nobody'"),
        (("table", "arp", "nobody"), 4, "No place is called 'nobody'"),
        (("internet", "remove", "me"), 1, "This host is always there"),
        (("internet", "add", "Bad Name"), 1, "Lower-case letters"),
        (("port", "me", "mirror", "99999"), 2, "99999 is not in the range"),
        (("table", "bogus", "me"), 2, "'bogus' is not one of"),
        (("map", "--account", "12"), 2, "twelve digits"),
        (("nonsense",), 2, "No such command"),
    ],
)
def test_refusals_have_one_line_and_a_status(
    served: Served, args: tuple[str, ...], status: int, says: str
) -> None:
    result = served.cli(*args)
    assert (result.exit_code, result.stdout) == (status, "")
    assert says in result.stderr
    if status != 2:
        assert result.stderr.count("\n") == 1


def test_the_module_is_the_command(served: Served) -> None:
    done = served.process("internet", "list")
    assert done.returncode == 0
    assert "198.19.0.10" in done.stdout


def test_the_state_folder_comes_from_the_environment(served: Served, tmp_path: Path) -> None:
    done = process(tmp_path, "status", env={"GUREUM_STATE": str(served.state)})
    assert done.returncode == 3, "the option goes before the variable"


@pytest.mark.parametrize("env", [{"NO_COLOR": "1", "FORCE_COLOR": "1"}, {}])
def test_what_is_no_terminal_gets_no_colours(served: Served, env: dict[str, str]) -> None:
    done = process(served.state, "map", env=env | {"COLUMNS": "20"})
    assert "\x1b" not in done.stdout
    assert "ap-northeast-2 account 123456789012" in done.stdout
