"""The image ``gureum-base``: BusyBox and Dropbear, taken from this machine's Debian packages.

The programs are copied from the host where its packages have them; what is missing is fetched with
apt and unpacked without being installed.  So the image is there in well under a second on a host
that is set up, and needs no network then.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

VERSION = "3"

# Program and the Debian package that has it.
BUSYBOX = ("/usr/bin/busybox", "busybox-static")
DROPBEAR = ("/usr/sbin/dropbear", "dropbear-bin")
DROPBEAR_KEY = ("/usr/bin/dropbearkey", "dropbear-bin")

FOLDERS = {
    "usr/bin": 0o755, "usr/lib": 0o755, "usr/lib64": 0o755, "dev": 0o755, "etc": 0o755,
    "etc/dropbear": 0o700, "home": 0o755, "home/admin": 0o750, "mnt": 0o755, "proc": 0o555,
    "root": 0o700, "run": 0o755, "srv": 0o755, "sys": 0o555, "tmp": 0o1777, "var": 0o755,
    "var/lib": 0o755, "var/log": 0o755, "var/tmp": 0o1777,
}  # fmt: skip
LINKS = {
    "bin": "usr/bin", "sbin": "usr/bin", "usr/sbin": "bin", "lib": "usr/lib", "lib64": "usr/lib64",
    "var/run": "/run",
}  # fmt: skip
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\n"
    "admin:x:1000:1000:admin:/home/admin:/bin/sh\n"
    "nobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\ntty:x:5:\nadmin:x:1000:\nnogroup:x:65534:\n",
    "etc/shadow": "root:*:19000:0:99999:7:::\nadmin:*:19000:0:99999:7:::\n",
    "etc/shells": "/bin/sh\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n",
    "etc/profile": "export PATH=/usr/local/bin:/usr/bin\nexport PS1='\\u@\\h:\\w\\$ '\n",
    "etc/os-release": 'ID=gureum-base\nNAME="Gureum base"\nPRETTY_NAME="Gureum base (BusyBox)"\n',
    "etc/services": "ssh 22/tcp\ntelnet 23/tcp\ndomain 53/tcp\ndomain 53/udp\nhttp 80/tcp\n"
    "https 443/tcp\n",
}
PRIVATE_FILES = {"etc/shadow"}

# Everybody may ping.  The capability goes with the file, so all of BusyBox has it: its shell runs
# ping from its own file, whatever /usr/bin/ping is.
# linux/capability.h, vfs_cap_data: revision 2 and "effective"; permitted, inheritable (bits 0-31,
# then 32-63).
CAP_NET_RAW = struct.pack("<IIIII", 0x02000001, 1 << 13, 0, 0, 0)
ADMIN = 1000

_LIBRARY = re.compile(r"(?:=>\s*)?(/\S+) \(0x")


def build(rootfs: Path, progress: Callable[[str], None]) -> None:
    """Fill ``rootfs``.

    Raises:
        OSError: a program is neither here nor to be had, or the disk is full.
        subprocess.SubprocessError: apt or dpkg failed.
    """
    _tree(rootfs)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=rootfs.parent) as folder:
        extra = Path(folder)
        wanted = (BUSYBOX, DROPBEAR, DROPBEAR_KEY)
        missing = sorted({package for path, package in wanted if not Path(path).exists()})
        if missing:
            progress(f"fetching {' '.join(missing)}")
            _fetch(missing, extra)
        _copy(_program(BUSYBOX, extra), rootfs / "usr/bin/busybox")
        for item in (DROPBEAR, DROPBEAR_KEY):
            program = _program(item, extra)
            _copy(program, rootfs / "usr/bin" / program.name)
            _libraries(program, extra, rootfs)
    _applets(rootfs)


def _tree(rootfs: Path) -> None:
    for name, mode in FOLDERS.items():
        (rootfs / name).mkdir(parents=True, exist_ok=True)
        (rootfs / name).chmod(mode)
    for name, target in LINKS.items():
        (rootfs / name).symlink_to(target)
    for name, text in FILES.items():
        (rootfs / name).write_text(text, encoding="utf-8")
        (rootfs / name).chmod(0o600 if name in PRIVATE_FILES else 0o644)
    os.chown(rootfs / "home/admin", ADMIN, ADMIN)


def _program(item: tuple[str, str], extra: Path) -> Path:
    path, package = item
    for candidate in (Path(path), extra / path.lstrip("/")):
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"{path} is not in the package {package}")


def _fetch(packages: list[str], target: Path) -> None:
    """Unpack packages, and what they depend on and the host lacks, under ``target``."""
    archives = target / "archives"
    (archives / "partial").mkdir(parents=True)
    call = [
        "apt-get", "-q", "-y", "-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=1",
        "--no-install-recommends", "--download-only", "install", *packages,
    ]  # fmt: skip
    if subprocess.run(call, capture_output=True, check=False).returncode != 0:
        # The usual reason on a fresh machine: it has no package lists yet.
        _checked(["apt-get", "-q", "update"])
        _checked(call)
    for archive in archives.glob("*.deb"):
        _checked(["dpkg-deb", "--extract", str(archive), str(target)])


def _checked(call: list[str]) -> str:
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"{' '.join(call[:2])}: {done.stderr.strip()}")
    return done.stdout


def _libraries(program: Path, extra: Path, rootfs: Path) -> None:
    """Copy the shared libraries that ``program`` asks for to the same places below ``rootfs``."""
    folders = [str(path) for path in extra.glob("usr/lib/*-linux-gnu*")]
    folders += [str(path) for path in extra.glob("lib/*-linux-gnu*")]
    environment = os.environ | {"LD_LIBRARY_PATH": ":".join(folders)}
    listing = subprocess.run(
        ["ldd", str(program)], capture_output=True, text=True, check=True, env=environment
    ).stdout
    if "not found" in listing:
        raise FileNotFoundError(f"{program}: {listing}")
    for name in _LIBRARY.findall(listing):
        source = Path(name)
        inside = source.relative_to(extra if source.is_relative_to(extra) else "/")
        folder = rootfs / inside.parent
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / inside.name).exists():
            _copy(source, folder / inside.name)


def _copy(source: Path, target: Path) -> None:
    shutil.copyfile(source, target)
    target.chmod(0o755)


def _applets(rootfs: Path) -> None:
    """A link for every program that is in BusyBox."""
    folder = rootfs / "usr/bin"
    busybox = folder / "busybox"
    os.setxattr(busybox, "security.capability", CAP_NET_RAW)
    for name in _checked([str(busybox), "--list"]).split():
        if not (folder / name).exists():
            (folder / name).symlink_to("busybox")
