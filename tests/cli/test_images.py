"""Images at the command line; building them is tested with the machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.clouds import run


@pytest.fixture(autouse=True)
def _no_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUREUM_IMAGES", str(tmp_path / "images"))


def test_images_that_are_not_built_are_listed_too(tmp_path: Path) -> None:
    listed = json.loads(run(tmp_path, "images", "--json").output)
    assert {item["name"]: item["built"] for item in listed} == {
        "gureum-base": False,
        "debian-12": False,
    }
    assert "gureum-base   no" in run(tmp_path, "images").output


def test_only_those_that_are_named(tmp_path: Path) -> None:
    listed = json.loads(run(tmp_path, "images", "debian-12", "--json").output)
    assert [item["name"] for item in listed] == ["debian-12"]


def test_an_unknown_image_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    result = run(tmp_path, "images", "--build", "windows")
    assert result.exit_code == 1
    assert result.stderr == (
        "gureum: no image is called windows; there are gureum-base, debian-12\n"
    )
    assert not (tmp_path / "images").exists()
