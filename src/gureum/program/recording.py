"""What is counted at a transit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordedLink:
    """The packets that come into a transit by an attachment and that leave it by one are counted,
    flow by flow, and those that it has no way for (AWS: a transit gateway's flow log)."""

    attachment: str
    transit: str
