"""``gureum medium``: a model of shared Ethernet.  Needs no cloud."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click
from numpy.random import default_rng

from gureum.cli.failure import FAILED, USAGE, Failure
from gureum.cli.medium_show import (
    checks,
    curves,
    domain_rows,
    domain_tree,
    hosts_rows,
    reports,
    steps,
    through,
)
from gureum.cli.options import json_option
from gureum.cli.output import note, print_json
from gureum.medium.draw import plots, timeline
from gureum.medium.draw_domains import domains as drawing
from gureum.medium.measure import Report, experiment
from gureum.medium.plan import Plan, plan
from gureum.medium.standard import ETHERNET, LARGEST_FRAME, SMALLEST_FRAME
from gureum.medium.timeline import record
from gureum.medium.topology import METRES, Kind, Topology, TopologyError, read, star
from gureum.medium.traffic import Load
from gureum.medium.validation import backoff, capture, hosts, metcalfe_boggs, shoch_hupp

F = TypeVar("F", bound=Callable[..., Any])

_MOST_STATIONS = 1024
_svg = click.option(
    "--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw it into a file too."
)
_seed = click.option(
    "--seed", type=click.IntRange(0), default=1, show_default=True, help="Of the random numbers."
)


class _Numbers(click.ParamType[tuple[float | None, ...]]):
    """Numbers with commas; ``max`` where allowed is None."""

    name = "numbers"

    def __init__(self, low: float, high: float, *, whole: bool = False, most: str = "") -> None:
        self._low, self._high, self._whole, self._most = low, high, whole, most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float | None, ...]:
        """Each of them, checked."""
        if isinstance(value, tuple):
            return value
        return tuple(self._one(part.strip(), param, ctx) for part in str(value).split(","))

    def _one(
        self, text: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | None:
        if self._most and text == self._most:
            return None
        try:
            number: float = int(text) if self._whole else float(text)
        except ValueError:
            self.fail(f"{text!r} is no number", param, ctx)
        if not self._low <= number <= self._high:
            self.fail(f"{text} is not from {self._low:g} to {self._high:g}", param, ctx)
        return number


class _Sizes(click.ParamType[tuple[tuple[int, float], ...]]):
    """``64``, or ``64:7,1518:1``: sizes of frames with their shares."""

    name = "sizes"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[tuple[int, float], ...]:
        """Bytes and shares, checked."""
        if isinstance(value, tuple):
            return value
        found = []
        for part in str(value).split(","):
            size, _, share = part.partition(":")
            try:
                pair = int(size), float(share or 1)
            except ValueError:
                self.fail(f"{part!r} is neither BYTES nor BYTES:SHARE", param, ctx)
            if not SMALLEST_FRAME <= pair[0] <= LARGEST_FRAME or not 0 < pair[1] < 1e9:
                self.fail(
                    f"{part!r}: frames have {SMALLEST_FRAME} to {LARGEST_FRAME} bytes, shares are "
                    "more than 0",
                    param,
                    ctx,
                )
            found.append(pair)
        return tuple(found)


@dataclass(frozen=True)
class _Case:
    """A topology and a load, and what of them is new beside the others."""

    name: str
    across: float
    plan: Plan
    load: Load


def _shape(function: F) -> F:
    """The options that say what is simulated."""
    for option in reversed(
        (
            click.option(
                "--hub",
                type=_Numbers(2, _MOST_STATIONS, whole=True),
                metavar="N[,N…]",
                help="N stations on one hub.  [default: 10]",
            ),
            click.option(
                "--switch",
                type=_Numbers(2, _MOST_STATIONS, whole=True),
                metavar="N[,N…]",
                help="N stations on one switch, full duplex.",
            ),
            click.option(
                "--topology",
                type=click.Path(path_type=Path, exists=True, dir_okay=False),
                help="Any topology, from a YAML file.",
            ),
            click.option(
                "--load",
                type=_Numbers(0.001, 1000, most="max"),
                default="0.5",
                show_default=True,
                metavar="SHARE[,SHARE…]",
                help="What all stations together offer, as a share of one wire's time; 'max': each "
                "always has a frame.",
            ),
            click.option(
                "--frame",
                type=_Sizes(),
                default="64",
                show_default=True,
                metavar="BYTES[:SHARE,…]",
                help="Size of frames, or several with the share of each.",
            ),
            click.option(
                "--rate",
                type=click.Choice(["10", "100"]),
                default="10",
                show_default=True,
                help="Mb/s (a topology has its own).",
            ),
            click.option(
                "--metres",
                type=click.FloatRange(0, 100_000),
                default=METRES,
                show_default=True,
                help="Of each station's cable to the hub or switch.",
            ),
        )
    ):
        function = option(function)
    return _seed(function)


def _topology(path: Path) -> Topology:
    try:
        return read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path} cannot be read: {error}", USAGE) from None
    except TopologyError as error:
        raise Failure(f"{path}: {error}", USAGE) from None


def _cases(options: dict[str, Any]) -> list[_Case]:
    """What the options ask for: several numbers of stations or several loads, not both.

    Raises:
        click.UsageError: options that exclude each other.
    """
    given = [name for name in ("hub", "switch", "topology") if options[name] is not None]
    if len(given) > 1:
        raise click.UsageError(f"--{given[0]} and --{given[1]} exclude each other")
    loads = [Load(each, options["frame"]) for each in options["load"]]
    if options["topology"] is not None:
        layouts = [(0.0, plan(_topology(options["topology"])))]
    else:
        kind: Kind = "switch" if options["switch"] else "hub"
        rules = replace(ETHERNET, rate=float(options["rate"]))
        layouts = [
            (float(number), plan(star(kind, int(number), options["metres"], rules)))
            for number in options[kind] or (10,)
        ]
    if len(layouts) > 1 and len(loads) > 1:
        raise click.UsageError("several numbers of stations, or several loads; not both")
    if not all(layout.stations for _, layout in layouts):
        raise Failure("there are no two stations that can reach each other")
    if len(layouts) > 1:
        return [_Case(f"{at:.0f} stations", at, layout, loads[0]) for at, layout in layouts]
    layout = layouts[0][1]
    return [
        _Case(
            "always a frame" if load.offered is None else f"load {load.offered:g}",
            load.offered or 0.0,
            layout,
            load,
        )
        for load in loads
    ]


@click.group("medium", short_help="A model of shared Ethernet.")
def medium() -> None:
    """A model of shared Ethernet: who sends when, what collides, who waits how long.

    Simulates; sends nothing, and needs no cloud.  The same seed gives the same figures.
    """


@medium.command("run")
@_shape
@click.option(
    "--ms",
    type=click.FloatRange(1, 1e6),
    default=500.0,
    show_default=True,
    help="Milliseconds simulated in each run, beside a tenth to warm up.",
)
@click.option(
    "--runs",
    type=click.IntRange(2, 1000),
    default=10,
    show_default=True,
    help="Independent runs, of which the intervals are.",
)
@_svg
@json_option
def run_(ms: float, runs: int, seed: int, svg: Path | None, as_json: bool, **options: Any) -> None:
    """Measure utilisation, collisions, delay and fairness, with 95 % intervals.

    \b
    gureum medium run --hub 10 --load 1.2 --frame 64
    gureum medium run --hub 20 --load 0.1,0.2,0.4,0.6,0.8,1 --svg load.svg
    gureum medium run --hub 2,5,10,20,50 --load max
    """
    cases = _cases(options)
    found: list[tuple[_Case, Report]] = []
    for case in cases:
        bits = ms * 1000 * case.plan.rules.rate
        draw = default_rng(seed)
        found.append(
            (case, experiment(case.plan, case.load, draw, runs=runs, bits=bits, warm=bits / 10))
        )
    if svg is not None:
        axis = "stations" if options["hub"] and len(options["hub"]) > 1 else "offered load"
        axis = "stations" if options["switch"] and len(options["switch"]) > 1 else axis
        drawn = curves([(case.across, report) for case, report in found])
        _write(svg, plots(f"{_frames(options['frame'])}, {runs} runs of {ms:g} ms", axis, drawn))
    if as_json:
        print_json([{"case": case.name, **asdict(report)} for case, report in found])
        return
    reports([(case.name, case.plan, report) for case, report in found])


def _frames(sizes: tuple[tuple[int, float], ...]) -> str:
    return f"frames of {', '.join(str(size) for size, _ in sizes)} bytes"


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path} cannot be written: {error}") from None


@medium.command("domains")
@click.argument("file", metavar="TOPOLOGY", type=click.Path(path_type=Path))
@_svg
@json_option
def domains_(file: Path, svg: Path | None, as_json: bool) -> None:
    """List and draw the collision and broadcast domains of a topology (YAML).

    Ends with 1 if a collision domain is too large for its collisions to be heard.

    \b
    gureum medium domains office.yaml --svg office.svg
    """
    topology = _topology(file)
    ready = plan(topology)
    if svg is not None:
        _write(svg, drawing(topology, ready.collision, ready.broadcast))
    if as_json:
        print_json(domain_rows(topology, ready))
    else:
        domain_tree(topology, ready)
    if not all(each.fits for each in ready.collision):
        raise click.exceptions.Exit(FAILED)


@medium.command("step")
@_shape
@click.option(
    "--from",
    "begins",
    type=click.FloatRange(0, 1e6),
    default=0.0,
    show_default=True,
    metavar="MS",
    help="Milliseconds after the start from which on events are shown.",
)
@click.option(
    "--count",
    type=click.IntRange(1, 100_000),
    default=40,
    show_default=True,
    help="How many events.",
)
@click.option("--all", "at_once", is_flag=True, help="All at once; otherwise key by key.")
@_svg
@json_option
def step(
    begins: float,
    count: int,
    at_once: bool,
    seed: int,
    svg: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Step through what happens, event by event: on a terminal a key shows the next, 'q' ends.

    \b
    gureum medium step --hub 3 --load max --count 20
    """
    cases = _cases(options)
    if len(cases) > 1:
        raise click.UsageError("one load and one number of stations can be stepped through")
    layout = cases[0].plan
    moments = record(
        layout,
        cases[0].load,
        default_rng(seed),
        begins=begins * 1000 * layout.rules.rate,
        most=count,
    )
    if svg is not None:
        _write(svg, timeline(layout, moments))
    if as_json:
        print_json(
            [
                {
                    "microseconds": each.bits / layout.rules.rate,
                    "station": layout.names[each.sender],
                    "what": each.what,
                    "said": each.said,
                    "states": dict(zip(layout.names, each.states, strict=True)),
                }
                for each in moments
            ]
        )
    elif at_once or not through():
        steps(layout, moments, lambda: True)
    else:
        note("Any key shows the next event, 'q' ends.")
        steps(layout, moments, lambda: click.getchar() not in ("q", "\x03", "\x04"))


