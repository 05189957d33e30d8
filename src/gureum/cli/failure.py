"""How a command fails: one line for people, a status for scripts."""

from __future__ import annotations

from typing import IO, Any

import click

FAILED = 1
"""A check does not hold, or the cloud refused."""
USAGE = 2
"""The command line is wrong (click's own status)."""
NO_DAEMON = 3
"""No cloud is running."""
NO_PLACE = 4
"""A place that is not there, is ambiguous, does not run or cannot be reached by any address."""
NOT_ALLOWED = 5
"""Root or capabilities are missing."""
CONTRADICTED = 6
"""A real packet did not do what was predicted."""
NOT_WHOLE = 7
"""An account was imported or exported, but not all of it; what was left out is listed."""


class Failure(click.ClickException):
    """Ends the command with ``gureum: message`` on stderr and an exit status of the list above.
    ``code`` is the daemon's, where the daemon refused."""

    def __init__(self, message: str, status: int = FAILED, code: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = status  # type: ignore[misc] # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the message on stderr."""
        click.echo(f"gureum: {self.message}", err=True, file=file)
