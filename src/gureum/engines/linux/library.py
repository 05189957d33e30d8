"""Shared libraries of the machine, spoken to in process."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable


class Library:
    """A shared library by its soname, loaded on first use: who never needs it need not have it.
    ``declare`` tells its functions' types; whoever calls them holds ``lock``."""

    def __init__(self, soname: str, declare: Callable[[ctypes.CDLL], None]) -> None:
        self._soname = soname
        self._declare = declare
        self._handle: ctypes.CDLL | None = None
        self.lock = threading.Lock()

    def load(self) -> ctypes.CDLL:
        """The library.

        Raises:
            OSError: it is not installed.
        """
        if self._handle is None:
            handle = ctypes.CDLL(self._soname)
            self._declare(handle)
            self._handle = handle
        return self._handle
