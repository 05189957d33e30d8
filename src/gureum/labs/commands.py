"""API calls as lines for a shell that has the AWS CLI."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gureum.labs.lab import Call, meant

_WORD = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_VARIABLE = re.compile(r"(?<=\")(\$\w+)(?=\")")

_FLAGS = {
    ("ModifyNetworkInterfaceAttribute", "SourceDestCheck"): "source-dest-check",
    ("ModifyInstanceAttribute", "SourceDestCheck"): "source-dest-check",
}
"""Structures around one truth value that the CLI makes options of."""

_WAITS = {
    "DeleteNatGateway": ("nat-gateway-deleted --nat-gateway-ids", "NatGatewayId"),
    "StartInstances": ("instance-running --instance-ids", "InstanceIds"),
}
"""What has to be waited for before the next command, and the parameter that says of whom."""


def commands(calls: Iterable[Call], known: Mapping[str, str]) -> list[str]:
    """The calls as commands, with the ids that are known; what a call makes known is kept in a
    variable of the shell.

    Raises:
        Unknown: a name that is neither.
    """
    lines: list[str] = []
    made = dict(known)
    for call in calls:
        line = f"aws ec2 {kebab(call.do)} {' '.join(_options(call, made))}".rstrip()
        lines += _keeping(line, call.keep)
        if call.do in _WAITS:
            words, whose = _WAITS[call.do]
            lines.append(f"aws ec2 wait {words} {_word(meant(call.params[whose], made))}")
        made |= {name: f"${_variable(name)}" for name in call.keep}
    return lines


def _keeping(line: str, keep: Mapping[str, str]) -> Iterator[str]:
    """A command, with what it makes known kept in variables."""
    if not keep:
        yield line
        return
    names, paths = [_variable(name) for name in keep], list(keep.values())
    query = paths[0] if len(paths) == 1 else f"[{', '.join(paths)}]"
    first = names[0] if len(names) == 1 else "answer"
    yield f"{first}=$({line} --query {shlex.quote(query)} --output text)"
    if len(names) > 1:
        yield f'read -r {" ".join(names)} <<<"$answer"'


def kebab(name: str) -> str:
    """``AllocateAddress`` as ``allocate-address``."""
    return _WORD.sub("-", name).lower()


def _variable(name: str) -> str:
    return name.replace("-", "_")


def _options(call: Call, known: Mapping[str, str]) -> Iterator[str]:
    given = dict(call.params)
    least, most = given.pop("MinCount", 1), given.pop("MaxCount", 1)
    if (least, most) != (1, 1):
        yield f"--count {least}:{most}"
    for name, value in given.items():
        flag = _FLAGS.get((call.do, name))
        if flag is not None:
            yield _switch(flag, on=value["Value"])
        elif call.do == "CreateNetworkAclEntry" and name == "Egress":
            yield "--egress" if value else "--ingress"
        elif name == "UserData":  # the CLI encodes it
            yield f"--user-data {_script(base64.b64decode(value).decode())}"
        elif isinstance(value, bool):
            yield _switch(kebab(name), on=value)
        else:
            yield f"--{kebab(name)} {_word(meant(value, known))}"


def _switch(name: str, *, on: bool) -> str:
    return f"--{name}" if on else f"--no-{name}"


def _script(text: str) -> str:
    """Lines as one word (bash(1), "QUOTING": ANSI-C)."""
    for plain, escaped in (("\\", "\\\\"), ("'", "\\'"), ("\n", "\\n")):
        text = text.replace(plain, escaped)
    return f"$'{text}'"


def _word(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(_quoted(each) for each in value)
    if isinstance(value, (dict, list)):
        # A variable inside of JSON: the quotes end before it and begin again behind it.
        return _VARIABLE.sub(r"""'"\1"'""", shlex.quote(json.dumps(value)))
    return _quoted(str(value))


def _quoted(text: str) -> str:
    """A word of the shell; one that begins with ``$`` is a variable."""
    return text if text.startswith("$") else shlex.quote(text)
