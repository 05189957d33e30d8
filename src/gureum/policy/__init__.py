"""Statements about who may reach whom, read strictly and held against the reachability of all."""

from gureum.policy.audit import CHECKS, Account, Severity
from gureum.policy.check import Finding, Result, check
from gureum.policy.language import Policy, PolicyError, Selector, Services, Statement, read

__all__ = [
    "CHECKS",
    "Account",
    "Finding",
    "Policy",
    "PolicyError",
    "Result",
    "Selector",
    "Services",
    "Severity",
    "Statement",
    "check",
    "read",
]
