"""What a resource file fills in, and the call that its actions receive.

A resource is one file in ``resources/`` that ends in a :class:`Kind` and one line in the registry
there.  Filters, pagination, DryRun, idempotency, tags, existence checks and delete protection are
generic; a file holds only what is its own.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Protocol, TypeVar

from gureum.errors import ApiError
from gureum.model import Reader, Resource, Tags, Txn, View
from gureum.program import Statement

R = TypeVar("R", bound=Resource)


class Listable(Protocol):
    """What a listing's rows have: an id, and when they were made, which is their order."""

    @property
    def id(self) -> str: ...

    @property
    def created(self) -> str: ...


L = TypeVar("L", bound=Listable)
Params = Mapping[str, Any]
Shape = dict[str, Any]
"""A structure in the names of botocore's output shape, for the wire to encode."""


class Analyse(Protocol):
    """Finds out about a network what needs a walk through it, given by the server."""

    def __call__(
        self,
        view: View,
        path: Resource,
        filter_in: Sequence[str],
        filter_out: Sequence[str],
    ) -> Shape:
        """What an analysis of a Network Insights path finds in a revision, in the names of the
        API's ``NetworkInsightsAnalysis``.  The filters are ARNs of components that a way must
        have, or must not have."""


def no_analysis(
    view: View, path: Resource, filter_in: Sequence[str], filter_out: Sequence[str]
) -> Shape:
    """Where no server is behind the actions, nothing is found out.

    Raises:
        ApiError: ``UnsupportedOperation``.
    """
    raise ApiError("UnsupportedOperation", "Nothing analyses networks here.")


@dataclass
class Call:
    """One API call being carried out: who asks what, when, and the transaction it works in.

    ``params`` are decoded and validated against the service model, in its member names.
    """

    action: str
    params: Params
    txn: Txn
    now: str
    companions: Mapping[str, Sequence[Companion]] = field(default_factory=dict)
    probe: Callable[[str, str], bytes] = field(default=lambda what, key: b"")
    """Live facts that no row holds, given by the server: ``probe("console", instance id)``."""
    analyse: Analyse = no_analysis
    _taggable: set[str] = field(default_factory=set, init=False, repr=False)
    _beside: bool = field(default=False, init=False, repr=False)

    def __post_init__(self) -> None:
        self.txn.action = self.action

    def created(self, row: R) -> R:
        """Store a new row, then the rows that AWS makes along with it (see ``Kind.beside``)."""
        self.txn.put(row)
        outer, self._beside = self._beside, True
        for companion in self.companions.get(row.kind, ()):
            companion(self, row)
        self._beside = outer
        return row

    @property
    def account(self) -> str:
        return self.txn.account

    @property
    def region(self) -> str:
        return self.txn.region

    def get(self, name: str, default: Any = None) -> Any:
        """A parameter, or the default where it is absent."""
        value = self.params.get(name)
        return default if value is None else value

    def new_id(self, cls_or_prefix: type[Resource] | str) -> str:
        """A fresh id: the type's prefix and 17 hexadecimal digits, as AWS's."""
        prefix = cls_or_prefix if isinstance(cls_or_prefix, str) else cls_or_prefix.prefix
        return f"{prefix}-{secrets.token_hex(9)[:17]}"

    def common(self, cls: type[Resource], key: str | None = None) -> dict[str, Any]:
        """The fields that every new row has, with the tags asked for this type."""
        return {
            "id": key or self.new_id(cls),
            "account": self.account,
            "region": self.region,
            "created": self.now,
            "tags": self.tags_for(cls.kind),
        }

    def tags_for(self, kind: str) -> Tags:
        """The tags that TagSpecifications give for one resource type.

        Raises:
            ApiError: the codes of :func:`given_tags` and :func:`check_tag_values`.
        """
        if not self._beside:
            self._taggable.add(kind)
        for specification in self.get("TagSpecifications", ()):
            if specification.get("ResourceType") == kind:
                tags = given_tags(specification.get("Tags", ()))
                check_tag_values(kind, tags)
                return tags
        return ()

    def check_tag_specifications(self) -> None:
        """Refuse, at the end of an action, tags for types of which it made no row.

        Raises:
            ApiError: ``InvalidParameterValue``.
        """
        seen: set[str] = set()
        for specification in self.get("TagSpecifications", ()):
            kind = specification.get("ResourceType")
            if kind is None:
                raise ApiError(
                    "InvalidParameterValue", "Tag specification resource type must have a value"
                )
            if kind not in self._taggable:
                raise ApiError(
                    "InvalidParameterValue",
                    f"'{kind}' is not a valid taggable resource type for this operation.",
                )
            if kind in seen:
                raise ApiError(
                    "InvalidParameterValue",
                    f"The resource type '{kind}' is given in more than one tag specification.",
                )
            if not specification.get("Tags"):
                raise ApiError(
                    "InvalidParameterValue", "Tag specification must have at least one tag"
                )
            seen.add(kind)


