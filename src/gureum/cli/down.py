"""``gureum down``: takes the cloud down, or only lets go of it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gureum.cli.client import Daemon, refuse_without_rights
from gureum.cli.failure import NOT_ALLOWED, Failure
from gureum.cli.options import Base, pass_base
from gureum.cli.output import note
from gureum.cli.process import has_ended, is_served, progress, until
from gureum.cli.up import status_of
from gureum.server.settings import failure_path

PATIENCE = 300.0
"""Seconds; an instance has five to end by itself, and eight end at a time."""

_START = 30.0
"""Seconds in which a daemon that has begun to start answers."""


@click.command(short_help="Take the cloud down.")
@click.option("--keep", is_flag=True, help="End the daemon only; packets keep flowing.")
@click.option("--wipe", is_flag=True, help="Forget everything: database and disks are removed.")
@click.option("--yes", is_flag=True, help="Do not ask whether --wipe is meant.")
@pass_base
def down(base: Base, keep: bool, wipe: bool, yes: bool) -> None:
    """Take the cloud down: no namespace, link, rule, mount or process of it remains.

    What was asked for stays in the state folder, disks included: the next 'gureum up' brings all
    of it back.

    \b
    sudo gureum down
    """
    if keep and wipe:
        raise click.UsageError("--keep and --wipe exclude each other")
    if wipe and not yes:
        click.confirm(f"Remove all that {base.state} holds of the cloud?", abort=True, err=True)
    try:
        served = is_served(base.state)
    except PermissionError:
        raise Failure(
            f"the cloud in {base.state} belongs to another user: try sudo", NOT_ALLOWED
        ) from None
    if served:
        end_daemon(base.state, keep=keep)
        note("The daemon has ended; the cloud keeps running." if keep else "Gureum is down.")
    elif keep:
        note("No daemon is running.")
    else:
        take_down_rest(base.state)
    if wipe:
        from gureum.server import teardown

        teardown.wipe(base.state)
        note(f"{base.state} holds nothing of the cloud any more.")


def end_daemon(state: Path, *, keep: bool) -> None:
    """Ask the daemon to end and wait until it has.

    Raises:
        Failure: it does not end, or something could not be taken down.
    """
    daemon = Daemon(state)
    with progress("Ending the daemon ..." if keep else "Taking everything down ..."):
        found = until(lambda: status_of(state), _START)  # it may be about to start
        if found is None:
            raise Failure(f"a daemon serves {state}, but does not answer")
        process = os.pidfd_open(int(found["pid"]))
        try:
            daemon.post("/down", keep="1" if keep else None)
            ended = has_ended(process, PATIENCE)
        finally:
            os.close(process)
    if not ended:
        raise Failure(f"the daemon of {state} does not end")
    failed = failure_path(state)
    if failed.exists():
        raise Failure(f"not everything is gone: {failed.read_text(encoding='utf-8').strip()}")


def take_down_rest(state: Path) -> None:
    """Take down what a cloud left running that no daemon serves (after ``--keep`` or a crash).

    Raises:
        Failure: rights are missing, or something resisted.
    """
    from gureum.engines import EngineError
    from gureum.machines import MachineError
    from gureum.server import teardown
    from gureum.store import StoreError

    if not teardown.was_used(state):
        note(f"Nothing is running: there is no cloud in {state}.")
        return
    refuse_without_rights("gureum down")
    with progress("No daemon is running; looking for what may be left ..."):
        try:
            teardown.take_down(state)
        except (StoreError, EngineError, MachineError) as error:
            raise Failure(f"not everything is gone: {error}") from None
        except PermissionError as error:
            raise Failure(f"not allowed: {error}; try sudo", NOT_ALLOWED) from None
    note("Gureum is down.")
