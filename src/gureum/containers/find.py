"""Which container, network or volume of an instance a client means.

Sources: Docker Engine API 1.43; moby, ``daemon/container.go`` (``GetContainer``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gureum.containers.errors import DockerError
from gureum.containers.networks import networks_of
from gureum.containers.rows import Container, ContainerImage, ContainerNetwork, ContainerVolume
from gureum.model import Reader

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
"""moby, ``daemon/names``: at least two characters."""
LONGEST_NAME = 128


def containers_of(reader: Reader, instance: str) -> list[Container]:
    """The containers of an instance, newest first, as ``docker ps`` lists them."""
    rows = reader.referrers(instance, Container)
    return sorted(rows, key=lambda row: (row.created, row.id), reverse=True)


def container(reader: Reader, instance: str, text: str) -> Container:
    """By id, name, or a part of an id that begins one only.

    Raises:
        DockerError: 404, or 400 where several begin so.
    """
    name = text.removeprefix("/")
    rows = list(reader.referrers(instance, Container))
    for row in rows:
        if name in (row.id, row.name):
            return row
    found = [row for row in rows if name and row.id.startswith(name)]
    if len(found) > 1:
        raise DockerError(400, f"Multiple IDs found with provided prefix: {name}")
    if not found:
        raise DockerError(404, f"No such container: {text}")
    return found[0]


def network(reader: Reader, instance: str, text: str) -> ContainerNetwork:
    """By name, id, or a part of an id.

    Raises:
        DockerError: 404, or 400 where several begin so.
    """
    rows = networks_of(reader, instance)
    for row in rows:
        if text in (row.id, row.name):
            return row
    found = [row for row in rows if text and row.id.startswith(text)]
    if len(found) > 1:
        raise DockerError(400, f"network {text} is ambiguous ({len(found)} matches found)")
    if not found:
        raise DockerError(404, f"network {text} not found")
    return found[0]


def volumes_of(reader: Reader, instance: str) -> list[ContainerVolume]:
    """The volumes of an instance, by name."""
    return sorted(reader.referrers(instance, ContainerVolume), key=lambda row: row.name)


def volume(reader: Reader, instance: str, name: str) -> ContainerVolume:
    """By its whole name.

    Raises:
        DockerError: 404.
    """
    for row in reader.referrers(instance, ContainerVolume):
        if row.name == name:
            return row
    raise DockerError(404, f"get {name}: no such volume")


def images_of(reader: Reader, instance: str) -> list[ContainerImage]:
    """The images that an instance has for itself, newest first."""
    rows = reader.referrers(instance, ContainerImage)
    return sorted(rows, key=lambda row: (row.created, row.id), reverse=True)


def users_of(reader: Reader, row: ContainerVolume) -> Iterator[Container]:
    """The containers that have a volume, whether they run or not."""
    for each in reader.referrers(row.instance, Container):
        if any(mount.kind == "volume" and mount.source == row.name for mount in each.mounts):
            yield each


def check_name(reader: Reader, instance: str, name: str) -> None:
    """Whether a container may be called so.

    Raises:
        DockerError: 400 or 409.
    """
    if not NAME.fullmatch(name) or len(name) > LONGEST_NAME:
        raise DockerError(
            400,
            f"Invalid container name ({name[:LONGEST_NAME]}), only [a-zA-Z0-9][a-zA-Z0-9_.-] "
            "are allowed",
        )
    for row in reader.referrers(instance, Container):
        if row.name == name:
            raise DockerError(
                409,
                f'Conflict. The container name "/{name}" is already in use by container '
                f'"{row.id}". You have to remove (or rename) that container to be able to reuse '
                "that name.",
            )
