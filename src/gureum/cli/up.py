"""``gureum up``: starts the cloud in the background."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path
from typing import Any

import click

from gureum.cli.client import Daemon, refuse_without_rights
from gureum.cli.failure import NO_DAEMON, NOT_ALLOWED, Failure
from gureum.cli.options import Base, json_option, pass_base
from gureum.cli.output import print_json
from gureum.cli.process import is_served, launch, log_path, log_since, log_size, progress, until
from gureum.cli.serve import arguments, daemon_options, refuse_long_path

PATIENCE = 300.0
"""Seconds; it is ready in about one, but the first start may have to build an image."""

_LAST = 10
"""Lines of the log that are shown of a daemon that died."""


@click.command(short_help="Start the cloud in the background.")
@daemon_options
@json_option
@pass_base
def up(base: Base, /, as_json: bool, **options: Any) -> None:
    """Start the cloud in the background, with all that it had when it was last up.

    \b
    sudo gureum up
    """
    running = status_of(base.state)
    if running is None:
        refuse_without_rights("gureum up")
        refuse_long_path(base)
        found, told = start(base.state, arguments(options)), "Gureum is up"
    else:
        found, told = running, "Gureum is up already"
    if as_json:
        print_json(found)
        return
    click.echo(f"{told}: {found['endpoint']}, state {found['state']}.")
    click.echo(
        "Next: eval \"$(gureum env)\", then any AWS client; 'gureum map' shows what is there."
    )


def status_of(state: Path) -> dict[str, Any] | None:
    """What the daemon of a state folder says of itself; None if there is none.

    Raises:
        Failure: one is there but does not answer us.
    """
    try:
        found: dict[str, Any] = Daemon(state).get("/status")
    except Failure as failure:
        if failure.exit_code == NO_DAEMON:
            return None
        raise
    return found


def start(state: Path, words: list[str]) -> dict[str, Any]:
    """Start a daemon and wait until it answers.

    Raises:
        Failure: it died, or did not answer in time; the text has its last words.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        offset = log_size(state)
        child = launch(state, words)
    except PermissionError as error:
        raise Failure(f"{error.filename} may not be written: try sudo", NOT_ALLOWED) from None
    with progress("Starting Gureum ...") as tell:
        found = until(lambda: _look(state, child, offset, tell), PATIENCE)
    if found is None:
        child.send_signal(signal.SIGTERM)
        raise Failure(f"the daemon did not answer within {PATIENCE:.0f} s: see {log_path(state)}")
    return found


def _look(
    state: Path, child: subprocess.Popen[bytes], offset: int, tell: Any
) -> dict[str, Any] | None:
    status = child.poll()
    found = status_of(state)
    if found is not None:
        return found  # ours, or one that somebody else started at the same time
    lines = log_since(state, offset)
    if status is not None and not is_served(state):  # else somebody else's is about to answer
        raise _died(state, lines, status)
    if lines:
        tell(lines[-1].partition(" ")[2].strip())
    return None


def _died(state: Path, lines: list[str], status: int) -> Failure:
    """What a daemon that ended said last: its own one-line complaint, if it had one."""
    if lines and lines[-1].startswith("gureum: "):
        return Failure(lines[-1].removeprefix("gureum: "), status if status > 0 else 1)
    shown = "\n".join(lines[-_LAST:])
    return Failure(f"the daemon ended with status {status}; {log_path(state)} ends in:\n{shown}")
