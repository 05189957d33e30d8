"""What work on images tells, line by line, and programs that do."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence


class Line(str):
    """A line of progress that says the same in Docker's words, too: ``status``, and of which layer,
    by the first twelve digits of its blob's digest, if it is about one."""

    __slots__ = ("layer", "status")

    def __new__(cls, text: str, status: str, layer: str = "") -> Line:
        """The line."""
        line = super().__new__(cls, text)
        line.status, line.layer = status, layer
        return line

    status: str
    layer: str


LAST = 20
"""Lines that are kept to be told where it fails."""


def run(
    call: Sequence[str],
    tell: Callable[[str], None],
    env: Mapping[str, str] | None = None,
    patience: float | None = None,
) -> tuple[int, str]:
    """Run a program, each line of which goes to ``tell`` as it comes, for ``patience`` seconds at
    most; its exit status, and the last lines that it wrote.

    Raises:
        OSError: it is not there.
    """
    last: list[str] = []
    with subprocess.Popen(
        call,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=env,
    ) as process:
        assert process.stdout is not None
        end = threading.Timer(patience or 0, process.kill)
        if patience is not None:
            end.start()
        try:
            for row in process.stdout:
                last = [*last[1 - LAST :], row.rstrip()]
                tell(row)
        finally:
            end.cancel()
    return process.returncode, "\n".join(last)
