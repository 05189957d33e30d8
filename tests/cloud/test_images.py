"""An image of the store as an AMI: built at the command line, launched through the API."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.site import Site
from tests.daemon import Daemon

pytestmark = pytest.mark.kernel

# The store is the machine's: two runs of this test keep apart, also in what is in the layer.
NAME = f"test-layered-{os.getpid()}"
RECIPE = f"""
from = "gureum-base"
[[file]]
path = "/etc/layered"
text = "{NAME}"
"""


@pytest.fixture
def image(daemon: Daemon, tmp_path: Path) -> Iterator[str]:
    """The image's digest."""
    recipe = tmp_path / f"{NAME}.toml"
    recipe.write_text(RECIPE)
    made = daemon.gureum("image", "build", str(recipe), "--json")
    assert made.returncode == 0, made.stderr
    yield str(json.loads(made.stdout)["digest"])
    daemon.gureum("image", "rm", NAME)


def test_launched_used_and_made_into_another(daemon: Daemon, site: Site, image: str) -> None:
    found = site.ec2.describe_images(Filters=[{"Name": "name", "Values": [f"{NAME}-*"]}])
    (shown,) = found["Images"]
    assert (shown["Name"], shown["ImageOwnerAlias"]) == (f"{NAME}-latest", "amazon")
    assert image in shown["Description"]
    site.image = shown["ImageId"]
    guest = site.launch(site.public, site.group("layered"))
    seen = daemon.gureum("exec", guest.id, "--", "cat", "/etc/layered")
    assert seen.stdout == NAME
    refused = daemon.gureum("image", "rm", NAME)
    assert refused.returncode == 1
    assert f"it is used by {guest.id} of cloud {daemon.tag}" in refused.stderr
    # An AMI made from the instance needs it as well.
    made = site.ec2.create_image(InstanceId=guest.id, Name=NAME, NoReboot=True)["ImageId"]
    site.ec2.terminate_instances(InstanceIds=[guest.id])
    guest.becomes("terminated")
    refused = daemon.gureum("image", "rm", NAME)
    assert f"it is used by {made} of cloud {daemon.tag}" in refused.stderr
    site.ec2.deregister_image(ImageId=made)
    gone = daemon.gureum("image", "rm", NAME)
    assert gone.returncode == 0, gone.stderr
    assert f"removed  {image[7:19]}" in gone.stdout
    found = site.ec2.describe_images(Filters=[{"Name": "name", "Values": [f"{NAME}-*"]}])
    assert found["Images"] == []
