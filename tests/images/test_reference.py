"""Names of images, as Docker completes them."""

from __future__ import annotations

import pytest

from gureum.images import ImageError
from gureum.images.reference import LONGEST, parse

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "whole", "short"),
    [
        ("nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("nginx:1.25-alpine", "docker.io/library/nginx:1.25-alpine", "nginx:1.25-alpine"),
        ("me/app", "docker.io/me/app:latest", "me/app:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"),
        ("index.docker.io/me/app:1", "docker.io/me/app:1", "me/app:1"),
        ("localhost/app", "localhost/app:latest", "localhost/app:latest"),
        ("localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x", "localhost:5000/a/b/c:x"),
        ("127.0.0.1:5000/app", "127.0.0.1:5000/app:latest", "127.0.0.1:5000/app:latest"),
        ("[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"),
        ("Host/app", "Host/app:latest", "Host/app:latest"),
        ("ghcr.io/a/b__c.d--e", "ghcr.io/a/b__c.d--e:latest", "ghcr.io/a/b__c.d--e:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}", f"nginx@{DIGEST}"),
        (f"nginx:1@{DIGEST}", f"docker.io/library/nginx:1@{DIGEST}", f"nginx:1@{DIGEST}"),
    ],
)  # fmt: skip
def test_names(text: str, whole: str, short: str) -> None:
    found = parse(text)
    assert str(found) == whole
    assert found.short == short
    assert parse(whole) == found


@pytest.mark.parametrize(
    "text",
    [
        "", "a b", "Nginx", "nginx:", "nginx:-x", "nginx:" + "t" * 129, "a//b", "/a", "a/", "a_-b",
        "nginx@sha256:12", "nginx@md5:" + "0" * 32, "-a", "a.b.c/", "x\n", "../a", "a/../b",
        "docker://nginx", "nginx:a\n", "a" * (LONGEST + 1),
    ],
)  # fmt: skip
def test_no_names(text: str) -> None:
    with pytest.raises(ImageError, match="name"):
        parse(text)
