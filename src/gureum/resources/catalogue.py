"""The images that Gureum publishes in every region, and the well-known ones it stands in for.

Names, owners, architectures and root devices are those by which people look images up; what an
instance of any of them starts from is an image of this machine (``machine_image``).  They are the
same in every account, and ids follow from name and region, so that a cloud made anew has the same
``ami-…`` as before.

Sources: EC2 User Guide, "Find an AMI"; Amazon Linux 2023 User Guide, "AL2023 on Amazon EC2"; the
owners' own lists (Canonical, "Find Ubuntu images on AWS"; Debian Wiki, "Amazon EC2 Image").
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

OWN = "100000000001"
"""The account of Gureum's own images, which answers to the alias ``amazon``."""

AMAZON, CANONICAL, DEBIAN = "137112412989", "099720109477", "136693071363"


@dataclass(frozen=True, kw_only=True)
class Published:
    """An image as its owner publishes it; ``size`` of the root device in GiB, ``volume`` its
    type.  ``key`` is what its ids follow from, its name if it is empty."""

    name: str
    description: str
    owner: str
    created: str
    machine_image: str = "debian-12"
    alias: str | None = "amazon"
    architecture: str = "x86_64"
    root_device: str = "/dev/xvda"
    size: int = 8
    volume: str = "gp3"
    boot_mode: str = "uefi-preferred"
    imds: str | None = "v2.0"
    key: str = ""

    def id(self, region: str) -> str:
        """The image's id in a region."""
        return _digest("ami", self.key or self.name, region)

    def snapshot(self, region: str) -> str:
        """The id of its root device's snapshot in a region."""
        return _digest("snap", self.key or self.name, region)

    @property
    def deprecated(self) -> str:
        """When the image is out of date, as far as the API tells: ten years on, so that look-ups
        of today go on finding it."""
        at = datetime.fromisoformat(self.created)
        return self.created.replace(f"{at.year}", f"{at.year + 10}", 1)


def _digest(prefix: str, name: str, region: str) -> str:
    digits = hashlib.sha256(f"{prefix}/{name}/{region}".encode()).hexdigest()
    return f"{prefix}-{digits[:17]}"


# --- Gureum's own -------------------------------------------------------------------------------
_OWN = (
    Published(
        name="gureum-base-x86_64-20260101",
        description="Gureum base image: BusyBox, starts at once",
        owner=OWN,
        created="2026-01-01T00:00:00.000Z",
        machine_image="gureum-base",
    ),
    Published(
        name="debian-12-amd64-20260101-gureum",
        description="Debian 12 (bookworm) with SSH server and network tools",
        owner=OWN,
        created="2026-01-01T00:00:00.000Z",
    ),
)

# --- others' ------------------------------------------------------------------------------------
_ARCHITECTURES = (("x86_64", "amd64"), ("arm64", "arm64"))
"""An architecture in the API's words and in Debian's.  The first is published last, so that who
takes the most recent of both gets the one that instances here have."""

_FLAVOURS = tuple(
    (kernel, flavour, architecture)
    for kernel in ("6.1", "6.12")
    for flavour in ("", "minimal-")
    for architecture, _ in _ARCHITECTURES
)

_AL2023 = (("2023.8.20250818.0", "2025-08-15"), ("2023.9.20251105.0", "2025-11-04"))
_AL2 = (("2.0.20250808.0", "2025-08-08"), ("2.0.20251103.0", "2025-11-03"))
_UBUNTU = (
    ("focal", "20.04", "hvm-ssd", "20250530"),
    ("jammy", "22.04", "hvm-ssd", "20250822"),
    ("jammy", "22.04", "hvm-ssd", "20251022"),
    ("noble", "24.04", "hvm-ssd-gp3", "20250821"),
    ("noble", "24.04", "hvm-ssd-gp3", "20251022"),
)
_DEBIAN = (
    ("11", "bullseye", "20250803", "2193"),
    ("12", "bookworm", "20250814", "2204"),
    ("12", "bookworm", "20251006", "2257"),
    ("13", "trixie", "20251006", "2257"),
)


