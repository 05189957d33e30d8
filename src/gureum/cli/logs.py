"""The daemon's log: one line an event, with time, level and, where there is one, request id."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from typing import Any

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


def log_to_stderr(*, level: str, as_json: bool) -> None:
    """Send this process's log to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(as_json=as_json))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
