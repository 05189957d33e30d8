"""Dockerfiles: their instructions, read strictly, and what those that set something set.

Heredocs, several stages and instructions of BuildKit are refused by name.  Source: Docker,
"Dockerfile reference".
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from gureum.images.config import ImageConfig
from gureum.images.errors import ImageError

KNOWN = frozenset(
    """ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM LABEL MAINTAINER RUN SHELL STOPSIGNAL USER VOLUME
    WORKDIR""".split()  # noqa: SIM905
)
SHELL = ("/bin/sh", "-c")
SUBSTITUTED = frozenset("ADD COPY ENV EXPOSE FROM LABEL STOPSIGNAL USER VOLUME WORKDIR".split())  # noqa: SIM905

_VARIABLE = re.compile(
    r"\\(?P<plain>\$)|\$(?:(?P<name>[A-Za-z_]\w*)"
    r"|\{(?P<long>[A-Za-z_]\w*)(?::(?P<how>[-+])(?P<word>[^}]*))?\})",
    re.ASCII,
)
_PORT = re.compile(r"\d{1,5}(?:/(?:tcp|udp|sctp))?", re.ASCII)
_FLAG = re.compile(r"--([a-z]+)=(\S*)\s*")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One: its ``name`` in capitals, ``flags``, and the ``rest``; ``words`` are those of a JSON
    list, None if it is none.  ``text`` is the whole as it was written, in one line."""

    name: str
    flags: Mapping[str, str]
    rest: str
    words: tuple[str, ...] | None
    text: str


def read_dockerfile(text: str) -> list[Instruction]:
    """The instructions, the first of which are ARG and one FROM.

    Raises:
        ImageError: it is none, or has what is not known here.
    """
    found = [read_instruction(line) for line in _lines(text)]
    names = [each.name for each in found]
    if names.count("FROM") != 1:
        raise ImageError("a Dockerfile has one FROM here: several stages are not known")
    if any(name != "ARG" for name in names[: names.index("FROM")]):
        raise ImageError("no build stage in current context: only ARG may come before FROM")
    return found


def _lines(text: str) -> Iterator[str]:
    begun = ""
    for row in text.splitlines():
        if row.lstrip().startswith("#") or (begun and not row.strip()):
            continue
        if row.rstrip().endswith("\\"):
            begun += row.rstrip()[:-1]
            continue
        if (begun + row).strip():
            yield (begun + row).strip()
        begun = ""
    if begun.strip():
        yield begun.strip()


def read_instruction(line: str) -> Instruction:
    """One instruction, in one line.

    Raises:
        ImageError: it is none, or has what is not known here.
    """
    name, _, rest = line.partition(" ")
    name, rest = name.upper(), rest.strip()
    if name not in KNOWN:
        raise ImageError(f"unknown instruction: {name[:40]}")
    if not rest:
        raise ImageError(f"{name} requires at least one argument")
    flags = {}
    while name in ("ADD", "COPY", "FROM", "RUN") and (match := _FLAG.match(rest)):
        flags[match[1]] = match[2]
        rest = rest[match.end() :]
    for flag in flags.keys() - ({"chown", "chmod"} if name in ("ADD", "COPY") else set()):
        raise ImageError(f"{name}: the flag --{flag} is not known here")
    if name in ("ADD", "COPY", "RUN") and re.search(r"<<-?['\"]?\w", rest):
        raise ImageError(f"{name}: heredocs are not known here")
    return Instruction(name, flags, rest, _listed(rest), line)


def _listed(rest: str) -> tuple[str, ...] | None:
    if not rest.startswith("["):
        return None
    try:
        found = json.loads(rest)
    except ValueError:
        return None  # then it is a line for a shell
    good = isinstance(found, list) and all(isinstance(each, str) for each in found)
    return tuple(found) if good else None


def substituted(text: str, values: Mapping[str, str]) -> str:
    """A text with the values of the variables that it names; those without one are empty."""

    def value(match: re.Match[str]) -> str:
        if match["plain"]:
            return "$"
        found = values.get(match["name"] or match["long"], "")
        if match["how"] == "-":
            return found or match["word"]
        if match["how"] == "+":
            return match["word"] if found else ""
        return found

    return _VARIABLE.sub(value, text)


