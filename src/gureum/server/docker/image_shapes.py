"""Images in the words of Docker's answers.

Source: Docker Engine API 1.43, ``ImageInspect``, ``ImageSummary``, ``HistoryResponseItem``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from gureum.images.config import write_config
from gureum.images.image import Layer
from gureum.images.reference import Reference, parse
from gureum.server.docker.shapes import NEVER
from gureum.server.docker.shelf import Seen, named


def summary(seen: Seen) -> dict[str, Any]:
    """One line of ``docker images``."""
    image, known = seen.image, bool(seen.names or seen.sources)
    return {
        "Id": image.digest,
        "ParentId": seen.row.parent if seen.row else "",
        # clients show one without any name by these words
        "RepoTags": tags(seen) if known else ["<none>:<none>"],
        "RepoDigests": list(seen.sources) if known else ["<none>@<none>"],
        "Created": seconds(image.created),
        "Size": image.size,
        "VirtualSize": image.size,
        "SharedSize": -1,
        "Labels": dict(image.config.labels) or None,
        "Containers": -1,
    }


def inspect(seen: Seen) -> dict[str, Any]:
    """``docker image inspect``."""
    image = seen.image
    return {
        "Id": image.digest,
        "RepoTags": tags(seen),
        "RepoDigests": list(seen.sources),
        "Parent": "", "Comment": "", "Container": "", "DockerVersion": "", "Author": "",
        "Created": image.created or NEVER,
        "Config": {"Env": None, "Cmd": None, "Entrypoint": None, "Labels": None,
                   "WorkingDir": "", "User": "", **write_config(image.config)},
        "Architecture": image.architecture, "Os": image.os, "Size": image.size,
        "GraphDriver": {"Name": "overlay2", "Data": {}},
        "RootFS": {"Type": "layers", "Layers": [layer.diff_id for layer in image.stack]},
        "Metadata": {"LastTagTime": NEVER},
    }  # fmt: skip


def history(seen: Seen) -> list[dict[str, Any]]:
    """``docker history``, the last step first."""
    layers: list[Layer] = list(seen.image.stack)
    shown: list[dict[str, Any]] = []
    for step in seen.image.history:
        size = 0 if step.empty or not layers else layers.pop(0).size
        shown.append({"Id": "<missing>", "Created": seconds(step.created), "Tags": None,
                      "CreatedBy": step.created_by, "Comment": step.comment,
                      "Size": size})  # fmt: skip
    shown.reverse()
    if shown:
        shown[0] |= {"Id": seen.image.digest, "Tags": tags(seen)}
    return shown


def tags(seen: Seen) -> list[str]:
    """Its names, as people write them."""
    return [parse(each).short for each in seen.names]


def called(seen: Seen, wanted: Sequence[str]) -> Seen:
    """An image with those of its names only that the filter ``reference`` means; without a tag, all
    tags of a name."""
    return replace(seen, names=tuple(
        name for name in seen.names if any(_is_meant(parse(name), text) for text in wanted)
    ))  # fmt: skip


def _is_meant(name: Reference, text: str) -> bool:
    wanted = named(text)
    tagged = ":" in text.rpartition("/")[2]
    return (
        wanted is not None
        and name.repository == wanted.repository
        and (not tagged or name.tag == wanted.tag)
    )


def seconds(text: str) -> int:
    """RFC 3339 as seconds since 1970; 0 for what is no time."""
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError:
        return 0
