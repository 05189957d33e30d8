"""Tells when processes end: one thread that sleeps on their pidfds."""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Watch:
    """Calls ``ended(key)`` once for every watched process that ends, from its own thread."""

    def __init__(self, ended: Callable[[str], None]) -> None:
        self._ended = ended
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._pidfds: dict[str, int] = {}
        self._wake_read, self._wake_write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="machines-watch", daemon=True)
        self._thread.start()

    def add(self, key: str, pidfd: int) -> None:
        """Watch a process; the pidfd is ours from now on.  Replaces an earlier one of ``key``."""
        self.drop(key)
        with self._lock:
            self._pidfds[key] = pidfd
            # epoll(7): a change is in force for a wait that has begun already.
            self._selector.register(pidfd, selectors.EVENT_READ, key)

    def drop(self, key: str) -> None:
        """Watch ``key`` no more: nothing is called for it after this returns, unless it was being
        called already."""
        with self._lock:
            pidfd = self._pidfds.pop(key, None)
            if pidfd is not None:
                self._selector.unregister(pidfd)
                os.close(pidfd)

    def close(self) -> None:
        """End the thread and forget everything."""
        os.write(self._wake_write, b"x")
        self._thread.join()
        for key in list(self._pidfds):
            self.drop(key)
        self._selector.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def _run(self) -> None:
        while True:
            for ready, _ in self._selector.select():
                if ready.fd == self._wake_read:
                    return
                self._tell(ready.data, ready.fd)

    def _tell(self, key: str, pidfd: int) -> None:
        with self._lock:
            if self._pidfds.get(key) != pidfd:
                return  # dropped while select(2) returned
            if not wait(pidfd, 0):
                return  # dropped, and the number given to a later process of the same key
        self.drop(key)
        try:
            self._ended(key)
        except Exception:
            log.exception("%s has ended, and what should follow failed", key)


def wait(pidfd: int, timeout: float) -> bool:
    """Wait until the process has ended; whether it has."""
    with contextlib.closing(selectors.DefaultSelector()) as selector:
        selector.register(pidfd, selectors.EVENT_READ)
        return bool(selector.select(timeout))
