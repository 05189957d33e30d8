"""Keeps the API's view of the image store, and the store's of who uses its images."""

from __future__ import annotations

import logging

from gureum.images import ImageError, ImageNotFoundError, Store, parse_name
from gureum.model import View
from gureum.resources import internet_host
from gureum.resources.image import Image
from gureum.resources.image_stored import set_stored
from gureum.resources.instance import ENDED, Instance
from gureum.server.ami_images import ami_of
from gureum.store import Store as Rows

log = logging.getLogger(__name__)


def publish(images: Store, rows: Rows, now: str) -> None:
    """Make an AMI of every image of the store that has a name and is none of those that are AMIs
    anyway.  A store that cannot be read leaves things as they are."""
    try:
        found = images.list()
    except (ImageError, OSError) as error:
        log.warning("the image store could not be read: %s", error)
        return
    own = {name for name, called in images.own().items() if called in _published_anyway(images)}
    named = ((image, [name for name in image.names if ami_of(name) is None]) for image in found)
    wanted = [
        (image.digest, parse_name(names[0]).short, image.size, image.architecture)
        for image, names in named
        if names and not own & set(names)
    ]
    with rows.transaction(internet_host.OWNER, internet_host.PLACE) as txn:
        set_stored(txn, wanted, now)


def _published_anyway(images: Store) -> set[str]:
    return {info.name for info in images.built.list()}


def claim(images: Store, view: View, tag: str) -> None:
    """Hold the images that this cloud's AMIs and instances are made from, and let go of those that
    none is any more."""
    mark = _mark(tag)
    wanted = {
        (row.machine_image, f"{row.id}{mark}")
        for row in view.all(Image)
        if row.machine_image.startswith("sha256:")
    } | {
        (row.base, f"{row.id}{mark}")
        for row in view.all(Instance)
        if row.base.startswith("sha256:") and row.state not in ENDED
    }
    held = _held(images, tag)
    for digest, holder in held - wanted:
        images.release(digest, holder)
    for digest, holder in wanted - held:
        try:
            images.hold(digest, holder)
        except ImageNotFoundError:
            log.warning("%s is made from %s, which is gone", holder, digest)


def forget(images: Store, tag: str) -> None:
    """Let go of all that a cloud holds, which is gone."""
    try:
        for digest, holder in _held(images, tag):
            images.release(digest, holder)
    except (ImageError, OSError) as error:
        log.warning("the image store could not be told that the cloud is gone: %s", error)


def _mark(tag: str) -> str:
    """What the holders of a cloud end in; the machine room writes the same."""
    return f" of cloud {tag}"


def _held(images: Store, tag: str) -> set[tuple[str, str]]:
    return {
        (image.digest, holder)
        for image in images.list()
        for holder in images.holders(image.digest)
        if holder.endswith(_mark(tag))
    }
