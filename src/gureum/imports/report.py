"""What became of an account that was read: nothing is dropped without being told here."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from gureum.kind import Shape


@dataclass
class Lost:
    """Something that items say and that is not kept, or is otherwise here: how many items, one of
    them, and its value there and here (None where there is none)."""

    count: int
    example: str
    given: Any
    here: Any


@dataclass
class Report:
    """``made`` counts what is here now by the lists of the answers; ``left`` are things that are
    not, by id, with the reason; ``lost`` members of things that are, by their path; ``mapped`` what
    is called otherwise here; ``assumed`` what the answers do not say and was supplemented."""

    made: Counter[str] = field(default_factory=Counter)
    left: list[tuple[str, str, str]] = field(default_factory=list)
    lost: dict[str, Lost] = field(default_factory=dict)
    mapped: list[tuple[str, str, str]] = field(default_factory=list)
    assumed: list[tuple[str, str]] = field(default_factory=list)

    def leave(self, what: str, key: str, why: str) -> None:
        """Something of the list ``what`` is not imported."""
        self.left.append((what, key, why))

    def lose(self, path: str, key: str, given: Any, here: Any) -> None:
        """A member of an imported thing is not kept."""
        known = self.lost.setdefault(path, Lost(0, key, given, here))
        known.count += 1

    @property
    def whole(self) -> bool:
        """Whether everything that the answers tell is here."""
        return not self.left and not self.lost

    def shown(self) -> Shape:
        """The report as plain data."""
        return {
            "whole": self.whole,
            "made": dict(sorted(self.made.items())),
            "left": [{"list": what, "id": key, "why": why} for what, key, why in self.left],
            "lost": [
                {
                    "member": path,
                    "items": lost.count,
                    "example": lost.example,
                    "given": lost.given,
                    "here": lost.here,
                }
                for path, lost in sorted(self.lost.items())
            ],
            "mapped": [
                {"what": what, "given": given, "here": here} for what, given, here in self.mapped
            ],
            "assumed": [{"id": key, "what": what} for key, what in self.assumed],
        }
