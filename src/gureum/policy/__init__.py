"""Statements about who may reach whom, read strictly and held against the reachability of all."""

from gureum.policy.check import Finding, Result, check
from gureum.policy.language import Policy, PolicyError, Selector, Services, Statement, read

__all__ = [
    "Finding",
    "Policy",
    "PolicyError",
    "Result",
    "Selector",
    "Services",
    "Statement",
    "check",
    "read",
]
