"""The variables for AWS clients."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.cli.clouds import ENDPOINT, Served


def test_a_shell_that_evaluates_them_has_them(served: Served) -> None:
    text = served.cli("env", "--region", "us-east-1", "--shell", "bash").output
    script = f"{text}\necho $AWS_ENDPOINT_URL $AWS_REGION $AWS_DEFAULT_REGION $AWS_ACCESS_KEY_ID"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [ENDPOINT, "us-east-1", "us-east-1", "test"]


def test_the_defaults_are_the_cloud_s(served: Served) -> None:
    assert json.loads(served.cli("env", "--json").output) == {
        "AWS_ENDPOINT_URL": ENDPOINT,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "ap-northeast-2",
        "AWS_REGION": "ap-northeast-2",
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@pytest.mark.parametrize(
    ("shell", "first"),
    [("/usr/bin/fish", "set -gx AWS_ENDPOINT_URL"), ("/bin/zsh", "export AWS_ENDPOINT_URL=")],
)
def test_the_form_is_that_of_the_user_s_shell(served: Served, shell: str, first: str) -> None:
    assert served.cli("env", env={"SHELL": shell}).output.startswith(first)


def test_an_account_is_named_by_the_access_key_and_kept(served: Served) -> None:
    found = json.loads(served.cli("env", "--json", "--account", "111122223333").output)
    assert found["AWS_ACCESS_KEY_ID"] == "111122223333"
    again = served.cli("env", "--json", env=found)
    assert json.loads(again.output) == found


def test_the_region_of_the_environment_counts(served: Served) -> None:
    text = served.cli("map", "--json", env={"AWS_DEFAULT_REGION": "eu-west-1"}).output
    assert json.loads(text)["region"] == "eu-west-1"
    both = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "sa-east-1"}
    assert json.loads(served.cli("map", "--json", env=both).output)["region"] == "sa-east-1"
