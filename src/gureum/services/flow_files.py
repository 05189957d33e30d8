"""Where flow logs are published: files instead of log groups and buckets, in AWS's layout.

::

    cloud-watch-logs/ACCOUNT/REGION/GROUP/INTERFACE-all.log         a log stream, one event a line
    s3/BUCKET/PREFIX/AWSLogs/ACCOUNT/vpcflowlogs/REGION/2026/…      objects of five minutes, gzip

A ``/`` in a group's name is ``%2F`` here.  A stream begins anew when it is large, and one older
file of it is kept; altogether the oldest files go when there is too much.

Source: VPC User Guide, "Flow log files" and "Publish flow logs to CloudWatch Logs".
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from gureum.resources.flow_log import DestinationOptions, FlowLog
from gureum.services.flow_records import header

STREAM_SIZE = 4 << 20
"""Bytes after which a stream begins a new file."""
TOTAL = 256 << 20
"""Bytes of all files together after which the oldest go."""
PERIOD = timedelta(minutes=5)
"""What one object in a bucket holds."""
_BLOCK = 4096
"""What the smallest file takes of a disk."""


class FlowFiles:
    """The files below ``root``, which need not exist yet; ``total`` bounds them in bytes."""

    def __init__(self, root: Path, total: int = TOTAL) -> None:
        self.root = root
        self._total = total
        self._size: int | None = None

    def publish(
        self, flow_log: FlowLog, interface: str, lines: Sequence[str], now: datetime
    ) -> Path:
        """Append records of an interface to where the flow log leads; the file that has them.

        Raises:
            OSError: it could not be written.
        """
        if flow_log.destination_type == "s3":
            path = self.root / "s3" / _object(flow_log, now)
            written = self._append_object(path, flow_log, lines)
        else:
            path = self.root / "cloud-watch-logs" / _stream(flow_log, interface)
            written = self._append_stream(path, lines)
        self._account(written)
        return path

    def _append_object(self, path: Path, flow_log: FlowLog, lines: Iterable[str]) -> int:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        first = () if path.exists() else (header(flow_log),)
        data = gzip.compress("".join(f"{text}\n" for text in (*first, *lines)).encode())
        with path.open("ab") as file:  # members of a gzip file follow each other (RFC 1952)
            file.write(data)
        return len(data) + _BLOCK * len(first)

    def _append_stream(self, path: Path, lines: Iterable[str]) -> int:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = "".join(f"{text}\n" for text in lines).encode()
        new = not path.exists()
        if not new and path.stat().st_size + len(data) > STREAM_SIZE:
            path.replace(path.with_name(f"{path.name}.1"))
        with path.open("ab") as file:
            file.write(data)
        return len(data) + _BLOCK * new

    # --- bounds ---------------------------------------------------------------------------------
    def _account(self, written: int) -> None:
        """Remove the oldest files where all together are too large; looks at them only then."""
        if self._size is None:
            self._size = sum(size for _, size, _ in self._files())
        else:
            self._size += written
        if self._size <= self._total:
            return
        files = sorted(self._files())
        self._size = sum(size for _, size, _ in files)
        for _, size, path in files[:-1]:
            if self._size <= self._total * 3 // 4:
                break
            path.unlink(missing_ok=True)
            self._size -= size
            self._prune(path.parent)

    def _files(self) -> Iterable[tuple[float, int, Path]]:
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder) / name
                status = path.stat()
                yield status.st_mtime, max(status.st_size, _BLOCK), path

    def _prune(self, folder: Path) -> None:
        while folder != self.root and not any(folder.iterdir()):
            folder.rmdir()
            folder = folder.parent


def _name(text: str) -> str:
    """A text as the name of one file."""
    quoted = quote(text, safe="#")
    return quoted.replace(".", "%2E") if quoted.strip(".") == "" else quoted


def _stream(flow_log: FlowLog, interface: str) -> Path:
    group = _name(flow_log.group or "")
    name = f"{interface}-{flow_log.traffic.lower()}.log"
    return Path(flow_log.account) / flow_log.region / group / name


def _object(flow_log: FlowLog, now: datetime) -> Path:
    bucket, _, prefix = (flow_log.destination or "").rpartition(":::")[2].partition("/")
    folders = [_name(part) for part in (bucket, *prefix.split("/")) if part]
    begin = datetime.fromtimestamp(now.timestamp() // PERIOD.seconds * PERIOD.seconds, UTC)
    account, region = flow_log.account, flow_log.region
    options = flow_log.options or DestinationOptions()
    when = begin.strftime("%Y %m %d %H" if options.per_hour else "%Y %m %d").split()
    parts = ["AWSLogs", account, "vpcflowlogs", region, *when]
    if options.hive:
        keys = ("aws-account-id", "aws-service", "aws-region", "year", "month", "day", "hour")
        pairs = zip(keys, parts[1:], strict=False)
        parts = ["AWSLogs", *(f"{key}={value}" for key, value in pairs)]
    unique = hashlib.sha256(f"{flow_log.id} {begin}".encode()).hexdigest()[:8]
    name = f"{account}_vpcflowlogs_{region}_{flow_log.id}_{begin:%Y%m%dT%H%MZ}_{unique}.log.gz"
    return Path(*folders, *parts, name)
