"""Programs that tell what they do line by line."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence

LAST = 20
"""Lines that are kept to be told where it fails."""


def run(
    call: Sequence[str], tell: Callable[[str], None], env: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Run a program, each line of which goes to ``tell`` as it comes; its exit status, and the last
    lines that it wrote.

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
        for row in process.stdout:
            last = [*last[1 - LAST :], row.rstrip()]
            tell(row)
    return process.returncode, "\n".join(last)
