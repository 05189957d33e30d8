"""What every stored thing has, and how one row names another.

A resource is a frozen, keyword-only dataclass that inherits from :class:`Resource`.  Fields made
with :func:`ref` hold the id of another resource; existence checks, delete protection and the
compiler's dependency tracking are all derived from them, also inside nested dataclasses and tuples.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from typing import Self

    from gureum.model.view import Reader

Tags = tuple[tuple[str, str], ...]
"""Tag pairs in the order in which they were given; keys are unique."""

OnDelete = Literal["restrict", "cascade", "weak"]


@dataclass(frozen=True)
class Ref:
    """How a field refers: ``restrict`` protects the target from deletion, ``cascade`` dies with
    it, ``weak`` may dangle (a route to a deleted gateway stays, as a blackhole)."""

    on_delete: OnDelete


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One row: who owns it, where it is, when it was made (ISO 8601, UTC), its tags."""

    id: str
    account: str
    region: str
    created: str
    tags: Tags = ()

    # What errors and ids need to know of the type; given as class keywords.
    kind: ClassVar[str]
    prefix: ClassVar[str]
    not_found: ClassVar[str]
    noun: ClassVar[str]
    malformed: ClassVar[str | None] = None
    missing: ClassVar[str]
    by_kind: ClassVar[dict[str, type[Resource]]] = {}
    tag_values: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Tags that steer something here rather than only tell: by key, the values there are."""

    def __init_subclass__(
        cls,
        *,
        kind: str,
        prefix: str,
        not_found: str,
        noun: str,
        malformed: str | None = None,
        missing: str = "The {noun} ID '{id}' does not exist",
    ) -> None:
        """``kind`` is AWS's resource type as in tag specifications (``route-table``), ``prefix``
        the id's (``rtb``), ``not_found`` and ``malformed`` the error codes (the same one where AWS
        answers a malformed id as one that names nothing), ``noun`` the words of
        the message (``The routeTable ID 'rtb-1' does not exist`` has the noun ``routeTable``),
        ``missing`` the whole message where AWS's is another."""
        super().__init_subclass__()
        cls.kind, cls.prefix, cls.not_found, cls.noun = kind, prefix, not_found, noun
        cls.malformed, cls.missing = malformed, missing
        if kind in Resource.by_kind:
            raise TypeError(f"two resource types are called {kind!r}")
        Resource.by_kind[kind] = cls

    def goes_with(self, target: str) -> bool:
        """Whether this row dies with ``target`` although it refers to it by ``restrict``: AWS's
        companions (a VPC's default group, main route table and default ACL) do."""
        return False

    def open_to(self, reader: Reader, account: str) -> bool:
        """Whether an account that does not own this row may see it and refer to it."""
        return False

    @classmethod
    def all_open_to(cls, reader: Reader, account: str, region: str) -> Iterable[Self]:
        """The rows of other accounts that are open to an account in a region."""
        return ()

    def nameable_by(self, reader: Reader, account: str) -> bool:
        """Whether an account that does not own this row may refer to it: who sees it, may."""
        return self.open_to(reader, account)

    def beside(self, reader: Reader, account: str) -> bool:
        """Whether an account that does not own this row shares a VPC with who does: it is told
        that the row is not its own, rather than that there is none."""
        return False

    def tag(self, key: str) -> str | None:
        """The value of one tag, or None."""
        return next((value for name, value in self.tags if name == key), None)


def ref(on_delete: OnDelete = "restrict", *, default: Any = MISSING) -> Any:
    """A field that holds another resource's id, or a tuple of ids, or None."""
    return field(default=default, metadata={"ref": Ref(on_delete)})


@cache
def _plan(cls: Any) -> tuple[tuple[str, Ref | None], ...]:
    return tuple((f.name, f.metadata.get("ref")) for f in dataclasses.fields(cls))


def references(value: Any) -> Iterator[tuple[str, str, Ref]]:
    """Every ``(field path, id, how)`` by which ``value`` refers to other resources."""
    for name, how in _plan(type(value)):  # type: ignore[arg-type]
        content = getattr(value, name)
        if how is not None:
            ids = content if isinstance(content, tuple) else (content,)
            yield from ((name, target, how) for target in ids if target)
        elif dataclasses.is_dataclass(content):
            yield from ((f"{name}.{path}", t, h) for path, t, h in references(content))
        elif isinstance(content, tuple) and content and dataclasses.is_dataclass(content[0]):
            for item in content:
                yield from ((f"{name}.{path}", t, h) for path, t, h in references(item))