MAX_TAGS = 50
"""Tags per resource, those of AWS's own (``aws:…``) not counted (EC2 User Guide)."""


def given_tags(tags: Iterable[Mapping[str, Any]]) -> Tags:
    """Tags as a request gives them, each key once.

    Raises:
        ApiError: ``InvalidParameterValue`` on a key given twice or a bad one, ``TagLimitExceeded``.
    """
    found: dict[str, str] = {}
    for tag in tags:
        key, value = tag.get("Key"), tag.get("Value") or ""
        check_tag(key, value)
        if key in found:
            raise ApiError("InvalidParameterValue", f"Duplicate tag key '{key}' specified.")
        found[str(key)] = value
    check_tag_count(found)
    return tuple(found.items())


def check_tag_values(kind: str, tags: Iterable[tuple[str, str]]) -> None:
    """Refuse, for a resource type, values of which a tag that steers something knows nothing.

    Raises:
        ApiError: ``InvalidParameterValue``, which names the values there are.
    """
    row = Resource.by_kind.get(kind)
    for key, value in tags if row and row.tag_values else ():
        known = row.tag_values.get(key) if row else None
        if known is not None and value not in known:
            listed = ", ".join(known)
            raise ApiError(
                "InvalidParameterValue",
                f"Value ({value}) for tag {key} is invalid. Valid values: {listed}.",
            )


def check_tag_count(keys: Iterable[str]) -> None:
    """Raises:
    ApiError: ``TagLimitExceeded``.
    """
    if sum(1 for key in keys if not key.startswith("aws:")) > MAX_TAGS:
        raise ApiError(
            "TagLimitExceeded", "The maximum number of Tags for a resource has been reached."
        )


def check_tag(key: str | None, value: str | None) -> None:
    """AWS's limits on one tag (EC2 User Guide, "Tag restrictions").

    Raises:
        ApiError: ``InvalidParameterValue``.
    """
    if not key:
        raise ApiError("InvalidParameterValue", "Tag key cannot be empty")
    if key.lower().startswith("aws:"):
        raise ApiError(
            "InvalidParameterValue",
            "Tag keys starting with 'aws:' are reserved for internal use",
        )
    if len(key) > 127:
        raise ApiError(
            "InvalidParameterValue", "Tag key exceeds the maximum length of 127 characters"
        )
    if len(value or "") > 255:
        raise ApiError(
            "InvalidParameterValue", "Tag value exceeds the maximum length of 255 characters"
        )


class Lowering(Protocol):
    """What a lowering is given: a reader that remembers what was read, and a place to say."""

    @property
    def view(self) -> Reader:
        """The revision to lower; every read through it is a dependency of this lowering."""

    def say(self, statement: Statement, *whys: str) -> None:
        """Add a statement, asked for by this row and by ``whys``."""

    def need(self, derive: Callable[[Lowering, Any], None], key: Any) -> None:
        """Ask for statements that several rows share, lowered once per distinct ``key`` by
        ``derive(lowering, key)`` and kept while any row needs them.  ``key`` is hashable."""


Action = Callable[[Call], Shape]
Companion = Callable[[Call, Any], None]
Show = Callable[[L, View], Shape]
FilterValues = Callable[[Any, View], Iterable[str]]


