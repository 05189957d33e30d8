"""What a runtime says of a container that does not start, in Docker's words and codes.

Source: moby, ``daemon/errors.go`` (``translateContainerdStartErr``): 127 where there is no such
program, 126 where it cannot be run, 128 otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_MISSING = re.compile(r"not found in \$PATH|no such file or directory", re.IGNORECASE)
_REFUSED = re.compile(
    r"permission denied|is a directory|exec format error|open executable: operation not permitted",
    re.IGNORECASE,
)
_HEAD = "failed to create task for container: failed to create shim task: OCI runtime create failed"


def exit_code(said: str) -> int:
    """The exit code of a container that did not start."""
    if _MISSING.search(said):
        return 127
    return 126 if _REFUSED.search(said) else 128


def status(message: str) -> int:
    """The HTTP status of the answer to a start that failed."""
    return 400 if exit_code(message) != 128 else 500


def of_exec(said: str, argv: Sequence[str]) -> str:
    """The message about a program in a running container."""
    said = " ".join(said.split())
    if exit_code(said) == 127 and "$PATH" in said:
        said = f'exec: "{argv[0]}": executable file not found in $PATH'
    return f"OCI runtime exec failed: exec failed: {said}: unknown"


def explained(said: str, argv: Sequence[str]) -> str:
    """The message of the answer."""
    said = " ".join(said.split())
    if exit_code(said) == 127 and argv and "$PATH" in said:
        return f'{_HEAD}: exec: "{argv[0]}": executable file not found in $PATH: unknown'
    if exit_code(said) == 126 and argv:
        return f'{_HEAD}: exec: "{argv[0]}": permission denied: unknown'
    return f"{_HEAD}: {said}"
