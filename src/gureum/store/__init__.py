"""Where rows are kept: one transaction an API call, a revision for each, and a feed of them."""

from gureum.store.store import Commit, MemoryStore, Remembered, SqliteStore, Store, StoreError

__all__ = ["Commit", "MemoryStore", "Remembered", "SqliteStore", "Store", "StoreError"]
