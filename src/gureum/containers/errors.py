"""The one error that a request to the container engine can end in."""

from __future__ import annotations


class DockerError(Exception):
    """``status`` is the HTTP status (400 wrong request, 404 no such thing, 409 conflict, 500
    failed, 501 not here), the text is the ``message`` of the answer, in Docker's words where
    Docker has some."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
