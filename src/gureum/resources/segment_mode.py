"""How a subnet carries frames, chosen by its owner with a tag: a setting that AWS does not have."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar, get_args

from gureum.kind import check_tag_count
from gureum.model import Resource
from gureum.program.statements import Mode

MODE_TAG = "gureum:segment-mode"
"""A tag on a subnet with which its owner chooses how it carries frames (see ``SegmentMode``)."""

MODES: tuple[Mode, ...] = get_args(Mode)
"""What the tag may say: ``fabric`` as at AWS, ``switch``, ``hub``."""

DEFAULT: Mode = "fabric"

R = TypeVar("R", bound=Resource)


def mode_of(row: Resource) -> Mode:
    """The mode that a subnet's tag chooses; that of AWS where there is no tag, or one of a time
    when it could say anything."""
    chosen = row.tag(MODE_TAG)
    return next((mode for mode in MODES if mode == chosen), DEFAULT)


def with_mode(row: R, mode: Mode) -> R:
    """The subnet with another mode.  What AWS does has no tag, so that a tag which was never given
    is not made.

    Raises:
        ApiError: ``TagLimitExceeded``.
    """
    tags = {key: value for key, value in row.tags if key != MODE_TAG}
    if mode != DEFAULT:
        tags[MODE_TAG] = mode
    check_tag_count(tags)
    return replace(row, tags=tuple(tags.items()))
