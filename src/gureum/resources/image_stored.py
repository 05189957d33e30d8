"""Images of this machine's store as AMIs: what the daemon was told that the store has.

They are Gureum's own, in every region and account, as the store is the machine's and not an
account's.  Their ids follow from digest and region, so an image that is pulled again is the same
AMI.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gureum.kind import Kind
from gureum.model import Resource, Txn, View
from gureum.resources.catalogue import OWN, Published

ARCHITECTURES = {"amd64": "x86_64", "386": "i386"}
"""The API's names of architectures by Go's; others are the same."""

SMALLEST = 8
"""GiB of a root device; larger if the image does not fit."""


@dataclass(frozen=True, kw_only=True)
class StoredImage(
    Resource,
    kind="stored-image",
    prefix="stored-image",
    not_found="InvalidAMIID.NotFound",
    noun="stored image",
):
    """An image of the store: ``digest`` is that of its configuration, ``name`` what people call
    it, ``size`` the bytes of its files, ``architecture`` Go's name."""

    digest: str
    name: str
    size: int
    architecture: str

    @property
    def published(self) -> Published:
        """As the API shows it."""
        return Published(
            name=self.name.replace(":", "-"),
            description=f"OCI image {self.name}, {self.digest}",
            owner=OWN,
            created=self.created,
            machine_image=self.digest,
            architecture=ARCHITECTURES.get(self.architecture, self.architecture),
            size=max(SMALLEST, math.ceil(self.size / (1 << 30)) + 1),
            key=self.digest,
        )


def stored(view: View) -> Iterator[Published]:
    """All that the daemon was told of."""
    return (row.published for row in view.all(StoredImage))


def set_stored(txn: Txn, found: Iterable[tuple[str, str, int, str]], now: str) -> bool:
    """Let the images be these, and no others: digest, name, size and architecture of each; whether
    anything is other than before."""
    changed = False
    wanted = {f"stored-image-{each[0].removeprefix('sha256:')[:17]}": each for each in found}
    for row in list(txn.all(StoredImage)):
        if row.id not in wanted:
            txn.delete(row)
            changed = True
    for key, (digest, name, size, architecture) in wanted.items():
        old = txn.view.find(StoredImage, key)
        new = StoredImage(
            id=key,
            account=txn.account,
            region=txn.region,
            created=old.created if old else now,
            digest=digest,
            name=name,
            size=size,
            architecture=architecture,
        )
        if new != old:
            txn.put(new)
            changed = True
    return changed


KIND: Kind[StoredImage] = Kind(row=StoredImage)
