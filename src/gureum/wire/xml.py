"""Text in XML 1.0: what must be escaped, and what may not be there at all."""

from __future__ import annotations

import re

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'

_SPECIAL = re.compile("[&<>\"'\r]|[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITIES = {
    "&": "&amp;",
    "<": "&lt;",
    ">": "&gt;",
    '"': "&quot;",
    "'": "&apos;",
    "\r": "&#13;",  # a bare one would be read as a line feed (XML 1.0, 2.11)
}
_REPLACEMENT = "\ufffd"


def escape(text: str) -> str:
    """``text`` as character data; what XML cannot hold (most control characters, surrogates)
    becomes U+FFFD, so that one strange byte of a console does not spoil the whole answer."""
    if not _SPECIAL.search(text):
        return text
    return _SPECIAL.sub(lambda found: _ENTITIES.get(found[0], _REPLACEMENT), text)
