"""What a question at the console holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gureum.errors import ApiError


@dataclass(frozen=True)
class Ask:
    """What was asked: query parameters, and the members of a JSON body."""

    query: Mapping[str, str]
    lists: Mapping[str, list[str]]
    body: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A parameter that must be there.

        Raises:
            ApiError: ``BadRequest``.
        """
        value = self.maybe(name)
        if value is None:
            raise ApiError("BadRequest", f"The parameter {name} is missing.")
        return value

    def maybe(self, name: str) -> str | None:
        """A parameter, or None."""
        value = self.body.get(name, self.query.get(name))
        return value if isinstance(value, str) and value else None

    def flag(self, name: str) -> bool:
        """Whether a parameter is set."""
        return self.body.get(name) is True or self.query.get(name) == "1"
