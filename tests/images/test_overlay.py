"""Mount options of overlayfs."""

from __future__ import annotations

from pathlib import Path

from gureum.images import overlay


def test_options_are_escaped() -> None:
    assert (
        overlay.options([Path("/a:b")], Path("/c,d"), Path("/e\\f"))
        == "nodev,lowerdir=/a\\:b,upperdir=/c\\,d,workdir=/e\\\\f"
    )


def test_the_highest_layer_comes_first() -> None:
    made = overlay.options([Path("/low"), Path("/mid"), Path("/high")], Path("/u"), Path("/w"))
    assert "lowerdir=/high:/mid:/low," in made
