"""``gureum iam``: what policies say of a request; no cloud is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from gureum.cli.failure import FAILED, USAGE, Failure
from gureum.cli.options import json_option
from gureum.cli.output import clean, print_json
from gureum.errors import ApiError
from gureum.identity.conditions import Checked
from gureum.identity.evaluate import Decision, Outcome, Policies, Seen, evaluate
from gureum.identity.matching import Named
from gureum.identity.policy import Kind, Policy, parse
from gureum.identity.request import Context, Principal, Request

_FILE = click.Path(path_type=Path)


@click.group("iam", short_help="What IAM policies say.")
def iam() -> None:
    """What IAM policies say of a request, and which statement decides.  Needs no cloud."""


@iam.command()
@click.option(
    "--policy",
    "identity",
    multiple=True,
    metavar="FILE",
    type=_FILE,
    help="A policy of the user, group or role that asks; repeatable.",
)
@click.option(
    "--resource-policy",
    multiple=True,
    metavar="FILE",
    type=_FILE,
    help="A policy of the resource; repeatable.",
)
@click.option("--boundary", metavar="FILE", type=_FILE, help="The permissions boundary.")
@click.option(
    "--session", multiple=True, metavar="FILE", type=_FILE, help="A session policy; repeatable."
)
@click.option("--action", required=True, metavar="SERVICE:ACTION", help="What is to be done.")
@click.option("--resource", default="*", metavar="ARN", help="To what.  [default: *]")
@click.option(
    "--principal", metavar="ARN", help="Who asks: the ARN of a user or role session, or a service."
)
@click.option(
    "--context",
    multiple=True,
    metavar="KEY=VALUE",
    help="A context key of the request; repeatable, also for more values of one key.",
)
@json_option
def why(
    identity: tuple[Path, ...],
    resource_policy: tuple[Path, ...],
    boundary: Path | None,
    session: tuple[Path, ...],
    action: str,
    resource: str,
    principal: str | None,
    context: tuple[str, ...],
    as_json: bool,
) -> None:
    """Say whether policies allow a request, and why.

    Ends with 0 if it is allowed, 1 if it is denied, 2 if a policy or the request cannot be read.

    \b
    gureum iam why --policy dev.json --action ec2:RunInstances --context ec2:InstanceType=t3.micro
    """
    if not identity and not resource_policy:
        raise Failure("there is nothing to ask: give --policy or --resource-policy", USAGE)
    policies = Policies(
        identity=_policies(identity),
        resource=_policies(resource_policy, Kind.RESOURCE),
        boundary=_policies((boundary,)) if boundary else None,
        session=_policies(session) or None,
    )
    decision = evaluate(policies, _request(action, resource, principal, context))
    if as_json:
        print_json(as_facts(decision))
    else:
        for line in _lines(decision):
            click.echo(clean(line))
    if not decision.allowed:
        raise click.exceptions.Exit(FAILED)


def _policies(paths: tuple[Path, ...], kind: Kind = Kind.IDENTITY) -> tuple[Policy, ...]:
    return tuple(_policy(path, kind) for path in paths)


def _policy(path: Path, kind: Kind) -> Policy:
    try:
        return parse(path.read_text(encoding="utf-8"), str(path), kind)
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path} cannot be read: {error}", USAGE) from None
    except ApiError as error:
        raise Failure(f"{path}: {error.message}", USAGE, error.code) from None


def _request(
    action: str, resource: str, principal: str | None, context: tuple[str, ...]
) -> Request:
    """The request that the options say; keys that are given stand before those of the principal."""
    service, _, name = action.partition(":")
    if not service or not name or set("*?:") & set(service + name):
        raise Failure(f"{action!r} is no action: SERVICE:ACTION without wildcards is", USAGE)
    if resource != "*" and (not resource.startswith("arn:") or resource.count(":") < 5):
        raise Failure(f"{resource!r} is no resource: an ARN or * is", USAGE)
    pairs = [_pair(each) for each in context]
    try:
        who = Principal.of(principal) if principal else None
    except ValueError as error:
        raise Failure(str(error), USAGE) from None
    given = {key.lower() for key, _ in pairs}
    derived = who.keys() if who else ()
    pairs += [pair for pair in derived if pair[0].lower() not in given]
    return Request(action, resource, Context.of(pairs), who)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise Failure(f"{text!r} is no context key: KEY=VALUE is", USAGE)
    return key, value


def as_facts(decision: Decision) -> dict[str, Any]:
    """A decision for programs."""
    return {
        "decision": decision.outcome.value,
        "root": decision.root,
        "missing": decision.missing.value if decision.missing else None,
        "deciders": [_statement(each) for each in decision.deciders],
        "statements": [_statement(each) for each in decision.trace],
    }


def _statement(seen: Seen) -> dict[str, Any]:
    return {
        "layer": seen.layer.value,
        "policy": seen.policy,
        "index": seen.index,
        "sid": seen.sid,
        "effect": seen.effect,
        "applies": seen.applies,
        "action": seen.action,
        "resource": seen.resource,
        "principal": seen.named.name.lower(),
        "conditions": [_condition(each) for each in seen.conditions],
    }


def _condition(checked: Checked) -> dict[str, Any]:
    condition = checked.condition
    return {
        "operator": str(condition.operator),
        "key": condition.key,
        "wanted": list(condition.values),
        "seen": list(checked.seen),
        "holds": checked.holds,
    }


def _lines(decision: Decision) -> Iterator[str]:
    yield _headline(decision)
    for seen in decision.trace:
        yield f"  {'applies ' if seen.applies else 'does not'}  {_name(seen)}{_reason(seen)}"
        for each in seen.conditions:
            yield f"    {'holds ' if each.holds else 'FAILS '} {_said(each)}"


def _headline(decision: Decision) -> str:
    if decision.root:
        return "allowed: the root user may do everything that no policy denies"
    by = ", ".join(map(_name, decision.deciders))
    match decision.outcome:
        case Outcome.ALLOWED:
            return f"allowed by {by}"
        case Outcome.EXPLICIT_DENY:
            return f"denied explicitly by {by}"
        case Outcome.IMPLICIT_DENY:
            assert decision.missing is not None
            return f"denied implicitly: no {decision.missing.value} allows it"


def _name(seen: Seen) -> str:
    called = seen.sid or f"statement {seen.index + 1}"
    return f"{seen.effect} {called} of {seen.policy} ({seen.layer.value})"


def _reason(seen: Seen) -> str:
    """What of a statement's elements does not match, or matches by the account only."""
    parts = (("action", seen.action), ("resource", seen.resource), ("principal", seen.named > 0))
    other = [word for word, matches in parts if not matches]
    if other:
        return f": other {' and '.join(other)}"
    if seen.named is Named.ACCOUNT and seen.effect == "Allow":
        return ": names the account, which leaves it to identity policies"
    return ""


def _said(checked: Checked) -> str:
    condition = checked.condition
    wanted = " or ".join(map(repr, condition.values)) or "nothing"
    values = ", ".join(map(repr, checked.seen))
    seen = f"has {values}" if values else "not in the request"
    return f"{condition.operator} {condition.key}: wants {wanted}; {seen}"