def arguments(step: Instruction, values: Mapping[str, str]) -> list[str]:
    """The words of an instruction, with the values of variables where it may have some.

    Raises:
        ImageError: a quotation does not end.
    """
    try:
        words = list(step.words) if step.words is not None else shlex.split(step.rest)
    except ValueError as error:
        raise ImageError(f"{step.name}: {error}") from None
    change = step.name in SUBSTITUTED
    return [substituted(word, values) for word in words] if change else words


def command(step: Instruction, shell: tuple[str, ...]) -> tuple[str, ...]:
    """What CMD, ENTRYPOINT and RUN run."""
    return step.words if step.words is not None else (*(shell or SHELL), step.rest)


def pairs(step: Instruction, words: list[str]) -> dict[str, str]:
    """``NAME=value …`` or, as of old, ``NAME value``.

    Raises:
        ImageError: it is neither.
    """
    if "=" not in words[0]:
        if len(words) < 2:
            raise ImageError(f"{step.name} must have two arguments")
        return {words[0]: " ".join(words[1:])}
    for word in words:
        if "=" not in word or word.startswith("="):
            raise ImageError(f"Syntax error - can't find = in {word[:80]!r}. Must be of the form: "
                             "name=value")  # fmt: skip
    return {name: value for name, _, value in (word.partition("=") for word in words)}


def configured(config: ImageConfig, step: Instruction, values: Mapping[str, str]) -> ImageConfig:
    """The configuration after an instruction that sets something.

    Raises:
        ImageError: it says what cannot be.
    """
    act = _SETTERS.get(step.name)
    if act is None:
        raise ImageError(f"{step.name} cannot be changed so")
    return act(config, step, arguments(step, values))


def _env(config: ImageConfig, step: Instruction, words: list[str]) -> ImageConfig:
    known = dict(each.partition("=")[::2] for each in config.env)
    known |= pairs(step, words)
    return replace(config, env=tuple(f"{name}={value}" for name, value in known.items()))


def _label(config: ImageConfig, step: Instruction, words: list[str]) -> ImageConfig:
    return replace(config, labels={**config.labels, **pairs(step, words)})


def _expose(config: ImageConfig, _step: Instruction, words: list[str]) -> ImageConfig:
    for word in words:
        if _PORT.fullmatch(word) is None:
            raise ImageError(f"Invalid containerPort: {word[:40]}")
    ports = {word if "/" in word else f"{word}/tcp" for word in words}
    return replace(config, exposed_ports=tuple(sorted({*config.exposed_ports, *ports})))


def _volume(config: ImageConfig, _step: Instruction, words: list[str]) -> ImageConfig:
    return replace(config, volumes=tuple(sorted({*config.volumes, *words})))


def _workdir(config: ImageConfig, _step: Instruction, words: list[str]) -> ImageConfig:
    path = words[0] if words[0].startswith("/") else f"{config.working_dir or ''}/{words[0]}"
    return replace(config, working_dir=path)


def _cmd(config: ImageConfig, step: Instruction, _words: list[str]) -> ImageConfig:
    return replace(config, cmd=command(step, config.shell))


def _entrypoint(config: ImageConfig, step: Instruction, _words: list[str]) -> ImageConfig:
    return replace(config, entrypoint=command(step, config.shell), cmd=())


def _shell(config: ImageConfig, step: Instruction, _words: list[str]) -> ImageConfig:
    if not step.words:
        raise ImageError("SHELL requires the arguments to be in JSON form")
    return replace(config, shell=step.words)


def _same(config: ImageConfig, _step: Instruction, _words: list[str]) -> ImageConfig:
    return config


_SETTERS: dict[str, Callable[[ImageConfig, Instruction, list[str]], ImageConfig]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "LABEL": _label,
    "MAINTAINER": _same,
    "SHELL": _shell,
    "STOPSIGNAL": lambda config, _step, words: replace(config, stop_signal=words[0]),
    "USER": lambda config, _step, words: replace(config, user=words[0]),
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
