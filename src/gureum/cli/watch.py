"""``gureum watch``: frames as they come, taken apart layer by layer."""

from __future__ import annotations

import base64
import contextlib
import itertools
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from gureum.cli.client import Daemon
from gureum.cli.ending import ending_kindly, give_up_where_nobody_reads
from gureum.cli.options import Base, Where, json_option, pass_base, where_options
from gureum.cli.output import note

if TYPE_CHECKING:
    from gureum.cli.watch_show import Show
    from gureum.frames import Frame

PROTOCOLS = ("arp", "ip", "ip6", "icmp", "tcp", "udp", "dns", "dhcp", "http", "tls")
_BY_CONTENT = {"http": "HTTP", "tls": "TLS"}
"""Protocols that no port gives away: the daemon lets TCP through, we look into it."""
_MEGABYTE = 1_000_000


@dataclass
class Tally:
    """What a watch has come to."""

    frames: int = 0
    size: int = 0
    lost: int = 0
    over: str = ""
    links: dict[str, Any] = field(default_factory=dict)

    def said(self) -> str:
        """In words."""
        lost = f", {self.lost} more were lost: they came too fast" if self.lost else ""
        frames = "1 frame" if self.frames == 1 else f"{self.frames} frames"
        over = f"; it ended: {self.over}" if self.over else ""
        return f"{frames}, {self.size} bytes{lost}{over}"


@click.command(short_help="Show frames as they come.")
@click.argument("where")
@click.option("--osi", is_flag=True, help="Show every layer of a frame: its unit, fields, bytes.")
@click.option("-p", "--proto", type=click.Choice(PROTOCOLS), help="Frames of this protocol only.")
@click.option("-H", "--host", metavar="PLACE", help="Frames from or to this place or address only.")
@click.option(
    "-P", "--port", type=click.IntRange(1, 65535), help="From or to this TCP or UDP port only."
)
@click.option(
    "--pcap",
    type=click.File("wb"),
    metavar="FILE",
    help='Write the frames down for Wireshark; "-" is the standard output, for a pipe.',
)
@click.option("-c", "--count", type=click.IntRange(1), help="End after so many frames.")
@click.option(
    "-t", "--for", "seconds", type=click.FloatRange(0.01, 86_400), help="End after so many seconds."
)
@click.option(
    "--rate",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="Frames a second at most; what is more is lost, and counted.",
)
@click.option(
    "-s",
    "--snap",
    type=click.IntRange(14, 65_549),
    default=65_549,
    show_default=True,
    help="Bytes of a frame at most.",
)
@click.option(
    "--size", type=click.IntRange(1, 100_000), default=100, show_default=True,
    help="End after so many megabytes.",
)  # fmt: skip
@json_option
@where_options
@pass_base
def watch(
    base: Base,
    where: str,
    osi: bool,
    proto: str | None,
    host: str | None,
    port: int | None,
    pcap: BinaryIO | None,
    count: int | None,
    seconds: float | None,
    rate: int,
    snap: int,
    size: int,
    as_json: bool,
    region: str | None,
    account: str | None,
) -> None:
    """Show the frames at WHERE as they come, until Ctrl-C: at all ports of a subnet, on the links
    of an instance, a router, a gateway or a host of the internet, or on one link by the id of its
    network interface, peering or attachment; "internet" is the internet's router.

    They are seen before any filter judges them: one that comes in and does not go out was dropped
    or was for the place itself.

    \b
    gureum watch external-a
    gureum watch web --osi --proto dns --count 2
    gureum watch web --pcap - | wireshark -k -i -
    """
    wanted = {"protocol": proto, "host": host, "port": port, "seconds": seconds}
    body = {name: value for name, value in wanted.items() if value is not None}
    body |= {"place": where, "rate": rate, "snap": snap, "bytes": size * _MEGABYTE}
    tally = Tally()
    with (
        ending_kindly(),
        Daemon(base.state, Where(account, region)).stream("/watch", body) as told,
    ):
        shows = list(_shows(osi=osi, as_json=as_json, pcap=pcap, snap=snap))
        frames = _frames(told, tally, _BY_CONTENT.get(proto or ""))
        for frame, facts in itertools.islice(frames, count):
            for show in shows:
                show(frame, facts)
    with contextlib.suppress(BrokenPipeError):
        note(tally.said())


def _shows(*, osi: bool, as_json: bool, pcap: BinaryIO | None, snap: int) -> Iterator[Show]:
    """What is done with every frame."""
    from gureum.cli import watch_show  # with what takes frames apart: slow to import

    if pcap is not None:
        yield watch_show.keep(pcap, snap)
        if _is_stdout(pcap):
            return
    if as_json:
        yield watch_show.as_json
    elif osi:
        yield watch_show.layers
    else:
        yield watch_show.Lines()


def _is_stdout(file: BinaryIO) -> bool:
    with contextlib.suppress(OSError, AttributeError):
        return file.fileno() == sys.stdout.fileno()
    return False


def _frames(
    told: Iterator[dict[str, Any]], tally: Tally, only: str | None
) -> Iterator[tuple[Frame, dict[str, Any]]]:
    """Frames with what the daemon says of them; only those that have a certain layer."""
    from gureum.frames import Streams

    streams = Streams()

    for each in told:
        tally.links = each.get("links", tally.links)
        tally.lost = each.get("lost", tally.lost)
        tally.over = each.get("over", tally.over)
        if "data" not in each:
            give_up_where_nobody_reads()
            continue
        frame = streams.decode(base64.b64decode(each["data"]), (each["link"], each["way"]))
        if only is None or frame[only] is not None:
            tally.frames += 1
            tally.size += each["size"]
            yield frame, {**each, "link": tally.links.get(each["link"], _UNKNOWN)}


_UNKNOWN = {"name": "?", "to": "?", "mac": ""}
"""A link that was removed before we heard of it."""
