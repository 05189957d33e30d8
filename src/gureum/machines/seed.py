"""The files that tell an instance who it is, and what the host lends it to start.

They are handed in through read-only mounts and copied by the boot script, inside: the host never
writes into a tree that the instance could have filled with symbolic links.
"""

from __future__ import annotations

import base64
import binascii
import re
import shutil
from pathlib import Path

from gureum.machines.room import MachineError
from gureum.program import Machine

BOOT = Path(__file__).with_name("boot.sh")
# Statically linked: it must run on any image.  From the Debian package tini.
INIT = "/usr/bin/tini-static"

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?")


def install_lib(folder: Path) -> None:
    """Put boot script and init into ``folder``, which all instances share.

    Raises:
        MachineError: the init program is not installed.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not Path(INIT).exists():
        raise MachineError(f"{INIT} is missing: install the package tini")
    for source, name in ((BOOT, "boot"), (Path(INIT), "tini")):
        target = folder / name
        if target.exists() and target.read_bytes() == source.read_bytes():
            continue
        new = folder / f".{name}"
        shutil.copyfile(source, new)
        new.chmod(0o755)
        new.rename(target)  # running instances keep the one they have


def write(folder: Path, machine: Machine) -> None:
    """Write the seed of ``machine`` into ``folder``.

    Raises:
        MachineError: the host name is none, or the user data is not base64.
    """
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    short = short_name(machine)
    names = machine.hostname if machine.hostname == short else f"{machine.hostname} {short}"
    lines = [f"nameserver {each}\n" for each in machine.resolvers]
    if machine.search:
        lines.append(f"search {' '.join(machine.search)}\n")
    files = {
        "id": f"{machine.id}\n",
        "boot": f"{machine.boot}\n",
        "hostname": f"{short}\n",
        "hosts": f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{machine.ip} {names}\n",
        "resolv.conf": "".join(lines),
        "authorized_keys": "".join(f"{key.strip()}\n" for key in machine.keys),
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    data = _user_data(machine)
    if data:
        (folder / "user-data").write_bytes(data)
    else:
        (folder / "user-data").unlink(missing_ok=True)


def short_name(machine: Machine) -> str:
    """The first label of the host name, which is what ``hostname`` prints, as in Debian's AMIs."""
    labels = machine.hostname.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise MachineError(f"{machine.id}: {machine.hostname!r} is no host name")
    return labels[0]


def _user_data(machine: Machine) -> bytes:
    try:
        return base64.b64decode(machine.user_data, validate=True)
    except binascii.Error as error:
        raise MachineError(f"{machine.id}: the user data is not base64: {error}") from error
