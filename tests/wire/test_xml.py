"""Any text becomes well-formed XML, and text that XML can hold is read back unchanged."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from gureum.wire.xml import DECLARATION, escape

ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


@given(st.text(st.characters(codec=None)))
def test_any_text_is_well_formed(text: str) -> None:
    document = f"{DECLARATION}<a>{escape(text)}</a>".encode()
    assert (ElementTree.fromstring(document).text or "") == ILLEGAL.sub("\ufffd", text)


def test_entities() -> None:
    assert escape("a<b>&\"'\r\n") == "a&lt;b&gt;&amp;&quot;&apos;&#13;\n"
