"""The event loop of shared wires.

A channel is a wire (with its hubs) on which stations hear each other after the time the signal
takes between them; a full-duplex link is two channels with one sender each.  What a station hears
at a moment follows from when others began and ended, so the passing of a signal is no event.
Events are:

* a frame comes to a station (from its user, or from a switch);
* a station tries: when it got a frame, its backoff is over or its gap is over, it begins to send or
  finds that it must wait;
* a transmission ends, whole or cut by a collision.

When a collision is heard, and so when the jam ends, is known when the second sender begins; an end
that was overtaken by this stays in the queue, is thrown away, and is not counted.

The station is that of IEEE Std 802.3 clause 4.2.8 (processes Deference, FrameTransmitter, BackOff):
it does not sense during the first part of the gap after its own transmission, nor during the second
part of any, and its backoff runs on while others send.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heappop, heappush, heappushpop
from math import inf
from typing import Any, Protocol, TypeAlias

from gureum.medium.channel import (
    CLEAN,
    COLLIDED,
    END,
    GARBLED,
    HEARD,
    PLACE,
    SENDER,
    START,
    STATE,
    Channel,
    Signal,
    Wire,
)
from gureum.medium.standard import Rules

Frame: TypeAlias = tuple[float, int, int, float]
"""When it was made, by which station, for which, and its bits on the wire."""
Hop: TypeAlias = tuple[float, int]
"""The bits until a switch wants to send a frame on, and its port."""
Event: TypeAlias = tuple[Any, ...]
"""When, which (a sender that tries; ~ of one whose transmission ends; above them switches' ports
that get a frame, then the next arrival, then the end of the run), and the frame that comes, if
one does."""

_FRESH = -1.0
_BLOCK = 4096
_SETTLED = 8


class Integers(Protocol):
    """Draws integers; numpy's ``Generator.integers``."""

    def __call__(self, low: int, high: int, size: int) -> Any: ...


class Slotted(Protocol):
    """Which of some senders are the first to try again, and after how many slots."""

    def __call__(self, waiting: list[int]) -> tuple[list[int], int]: ...


class Tracer(Protocol):
    """Is told what happens: when (in bits), what, to which sender, and a number or two."""

    def __call__(self, now: float, what: str, sender: int, *numbers: float) -> None: ...


