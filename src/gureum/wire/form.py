"""Form parameters as a tree: ``Filter.1.Value.2=x`` is ``{"Filter": {"1": {"Value": …}}}``.

The input is hostile until proved otherwise: size, number and depth of parameters are limited, and
what no XML answer could ever say again is refused here.
"""

from __future__ import annotations

import re
from typing import TypeAlias
from urllib.parse import parse_qsl

from gureum.errors import ApiError

MAX_BYTES = 1 << 20
"""Of the body and the query together.  The largest honest request is some 100 kB (user data,
which AWS limits to 16 kB before base64, or a thousand ids)."""
MAX_PARAMETERS = 10_000
MAX_DEPTH = 32
"""Segments of one name; the deepest in the ec2 model has about half as many."""
MAX_NAME = 1_000

Node: TypeAlias = "str | dict[str, Node]"
Tree: TypeAlias = dict[str, Node]

_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def pairs(query: str, body: bytes) -> dict[str, str]:
    """The parameters of a query string and a form body, decoded.

    Raises:
        ApiError: ``MalformedQueryString``, ``InvalidCharacter``, or ``RequestEntityTooLarge``.
    """
    if len(query) + len(body) > MAX_BYTES:
        raise ApiError(
            "RequestEntityTooLarge", f"The request is larger than {MAX_BYTES} bytes", 413
        )
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise _malformed("The request body is not UTF-8") from None
    found: dict[str, str] = {}
    for source in (query, text):
        for name, value in parsed(source):
            if name in found:
                raise _malformed(f"The parameter {name} was specified more than once")
            found[name] = value
    if len(found) > MAX_PARAMETERS:
        raise _malformed(f"The request has more than {MAX_PARAMETERS} parameters")
    return found


def parsed(text: str) -> list[tuple[str, str]]:
    """The names and values of a query or form, in order.

    Raises:
        ApiError: as :func:`pairs`.
    """
    text = text.strip("\r\n")
    if not text:
        return []
    if _BAD_ESCAPE.search(text):
        raise _malformed("The query string contains a syntax error")
    try:
        found = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MAX_PARAMETERS
        )
    except UnicodeDecodeError:
        raise _malformed("The query string is not UTF-8") from None
    except ValueError:
        raise _malformed(f"The request has more than {MAX_PARAMETERS} parameters") from None
    for name, value in found:
        if len(name) > MAX_NAME:
            raise _malformed("The name of a parameter is too long")
        if _NOT_XML.search(name) or _NOT_XML.search(value):
            raise ApiError(
                "InvalidCharacter",
                f"The parameter {_NOT_XML.sub('?', name)} contains an invalid character",
            )
    return found


def tree(parameters: dict[str, str]) -> Tree:
    """The parameters nested by the dots in their names.

    Raises:
        ApiError: ``InvalidQueryParameter`` where one name is both a value and a structure, or a
            name is empty in places; ``MalformedQueryString`` where it is nested too deep.
    """
    root: Tree = {}
    for name, value in parameters.items():
        segments = name.split(".")
        if len(segments) > MAX_DEPTH:
            raise _malformed(f"The parameter {name} is nested too deep")
        if "" in segments:
            raise ApiError("InvalidQueryParameter", f"The parameter name '{name}' is malformed")
        branch = root
        for segment in segments[:-1]:
            below = branch.setdefault(segment, {})
            if isinstance(below, str):
                raise _both(name)
            branch = below
        if segments[-1] in branch:
            raise _both(name)
        branch[segments[-1]] = value
    return root


def _both(name: str) -> ApiError:
    return ApiError(
        "InvalidQueryParameter", f"The parameter {name} is given both as a value and as a structure"
    )


def _malformed(message: str) -> ApiError:
    return ApiError("MalformedQueryString", message)
