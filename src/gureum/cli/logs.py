"""The daemon's log: one line an event, with time, level and, where there is one, request id."""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

from gureum.cli.process import LOG_NAME

LOG_SIZE = 16 << 20
"""Bytes after which the log of a daemon in the background begins anew; one older file is kept."""

_REQUEST = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) (.*)", re.DOTALL)
"""Messages about a request begin with its id, the one that the client was told."""


class OneLine(logging.Formatter):
    """``2026-11-24T08:00:00.000Z info app request=… ec2:RunInstances``, or the same as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line, a traceback in it too."""
        event = fields(record)
        if self._as_json:
            return json.dumps(event, ensure_ascii=False)
        request = f" request={event['request']}" if "request" in event else ""
        text = f"{event['time']} {event['level']:7} {event['logger']}{request} {event['message']}"
        if "traceback" in event:
            text += f" | {event['traceback']}"
        return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """The record as names and values."""
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    event = {
        "time": f"{seconds}.{int(record.msecs):03}Z",
        "level": record.levelname.lower(),
        "logger": record.name.removeprefix("gureum."),
    }
    message = record.getMessage()
    if found := _REQUEST.fullmatch(message):
        event["request"], message = found.groups()
    event["message"] = message
    if record.exc_info:
        event["traceback"] = logging.Formatter().formatException(record.exc_info)
    return event


class Bounded(logging.StreamHandler[Any]):
    """Writes to stderr; where that is a daemon's own log file, the file is kept small."""

    def emit(self, record: logging.LogRecord) -> None:
        """See :meth:`logging.Handler.emit`."""
        super().emit(record)
        if os.fstat(2).st_size > LOG_SIZE:
            begin_anew()


def begin_anew() -> None:
    """Put the log file aside and go on in a new one, if stderr is one; a terminal, a pipe and
    somebody else's file are left alone."""
    path = Path("/proc/self/fd/2").readlink()
    if path.name != LOG_NAME:
        return
    path.rename(path.with_name(f"{LOG_NAME}.1"))
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    new = os.open(path, flags, 0o600)
    for fd in (1, 2):
        os.dup2(new, fd)
    os.close(new)


def log_to_stderr(*, level: str, as_json: bool) -> None:
    """Send this process's log to stderr."""
    handler = Bounded(sys.stderr)
    handler.setFormatter(OneLine(as_json=as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
