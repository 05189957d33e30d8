"""Takes down what a cloud left running that no daemon serves any more, and forgets a cloud."""

from __future__ import annotations

import subprocess
from pathlib import Path

from gureum.engines.linux import LinuxEngine
from gureum.engines.linux.inner import remove_namespaces
from gureum.errors import ApiError
from gureum.images import ImageStore, Store
from gureum.machines import Machines
from gureum.reconcile import tear_down
from gureum.server.ami_images import forget_amis
from gureum.server.daemon import only_one, tag_of
from gureum.server.docker.holds import Holds
from gureum.server.stored_images import forget

_FORGOTTEN = (
    "gureum.db",
    "gureum.db-wal",
    "gureum.db-shm",
    "secret.key",
    "instances",
    "volumes",
    "locks",
    "lib",
    "runtime",
    "empty",
    "known_hosts",
    "daemon.json",
    "daemon.error",
    "daemon.log",
    "daemon.log.1",
    "gureum.sock",
    "tag",
)
"""What a state folder holds of a cloud; images stay, other clouds use them too."""


def was_used(state: Path) -> bool:
    """Whether there was ever a cloud in the state folder, so that something of it may be left."""
    return (state / "tag").exists()


def take_down(state: Path) -> None:
    """Stop every instance and remove every part of the network; the rows stay.

    Raises:
        RunningError: a daemon serves the folder: it has to do it.
        StoreError: the folder does not say what to look for.
        EngineError, MachineError: something resisted; the text says what.
    """
    with only_one(state):  # the database is not asked: it may be what is broken
        tag = tag_of(state)
        engine = LinuxEngine(tag, "netfilter")
        try:
            machines = Machines(state, tag, ImageStore())
            try:
                tear_down(engine, machines)
            finally:
                machines.close()
            remove_namespaces(tag)
        finally:
            engine.close()


def wipe(state: Path) -> None:
    """Remove the database and the disks of a cloud that was taken down.

    Raises:
        RunningError: a daemon serves the folder.
        ApiError: ``WipeFailed``.
    """
    with only_one(state):
        if was_used(state):
            forget(Store(), tag_of(state))
            forget_amis(Store(), tag_of(state))
            Holds(Store(), tag_of(state)).forget_all()
        paths = [str(state / name) for name in _FORGOTTEN if (state / name).exists()]
        if not paths:
            return
        # rm(1) neither follows links nor runs out of stack, whatever an instance left on its disk.
        call = ["rm", "-rf", "--one-file-system", "--", *paths]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise ApiError("WipeFailed", done.stderr.strip(), 500)
