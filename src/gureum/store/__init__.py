"""Where rows are kept: one transaction an API call, a revision for each, and a feed of them."""

from gureum.store.store import Commit, MemoryStore, Remembered, SqliteStore, Store, StoreError
from gureum.store.trail import Bounds, Entry, Search, Trail

__all__ = [
    "Bounds",
    "Commit",
    "Entry",
    "MemoryStore",
    "Remembered",
    "Search",
    "SqliteStore",
    "Store",
    "StoreError",
    "Trail",
]
