"""All that the runtime has to know of one container, with nothing left to decide."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gureum.machines import oci

CAPABILITIES = tuple(name for name in oci.CAPABILITIES if name != "CAP_NET_ADMIN")
"""What Docker gives a container (moby, ``oci/caps/defaults.go``), without MKNOD, which instances
have not either.  All that an instance has is all that can be asked for."""


@dataclass(frozen=True, slots=True)
class Bind:
    """Something mounted at ``target``: ``path`` of the host (a volume), or ``inside``, a path that
    is resolved inside the instance.  An empty volume that is ``filled`` gets what the image has."""

    target: str
    path: Path | None = None
    inside: str = ""
    read_only: bool = False
    filled: bool = False


@dataclass(frozen=True, slots=True)
class Spec:
    """One start of one container, ``run`` the number of it.

    ``layers`` are the image's directories, the lowest first.  ``user`` is as Docker writes it and
    looked up in the container's own files.  ``memory`` (bytes), ``nano_cpus``, ``cpu_shares`` and
    ``pids`` are 0 where the instance's limits are enough.  ``tmpfs`` are targets with mount
    options.  ``once`` says that its input ends with the
    first who feeds it.  ``files`` are what is put over files of ``/etc``, by name.
    """

    id: str
    run: int
    layers: tuple[Path, ...]
    netns: Path
    hostname: str
    argv: tuple[str, ...]
    env: tuple[str, ...]
    cwd: str
    user: str
    tty: bool
    stdin: bool
    once: bool
    capabilities: tuple[str, ...]
    privileged: bool = False
    no_new_privileges: bool = False
    read_only: bool = False
    init: bool = False
    memory: int = 0
    nano_cpus: int = 0
    cpu_shares: int = 0
    pids: int = 0
    shm: int = 64 << 20
    binds: tuple[Bind, ...] = ()
    tmpfs: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
