"""What a Signature Version 4 request says of its signer: key, region and service.

Nothing here is verified, so it may name an account or a region but never prove one
(:mod:`gureum.wire.signature` does).  Source: AWS IAM User Guide, "Elements of an AWS API request
signature".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gureum.errors import ApiError

_CREDENTIAL = re.compile(r"Credential=([^,\s]*)")
_WORD = re.compile(r"[A-Za-z0-9._-]{1,128}")
ALGORITHM = "AWS4-HMAC-SHA256"
TERMINATOR = "aws4_request"


@dataclass(frozen=True)
class Scope:
    """The credential scope: ``AKIA…/20261124/ap-northeast-2/ec2/aws4_request``."""

    access_key: str
    date: str
    region: str
    service: str

    def __str__(self) -> str:
        """The scope as it is signed, without the key."""
        return f"{self.date}/{self.region}/{self.service}/{TERMINATOR}"


def credential_scope(headers: Mapping[str, str], query: Mapping[str, str]) -> Scope | None:
    """The scope in the Authorization header (names in lower case) or in a presigned query.

    None where the request is not signed, or signed in another way.

    Raises:
        ApiError: ``IncompleteSignature`` where it is signed but the credential is no scope.
    """
    authorization = headers.get("authorization", "")
    if authorization.startswith(ALGORITHM):
        found = _CREDENTIAL.search(authorization)
        credential = found[1] if found else ""
    elif query.get("X-Amz-Algorithm") == ALGORITHM:
        credential = query.get("X-Amz-Credential", "")
    else:
        return None
    return parse_scope(credential)


@lru_cache(maxsize=1024)
def parse_scope(credential: str) -> Scope:
    """The scope that a credential says.

    Raises:
        ApiError: ``IncompleteSignature`` where it is none.
    """
    parts = credential.split("/")
    if len(parts) != 5 or parts[4] != TERMINATOR or not all(map(_WORD.fullmatch, parts)):
        raise ApiError(
            "IncompleteSignature",
            "Credential must have exactly 5 slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got '{credential[:200]}'",
        )
    return Scope(*parts[:4])
