"""What stations have to send."""

from __future__ import annotations

from itertools import islice

import numpy as np

from gureum.medium.standard import ETHERNET, GRAIN
from gureum.medium.traffic import Load, Source


def test_frames_come_as_often_as_was_offered_and_go_to_others_of_the_group() -> None:
    groups = ((0, 1, 2), (7, 9))
    source = Source(Load(0.5), ETHERNET, groups, np.random.default_rng(11))
    count = 20_000
    frames = list(islice(source.arrivals(), count))
    times = [frame[0] for frame in frames]
    assert times == sorted(times)
    assert all(at % GRAIN == 0 for at in times)
    offered = count * ETHERNET.wire(64) / times[-1]
    assert abs(offered - 0.5) < 0.5 * 3.3 / count**0.5  # 99.9 % of a Poisson process
    pairs = {(frame[1], frame[2]) for frame in frames}
    assert pairs == {(a, b) for group in groups for a in group for b in group if a != b}
    shares = [sum(frame[1] == each for frame in frames) for each in (0, 1, 2, 7, 9)]
    assert all(abs(each - count / 5) < 3.3 * (count * 0.16) ** 0.5 for each in shares)


def test_who_always_has_a_frame_gets_none_at_random() -> None:
    source = Source(Load(None), ETHERNET, ((3, 4),), np.random.default_rng(1))
    assert list(source.arrivals()) == []
    endless = source.endless()
    assert {sender: next(frames)[1:] for sender, frames in endless.items()} == {
        3: (3, 4, 576.0),
        4: (4, 3, 576.0),
    }
    assert Source(Load(0.1), ETHERNET, ((3, 4),), np.random.default_rng(1)).endless() == {}


def test_nobody_to_talk_to_sends_nothing() -> None:
    assert list(Source(Load(0.5), ETHERNET, (), np.random.default_rng(1)).arrivals()) == []
