"""The image ``debian-12``: made by mmdebstrap from the packages of a Debian mirror.

Which mirror: ``GUREUM_DEBIAN_MIRROR`` if set; else the ones that this machine's own apt uses, if it
is a Debian; else mmdebstrap's own choice.  So no host name stands here.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from gureum.images import told

VERSION = "2"
SUITE = "bookworm"

PACKAGES = (
    "openssh-server", "iproute2", "iputils-ping", "iputils-arping", "traceroute",
    "inetutils-telnet", "netcat-openbsd", "curl", "ca-certificates", "tcpdump", "nftables",
    "iptables", "bind9-host", "python3-minimal", "libpython3-stdlib", "procps", "sudo", "less",
    "vim-tiny",
)  # fmt: skip

# Documents, translations and caches are half of a small Debian; licences stay.
LEFT_OUT = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/lintian/*",
)

# Host keys are each instance's own; the boot script makes them.  Debian's cloud images call the
# first user admin and let it become root; a locked password ("!") would keep sshd from taking keys
# with UsePAM off, so it is "*".
CUSTOMIZE = (
    'rm -f "$1"/etc/ssh/ssh_host_*',
    'useradd --root "$1" --create-home --shell /bin/bash --password "*" admin',
    'usermod --root "$1" --password "*" root',
    'echo "admin ALL=(ALL) NOPASSWD: ALL" >"$1"/etc/sudoers.d/admin',
    'chmod 440 "$1"/etc/sudoers.d/admin',
    (
        'printf "PasswordAuthentication no\\nUsePAM no\\nUseDNS no\\nPrintMotd no\\n"'
        ' >"$1"/etc/ssh/sshd_config.d/gureum.conf'
    ),
    # There is no init system; PID 1 ends the instance when it is told so as BusyBox tells its own.
    'printf "#!/bin/sh\\nexec kill -USR2 1\\n" >"$1"/usr/sbin/poweroff',
    'chmod 755 "$1"/usr/sbin/poweroff',
    'ln -s poweroff "$1"/usr/sbin/halt; ln -s poweroff "$1"/usr/sbin/shutdown',
    (
        'rm -rf "$1"/var/cache/apt/* "$1"/var/lib/apt/lists/* "$1"/var/log/*.log "$1"/etc/hostname'
        ' "$1"/etc/resolv.conf "$1"/etc/machine-id'
    ),
)

# The whole build runs as PID 1 of its own namespaces: if it is killed, everything it mounted and
# started is gone with it.
ISOLATED = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

_ONE_LINE = re.compile(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)\s+(\S+)", re.MULTILINE)


def build(rootfs: Path, progress: Callable[[str], None]) -> None:
    """Fill ``rootfs``; takes minutes and the network.

    Raises:
        OSError: mmdebstrap is missing or failed; the text has its last lines.
    """
    call = [*ISOLATED, *command(rootfs, sources())]
    # Times in the image come from here, not from the moment of the build.
    environment = os.environ | {"SOURCE_DATE_EPOCH": "1700000000", "LC_ALL": "C.UTF-8"}

    def tell(row: str) -> None:
        if row.startswith("I: "):
            progress(row[3:].rstrip())

    status, last = told.run(call, tell, environment)
    if status != 0:
        raise OSError(f"mmdebstrap failed:\n{last}")


def command(rootfs: Path, mirrors: list[str]) -> list[str]:
    """mmdebstrap's command line; ``mirrors`` are lines for ``sources.list``."""
    return [
        "mmdebstrap", "--mode=root", "--format=directory", "--variant=apt",
        f"--include={','.join(PACKAGES)}",
        '--aptopt=Acquire::Languages "none"',
        *(f"--dpkgopt={option}" for option in LEFT_OUT),
        *(f"--customize-hook={hook}" for hook in CUSTOMIZE),
        SUITE, str(rootfs), *mirrors,
    ]  # fmt: skip


def sources(etc: Path = Path("/etc")) -> list[str]:
    """Lines for ``sources.list``; none leaves the choice to mmdebstrap.  ``etc`` is the folder with
    this machine's configuration."""
    given = os.environ.get("GUREUM_DEBIAN_MIRROR")
    if given:
        return [f"deb {given} {SUITE} main"]
    release = (etc / "os-release").read_text()
    if not re.search(r"^ID=debian$", release, re.MULTILINE):
        return []
    codename = re.search(r"^VERSION_CODENAME=(\w+)", release, re.MULTILINE)
    ours = {"stable", codename[1] if codename else SUITE}
    lines = []
    for uri, suite in entries(etc / "apt"):
        # The machine may be of another release than the image; its mirrors have both.
        name, _, pocket = suite.partition("-")
        if name in ours and pocket in {"", "updates", "security"}:
            lines.append(f"deb {uri} {SUITE}{'-' + pocket if pocket else ''} main")
    return list(dict.fromkeys(lines))


def entries(apt: Path) -> Iterator[tuple[str, str]]:
    """``(URI, suite)`` of every binary archive in an apt configuration folder, in both of the
    forms of sources.list(5)."""
    for file in sorted([apt / "sources.list", *apt.glob("sources.list.d/*.list")]):
        if file.exists():
            yield from _ONE_LINE.findall(file.read_text())
    for file in sorted(apt.glob("sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", file.read_text()):
            fields = dict(re.findall(r"^([\w-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
            if "deb" in fields.get("Types", "").split() and fields.get("Enabled") != "no":
                for uri in fields.get("URIs", "").split():
                    for suite in fields.get("Suites", "").split():
                        yield uri, suite
