"""Looks into the context of a build, a tar file from somebody hostile: run as a program, with
bounds on memory and time, which only reads its input and writes its output.

``context.py file NAME`` writes one file of it.  ``context.py copy ORDER``, a JSON object, writes a
tar file for the root of a container: ``sources`` are patterns of paths in the context, ``target``
is where they go, a folder if ``folder`` says so; ``uid`` and ``gid`` own them.  Ends with a
sentence where something is not there.

Source: Docker, "Dockerfile reference", COPY.
"""

import fnmatch
import json
import os
import posixpath
import resource
import sys
import tarfile
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

MEMORY, SECONDS = 1 << 30, 600
LARGEST = 1 << 20
"""Bytes of a Dockerfile."""


class Missing(Exception):  # noqa: N818 - a verdict on the context, not a fault of ours
    """Something is not in the context; the text says what."""


class Context:
    """The members of a context by their paths, as ``a/b``."""

    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=file, mode="r:*")  # noqa: SIM115 - as long as the process
        self._members = {_path(member.name): member for member in self._tar}

    def file(self, name: str) -> bytes:
        """A small file.

        Raises:
            Missing: there is none.
        """
        source = None
        if (member := self._members.get(_path(name))) is not None:
            source = self._tar.extractfile(member)
        if source is None:
            raise Missing(f"Cannot locate specified Dockerfile: {name}")
        return source.read(LARGEST)

    def matches(self, pattern: str) -> list[str]:
        """The paths that a pattern means, in which ``*`` is no slash.

        Raises:
            Missing: there is none.
        """
        wanted = _path(pattern).split("/") if _path(pattern) else []
        if not wanted:
            return [""]
        found = set()
        for path in self._members:
            parts = path.split("/")[: len(wanted)]
            if len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted)):
                found.add("/".join(parts))
        if not found:
            raise Missing(f"file not found in build context: stat {pattern}: file does not exist")
        return sorted(found)

    def below(self, path: str) -> Iterator[tuple[str, tarfile.TarInfo]]:
        """The members of a folder, by their paths in it."""
        start = f"{path}/" if path else ""
        for name, member in self._members.items():
            if name.startswith(start) and name != path:
                yield name.removeprefix(start), member

    def is_folder(self, path: str) -> bool:
        """Whether a path is a folder, also one that is only said by what is in it."""
        member = self._members.get(path)
        return member is None or member.isdir()

    def member(self, path: str) -> tarfile.TarInfo:
        """A member by its path."""
        return self._members[path]

    def copy(self, order: dict[str, Any], out: BinaryIO) -> None:
        """Write the tar file that was ordered.

        Raises:
            Missing: a source is not there.
        """
        chosen = [path for source in order["sources"] for path in self.matches(source)]
        target, folder = order["target"].strip("/"), order["folder"] or len(chosen) > 1
        with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
            for path in chosen:
                if self.is_folder(path):
                    for inner, member in self.below(path):
                        self._add(tar, member, posixpath.join(target, inner), order)
                else:
                    last = path.rpartition("/")[2]
                    name = posixpath.join(target, last) if folder else target
                    self._add(tar, self.member(path), name, order)

    def _add(
        self, tar: tarfile.TarFile, member: tarfile.TarInfo, name: str, order: dict[str, Any]
    ) -> None:
        made = tarfile.TarInfo(name)
        made.mode, made.mtime = member.mode & 0o7777, member.mtime
        made.uid, made.gid = order["uid"], order["gid"]
        if member.issym():
            made.type, made.linkname = tarfile.SYMTYPE, member.linkname
        elif member.isdir():
            made.type = tarfile.DIRTYPE
        elif (source := self._source(member)) is not None:  # a hard link is a copy
            made.size = source.seek(0, os.SEEK_END)
            source.seek(0)
            tar.addfile(made, source)
            return
        else:
            return
        tar.addfile(made)

    def _source(self, member: tarfile.TarInfo) -> BinaryIO | None:
        if not (member.isreg() or member.islnk()):
            return None
        return cast("BinaryIO | None", self._tar.extractfile(member))


def _path(name: str) -> str:
    return posixpath.normpath("/" + name).strip("/")


def main(words: list[str]) -> None:
    """Errors go to stderr, in one line."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    verb, what = words
    try:
        context = Context(sys.stdin.buffer)
        if verb == "file":
            sys.stdout.buffer.write(context.file(what))
        else:
            context.copy(json.loads(what), sys.stdout.buffer)
    except Missing as error:
        sys.exit(str(error))
    except BrokenPipeError:
        sys.exit(1)
    except (tarfile.TarError, OSError, KeyError, MemoryError, EOFError) as error:
        sys.exit(f"the build context is broken: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
