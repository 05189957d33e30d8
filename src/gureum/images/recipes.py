"""The images that we can make, and what each of them is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gureum.images import base_image, debian_image


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to fill an empty root directory.  ``version`` changes when the recipe does, so that an
    image of an older recipe is built anew."""

    name: str
    description: str
    version: str
    build: Callable[[Path, Callable[[str], None]], None]


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "gureum-base",
            "BusyBox with ssh: small, starts at once",
            base_image.VERSION,
            base_image.build,
        ),
        Recipe(
            "debian-12",
            "Debian 12 (bookworm) with ssh, Python and network tools",
            debian_image.VERSION,
            debian_image.build,
        ),
    )
}
