"""The command ``gureum``: one command a file; they talk to the daemon over its unix socket."""

from __future__ import annotations

import builtins
from importlib import import_module
from keyword import iskeyword
from pathlib import Path

import click

from gureum import __version__
from gureum.cli.options import Base
from gureum.server.settings import default_state

COMMANDS = (
    "up",
    "down",
    "status",
    "env",
    "map",
    "exec",
    "ssh",
    "ping",
    "trace",
    "port",
    "explain",
    "reach",
    "verify",
    "audit",
    "lab",
    "import",
    "export",
    "table",
    "watch",
    "story",
    "flow-logs",
    "segment",
    "docker",
    "container",
    "console",
    "internet",
    "cidr",
    "medium",
    "account",
    "iam",
    "audit-log",
    "image",
    "images",
    "serve",
)
"""All commands, in the order in which the help lists them.  Each is a function of its own name in a
file of that name; what Python uses for something else has a ``_`` at its end."""

HELP = """A public cloud's network on this machine: the AWS EC2 API in, real packets out.

Start with 'gureum up', then 'eval "$(gureum env)"' and use any AWS client.

A PLACE is an instance, NAT gateway, subnet, VPC or internet gateway by its Name tag, id or address,
or a host of the internet by its name: 'me', 'mirror', 'stranger' are always there.
"""

EPILOG = """\b
Exit status:
  0    done; the check holds
  1    the check does not hold, or the cloud refused
  2    the command line is wrong
  3    no cloud is running
  4    the place is not there, is ambiguous, does not run, or has no address to be reached by
  5    root or capabilities are missing
  7    an account was imported or exported, but not all of it
  exec and ssh end with the status of the program that they run
"""


class Commands(click.Group):
    """A group that imports a command when it is asked for: all of them take longer than most of
    them run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands, in the order of :data:`COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        module = import_module(f"gureum.cli.{name}_" if iskeyword(name) else f"gureum.cli.{name}")
        found = getattr(module, f"{name}_" if iskeyword(name) or hasattr(builtins, name) else name)
        assert isinstance(found, click.Command)
        return found


@click.group(
    cls=Commands,
    help=HELP,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="gureum")
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_state,
    metavar="FOLDER",
    help="The state folder, which tells clouds apart.  [env: GUREUM_STATE; default: "
    "/var/lib/gureum for root, else ~/.local/state/gureum]",
)
@click.pass_context
def cli(context: click.Context, state: Path) -> None:
    context.obj = Base(state.absolute())


def main() -> None:
    """Run the command line of this process."""
    cli(prog_name="gureum")