def _amazon_linux() -> Iterator[Published]:
    for version, day in _AL2023:
        for place, (kernel, flavour, architecture) in enumerate(_FLAVOURS):
            words = "minimal " if flavour else ""
            yield Published(
                name=f"al2023-ami-{flavour}{version}-kernel-{kernel}-{architecture}",
                description=(
                    f"Amazon Linux 2023 AMI {version} {architecture} HVM {words}kernel-{kernel}"
                ),
                owner=AMAZON,
                created=_published(day, place),
                architecture=architecture,
                size=2 if flavour else 8,
                boot_mode=_boot_mode(architecture),
            )
    for version, day in _AL2:
        for place, (architecture, _) in enumerate(_ARCHITECTURES):
            for kernel in ("", "kernel-5.10-"):
                yield Published(
                    name=f"amzn2-ami-{kernel}hvm-{version}-{architecture}-gp2",
                    description=f"Amazon Linux 2 AMI {version} {architecture} HVM gp2",
                    owner=AMAZON,
                    created=_published(day, place),
                    architecture=architecture,
                    volume="gp2",
                    boot_mode="legacy-bios" if architecture == "x86_64" else "uefi",
                    imds=None,
                )


def _ubuntu() -> Iterator[Published]:
    for code, version, folder, serial in _UBUNTU:
        for place, (architecture, word) in enumerate(_ARCHITECTURES):
            yield Published(
                name=f"ubuntu/images/{folder}/ubuntu-{code}-{version}-{word}-server-{serial}",
                description=f"Canonical, Ubuntu, {version}, {word} {code} image",
                owner=CANONICAL,
                created=_published(_day(serial), place),
                architecture=architecture,
                root_device="/dev/sda1",
                volume="gp3" if folder.endswith("gp3") else "gp2",
                boot_mode=_boot_mode(architecture),
                imds="v2.0" if version >= "24.04" else None,
            )


def _debian() -> Iterator[Published]:
    for version, code, serial, build in _DEBIAN:
        for place, (architecture, word) in enumerate(_ARCHITECTURES):
            yield Published(
                name=f"debian-{version}-{word}-{serial}-{build}",
                description=f"Debian {version} ({serial}-{build}), {code}",
                owner=DEBIAN,
                created=_published(_day(serial), place),
                architecture=architecture,
                boot_mode=_boot_mode(architecture),
                imds=None,
            )


def _day(serial: str) -> str:
    return f"{serial[:4]}-{serial[4:6]}-{serial[6:]}"


def _published(day: str, place: int) -> str:
    """A time of the day, earlier for later places."""
    return f"{day}T18:{59 - place:02}:40.000Z"


def _boot_mode(architecture: str) -> str:
    return "uefi-preferred" if architecture == "x86_64" else "uefi"


def of_parameter(path: str) -> Published | None:
    """The image that a public parameter of Systems Manager names now, if it is one of ours."""
    for pattern, name in _PARAMETERS:
        match = re.fullmatch(pattern, path)
        if match is None:
            continue
        wanted = re.compile(match.expand(name))
        found = [image for image in PUBLISHED if wanted.fullmatch(image.name)]
        return max(found, key=lambda image: image.created, default=None)
    return None


_AMAZON_PATH = "/aws/service/ami-amazon-linux-latest/"
_PARAMETERS = (
    (
        _AMAZON_PATH + r"al2023-ami-(minimal-|)kernel-(?:default|6\.1)-(\w+)",
        r"al2023-ami-\1[\\d.]+-kernel-6\\.1-\2",
    ),
    (
        _AMAZON_PATH + r"al2023-ami-(minimal-|)kernel-6\.12-(\w+)",
        r"al2023-ami-\1[\\d.]+-kernel-6\\.12-\2",
    ),
    (_AMAZON_PATH + r"amzn2-ami-hvm-(\w+)-gp2", r"amzn2-ami-hvm-[\\d.]+-\1-gp2"),
    (
        _AMAZON_PATH + r"amzn2-ami-kernel-5\.10-hvm-(\w+)-gp2",
        r"amzn2-ami-kernel-5\\.10-hvm-[\\d.]+-\1-gp2",
    ),
    (
        r"/aws/service/canonical/ubuntu/server/([\d.]+)/stable/current/(\w+)/hvm/ebs-gp[23]/ami-id",
        r"ubuntu/.*-\1-\2-server-\\d+",
    ),
    (r"/aws/service/debian/release/(\d+)/latest/(\w+)", r"debian-\1-\2-\\d+-\\d+"),
)
"""Paths of parameters, and the names of the images of which they give the most recent."""

PUBLISHED = (*_OWN, *_amazon_linux(), *_ubuntu(), *_debian())
