"""``gureum ssh``: ssh from the internet, or from elsewhere, to an instance."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from gureum.cli.client import Daemon
from gureum.cli.failure import Failure
from gureum.cli.options import Base, Where, pass_base, where_options
from gureum.cli.program import become, command_line, need


@dataclass(frozen=True)
class Login:
    """What is the same for the target and for the bastion on the way."""

    program: str
    user: str
    key: Path | None
    known_hosts: Path

    def options(self, place: dict[str, Any] | None, address: str) -> list[str]:
        """ssh's options for one host.

        Host keys are remembered by instance, not by address: addresses come back with others.
        """
        alias = str(place["id"]) if place else address
        options = [
            f"-oUserKnownHostsFile={_quoted(self.known_hosts)}",
            "-oStrictHostKeyChecking=accept-new",
            f"-oHostKeyAlias={alias}",
            "-oCheckHostIP=no",
            "-oLogLevel=ERROR",
        ]
        if self.key is not None:
            options += [f"-oIdentityFile={_quoted(self.key)}", "-oIdentitiesOnly=yes"]
        return options


def _quoted(path: Path) -> str:
    """A path as ssh's options take it (ssh_config(5): quotes, and ``%`` begins a token)."""
    return '"' + str(path).replace("%", "%%") + '"'


def ssh_argv(
    login: Login,
    target: dict[str, Any],
    bastion: dict[str, Any] | None,
    rest: tuple[str, ...],
) -> list[str]:
    """The command line of ssh to ``target``, through ``bastion`` if there is one; both are answers
    of the console API's ``/target``."""
    argv = [login.program, *login.options(target["place"], target["address"])]
    if bastion is not None:
        # As -J does, but with the key and the host key of our choice on the way too.
        jump = [login.program, *login.options(bastion["place"], bastion["address"])]
        jump = [word.replace("%", "%%") for word in jump]
        call = shlex.join([*jump, "-W", "[%h]:%p", f"{login.user}@{bastion['address']}"])
        argv.append(f"-oProxyCommand={call}")
    return [*argv, f"{login.user}@{target['address']}", *rest]


@click.command(
    short_help="Log in to an instance.", context_settings={"ignore_unknown_options": True}
)
@click.argument("place")
@click.argument("rest", nargs=-1, type=click.UNPROCESSED, metavar="[SSH ARGS]...")
@click.option(
    "-i",
    "--identity",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The private key of the key pair.",
)
@click.option("--via", metavar="BASTION", help="Go through this instance, to a private address.")
@click.option("--from", "source", default="me", show_default=True, help="Where ssh runs.")
@click.option("--user", default="admin", show_default=True, help="The user to log in as.")
@where_options
@pass_base
def ssh(
    base: Base,
    place: str,
    rest: tuple[str, ...],
    identity: Path | None,
    via: str | None,
    source: str,
    user: str,
    region: str | None,
    account: str | None,
) -> None:
    """Log in to PLACE by ssh, as the user 'me' on the internet would.

    Further arguments go to ssh: options, a command.

    \b
    gureum ssh bastion -i workshop.pem
    gureum ssh db -i workshop.pem --via bastion -- uptime
    """
    daemon = Daemon(base.state, Where(account, region))
    bastion = daemon.get("/target", source=source, target=via) if via else None
    target = _target(daemon, via or source, place)
    key = identity.absolute() if identity else None
    login = Login(need("ssh"), user, key, base.state / "known_hosts")
    become(command_line(daemon, source, ssh_argv(login, target, bastion, rest)))


def _target(daemon: Daemon, source: str, place: str) -> dict[str, Any]:
    """Where ``place`` is, as seen from ``source``.

    Raises:
        Failure: nowhere.
    """
    try:
        found: dict[str, Any] = daemon.get("/target", source=source, target=place)
    except Failure as failure:
        if failure.code != "NoAddress":
            raise
        hint = f"{failure.message} Name a bastion in it with --via."
        raise Failure(hint, failure.exit_code, failure.code) from None
    return found
