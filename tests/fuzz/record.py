"""``python -m tests.fuzz.record``: collect good requests anew from what the other tests ask.

``good.json`` has some requests of each action as they are sent, with prefixes in the places of ids
(``<vpc>`` is the id of any VPC).  A fault in what would be carried out gets further than one in
what was drawn.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.conftest import Cloud
from tests.wiring import form, service_of

GOOD = Path(__file__).parent / "good.json"
PER_ACTION = 8
"""So many requests of an action are kept, those with the most different parameters."""

_ID = re.compile(r"\b([a-z][a-z-]*)-(?:[0-9a-f]{17}|[0-9a-f]{8})\b")
_LONG = 2000


class Recorder:
    """Takes down every call that is carried out."""

    def __init__(self) -> None:
        self.found: dict[str, dict[frozenset[str], dict[str, str]]] = {}
        self._call = Cloud.call

    def call(self, cloud: Cloud, action: str, **params: Any) -> dict[str, Any]:
        """What :meth:`Cloud.call` does."""
        answer = self._call(cloud, action, **params)
        self._note(action, params)
        return answer

    def _note(self, action: str, params: dict[str, Any]) -> None:
        if service_of(action) != "ec2":
            return
        sent = dict(parse_qsl(form("ec2", action, params).decode(), keep_blank_values=True))
        flat = {name: _ID.sub(r"<\1>", text)[:_LONG] for name, text in sent.items()}
        for name in ("Action", "Version"):
            flat.pop(name, None)
        self.found.setdefault(action, {}).setdefault(frozenset(flat), flat)

    def kept(self) -> dict[str, list[dict[str, str]]]:
        """The requests to keep."""
        return {
            action: sorted(requests.values(), key=lambda each: (-len(each), json.dumps(each)))[
                :PER_ACTION
            ]
            for action, requests in sorted(self.found.items())
        }


def main() -> int:
    """Run the tests of resources and write what they asked."""
    recorder = Recorder()

    def call(cloud: Cloud, action: str, **params: Any) -> dict[str, Any]:
        return recorder.call(cloud, action, **params)

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(Cloud, "call", call)
        warned = "ignore::pytest.PytestAssertRewriteWarning"
        failed = pytest.main(["-q", "-W", warned, "-m", "not kernel", "tests/resources"])
    if failed == 0:
        lines = [f"{json.dumps(a)}: {json.dumps(r)}" for a, r in recorder.kept().items()]
        GOOD.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
        print(f"{GOOD}: {len(lines)} actions")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
