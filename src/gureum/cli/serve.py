"""``gureum serve``: the daemon in the foreground; its options, which ``gureum up`` has too."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from gureum.cli.client import refuse_without_rights
from gureum.cli.failure import NOT_ALLOWED, USAGE, Failure
from gureum.cli.options import Base, pass_base
from gureum.server.settings import (
    HOST,
    MAX_SOCKET_PATH,
    PORT,
    RunningError,
    Settings,
    SettingsError,
    socket_path,
)

F = TypeVar("F", bound=Callable[..., Any])

_AMI = re.compile(r"ami-([0-9a-f]{8}|[0-9a-f]{17})")


def image_aliases(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Pairs of an image id and the name of an image that we can make.

    Raises:
        BadParameter: one of them is none.
    """
    found: dict[str, str] = {}
    for text in given:
        key, _, name = text.partition("=")
        if not _AMI.fullmatch(key):
            raise click.BadParameter(f"{key!r} is no image id, as ami-0123456789abcdef0")
        from gureum.images.recipes import RECIPES  # slow to import, and rarely needed

        if name not in RECIPES:
            raise click.BadParameter(f"no image is called {name!r}; there are {', '.join(RECIPES)}")
        found[key] = name
    return tuple(found.items())


def registries(
    context: click.Context, parameter: click.Parameter, given: tuple[str, ...]
) -> tuple[str, ...]:
    """Registries as images' names have them.

    Raises:
        BadParameter: one of them is none.
    """
    from gureum.images import ImageError  # slow to import, and rarely needed
    from gureum.images.reference import registry

    try:
        return tuple(dict.fromkeys(registry(text) for text in given))
    except ImageError as error:
        raise click.BadParameter(str(error)) from None


_OPTIONS = (
    click.option("--host", default=HOST, show_default=True, help="The address to serve."),
    click.option(
        "--port",
        type=click.IntRange(0, 65535),
        default=PORT,
        show_default=True,
        help="The port to serve; 0 for any free one.",
    ),
    click.option(
        "--auth",
        type=click.Choice(["open", "verify", "enforce"]),
        default="open",
        show_default=True,
        help="Whether signatures are checked, and calls held against policies too.",
    ),
    click.option(
        "--allow-anyone",
        is_flag=True,
        help="Serve an open cloud beyond loopback: whoever reaches the port owns it.",
    ),
    click.option(
        "--audit",
        type=click.Choice(["off", "writes", "all"]),
        default="writes",
        show_default=True,
        help="Which calls are recorded: those that may change something, or all.",
    ),
    click.option(
        "--audit-size",
        type=click.IntRange(1, 1 << 20),
        default=64,
        show_default=True,
        metavar="MIB",
        help="How much of the recorded calls is kept; the oldest go first.",
    ),
    click.option(
        "--audit-days",
        type=click.IntRange(1, 3650),
        default=90,
        show_default=True,
        metavar="DAYS",
        help="For how long recorded calls are kept.",
    ),
    click.option(
        "--rate",
        default="auto",
        show_default=True,
        metavar="RATE",
        help="How often an account may call: off, aws, or reads and writes a second, as 20:5; auto "
        "is aws beyond loopback, else off.",
    ),
    click.option(
        "--bridge-filter",
        type=click.Choice(["auto", "netfilter", "isolated"]),
        default="auto",
        show_default=True,
        help="How packets within a subnet meet the security groups.",
    ),
    click.option(
        "--host-link/--no-host-link",
        default=True,
        show_default=True,
        help="Whether this machine itself reaches the cloud's public addresses.",
    ),
    click.option(
        "--durable",
        is_flag=True,
        help="Let changes outlive the loss of power; each takes a flush of the disk.",
    ),
    click.option(
        "--ami-alias",
        "ami_aliases",
        multiple=True,
        metavar="AMI=IMAGE",
        callback=image_aliases,
        help="Let an image id of elsewhere stand for an image here, as ami-0abc...=debian-12.",
    ),
    click.option(
        "--registry",
        "registries",
        multiple=True,
        metavar="HOST[:PORT]",
        callback=registries,
        help="A registry that containers' images may be pulled from and pushed to by instances; "
        "else they have those of 'gureum image list' only.",
    ),
    click.option(
        "--machines/--no-machines",
        default=True,
        show_default=True,
        help="Whether instances run, or are records with a network only.",
    ),
    click.option(
        "--allow-reset",
        is_flag=True,
        help="Let clients empty the cloud by POST /_gureum/reset.",
    ),
    click.option(
        "--flow-log-interval",
        type=click.IntRange(1, 60),
        default=60,
        show_default=True,
        help="Seconds that a record of a flow log stands for.",
    ),
    click.option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
    ),
    click.option(
        "--log-level",
        type=click.Choice(["debug", "info", "warning", "error"]),
        default="info",
        show_default=True,
    ),
)


def daemon_options(function: F) -> F:
    """All that a daemon can be told."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.command(short_help="Serve the cloud in the foreground.")
@daemon_options
@pass_base
def serve(base: Base, /, log_format: str, log_level: str, **options: Any) -> None:
    """Serve the cloud in the foreground until SIGTERM or 'gureum down'.

    SIGTERM ends the daemon only: instances keep running and packets flowing, and the next start
    takes them up.  The log goes to stderr.

    \b
    gureum serve --port 5566
    """
    refuse_without_rights("gureum serve")
    refuse_long_path(base)
    from gureum.cli.logs import log_to_stderr
    from gureum.engines import EngineError
    from gureum.machines import MachineError
    from gureum.server import daemon
    from gureum.store import StoreError

    log_to_stderr(level=log_level, as_json=log_format == "json")
    settings = Settings(base.state, **options)
    try:
        daemon.serve(settings)
    except SettingsError as error:
        raise Failure(str(error), USAGE) from None
    except (RunningError, StoreError, EngineError, MachineError) as error:
        raise Failure(str(error)) from None
    except OSError as error:
        raise explained(error, settings) from error


def arguments(options: Mapping[str, Any]) -> list[str]:
    """The words of a command line that say what the options of :func:`daemon_options` are."""
    words = []
    for option in _declared():
        value = options[str(option.name)]
        if option.multiple:
            pairs = (each if isinstance(each, tuple) else (each,) for each in value)
            words += [f"{option.opts[0]}={'='.join(each)}" for each in pairs]
        elif not option.is_flag:
            words.append(f"{option.opts[0]}={value}")
        elif value or option.secondary_opts:
            words.append((option.opts if value else option.secondary_opts)[0])
    return words


def _declared() -> list[click.Option]:
    """The options as click knows them."""

    @daemon_options
    def carrier() -> None:
        """Nothing but its options."""

    return [each for each in click.command()(carrier).params if isinstance(each, click.Option)]


def refuse_long_path(base: Base) -> None:
    """End the command where the state folder's socket could not be made.

    Raises:
        Failure: its path is too long.
    """
    if len(os.fsencode(socket_path(base.state))) > MAX_SOCKET_PATH:
        raise Failure(f"the path {base.state} is too long for a unix socket in it")


def explained(error: OSError, settings: Settings) -> Failure:
    """What an error of the operating system at the start means."""
    if error.errno == errno.EADDRINUSE:
        return Failure(
            f"the port {settings.port} is taken by another program: choose one with --port"
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return Failure(f"not allowed: {error}; try sudo", NOT_ALLOWED)
    return Failure(str(error))
