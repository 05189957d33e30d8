"""Where the Debian image's packages come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from gureum.images import debian_image

LIST = """\
# deb http://commented.example/debian bookworm main
deb http://one.example/debian bookworm main contrib
deb [signed-by=/etc/x.gpg arch=amd64] https://two.example/debian bookworm-updates main
deb-src http://one.example/debian bookworm main
"""
SOURCES = """\
Types: deb deb-src
URIs: http://three.example/debian http://four.example/debian
Suites: bookworm bookworm-security
Components: main

Types: deb-src
URIs: http://five.example/debian
Suites: bookworm

Types: deb
URIs: http://six.example/debian
Suites: bookworm
Enabled: no
"""


def test_entries_in_both_forms(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (tmp_path / "sources.list").write_text(LIST)
    (folder / "a.list").write_text("deb file:/srv/mirror stable main\n")
    (folder / "b.sources").write_text(SOURCES)
    (folder / "c.sources.disabled").write_text(SOURCES)
    assert list(debian_image.entries(tmp_path)) == [
        ("http://one.example/debian", "bookworm"),
        ("https://two.example/debian", "bookworm-updates"),
        ("file:/srv/mirror", "stable"),
        ("http://three.example/debian", "bookworm"),
        ("http://three.example/debian", "bookworm-security"),
        ("http://four.example/debian", "bookworm"),
        ("http://four.example/debian", "bookworm-security"),
    ]


def test_no_configuration_no_entries(tmp_path: Path) -> None:
    assert list(debian_image.entries(tmp_path)) == []


RELEASE = {
    "debian": 'PRETTY_NAME="Debian"\nID=debian\nVERSION_CODENAME=trixie\n',
    "ubuntu": "ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n",
}


def etc(folder: Path, release: str, text: str) -> Path:
    (folder / "apt").mkdir()
    (folder / "os-release").write_text(RELEASE[release])
    (folder / "apt/sources.list").write_text(text)
    return folder


def test_a_debians_own_mirrors_serve_the_images_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GUREUM_DEBIAN_MIRROR", raising=False)
    text = "".join(
        f"deb http://m.example/{uri} {suite} main\n"
        for uri, suite in [
            ("debian", "trixie"), ("debian", "trixie"), ("debian", "trixie-updates"),
            ("security", "stable-security"), ("debian", "trixie-backports"), ("other", "focal"),
        ]
    )  # fmt: skip
    assert debian_image.sources(etc(tmp_path, "debian", text)) == [
        "deb http://m.example/debian bookworm main",
        "deb http://m.example/debian bookworm-updates main",
        "deb http://m.example/security bookworm-security main",
    ]


def test_others_leave_it_to_mmdebstrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GUREUM_DEBIAN_MIRROR", raising=False)
    folder = etc(tmp_path, "ubuntu", "deb http://m.example/ubuntu noble main\n")
    assert debian_image.sources(folder) == []
    monkeypatch.setenv("GUREUM_DEBIAN_MIRROR", "http://mine.example/debian")
    assert debian_image.sources(folder) == ["deb http://mine.example/debian bookworm main"]


def test_command_names_suite_target_and_mirrors_last() -> None:
    call = debian_image.command(Path("/images/x/rootfs"), ["deb a bookworm main"])
    assert call[0] == "mmdebstrap"
    assert call[-3:] == ["bookworm", "/images/x/rootfs", "deb a bookworm main"]
    (packages,) = (word for word in call if word.startswith("--include="))
    assert {"openssh-server", "iproute2", "tcpdump"} <= set(packages[10:].split(","))
