"""Images for containers that are ready to be used: recipes over ``debian-12``, built when first
wanted."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from gureum.images.errors import ImageError
from gureum.images.image import Image
from gureum.images.recipe_file import RecipeFile, read_recipe
from gureum.images.reference import parse

READY = ("web", "db", "proxy")
"""Their names."""

LABEL = "gureum.recipe"
"""The label with the digest of the recipe that an image was made from."""


def ready_recipe(reference: str) -> RecipeFile | None:
    """The recipe of a ready image; None if the name is another's."""
    try:
        whole = str(parse(reference))
    except ImageError:
        return None
    name = next((name for name in READY if str(parse(name)) == whole), None)
    return None if name is None else _read(name)


def outdated(image: Image, recipe: RecipeFile) -> bool:
    """Whether an image was made from another version of a recipe.  One that has no such label is a
    user's own, who gave it that name, and stays."""
    return (
        image.config.labels.get(LABEL, recipe.config.labels[LABEL]) != recipe.config.labels[LABEL]
    )


def _read(name: str) -> RecipeFile:
    text = Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8")
    recipe = read_recipe(text, None)
    labels = {**recipe.config.labels, LABEL: hashlib.sha256(text.encode()).hexdigest()[:12]}
    return replace(recipe, name=name, config=replace(recipe.config, labels=labels))
