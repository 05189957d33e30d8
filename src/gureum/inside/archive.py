"""Copies files out of and into a container: run as a program, for it locks itself into the
container's files and the instance's user namespace before it looks at any name.

``archive.py stat|get|put|copy PATH USERNS ROOT``.  ``stat`` and ``get`` print a line of JSON about
PATH, ``get`` then a tar file of it; ``put`` unpacks a tar file from its input into the folder PATH.
Ends with 3 where PATH is not there, with 4 where it is no folder.  ``copy`` does for the files of a
container what ``context.py copy`` does for a context; its PATH is the order.

Names are resolved in the container's root; nothing that is a link into another process is
followed, for in the user namespace of the instance nobody may look into a process of ours.

Sources: Docker Engine API 1.43, "ContainerArchive"; Docker, "Dockerfile reference", COPY;
chroot(2), setns(2).
"""

import fnmatch
import json
import os
import posixpath
import stat
import sys
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).parents[2]))
from gureum.inside import syscalls

MISSING, NO_FOLDER = 3, 4

# os.FileMode of Go, which is what the client reads.
_GO = (
    (stat.S_ISDIR, 1 << 31),
    (stat.S_ISLNK, 1 << 27),
    (stat.S_ISBLK, 1 << 26),
    (stat.S_ISCHR, 1 << 26 | 1 << 21),
    (stat.S_ISFIFO, 1 << 25),
    (stat.S_ISSOCK, 1 << 24),
)


def enter(userns: str, root: str) -> None:
    """Leave everything but the container's files behind.

    Raises:
        OSError: the kernel refused.
    """
    space = os.open(userns, os.O_RDONLY | os.O_CLOEXEC)
    os.chdir(root)
    os.chroot(".")
    os.chdir("/")
    syscalls.setns(space, syscalls.CLONE_NEWUSER)
    os.close(space)


def about(path: str) -> dict[str, Any]:
    """What Docker tells of a path."""
    seen = os.lstat(path)
    mode = stat.S_IMODE(seen.st_mode) & 0o777
    mode |= next((bit for test, bit in _GO if test(seen.st_mode)), 0)
    link = str(Path(path).readlink()) if stat.S_ISLNK(seen.st_mode) else ""
    return {
        "name": os.path.basename(path.rstrip("/")) or "/",  # noqa: PTH119 - no path of ours
        "size": seen.st_size,
        "mode": mode,
        "mtime": datetime.fromtimestamp(int(seen.st_mtime), UTC).isoformat(),
        "linkTarget": os.path.normpath(Path(path).parent / link) if link else "",
    }


def get(path: str, out: BinaryIO) -> None:
    """Write a tar file of what is at a path; its members begin with the last part of it."""
    name = about(path)["name"]
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        tar.add(path, arcname=name if name != "/" else ".")


def put(path: str, source: BinaryIO) -> None:
    """Unpack into a folder; device files are left out, and links lead where the container has
    them lead."""
    os.chdir(path)
    with tarfile.open(fileobj=source, mode="r|*") as tar:
        for member in tar:
            if member.isdev() and not member.isfifo():
                continue
            member.name = member.name.lstrip("/")
            tar.extract(member, ".")


def matches(pattern: str) -> Iterator[tuple[str, str]]:
    """The paths that a pattern means, in which ``*`` is no slash, each with what it is if it is a
    link.

    Raises:
        FileNotFoundError: there is none; with the pattern.
    """
    found = ["/"]
    for part in posixpath.normpath(f"/{pattern}").strip("/").split("/"):
        if any(char in part for char in "*?["):
            folders = [each for each in found if os.path.isdir(each)]  # noqa: PTH112
            found = [posixpath.join(each, name) for each in folders
                     for name in sorted(os.listdir(each)) if fnmatch.fnmatchcase(name, part)]  # noqa: PTH208  # fmt: skip
        else:
            found = [posixpath.join(each, part) for each in found]
    found = [path for path in found if os.path.exists(path)]  # noqa: PTH110
    if not found:
        raise FileNotFoundError(f"stat {pattern}: file does not exist")
    return ((path, os.path.realpath(path)) for path in found)


def copy(order: dict[str, Any], out: BinaryIO) -> None:
    """Write the tar file that was ordered.

    Raises:
        FileNotFoundError: a source is not there.
    """
    chosen = [each for source in order["sources"] for each in matches(source)]
    target, folder = order["target"].strip("/"), order["folder"] or len(chosen) > 1

    def owned(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
        member.uid, member.gid, member.uname, member.gname = order["uid"], order["gid"], "", ""
        return None if member.isdev() else member

    with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for path, real in chosen:
            if not os.path.isdir(real):  # noqa: PTH112
                last = posixpath.basename(path)
                tar.add(real, posixpath.join(target, last) if folder else target, filter=owned)
                continue
            if not order["there"]:
                tar.add(real, target, recursive=False, filter=owned)
            for name in sorted(os.listdir(real)):  # noqa: PTH208
                tar.add(posixpath.join(real, name), posixpath.join(target, name), filter=owned)


def main(words: list[str]) -> None:
    """Errors go to stderr, in one line."""
    verb, path, userns, root = words
    if verb == "copy":
        _copy(path, userns, root)
        return
    path = os.path.join("/", path)  # noqa: PTH118 - no path of ours
    try:
        enter(userns, root)
        if verb == "put":
            if not Path(path).is_dir():
                sys.exit(NO_FOLDER if os.path.lexists(path) else MISSING)
            put(path, sys.stdin.buffer)
            return
        line = json.dumps(about(path))
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()
        if verb == "get":
            get(path, sys.stdout.buffer)
    except FileNotFoundError:
        sys.exit(MISSING)
    except BrokenPipeError:
        sys.exit(1)
    except (OSError, tarfile.TarError) as error:
        sys.exit(f"{path}: {error}")


def _copy(order: str, userns: str, root: str) -> None:
    try:
        enter(userns, root)
        copy(json.loads(order), sys.stdout.buffer)
    except BrokenPipeError:
        sys.exit(1)
    except (OSError, tarfile.TarError, RecursionError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    # what tarfile and the codecs load late has to be here before the root is another one
    import encodings.idna  # noqa: F401
    import grp  # noqa: F401
    import pwd  # noqa: F401

    main(sys.argv[1:])
