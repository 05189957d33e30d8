"""Terraform and its AWS provider, run in the folders of ``examples/terraform`` as they are."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples" / "terraform"
PROVIDER = "registry.terraform.io/hashicorp/aws"
ONCE = ("-auto-approve", "-input=false", "-parallelism=20")
KNOWN = "-refresh=false"
"""What was planned a moment ago without drift needs no second look before it is changed."""


def mirror() -> Path:
    """A folder that holds the AWS provider for use without a network."""
    given = os.environ.get("GUREUM_TERRAFORM_PLUGINS")
    roots = [Path(given)] if given else [*Path("/opt").glob("*"), Path("/usr/share/terraform")]
    found = [root for root in roots if (root / PROVIDER).is_dir()]
    if shutil.which("terraform") is None or not found:
        pytest.skip("NOT TESTED: terraform or a mirror of its AWS provider is not on this machine")
    return found[0]


class Terraform:
    """Terraform for one folder, with its state in another.

    The provider is named as a development override: nothing is installed a dozen times, and its
    hundreds of megabytes are not hashed at every command.  ``test_covered`` initialises as users
    do.
    """

    def __init__(self, folder: Path, work: Path, environment: dict[str, str]) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.folder, self.state = folder, work / "terraform.tfstate"
        (binary,) = (mirror() / PROVIDER).glob("*/*/terraform-provider-aws*")
        settings = work / "settings.tfrc"
        settings.write_text(
            "provider_installation {\n  dev_overrides {\n"
            f'    "hashicorp/aws" = "{binary.parent}"\n'
            "  }\n  direct {}\n}\n"
        )
        self.environment = clean() | environment
        self.environment |= {
            "TF_CLI_CONFIG_FILE": str(settings),
            "TF_DATA_DIR": str(work / "data"),
        }

    def __call__(self, command: str, *args: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["terraform", command, f"-state={self.state}", "-no-color", *args],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def apply(self, *changes: str) -> dict[str, Any]:
        """Apply, see that nothing is left to do, and return the outputs."""
        self._must("apply", *ONCE, *changes)
        plan = self("plan", "-detailed-exitcode", "-input=false", "-parallelism=20", *changes[-2:])
        assert plan.returncode == 0, plan.stdout[-4000:] + plan.stderr[-3000:]
        outputs: dict[str, Any] = json.loads(self.state.read_text())["outputs"]
        return {name: each["value"] for name, each in outputs.items()}

    def destroy(self, *changes: str) -> None:
        """Destroy everything."""
        self._must("destroy", *ONCE, KNOWN, *changes)
        assert json.loads(self.state.read_text())["resources"] == []

    def _must(self, command: str, *args: str) -> None:
        done = self(command, *args)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def clean() -> dict[str, str]:
    """This process's environment without what its user has set for Terraform and AWS."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "TF_"))}
    return kept | {
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
