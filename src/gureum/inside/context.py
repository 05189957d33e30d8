"""Looks into the context of a build, a tar file from somebody hostile: run as a program, with
bounds on memory and time, which only reads its input and writes its output.

``context.py file NAME`` writes one file of it.  ``context.py copy ORDER``, a JSON object, writes a
tar file for the root of a container: ``sources`` are patterns of paths in the context, ``target``
is where they go, a folder if ``folder`` says so, which is ``there`` or not; ``uid`` and ``gid`` own
them; ``unpacked`` if archives are to be.  ``context.py digest ORDER`` writes what tells that file
from others.  Ends with a sentence where something is not there.

Source: Docker, "Dockerfile reference", ADD, COPY.
"""

import fnmatch
import hashlib
import json
import os
import posixpath
import resource
import sys
import tarfile
from collections.abc import Iterator
from typing import IO, Any, BinaryIO, cast

MEMORY, SECONDS = 1 << 30, 600
MOST_LINKS = 40
LARGEST = 1 << 20
"""Bytes of a Dockerfile."""
PIECE = 1 << 16


class Missing(Exception):  # noqa: N818 - a verdict on the context, not a fault of ours
    """Something is not in the context; the text says what."""


class Digest:
    """Says whether two orders come to the same; when a file was changed does not count."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()

    def addfile(self, member: tarfile.TarInfo, source: IO[bytes] | None = None) -> None:
        """Take a member into account."""
        about = (member.name, member.mode, member.uid, member.gid, member.linkname, member.size)
        self._hash.update(repr((*about, member.type)).encode(errors="surrogateescape"))
        while source is not None and (piece := source.read(PIECE)):
            self._hash.update(piece)

    def __str__(self) -> str:
        return self._hash.hexdigest()


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

    def copy(self, order: dict[str, Any], tar: "tarfile.TarFile | Digest") -> None:
        """Add what was ordered.

        Raises:
            Missing: a source is not there.
        """
        chosen = [path for source in order["sources"] for path in self.matches(source)]
        target, folder = order["target"].strip("/"), order["folder"] or len(chosen) > 1
        for name in chosen:
            path = self._followed(name)
            if self.is_folder(path):
                if not order["there"]:
                    self._add(tar, self._folder(path), target, order)
                for inner, member in self.below(path):
                    self._add(tar, member, posixpath.join(target, inner), order)
            elif not (order["unpacked"] and self._unpack(tar, self.member(path), target)):
                last = posixpath.basename(name)
                where = posixpath.join(target, last) if folder else target
                self._add(tar, self.member(path), where, order)

    def _followed(self, path: str) -> str:
        """What a source is if it is a link, as if the context were all there is.

        Raises:
            Missing: it leads nowhere.
        """
        at = path
        for _ in range(MOST_LINKS):
            member = self._members.get(at)
            if member is None or not member.issym():
                if member is None and not any(self.below(at)):
                    break
                return at
            at = _path(posixpath.join("/", posixpath.dirname(at), member.linkname))
        raise Missing(f"file not found in build context: stat {path}: file does not exist")

    def _folder(self, path: str) -> tarfile.TarInfo:
        made = tarfile.TarInfo(path)
        made.type, made.mode = tarfile.DIRTYPE, 0o755
        return self._members.get(path, made)

    def _unpack(
        self, tar: "tarfile.TarFile | Digest", member: tarfile.TarInfo, target: str
    ) -> bool:
        """Add what an archive has, with its owners; whether it is one."""
        source = self._source(member)
        if source is None:
            return False
        try:
            archive = tarfile.open(fileobj=source, mode="r:*")  # noqa: SIM115 - closed below
        except tarfile.ReadError:
            return False
        with archive:
            if archive.next() is None:
                return False
            for each in archive:
                path = _path(each.name)
                if path and not each.isdev():
                    made = tarfile.TarInfo(posixpath.join(target, path))
                    made.mode, made.mtime = each.mode & 0o7777, each.mtime
                    made.uid, made.gid, made.size = each.uid, each.gid, each.size
                    made.type = tarfile.REGTYPE if each.isreg() else each.type
                    made.linkname = each.linkname
                    if each.islnk():
                        made.linkname = posixpath.join(target, _path(each.linkname))
                    tar.addfile(made, archive.extractfile(each) if each.isreg() else None)
        return True

    def _add(
        self,
        tar: "tarfile.TarFile | Digest",
        member: tarfile.TarInfo,
        name: str,
        order: dict[str, Any],
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
        elif verb == "digest":
            digest = Digest()
            context.copy(json.loads(what), digest)
            sys.stdout.write(str(digest))
        else:
            out = sys.stdout.buffer
            with tarfile.open(fileobj=out, mode="w|", format=tarfile.PAX_FORMAT) as tar:
                context.copy(json.loads(what), tar)
    except Missing as error:
        sys.exit(str(error))
    except BrokenPipeError:
        sys.exit(1)
    except (tarfile.TarError, OSError, KeyError, MemoryError, EOFError) as error:
        sys.exit(f"the build context is broken: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
