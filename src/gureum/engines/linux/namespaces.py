"""Network namespaces as files: made, found, entered, removed; with the handles that act in them.

The files are where iproute2 keeps its own, so ``ip netns exec`` works on them (ip-netns(8)).
Entering concerns the calling thread only, so an engine does all its work on one thread of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from gureum.engines.linux import userns
from gureum.engines.linux.links import raise_loopback
from gureum.engines.linux.names import MACHINE
from gureum.engines.linux.netlink import ROUTE, Netlink
from gureum.engines.linux.nft import Nft

FOLDER = Path("/run/netns")
_OURS = Path("/run/gureum-made-netns")
"""Is there if we made that folder, so that the last namespace of ours takes it along."""
_SYSCTLS = Path("/proc/sys/net")
_SELF = "/proc/thread-self/ns/net"

_CLONE_NEWNET = 0x40000000
_MS_BIND, _MS_REC, _MS_SHARED = 4096, 16384, 1 << 20
_MNT_DETACH = 2
_KEPT_OPEN = 64
"""Namespaces whose handles are kept: routers stay, a thousand instances must not use up files."""

_libc = ctypes.CDLL(None, use_errno=True)


def _call(name: str, *args: object) -> None:
    if getattr(_libc, name)(*args) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")


def is_free(tag: str) -> bool:
    """Whether no namespace of that tag is there, so that a new cloud may have it."""
    return not any(FOLDER.glob(f"gu{tag}-*"))


class _Handles:
    """What is open in one namespace; ``inode`` tells it from a later one of the same name."""

    def __init__(self, fd: int, inode: int) -> None:
        self.fd = fd
        self.inode = inode
        self.sockets: dict[int, Netlink] = {}
        self.nft: Nft | None = None

    def close(self) -> None:
        for each in self.sockets.values():
            each.close()
        if self.nft is not None:
            self.nft.close()
        os.close(self.fd)


class Namespaces:
    """The namespaces of one tag.  To be used from one thread."""

    def __init__(self, tag: str) -> None:
        self._prefix = f"gu{tag}-"
        self._home = os.open(_SELF, os.O_RDONLY | os.O_CLOEXEC)
        self._handles: OrderedDict[str, _Handles] = OrderedDict()

    def path(self, ns: str) -> Path:
        """The file of a namespace."""
        return FOLDER / f"{self._prefix}{ns}"

    def names(self) -> set[str]:
        """The namespaces of this tag that exist, by name without the tag."""
        if not FOLDER.is_dir():
            return set()
        size = len(self._prefix)
        return {path.name[size:] for path in FOLDER.iterdir() if path.name.startswith(self._prefix)}

    def create(self, ns: str, apart: bool = False) -> None:
        """Make a namespace: loopback up, no forwarding, no source filter, whatever the machine's
        own settings are; an interface speaks ARP for its own addresses only.  With ``apart`` it
        belongs to a user namespace of its own.  One that is there already, and belongs to the right
        one, stays as it is."""
        path = self.path(ns)
        if path.exists():
            if self.is_there(ns, apart):
                return
            self.remove(ns)  # a file whose mount is gone, as after a crash half-way
        _prepare_folder()
        path.touch(mode=0o444)
        try:
            with self._in_a_new_one(apart):
                _be_neutral()
                _call("mount", _SELF.encode(), os.fsencode(path), b"none", _MS_BIND, None)
        except OSError:
            path.unlink(missing_ok=True)
            raise

    def is_there(self, ns: str, apart: bool) -> bool:
        """Whether a namespace exists and belongs to a user namespace of its own, or to ours."""
        try:
            return userns.is_owned_apart(self._open(ns).fd) == apart
        except OSError:
            return False

    @contextlib.contextmanager
    def _in_a_new_one(self, apart: bool) -> Iterator[None]:
        if apart:
            fd = self._new_apart()
            try:
                _call("setns", fd, _CLONE_NEWNET)
            finally:
                os.close(fd)
        else:
            _call("unshare", _CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", self._home, _CLONE_NEWNET)

    def _new_apart(self) -> int:
        return userns.new_network()

    def remove(self, ns: str) -> None:
        """Remove a namespace; links to others must be gone, as the kernel removes it later."""
        self.forget(ns)
        path = self.path(ns)
        with contextlib.suppress(OSError):
            _call("umount2", os.fsencode(path), _MNT_DETACH)
        path.unlink(missing_ok=True)
        _remove_folder()

    def forget(self, ns: str) -> None:
        """Close what is open in a namespace."""
        handles = self._handles.pop(ns, None)
        if handles is not None:
            handles.close()

    @contextlib.contextmanager
    def inside(self, ns: str) -> Iterator[None]:
        """Be in a namespace with the calling thread."""
        if ns == MACHINE:
            yield
            return
        _call("setns", self._open(ns).fd, _CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", self._home, _CLONE_NEWNET)

    def forwards(self, ns: str, version: int) -> bool:
        """Whether a namespace passes packets of an IP version on.

        Raises:
            LookupError: there is no such namespace.
        """
        if not self.path(ns).exists():
            raise LookupError(f"there is no namespace {ns!r}")
        name = "ipv4/ip_forward" if version == 4 else "ipv6/conf/all/forwarding"
        return self.read_sysctl(ns, name) == "1"

    def fd(self, ns: str) -> int:
        """A file descriptor of a namespace, for as long as no other namespace is used."""
        return self._home if ns == MACHINE else self._open(ns).fd

    def netlink(self, ns: str, protocol: int = ROUTE) -> Netlink:
        """A netlink socket in a namespace."""
        handles = self._open(ns)
        if protocol not in handles.sockets:
            with self.inside(ns):
                handles.sockets[protocol] = Netlink(protocol)
        return handles.sockets[protocol]

    def nft(self, ns: str) -> Nft:
        """A libnftables context of a namespace; run it ``inside`` that namespace."""
        handles = self._open(ns)
        if handles.nft is None:
            with self.inside(ns):
                handles.nft = Nft()
        return handles.nft

    def read_sysctl(self, ns: str, name: str) -> str | None:
        """A value, or None where there is no such setting (yet)."""
        with self.inside(ns):
            try:
                return " ".join((_SYSCTLS / name).read_text().split())
            except FileNotFoundError:
                return None

    def write_sysctl(self, ns: str, name: str, value: str) -> None:
        """Set a value; what belongs to an IPv6 that the kernel lacks is no loss."""
        with self.inside(ns):
            try:
                (_SYSCTLS / name).write_text(value)
            except FileNotFoundError:
                if ipv6_is_there() or not name.startswith("ipv6/"):
                    raise

    def close(self) -> None:
        """Close everything that is open."""
        for ns in list(self._handles):
            self.forget(ns)
        os.close(self._home)

    def _open(self, ns: str) -> _Handles:
        path = Path(_SELF) if ns == MACHINE else self.path(ns)
        inode = path.stat().st_ino
        handles = self._handles.get(ns)
        if handles is not None and handles.inode == inode:
            self._handles.move_to_end(ns)
            return handles
        self.forget(ns)
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        handles = self._handles[ns] = _Handles(fd, inode)
        while len(self._handles) > _KEPT_OPEN:
            self.forget(next(iter(self._handles)))
        return handles


def ipv6_is_there() -> bool:
    """Whether this kernel has IPv6 (it can be left out at boot)."""
    return (_SYSCTLS / "ipv6").is_dir()


def _prepare_folder() -> None:
    """Make the folder a shared mount, as ``ip netns add`` does, so that a namespace unmounted here
    is unmounted in every mount namespace."""
    FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    folder = os.fsencode(FOLDER)
    try:
        _call("mount", b"", folder, b"none", _MS_SHARED | _MS_REC, None)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _OURS.touch()
        _call("mount", folder, folder, b"none", _MS_BIND | _MS_REC, None)
        _call("mount", b"", folder, b"none", _MS_SHARED | _MS_REC, None)


def _remove_folder() -> None:
    """Remove the folder with its mount, if we made them and nobody has a namespace in it."""
    if not _OURS.exists() or any(FOLDER.iterdir()):
        return
    with contextlib.suppress(OSError):  # somebody else is just making one: then it stays
        _call("umount2", os.fsencode(FOLDER), 0)
        FOLDER.rmdir()
        _OURS.unlink(missing_ok=True)


def _be_neutral() -> None:
    """A new namespace takes its IPv4 settings from the machine; start from one known state."""
    for name, value in (
        ("ipv4/ip_forward", "0"),
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
        # A question in the name of another interface's address would be dropped as forged, and
        # everybody who waits for the same neighbour with it.
        ("ipv4/conf/all/arp_announce", "2"),
        ("ipv4/conf/all/arp_ignore", "1"),
    ):
        (_SYSCTLS / name).write_text(value)
    if ipv6_is_there():  # no link may take an IPv6 address by itself, before it is told to or not
        (_SYSCTLS / "ipv6/conf/default/addr_gen_mode").write_text("1")
    netlink = Netlink()
    try:
        raise_loopback(netlink)
    finally:
        netlink.close()
