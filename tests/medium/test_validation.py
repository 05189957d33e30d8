"""The model beside published results.  Bounds are the intervals themselves: where several are
looked at together each is widened so that all hold with 95 % (Bonferroni).  Seeds were not
chosen."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from gureum.medium.engine import Engine
from gureum.medium.measure import CONFIDENCE
from gureum.medium.standard import ETHERNET, SLOTTED
from gureum.medium.validation import (
    EFFICIENCY,
    OVERLOAD,
    RACE,
    ROUNDING,
    backoff,
    capture,
    efficiency,
    hosts,
    metcalfe_boggs,
    shoch_hupp,
)
from tests.medium.test_engine import Record, always, even

SEED = 1976


@pytest.mark.parametrize(("case", "paper"), EFFICIENCY.items())
def test_the_formula_gives_the_papers_figures(case: tuple[int, int], paper: float) -> None:
    assert abs(efficiency(*case) - paper) <= ROUNDING


def test_metcalfe_and_boggs_efficiency_is_within_the_intervals() -> None:
    found = metcalfe_boggs(np.random.default_rng(SEED), stations=(2, 256), runs=20, frames=250)
    assert [check.what for check in found if not check.holds] == []
    assert sum(check.source == "Metcalfe and Boggs 1976" for check in found) == len(EFFICIENCY)
    assert max(check.ours.half for check in found) < 0.02


def test_the_intervals_are_narrow_enough_to_refute_a_slot_that_is_a_fifth_longer() -> None:
    wrong = replace(SLOTTED, slot=58.0, jam=58.0)
    found = metcalfe_boggs(
        np.random.default_rng(SEED), stations=(2, 256), runs=20, frames=200, rules=wrong
    )
    assert sum(check.holds for check in found) == 0


def test_shoch_and_hupps_overload_is_within_the_interval_and_its_rounding() -> None:
    check = shoch_hupp(np.random.default_rng(SEED), runs=5, frames=60)
    assert check.paper == OVERLOAD
    assert check.holds
    assert check.ours.half < 0.005


def test_backoffs_have_the_means_of_the_standard() -> None:
    found = backoff(np.random.default_rng(SEED))
    assert [check.what for check in found if not check.holds] == []


def test_the_slots_of_backoffs_are_spread_evenly() -> None:
    """Pearson's chi-square over the slots of each of the first six collisions, all together; its
    quantile for many degrees of freedom by Wilson and Hilferty (1931)."""
    record = Record()
    draws: list[tuple[int, int]] = []

    def trace(now: float, what: str, sender: int, *numbers: float) -> None:
        record(now, what, sender, *numbers)
        if what == "backoff":
            draws.append((int(numbers[1]), int(numbers[0])))

    draw = np.random.default_rng(SEED).integers
    Engine(ETHERNET, [even(100, 9.0)], draw, endless=always(100), trace=trace).run(5e6)
    square, degrees = 0.0, 0
    for tried in range(1, 7):
        counts = Counter(slots for each, slots in draws if each == tried)
        assert set(counts) <= set(range(2**tried))
        expected = sum(counts.values()) / 2**tried
        assert expected > 5
        square += sum((counts[slots] - expected) ** 2 / expected for slots in range(2**tried))
        degrees += 2**tried - 1
    part = 2 / (9 * degrees)
    assert square < degrees * (1 - part + 1.645 * part**0.5) ** 3
    for tried, slots in draws:
        assert 0 <= slots < 2 ** min(tried, 10)
    assert max(tried for tried, _ in draws) == 15


def test_after_a_backoff_a_station_tries_at_a_whole_slot() -> None:
    """On a wire that is quiet by then it begins there."""
    record = Record()
    draw = np.random.default_rng(SEED).integers
    frames = [(0.0, 0, -1, 576.0), (0.0, 1, -1, 576.0)]
    Engine(ETHERNET, [even(2, 9.0)], draw, arrivals=frames, trace=record).run(1e6)
    ended = {who: at for at, who, _ in record.backoffs}
    good = [(who, begun) for who, begun, _, cut in record.sent if not cut]
    assert len(good) == 2
    for who, begun in good:
        slots = (begun - ended[who]) / 512
        assert slots == int(slots) or begun - ended[who] in (96.0, 105.0)


def test_who_has_just_sent_wins_the_race_as_often_as_reckoned() -> None:
    found = capture(np.random.default_rng(SEED))
    assert {check.paper for check in found} == set(RACE.values())
    assert [check.what for check in found if not check.holds] == []
    assert max(check.ours.half for check in found) < 0.05


def test_utilisation_falls_with_the_number_of_hosts() -> None:
    found = hosts(np.random.default_rng(SEED), bits=1e6)
    falls = [each.fall for each in found if each.fall is not None]
    assert len(falls) == len(found) - 1
    assert all(fall.mean > fall.half for fall in falls)


def test_the_intervals_of_a_table_hold_together() -> None:
    assert CONFIDENCE == 0.95
    few = metcalfe_boggs(np.random.default_rng(SEED), stations=(2,), runs=5, frames=50)
    many = metcalfe_boggs(np.random.default_rng(SEED), stations=(2, 5, 10), runs=5, frames=50)
    assert few[0].ours.mean == many[0].ours.mean
    assert few[0].ours.half < many[0].ours.half
