"""Makes an OCI image of every AMI that was made here, so that containers can be made from it and
``gureum image`` can show and export it.

Its layers are those of the image that the instance was launched from, and one with what is in the
snapshot of the root device.  In the store, which is the machine's, it goes by the AMI's id; who may
launch the AMI sees it as a container's image, and nobody else.  It goes when the AMI is
deregistered.
"""

from __future__ import annotations

import logging
import re

from gureum.images import Change, ImageError, ImageNotFoundError, Store
from gureum.machines import Machines
from gureum.model import View
from gureum.reconcile import MachineTasks
from gureum.resources.image import Image, permitted
from gureum.resources.instance import Instance
from gureum.resources.snapshot import Snapshot
from gureum.store import Commit
from gureum.store import Store as Rows

log = logging.getLogger(__name__)

_NAME = re.compile(r"docker\.io/library/(ami-[0-9a-f]{17}):latest", re.ASCII)


def ami_of(name: str) -> str | None:
    """The AMI whose image in the store goes by a whole name; None if it is none's."""
    match = _NAME.fullmatch(name)
    return match[1] if match else None


def may_see(view: View, instance: str, name: str) -> bool:
    """Whether an instance sees a name of the store: all do but those of AMIs that its account may
    not launch."""
    key = ami_of(name)
    if key is None:
        return True
    image, row = view.find(Image, key), view.find(Instance, instance)
    return (
        image is not None
        and row is not None
        and image.region == row.region
        and image.state == "available"
        and permitted(image, row.account)
    )


class AmiImages:
    """Follows the commits of a cloud; the store may be that of several."""

    def __init__(self, rows: Rows, machines: Machines, images: Store, tag: str) -> None:
        self._rows = rows
        self._machines = machines
        self._images = images
        self._mark = _mark(tag)
        self._tasks = MachineTasks(self._see, 1)

    def start(self) -> None:
        """Make those that are missing, remove those that are nobody's any more, then follow."""
        self._rows.subscribe(self._follow)
        known = {row.id for row in self._rows.view.all(Image)}
        for key in known | set(_held(self._images, self._mark)):
            self._tasks.wake(key)

    def stop(self) -> None:
        """Follow no more."""
        self._tasks.close()

    def _follow(self, commit: Commit) -> None:
        for key, (old, new) in commit.changes.rows.items():
            if isinstance(new or old, Image):
                self._tasks.wake(key)
            elif isinstance(new, Snapshot) and new.state == "completed":
                for row in commit.view.referrers(key, Image):
                    self._tasks.wake(row.id)

    def _see(self, key: str) -> None:
        row = self._rows.view.find(Image, key)
        try:
            if row is None:
                self._remove(key)
            elif self._is_ready(row) and not self._is_there(key):
                self._make(row)
        except (ImageError, OSError) as error:
            log.warning("%s is no image for containers: %s", key, error)

    def _is_ready(self, row: Image) -> bool:
        snapshot = self._root(row)
        return row.state == "available" and snapshot is not None and snapshot.state == "completed"

    def _root(self, row: Image) -> Snapshot | None:
        for device in row.devices:
            if device.name == row.root_device and device.snapshot:
                return self._rows.view.find(Snapshot, device.snapshot)
        return None

    def _is_there(self, key: str) -> bool:
        try:
            return bool(self._images.holders(self._images.find(key).digest))
        except ImageNotFoundError:
            return False

    def _make(self, row: Image) -> None:
        root = self._root(row)
        base = self._images.ensure(row.machine_image)
        made = self._images.derive(
            base.digest,
            Change(
                upper=self._machines.content(root.id) if root else None,
                config=base.config,
                note=f"{row.id} of {row.instance or 'a snapshot'}",
                created=row.created,
                comment=row.name,
            ),
            row.id,
        )
        self._images.hold(made.digest, f"{row.id}{self._mark}")
        if self._rows.view.find(Image, row.id) is None:  # it was deregistered meanwhile
            self._remove(row.id)

    def _remove(self, key: str) -> None:
        for holder, digest in _held(self._images, self._mark).items():
            if holder == key:
                self._images.release(digest, f"{holder}{self._mark}")
                self._images.untag(key)


def forget_amis(images: Store, tag: str) -> None:
    """Remove the images of all AMIs of a cloud, which is gone."""
    try:
        for key, digest in _held(images, _mark(tag)).items():
            images.release(digest, f"{key}{_mark(tag)}")
            images.untag(key)
    except (ImageError, OSError) as error:
        log.warning("images of AMIs are still there: %s", error)


def _mark(tag: str) -> str:
    """What the holders of AMIs' images end in."""
    return f", an AMI in cloud {tag}"


def _held(images: Store, mark: str) -> dict[str, str]:
    """The digests of what is held for a cloud's AMIs, by their ids."""
    return {
        holder.removesuffix(mark): image.digest
        for image in images.list()
        for holder in images.holders(image.digest)
        if holder.endswith(mark)
    }
