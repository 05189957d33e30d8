"""Brings the images of a file from somebody hostile into a store, without giving them names: run as
a program, with bounds on memory and time.

``python -m gureum.images.load ROOT FILE`` prints pairs of digests and of the names in the file, as
JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from gureum.images import ImageError, ImageStore, Store

MEMORY, SECONDS = 1 << 30, 1800


def main(words: list[str]) -> None:
    """Errors go to stderr, in one line."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    root, path = words
    try:
        found = Store(ImageStore(Path(root))).take_in(Path(path))
    except (ImageError, OSError, MemoryError) as error:
        sys.exit(" ".join(str(error).split()) or type(error).__name__)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
