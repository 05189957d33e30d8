"""The command ``gureum``: one command a file; they talk to the daemon over its unix socket."""

from __future__ import annotations

from pathlib import Path

import click

from gureum import __version__
from gureum.cli.account import account
from gureum.cli.audit import audit
from gureum.cli.audit_log import audit_log
from gureum.cli.cidr import cidr
from gureum.cli.console import console
from gureum.cli.container import container
from gureum.cli.docker import docker
from gureum.cli.down import down
from gureum.cli.env import env
from gureum.cli.exec import exec_
from gureum.cli.explain import explain
from gureum.cli.export import export
from gureum.cli.flow_logs import flow_logs
from gureum.cli.iam import iam
from gureum.cli.image import image
from gureum.cli.images import images
from gureum.cli.import_ import import_
from gureum.cli.internet import internet
from gureum.cli.lab import lab
from gureum.cli.map import map_
from gureum.cli.medium import medium
from gureum.cli.options import Base
from gureum.cli.ping import ping
from gureum.cli.port import port
from gureum.cli.reach import reach
from gureum.cli.segment import segment
from gureum.cli.serve import serve
from gureum.cli.ssh import ssh
from gureum.cli.status import status
from gureum.cli.story import story
from gureum.cli.table import table
from gureum.cli.trace import trace
from gureum.cli.up import up
from gureum.cli.verify import verify
from gureum.cli.watch import watch
from gureum.server.settings import default_state

COMMANDS = (
    up,
    down,
    status,
    env,
    map_,
    exec_,
    ssh,
    ping,
    trace,
    port,
    explain,
    reach,
    verify,
    audit,
    lab,
    import_,
    export,
    table,
    watch,
    story,
    flow_logs,
    segment,
    docker,
    container,
    console,
    internet,
    cidr,
    medium,
    account,
    iam,
    audit_log,
    image,
    images,
    serve,
)
"""All commands, in the order in which the help lists them."""

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
    """A group whose help keeps the order of :data:`COMMANDS`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the commands."""
        return list(self.commands)


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


for _command in COMMANDS:
    cli.add_command(_command)


def main() -> None:
    """Run the command line of this process."""
    cli(prog_name="gureum")