@dataclass(frozen=True)
class Part:
    """A part of a row that is listed by itself, as the API shows it; what was made together is in
    the order of ids."""

    id: str
    created: str
    shape: Shape


def show_part(part: Part, view: View) -> Shape:
    """What a listing of parts shows."""
    return part.shape


def becomes(before: str, after: str) -> Callable[[Txn, Any, str], None]:
    """A kind's ``settled`` where a row has nothing but another ``state`` from then on."""

    def settled(txn: Txn, row: Any, now: str) -> None:
        if row.state == before:
            txn.put(replace(row, state=after))

    return settled


@dataclass(frozen=True)
class Selector:
    """A request member with names (``GroupNames``) that must each be found in the shown member
    ``path``; ``message`` has one ``{}`` for the missing name."""

    path: str
    code: str
    message: str


@dataclass(frozen=True)
class Listing(Generic[L]):
    """The Describe action of a type: how it is asked and how it answers.

    ``action`` is the API name, ``result`` the member of the output that holds the list, ``ids`` the
    request member with ids.  ``paths`` maps filter names to paths in the shown structure
    (``Associations[].Main``) where the name alone (``vpc-id`` is ``VpcId``) does not say;
    ``computed`` gives values no path can.
    ``selectors`` are further request members with names (``GroupNames``).
    ``rows`` replaces "all of this account and region" where other rows show too (public images),
    or where what is listed is no resource (regions).
    ``row`` is their type where the kind has none, as its rows are another one's too.
    ``keep`` leaves out rows, also of those asked for by id, without an error (the status of
    instances that do not run).  ``gather`` has the last word on a page (reservations, which hold
    several instances).  ``beside`` gives further members of the answer, ``summary`` those that
    follow from the page.
    """

    action: str
    result: str
    show: Callable[[L, View], Shape]
    ids: str | None = None
    paths: Mapping[str, str] = field(default_factory=dict)
    computed: Mapping[str, FilterValues] = field(default_factory=dict)
    rows: Callable[[Call], Iterable[L]] | None = None
    row: type[Resource] | None = None
    selectors: Mapping[str, Selector] = field(default_factory=dict)
    keep: Callable[[Call, L], bool] | None = None
    gather: Callable[[Iterable[Shape]], list[Shape]] | None = None
    beside: Callable[[Call], Shape] | None = None
    summary: Callable[[list[Shape]], Shape] | None = None


def never(
    action: str, result: str, ids: str | None = None, paths: Mapping[str, str] | None = None
) -> Listing[Any]:
    """A listing of what there never is here, such as a recycle bin: nothing has retention rules, so
    what is deleted is gone.  Its filters are those of AWS, and any id is not found."""
    return Listing(
        action=action,
        result=result,
        show=lambda row, view: {},
        ids=ids,
        rows=lambda call: (),
        paths=paths or {},
    )


@dataclass(frozen=True)
class Kind(Generic[R]):
    """All that Gureum knows of one resource type.

    ``actions`` are named as in the API.  ``row`` is None where they are about no stored type.
    ``lower`` says what the row asks of the network.
    ``defaults`` makes the rows that AWS provides in every account and region unasked (the default
    VPC, public images), called once on the first use of a region.
    """

    row: type[R] | None
    actions: Mapping[str, Action] = field(default_factory=dict)
    listings: tuple[Listing[Any], ...] = ()
    lower: Callable[[R, Lowering], None] | None = None
    defaults: Callable[[Call], None] | None = None
    beside: Mapping[type[Resource], Companion] = field(default_factory=dict)
    """Rows of this kind that come with a new row of another: a VPC's default group."""
    reads: frozenset[str] = frozenset()
    """Names in ``actions`` that change nothing (Get…, Describe… without a listing)."""
    settled: Callable[[Txn, R, str], None] | None = None
    """``settled(txn, row, now)`` is called once the data plane has a revision that changed the row:
    what was ``pending`` becomes ``available`` there, what was ``deleting`` ``deleted``."""
    expired: Callable[[Txn, R, str], None] | None = None
    """``expired(txn, row, now)`` is called now and then with every row, to forget what AWS forgets
    after an hour (terminated instances, deleted NAT gateways)."""
