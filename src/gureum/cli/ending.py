"""How commands end that go on until somebody has seen enough."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

PACE = 2.0
"""Seconds between two questions of a command that follows what comes."""


def give_up_where_nobody_reads() -> None:
    """Notice that nobody reads our pipe any more, although there is nothing to write (poll(2)).

    Raises:
        BrokenPipeError: nobody does.
    """
    gone = False
    with contextlib.suppress(OSError, ValueError):
        look = select.poll()
        look.register(sys.stdout.fileno(), 0)
        gone = any(events & select.POLLERR for _, events in look.poll(0))
    if gone:
        raise BrokenPipeError


def followed(
    answer: dict[str, Any], more: Callable[[dict[str, Any]], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """An answer, and every ``PACE`` seconds what has come since, for as long as somebody reads:
    ``more`` gets the last answer."""
    while True:
        yield answer
        time.sleep(PACE)
        give_up_where_nobody_reads()
        answer = more(answer)


@contextlib.contextmanager
def ending_kindly() -> Iterator[None]:
    """Ctrl-C and a closed pipe are how it ends, not errors."""
    try:
        yield
        sys.stdout.flush()
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # what is left in the buffer must not fail once more when the interpreter ends
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
