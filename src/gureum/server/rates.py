"""How often an account may call: a token bucket for each of its actions in a region.

Each call takes a token from the bucket of its action; what is not there is refused.  Buckets fill
again at a steady rate.  Source: Amazon EC2 Developer Guide, "Request throttling for the Amazon EC2
API", whose sizes of request buckets these are; IAM, STS and CloudTrail tell none but that of
LookupEvents (AWS CloudTrail User Guide, "Quotas"), and get those of EC2's calls of the same kind.
"""

from __future__ import annotations

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from gureum.errors import ApiError
from gureum.wire.models import IN_JSON

MOST = 20_000
"""Buckets that are kept; of more, those that were not used for longest are forgotten, and are full
again."""


@dataclass(frozen=True)
class Size:
    """How many tokens a bucket holds, and how many come a second."""

    tokens: float
    refill: float


READS, WRITES = Size(100, 20), Size(50, 5)

SINGLE: Mapping[str, Size] = {
    "ec2:CreateLaunchTemplate": Size(100, 5),
    "ec2:CreateTags": Size(100, 10),
    "ec2:DeleteTags": Size(100, 10),
    "ec2:DescribeSecurityGroupRules": Size(100, 20),
    "ec2:RunInstances": Size(5, 2),
    "ec2:StartInstances": Size(5, 2),
    "ec2:TerminateInstances": Size(100, 5),
    "cloudtrail:LookupEvents": Size(2, 2),
}
"""Actions with buckets of their own sizes."""


@dataclass(frozen=True)
class Rates:
    """The sizes of all buckets; ``single`` those that differ from others of their kind."""

    reads: Size = READS
    writes: Size = WRITES
    single: Mapping[str, Size] = field(default_factory=lambda: SINGLE)

    def size(self, service: str, action: str, *, reads: bool) -> Size:
        """The size of an action's bucket."""
        usual = self.reads if reads else self.writes
        return self.single.get(f"{service}:{action}", usual)


_OWN = re.compile(r"(\d{1,6}):(\d{1,6})")


def rates(text: str) -> Rates | None:
    """What ``--rate`` says: ``off``, ``aws``, or calls a second that read and that write, as
    ``20:5``, with ten times as many at once.

    Raises:
        ValueError: none of these.
    """
    if text == "off":
        return None
    if text == "aws":
        return Rates()
    found = _OWN.fullmatch(text)
    if found is None or not (int(found[1]) and int(found[2])):
        raise ValueError(f"{text!r} is neither off nor aws, nor two rates such as 20:5")
    reads, writes = int(found[1]), int(found[2])
    return Rates(Size(10 * reads, reads), Size(10 * writes, writes), {})


class Throttle:
    """The buckets of all accounts.  ``clock`` gives seconds that only grow."""

    def __init__(self, sizes: Rates | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._sizes = sizes
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def take(self, account: str, region: str, service: str, action: str, *, reads: bool) -> None:
        """Take the token for a call.

        Raises:
            ApiError: there is none; in the words of the service.
        """
        if self._sizes is None:
            return
        size = self._sizes.size(service, action, reads=reads)
        key, now = (account, region, service, action), self._clock()
        with self._lock:
            tokens, then = self._buckets.pop(key, (size.tokens, now))
            tokens = min(size.tokens, tokens + (now - then) * size.refill)
            allowed = tokens >= 1
            self._buckets[key] = (tokens - 1 if allowed else tokens, now)
            if len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
        if not allowed:
            raise _too_fast(service)


def _too_fast(service: str) -> ApiError:
    if service == "ec2":
        return ApiError("RequestLimitExceeded", "Request limit exceeded.", 503)
    if service in IN_JSON:
        status = 429 if service == "ram" else 400
        return ApiError("ThrottlingException", "Rate exceeded", status)
    return ApiError("Throttling", "Rate exceeded")
