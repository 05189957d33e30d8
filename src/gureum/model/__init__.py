"""Frozen values: resources and their references, one revision of them, one change to them."""

from gureum.model.resource import Ref, Resource, Tags, ref, references
from gureum.model.txn import Changes, Txn
from gureum.model.view import Reader, View

__all__ = ["Changes", "Reader", "Ref", "Resource", "Tags", "Txn", "View", "ref", "references"]
