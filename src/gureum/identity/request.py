"""What is asked of policies: who wants to do what to which resource, in which circumstances.

Source: IAM User Guide, "Components of a request" and "AWS global condition context keys".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal, TypeAlias

PrincipalType: TypeAlias = Literal["AWS", "Service", "Federated", "CanonicalUser"]


@dataclass(frozen=True)
class Context:
    """The context keys of a request.  Names of keys do not tell upper from lower case; a key has
    one value or several, and a key without values is not there.  ``pairs`` are not made before
    anything asks for a key, for most policies have no conditions."""

    pairs: Callable[[], Iterable[tuple[str, str]]] = tuple

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]]) -> Context:
        """Of pairs of a key and a value; a key that comes several times has several values."""
        return cls(lambda: pairs)

    @cached_property
    def values(self) -> Mapping[str, tuple[str, ...]]:
        """The values of each key, by its name in lower case."""
        found: dict[str, tuple[str, ...]] = {}
        for key, value in self.pairs():
            name = key.lower()
            found[name] = (*found.get(name, ()), value)
        return MappingProxyType(found)

    def get(self, key: str) -> tuple[str, ...]:
        """The values of a key; none if it is not in the request."""
        return self.values.get(key.lower(), ())


@dataclass(frozen=True)
class Principal:
    """Who asks.  ``arn`` is a user's, or that of a role session or federated session, whose
    ``issuer`` is the ARN of the role or user it came from; of a service its name."""

    arn: str
    account: str = ""
    issuer: str = ""
    type: PrincipalType = "AWS"

    @classmethod
    def of(cls, arn: str) -> Principal:
        """By ARN, or by the name of a service such as ``ec2.amazonaws.com``.

        The role of a role session is taken to have no path: the session's ARN does not tell.

        Raises:
            ValueError: the text is neither.
        """
        parts = arn.split(":", 5)
        if len(parts) == 6 and parts[0] == "arn" and parts[5]:
            kind, _, rest = parts[5].partition("/")
            role = f"arn:{parts[1]}:iam::{parts[4]}:role/{rest.partition('/')[0]}"
            return cls(arn, parts[4], role if kind == "assumed-role" else "")
        if arn.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            return cls(arn, type="Service")
        raise ValueError(f"{arn} is neither an ARN nor a service")

    @property
    def root(self) -> bool:
        """Whether this is the account itself: its root user."""
        return self.type == "AWS" and self.arn.endswith(f":iam::{self.account}:root")

    def keys(self) -> tuple[tuple[str, str], ...]:
        """The context keys that AWS derives of the principal alone."""
        if self.type != "AWS":
            return ()
        kind, _, name = self.arn.split(":", 5)[-1].partition("/")
        keys = [
            ("aws:PrincipalArn", self.issuer or self.arn),
            ("aws:PrincipalAccount", self.account),
        ]
        if kind == "user":
            keys.append(("aws:username", name.rpartition("/")[2]))
        return tuple(keys)


@dataclass(frozen=True)
class Request:
    """One action on one resource.  ``resource`` is an ARN, or ``*`` for actions that have no
    resource; without a ``principal`` nobody is named by a resource's policy but everybody."""

    action: str
    resource: str = "*"
    context: Context = field(default_factory=Context)
    principal: Principal | None = None
