"""A listing's rows are asked for a tag before they are shown: they show no tags but their own."""

from __future__ import annotations

from dataclasses import replace

from gureum.kind import Call
from gureum.model import Resource, Txn
from gureum.resources import REGISTRY
from gureum.wire.filters import nodes_at
from gureum.wire.listing import default_path
from tests.fuzz.furnished import furnished
from tests.wiring import service_model

ACCOUNT, REGION, NOW = "123456789012", "ap-northeast-2", "2026-11-24T09:00:00.000Z"


def test_a_resource_shows_no_tags_but_its_own() -> None:
    view = furnished()
    for row in list(view.rows.values()):  # each has a tag that no other has
        view = view.put(replace(row, tags=((row.id, ""),)))
    tagged: set[str] = set()
    for action, (kind, listing) in REGISTRY.listings.items():
        root = listing.paths.get("", "")
        path = listing.paths.get("tag:") or default_path(
            "ec2", action, listing.result, root, "tag-key"
        )
        needed = service_model("ec2").operation_model(action).input_shape.required_members
        if path is None or needed:  # those few list by other ways than tags
            continue
        call = Call(action, {}, Txn(view, ACCOUNT, REGION), NOW, REGISTRY.companions)
        rows = listing.rows(call) if listing.rows else view.all(kind.row or Resource)
        for row in rows:
            if isinstance(row, Resource):
                shown = nodes_at(listing.show(row, view), path.removesuffix(".Key"))
                assert {each["Key"] for each in shown} <= {row.id}
                tagged |= {action} if shown else set()
    assert len(tagged) > 30
