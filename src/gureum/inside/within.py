"""Opens files inside a tree that somebody hostile has filled: every link and ``..`` is resolved as
if the tree were all there is.

Source: openat2(2).
"""

from __future__ import annotations

import os
import stat

from gureum.inside import syscalls

LONGEST = 1 << 20
"""Bytes of ``/etc/passwd`` or ``/etc/group`` that are looked at."""


def open_in(root: int, path: str, flags: int = os.O_RDONLY) -> int:
    """A descriptor of ``path`` inside the directory ``root``.

    Raises:
        OSError: it is not there, or the kernel refused.
    """
    name = os.fsencode(path.lstrip("/") or ".")
    how = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS
    return syscalls.openat2(root, name, flags, how)


def read_in(root: int, path: str) -> str:
    """The beginning of a regular file inside ``root``; "" if there is none."""
    try:
        fd = open_in(root, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return ""
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return ""
        return file.read(LONGEST).decode(errors="replace")


class UserError(Exception):
    """A container's files do not know the user or group; the text is Docker's."""


def user(root: int, text: str) -> dict[str, object]:
    """The ``user`` object of an OCI process, and ``home``, for a user as Docker writes it: a name
    or number, with ``:`` and a group's if another one is wanted.

    Raises:
        UserError: nobody is called so.
    """
    name, _, group = text.partition(":")
    rows = [row.split(":") for row in read_in(root, "etc/passwd").splitlines()]
    rows = [row for row in rows if len(row) >= 6 and row[2].isdigit() and row[3].isdigit()]
    known = next((row for row in rows if name in (row[0], row[2])), None)
    if known is None and name and not name.isdigit():
        raise UserError(f"unable to find user {name}: no matching entries in passwd file")
    uid = int(known[2]) if known else int(name or 0)
    gid = int(known[3]) if known else 0
    groups = _groups(root)
    extra = [number for _, number, members in groups if known and known[0] in members]
    if group:
        found = next((number for title, number, _ in groups if group in (title, str(number))), None)
        if found is None and not group.isdigit():
            raise UserError(f"unable to find group {group}: no matching entries in group file")
        gid, extra = int(group) if found is None else found, []
    _check(uid, gid, *extra)
    return {
        "uid": uid,
        "gid": gid,
        "additionalGids": [each for each in extra if each != gid],
        "home": known[5] if known else "/",
    }


def _check(*numbers: int) -> None:
    if any(number > 65535 for number in numbers):
        raise UserError("uids and gids must be in range 0-65535")


def _groups(root: int) -> list[tuple[str, int, list[str]]]:
    rows = [row.split(":") for row in read_in(root, "etc/group").splitlines()]
    return [
        (row[0], int(row[2]), row[3].split(","))
        for row in rows
        if len(row) >= 4 and row[2].isdigit()
    ]
