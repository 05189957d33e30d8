"""``gureum images``: what instances are made from."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from gureum.cli.failure import NOT_ALLOWED, Failure
from gureum.cli.options import json_option
from gureum.cli.output import clean, grid, note, print_json, show

if TYPE_CHECKING:
    from gureum.images import ImageInfo


@click.command(short_help="List or build what instances are made from.")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--build", is_flag=True, help="Build those that are not built yet.")
@json_option
def images(names: tuple[str, ...], build: bool, as_json: bool) -> None:
    """List the images that instances are made from, or build them.

    Works without a daemon.  An image that is not built yet is built when it is first needed.

    \b
    sudo gureum images --build debian-12
    """
    from gureum.images import ImageError, ImageStore

    store = ImageStore()
    known = [info.name for info in store.list()]
    for name in names:
        if name not in known:
            raise Failure(f"no image is called {clean(name)}; there are {', '.join(known)}")
    wanted = names or tuple(known)
    if build:
        try:
            for name in wanted:
                store.ensure(name, note)
        except ImageError as error:
            raise Failure(str(error)) from None
        except PermissionError as error:
            raise Failure(f"{error.filename} may not be written: try sudo", NOT_ALLOWED) from None
    shown = [info for info in store.list() if info.name in wanted]
    if as_json:
        print_json([asdict(info) for info in shown])
    else:
        _show(shown)


def _show(shown: list[ImageInfo]) -> None:
    table = grid("name", "built", "MiB", "digest", "what it is")
    for info in shown:
        size = f"{info.size / (1 << 20):.1f}" if info.built else ""
        digest = info.digest.removeprefix("sha256:")[:12]
        table.add_row(info.name, info.created or "no", size, digest, info.description)
    show(table)