@medium.command("table")
@click.option(
    "--frames",
    type=click.IntRange(100, 1_000_000),
    default=1000,
    show_default=True,
    help="Frames in each run of the efficiency table; all others grow with it.",
)
@_seed
@json_option
def table_(frames: int, seed: int, as_json: bool) -> None:
    """Hold the model against published results: half a minute of computing.

    Ends with 1 if one of them is outside of its interval.  Each of the five parts holds together
    with 95 %, so one seed in five may do so by chance.
    """
    draw = default_rng(seed)
    note("Simulating ...")
    found = [
        *metcalfe_boggs(draw, frames=frames),
        shoch_hupp(draw, frames=frames // 2),
        *capture(draw, bits=1e4 * frames),
        *backoff(draw, bits=4e3 * max(frames, 1000)),
    ]
    fall = hosts(draw, bits=2e3 * frames)
    holds = all(each.holds for each in found)
    falls = all(each.fall is None or each.fall.mean > each.fall.half for each in fall)
    if as_json:
        print_json(
            {
                "checks": [{**asdict(each), "holds": each.holds} for each in found],
                "hosts": [asdict(each) for each in fall],
                "holds": holds and falls,
            }
        )
    else:
        checks(found)
        click.echo()
        hosts_rows(fall)
    if not (holds and falls):
        raise click.exceptions.Exit(FAILED)
