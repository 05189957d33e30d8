"""Mount options of overlayfs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def options(lowers: Sequence[Path], upper: Path, work: Path) -> str:
    """Mount options for layers, the lowest first, with changes above them in ``upper``.

    ``nodev``: a device file that got into the tree opens nothing.  Commas and colons mean
    something to mount(8) and overlayfs and are escaped.  Source: Linux, ``overlayfs.rst``.
    """

    def quote(path: Path) -> str:
        text = os.fspath(path)
        for char in "\\:,":
            text = text.replace(char, "\\" + char)
        return text

    below = ":".join(quote(path) for path in reversed(lowers))
    return f"nodev,lowerdir={below},upperdir={quote(upper)},workdir={quote(work)}"
