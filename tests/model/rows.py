"""Resource types of a small world for tests: a house with rooms, lamps in rooms, guests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gureum.model import Resource, ref

ACCOUNT, REGION = "123456789012", "ap-northeast-2"


@dataclass(frozen=True, kw_only=True)
class House(
    Resource, kind="test-house", prefix="house", not_found="InvalidHouseID.NotFound", noun="house"
):
    """Needs nothing."""

    name: str = ""


@dataclass(frozen=True, kw_only=True)
class Room(
    Resource,
    kind="test-room",
    prefix="room",
    not_found="RoomNotFound",
    malformed="RoomMalformed",
    noun="room",
    missing="There is no {noun} {id}",
):
    """Keeps its house, unless it is a hall, which goes with it."""

    house: str = ref()
    hall: bool = False

    def goes_with(self, target: str) -> bool:
        return self.hall and target == self.house


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """Where a lamp hangs, nested in its row."""

    room: str | None = ref("cascade", default=None)
    beside: tuple[str, ...] = ref("weak", default=())
    height: int = 0


@dataclass(frozen=True, kw_only=True)
class Lamp(
    Resource, kind="test-lamp", prefix="lamp", not_found="InvalidLampID.NotFound", noun="lamp"
):
    """Dies with any of its rooms."""

    fittings: tuple[Fitting, ...] = ()
    main: Fitting | None = None
    keepers: tuple[str, ...] = ref(default=())


def row(cls: Any, number: int, **fields: Any) -> Any:
    """A row of the default account and region; ``number`` makes its id and its age."""
    common = {
        "id": f"{cls.prefix}-{number:017x}",
        "account": ACCOUNT,
        "region": REGION,
        "created": f"2026-11-24T08:00:00.{number % 1000:03}Z",
    }
    return cls(**{**common, **fields})