class Engine:
    """Runs senders on wires.

    ``hops`` says for each sender to which port of a switch a frame for a station goes next
    (nowhere: it has arrived).  ``endless`` gives each sender that always has a frame those frames
    (time made is set here); ``arrivals`` gives the others theirs in the order of time.  ``room`` is
    how many frames a sender keeps beside the one it sends; more are thrown away and counted in
    ``overflow``.
    """

    def __init__(
        self,
        rules: Rules,
        wires: Sequence[Wire],
        integers: Integers,
        *,
        hops: Mapping[int, Mapping[int, Hop]] | None = None,
        endless: Mapping[int, Iterator[Frame]] | None = None,
        arrivals: Iterable[Frame] = (),
        room: int = 64,
        slotted: Slotted | None = None,
        trace: Tracer | None = None,
    ) -> None:
        count = sum(len(wire.senders) for wire in wires)
        self._rules, self._integers, self._room = rules, integers, room
        self._slotted, self._trace = slotted, trace
        self._gap, self._sensed, self._slot = rules.gap, rules.sensed, rules.slot
        self._masks = [(1 << min(tried, rules.doublings)) - 1 for tried in range(rules.attempts)]
        self._heap: list[Event] = []
        self._draws: list[int] = []
        self._arrivals = iter(arrivals)
        self._endless = [(endless or {}).get(each) for each in range(count)]
        self._hops = [dict((hops or {}).get(each, {})) for each in range(count)]
        self.channels = [
            Channel(len(wire.senders), max(map(max, wire.delays)), rules.gap) for wire in wires
        ]
        self._channel = [self.channels[0]] * count
        self._place = [0] * count
        self._delays: list[tuple[float, ...]] = [()] * count
        for channel, wire in zip(self.channels, wires, strict=True):
            for place, sender in enumerate(wire.senders):
                self._channel[sender] = channel
                self._place[sender], self._delays[sender] = place, wire.delays[place]
        self._head: list[Any] = [None] * count
        self._queue: list[deque[Frame]] = [deque() for _ in range(count)]
        self._tried = [0] * count
        self._sending: list[Signal | None] = [None] * count
        self._ended = [-inf] * count
        self._fall, self._own = [_FRESH] * count, [False] * count
        self._begun = False
        self._since = 0.0
        self.now = 0.0
        self.events = 0
        self.overflow = 0
        self.payload = 0.0
        self.sent = [0] * count
        self.delays: list[float] = []

    def reset(self) -> None:
        """Forget what was counted, as after warming up."""
        for channel in self.channels:
            channel.reset()
        self._since = self.now
        self.events = self.overflow = 0
        self.payload = 0.0
        self.sent = [0] * len(self.sent)
        self.delays = []

    def carried(self, channel: Channel) -> float:
        """The bits that good frames have been on a wire for, since it is counted: with what was
        sent so far of a frame that nobody can disturb any more."""
        return channel.carried + sum(
            self.now - max(float(signal[START]), self._since)
            for signal in self._sending
            if signal is not None
            and self._channel[signal[SENDER]] is channel
            and signal[STATE] == CLEAN
            and self.now - signal[START] > 2 * channel.reach
        )

    def run(self, until: float) -> None:  # noqa: C901 - calls would cost more than what they do
        """Go on until a time in bits.

        The members of a :data:`Signal` are numbers here, not names, and nothing that most events
        need is a call: both are what the time goes to.  A key below 0 is the end of a
        transmission, one below the number of senders a try; see :data:`Event`.
        """
        if not self._begun:
            self._begin()
        heap, count, trace = self._heap, len(self._head), self._trace
        falls, own, channel_of, head = self._fall, self._own, self._channel, self._head
        sending, ended, tries, queues = self._sending, self._ended, self._tried, self._queue
        places, rows, sent = self._place, self._delays, self.sent
        endless, hops, draws, masks = self._endless, self._hops, self._draws, self._masks
        arrivals, slotted, arrived = self._arrivals, self._slotted, self.delays.append
        gap, sensed, slot, limit = self._gap, self._sensed, self._slot, len(masks)
        pop, push_and_pop = heappop, heappushpop
        heappush(heap, (until, count * 2 + 1))
        since = self._since
        new: Event | None = None
        events, payload, before = -1, 0.0, len(self.delays)
        while True:
            if new is None:
                event = pop(heap)
            else:
                event = push_and_pop(heap, new)
                new = None
            events += 1
            now, key = event[0], event[1]
            if key < 0:
                sender = ~key
                signal = sending[sender]
                if signal is None or signal[2] != now:
                    events -= 1
                    continue
                sending[sender] = None
                ended[sender] = now
                channel = channel_of[sender]
                channel.live -= 1
                channel.clear = now + channel.quiet
                if trace is not None:
                    trace(now, "cut" if signal[3] == 1 else "end", sender, signal[5])
                if signal[3] == 1:
                    channel.cut += 1
                    if signal[5] - signal[1] > slot:
                        channel.late += 1
                    tried = tries[sender] + 1
                    if slotted is None and tried < limit:
                        tries[sender] = tried
                        falls[sender] = -1.0
                        if not draws:
                            self._draw()
                        slots = draws.pop() & masks[tried]
                        new = (now + slots * slot, sender)
                        if trace is not None:
                            trace(now, "backoff", sender, slots, tried)
                    elif slotted is None:
                        self._give_up(sender, now)
                else:
                    frame = head[sender]
                    if signal[3]:
                        channel.lost += 1
                    else:
                        channel.carried += frame[3] if signal[1] >= since else now - since
                        channel.frames += 1
                        sent[sender] += 1
                        if channel.winner != sender:
                            channel.winner = sender
                            channel.runs += 1
                        hop = hops[sender]
                        if hop and frame[2] in hop:
                            self._forward(hop[frame[2]], frame, now)
                        else:
                            arrived(now - frame[0])
                            payload += frame[3]
                    tries[sender] = 0
                    if queues[sender]:
                        head[sender] = queues[sender].popleft()
                    elif (supply := endless[sender]) is not None:
                        _, source, target, bits = next(supply)
                        head[sender] = (now, source, target, bits)
                    else:
                        head[sender] = None
                    air = channel.air
                    if len(air) > 1 and air[-1] is signal and channel.past <= now:
                        del air[:-1]
                    if head[sender] is not None and slotted is None:
                        if len(air) == 1:
                            falls[sender], own[sender] = now, True
                            new = (now + gap, sender)
                        else:
                            self._ready(sender, now)
                if slotted is not None:
                    self._contend(channel, sender, now)
                elif channel.waiting:
                    other = channel.air[-1]
                    if other[2] <= now or other[1] + channel.reach > now:
                        self._wake(channel)
            elif key < count:
                channel = channel_of[key]
                air = channel.air
                if not channel.live and now >= channel.clear:
                    air.clear()
                    signal = [places[key], now, now + head[key][3], 0, key, inf]
                else:
                    row, fall = rows[key], falls[key]
                    if fall >= 0.0:
                        until_ = fall if own[key] else fall + sensed
                        for other in air:
                            delay = row[other[0]]
                            if other[1] + delay < until_ and other[2] + delay > fall:
                                fall = -1.0
                                break
                    if fall < 0.0:
                        other = air[-1]
                        if other[1] + row[other[0]] + gap < now < other[2]:
                            channel.waiting.append(key)
                            if trace is not None:
                                trace(now, "defer", key)
                            continue
                        if not self._free(key, now):
                            continue
                    signal = [places[key], now, now + head[key][3], 0, key, inf]
                    for other in air:
                        if other[2] + row[other[0]] > now:
                            self._meet(signal, channel)
                            break
                sending[key] = signal
                air.append(signal)
                if channel.live:
                    channel.past = inf
                else:
                    channel.past = channel.before = channel.clear
                    channel.burst = now
                channel.live += 1
                new = (signal[2], ~key)
                if trace is not None:
                    trace(now, "start", key, tries[key] + 1)
            elif key == count * 2:
                frame = event[2]
                self._take(frame[1], now, frame)
                frame = next(arrivals, None)
                if frame is not None:
                    new = (frame[0], key, frame)
            elif key > count * 2:
                break
            else:
                self._take(key - count, now, event[2])
        self.now = until
        self.events += events
        self.payload += payload - self._rules.preamble * (len(self.delays) - before)

    def _begin(self) -> None:
        self._begun = True
        frame = next(self._arrivals, None)
        if frame is not None:
            heappush(self._heap, (frame[0], len(self._head) * 2, frame))
        for sender, supply in enumerate(self._endless):
            if supply is None:
                continue
            self._next_frame(sender, 0.0)
            if self._slotted is None:
                self._ready(sender, 0.0)
            else:
                self._contend(self._channel[sender], sender, 0.0)

    def _take(self, sender: int, now: float, frame: Frame) -> None:
        """A frame comes to a sender."""
        if self._trace is not None:
            self._trace(now, "frame", sender, len(self._queue[sender]))
        if self._head[sender] is None:
            self._head[sender] = frame
            self._ready(sender, now)
        elif len(self._queue[sender]) < self._room:
            self._queue[sender].append(frame)
        else:
            self.overflow += 1

    def _forward(self, hop: Hop, frame: Frame, now: float) -> None:
        """A switch has a frame, and will want to send it on."""
        heappush(self._heap, (now + hop[0], hop[1] + len(self._head), frame))

    def _ready(self, sender: int, now: float) -> None:
        """A sender wants to send, now or as soon as it may: usually nothing has been on the wire
        since a gap."""
        channel = self._channel[sender]
        if (not channel.live and now >= channel.clear) or self._free(sender, now):
            self._fall[sender] = _FRESH
            heappush(self._heap, (now, sender))

    def _free(self, sender: int, now: float) -> bool:
        """Whether a sender with a frame may begin now.  If not, its next try is put in the queue,
        or it is among those who wait for what they hear to end.

        Goes through what it has heard in order, as the process Deference did: a gap that is not
        disturbed in its sensed part goes on whatever is heard, and one after the sender's own
        transmission anyhow.  What began longer ago than a gap and still goes on needs no such walk.
        """
        channel, row, gap = self._channel[sender], self._delays[sender], self._gap
        last = channel.air[-1]
        if last[START] + row[last[PLACE]] + gap < now < last[END]:
            self._wait(channel, sender, now)
            return False
        heard = []
        for signal in channel.air:
            delay = row[signal[PLACE]]
            begins = signal[START] + delay
            if begins < now:
                heard.append((begins, signal[END] + delay, signal))
        heard.sort()
        silent, own, live = -inf, False, False
        for begins, ends, signal in heard:
            mine = signal[SENDER] == sender
            sending = signal[END] > now
            if begins >= silent + (0.0 if own else self._sensed):
                if now <= silent + gap:
                    own, live = True, False
                    break
                silent, own, live = ends, mine, sending
            else:
                silent, own, live = max(silent, ends), own or mine, live or sending
        if live:
            self._wait(channel, sender, now)
            return False
        if silent + gap <= now:
            return True
        self._fall[sender], self._own[sender] = silent, own
        heappush(self._heap, (silent + gap, sender))
        if self._trace is not None:
            self._trace(now, "gap", sender, silent + gap)
        return False

    def _wait(self, channel: Channel, sender: int, now: float) -> None:
        """A sender waits for the end of what it hears."""
        channel.waiting.append(sender)
        if self._trace is not None:
            self._trace(now, "defer", sender)

    def _meet(self, signal: Signal, channel: Channel) -> None:
        """What a new signal does to those in the air, and they to it."""
        row, now, air = self._delays[signal[SENDER]], signal[START], channel.air
        if len(air) > _SETTLED:
            past = now - channel.quiet
            air[:] = [each for each in air if each[END] > past]
        first, heard = True, inf
        for other in air:
            delay = row[other[PLACE]]
            if other[END] + delay > now:
                if other[STATE] == COLLIDED:
                    first = False
                if other[START] + delay < heard:
                    heard = other[START] + delay
                if now + delay < other[HEARD] and other[END] > now:
                    self._hear(other, now + delay)
        if first:
            channel.collisions += 1
        self._hear(signal, max(now, heard))

    def _hear(self, signal: Signal, when: float) -> None:
        """The sender of a signal hears another, earlier than any before: it sends the rest of its
        preamble and a jam, and is done."""
        before = signal[END]
        if when < before:
            begun = signal[START] + self._rules.preamble
            signal[STATE], signal[HEARD] = COLLIDED, when
            signal[END] = (when if when > begun else begun) + self._rules.jam
            if signal[END] != before and self._sending[signal[SENDER]] is signal:
                heappush(self._heap, (signal[END], ~signal[SENDER]))
        elif signal[STATE] == CLEAN:
            signal[STATE] = GARBLED

    def _next_frame(self, sender: int, now: float) -> None:
        """The frame after the one that is done with."""
        self._tried[sender] = 0
        queue = self._queue[sender]
        if queue:
            self._head[sender] = queue.popleft()
        elif (supply := self._endless[sender]) is not None:
            _, source, target, bits = next(supply)
            self._head[sender] = (now, source, target, bits)
        else:
            self._head[sender] = None

    def _give_up(self, sender: int, now: float) -> None:
        """A frame has collided as often as one may."""
        self._channel[sender].dropped += 1
        if self._trace is not None:
            self._trace(now, "drop", sender)
        self._next_frame(sender, now)
        if self._head[sender] is not None:
            self._ready(sender, now)

    def _draw(self) -> None:
        """Draw slots in advance: any number of low bits of such a number is as likely as
        another."""
        self._draws.extend(self._integers(0, 1 << self._rules.doublings, _BLOCK).tolist())

    def _contend(self, channel: Channel, sender: int, now: float) -> None:
        """Slotted sharing: when nobody sends any more, the first of all try some slots later."""
        channel.waiting.append(sender)
        if channel.live or len(channel.waiting) < channel.stations:
            return
        assert self._slotted is not None
        first, slots = self._slotted(channel.waiting)
        for each in first:
            self._fall[each], self._own[each] = now, True
            heappush(self._heap, (now + slots * self._slot, each))
        channel.waiting = list(set(channel.waiting) - set(first))

    def _wake(self, channel: Channel) -> None:
        """Something ended: those who wait try when the gap is over, or look again."""
        now = channel.clear - channel.quiet
        burst = channel.air
        if burst[0][START] < channel.burst:
            burst = [each for each in burst if each[START] >= channel.burst]
        if channel.live or not self._together(channel, burst):
            waiting, channel.waiting = channel.waiting, []
            for sender in waiting:
                if self._free(sender, now):
                    self._fall[sender] = _FRESH
                    heappush(self._heap, (now, sender))
            return
        heap, gap, fall, own, rows = self._heap, self._gap, self._fall, self._own, self._delays
        senders = [each[SENDER] for each in burst]
        for sender in channel.waiting:
            row, silent = rows[sender], 0.0
            for signal in burst:
                ends = signal[END] + row[signal[PLACE]]
                if ends > silent:
                    silent = ends
            fall[sender], own[sender] = silent, sender in senders
            heappush(heap, (silent + gap, sender))
        channel.waiting.clear()

    def _together(self, channel: Channel, burst: list[Signal]) -> bool:
        """Whether everybody heard some signals as one, and well after all before them."""
        if channel.burst < channel.before - self._gap + self._sensed:
            return False
        heard = burst[-1][START] + channel.reach
        for each in burst:  # noqa: SIM110 - all() is slower
            if heard >= each[END]:
                return False
        return True
