"""Session tokens of the metadata service (IMDSv2).

A token says until when and for which boot of which instance it is good, and carries a signature of
that by a key which this process drew and keeps to itself.  So tokens take up no memory, however
many an instance asks for, and none is good in another instance.

Source: EC2 User Guide, "Use the Instance Metadata Service".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import struct
from collections.abc import Callable

SECONDS = range(1, 21601)
"""How long a token may live."""

_SAID = struct.Struct("!d2s")
"""Until when it is good, and two random bytes: base64 then has no bits that nobody looks at."""

_SIZE = _SAID.size + hashlib.sha256().digest_size


class Tokens:
    """Gives out tokens and knows its own again.  ``clock`` counts seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def issue(self, whose: str, seconds: int) -> str:
        """A token of ``whose``, good for so many seconds."""
        said = _SAID.pack(self._clock() + seconds, secrets.token_bytes(2))
        return base64.urlsafe_b64encode(said + self._signature(whose, said)).decode()

    def remaining(self, whose: str, token: str) -> int | None:
        """Seconds for which a token is still good; None if it is not."""
        try:
            raw = base64.b64decode(token.encode("ascii"), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(raw) != _SIZE:
            return None
        said, signature = raw[: _SAID.size], raw[_SAID.size :]
        if not hmac.compare_digest(signature, self._signature(whose, said)):
            return None
        left: float = _SAID.unpack(said)[0] - self._clock()
        return int(left) if left > 0 else None

    def _signature(self, whose: str, said: bytes) -> bytes:
        return hmac.digest(self._key, said + whose.encode(), "sha256")
