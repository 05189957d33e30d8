"""Holds each call against the caller's policies: the gate of the ``enforce`` mode.

A call asks one question for each resource that it is about, and all must be allowed.  The first
that is not is the refusal.  The questions are asked within the transaction that carries out the
call, so that what was asked about is what is changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gureum.iam import sts, trust
from gureum.iam.call import Call
from gureum.iam.caller import Caller
from gureum.iam.permissions import policies_of
from gureum.iam.question import Question, of_iam
from gureum.iam.refusal import refusal
from gureum.iam.vault import Vault
from gureum.identity.evaluate import Decision, Policies, evaluate
from gureum.identity.request import Context
from gureum.identity.request import Request as Asked
from gureum.model import Txn, View
from gureum.ram import questions as ram_questions
from gureum.server import ec2_questions
from gureum.wire import Request

FREE = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
"""What everybody may ask whose key counts (STS API Reference)."""


@dataclass(frozen=True)
class Gate:
    """Lets one call through, or not."""

    vault: Vault
    request: Request
    who: Caller
    reads: bool

    def before(self, view: View) -> None:
        """Ask what can be told of the call before it is carried out.

        Raises:
            ApiError: ``UnauthorizedOperation`` of EC2, ``AccessDenied`` of the others.
        """
        if self._is_root():
            return None
        request, service = self.request, self.request.service
        if f"{service}:{request.action}" in FREE:
            return None
        if service == "ec2":
            found = ec2_questions.before(request.action, request.params, view, self.who)
        elif service == "iam":
            found = of_iam(request.action, request.params, view, self.who.identity)
        elif service == "ram":
            found = ram_questions.before(request.action, request.params, view)
        elif request.action == "AssumeRole":
            return self._assume(view)
        else:
            found = iter([Question(f"{service}:{request.action}")])
        self._ask(view, found)
        return None

    def after(self, txn: Txn) -> None:
        """Ask what is clear only once the call was carried out, before it is committed.

        Raises:
            ApiError: ``UnauthorizedOperation``.
        """
        if self.request.service == "ec2" and not self._is_root():
            self._ask(txn.view, ec2_questions.after(self.request.action, txn, self.who))

    def _is_root(self) -> bool:
        """An account's root may do everything in it."""
        return self.who.identity.principal.root

    def _ask(self, view: View, questions: Iterable[Question]) -> None:
        policies = policies_of(view, self.who.identity)
        for question in ec2_questions.unique(questions):
            asked = self._asked(question)
            self._hold(asked, evaluate(policies, asked))

    def _hold(self, asked: Asked, decision: Decision) -> None:
        if not decision.allowed:
            raise refusal(self.vault, self.who.identity, asked, decision, reads=self.reads)

    def _asked(self, question: Question) -> Asked:
        context = Context(lambda: (*self.who.keys, *question.keys))
        return Asked(question.action, question.resource, context, self.who.identity.principal)

    # --- AssumeRole -----------------------------------------------------------------------------
    def _assume(self, view: View) -> None:
        """Within an account the role's trust policy may let somebody in that it names in person;
        else, and across accounts always, their own policies must."""
        who = self.who.identity
        params = self.request.params
        wanted = str(params["RoleArn"])
        call = Call(
            "AssumeRole", params, Txn(view, who.account, ""), "", who, self.vault, self.who.keys
        )
        role = sts.named_role(call, wanted)
        own = policies_of(view, who)
        if role is not None and role.account == who.account:
            own = Policies(own.identity, (trust.policy_of(role),), own.boundary, own.session)
        for asked in sts.assume_requests(call, wanted):
            self._hold(asked, evaluate(own, asked))
