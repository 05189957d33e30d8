"""Dockerfiles: their stages and instructions, read strictly, and what those that set something set.

What only BuildKit knows (heredocs, ``--mount``, ``--chmod``) is refused by name.  Sources: Docker,
"Dockerfile reference"; moby, ``builder/dockerfile``.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from gureum.images.config import Healthcheck, ImageConfig
from gureum.images.errors import ImageError

KNOWN = frozenset(
    """ADD ARG CMD COPY ENTRYPOINT ENV EXPOSE FROM HEALTHCHECK LABEL MAINTAINER ONBUILD RUN SHELL
    STOPSIGNAL USER VOLUME WORKDIR""".split()  # noqa: SIM905
)
SHELL = ("/bin/sh", "-c")
SUBSTITUTED = frozenset("ADD COPY ENV EXPOSE FROM LABEL STOPSIGNAL USER VOLUME WORKDIR".split())  # noqa: SIM905

_VARIABLE = re.compile(
    r"\\(?P<plain>\$)|\$(?:(?P<name>[A-Za-z_]\w*)"
    r"|\{(?P<long>[A-Za-z_]\w*)(?::(?P<how>[-+])(?P<word>[^}]*))?\})",
    re.ASCII,
)
_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?", re.ASCII)
_FLAG = re.compile(r"--([a-z-]+)(?:=(\S*))?(?:\s+|$)")
_FLAGS = {
    "ADD": frozenset({"chown"}),
    "COPY": frozenset({"chown", "from"}),
    "FROM": frozenset({"platform"}),
    "HEALTHCHECK": frozenset({"interval", "timeout", "start-period", "retries"}),
    "RUN": frozenset[str](),
}
_BUILDKIT = frozenset(
    """checksum chmod exclude keep-git-dir link mount network parents security
    start-interval""".split()  # noqa: SIM905
)
_STAGE = re.compile(r"[a-z][a-z0-9_.-]*", re.ASCII)
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_NANOSECONDS = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9,
                "h": 3600 * 10**9}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instruction:
    """One: its ``name`` in capitals, ``flags``, and the ``rest``; ``words`` are those of a JSON
    list, None if it is none.  ``text`` is the whole as it was written, in one line."""

    name: str
    flags: Mapping[str, str]
    rest: str
    words: tuple[str, ...] | None
    text: str


@dataclass(frozen=True, slots=True)
class Stage:
    """What one FROM begins: ``start`` is that, ``base`` the image or earlier stage as it is written
    there, ``name`` what the stage is called, empty if it is not."""

    start: Instruction
    base: str
    name: str
    steps: tuple[Instruction, ...]


@dataclass(frozen=True, slots=True)
class Dockerfile:
    """ARGs for the bases of all stages, and the stages."""

    arguments: tuple[Instruction, ...]
    stages: tuple[Stage, ...]

    def until(self, target: str) -> Dockerfile:
        """Without the stages after the one that is called so; all of it if that is empty.

        Raises:
            ImageError: no stage is called so.
        """
        if not target:
            return self
        names = [stage.name for stage in self.stages]
        if target.lower() not in names:
            raise ImageError(f'target stage "{target[:80]}" could not be found')
        return replace(self, stages=self.stages[: names.index(target.lower()) + 1])

    @property
    def size(self) -> int:
        """How many instructions there are."""
        return len(self.arguments) + sum(1 + len(stage.steps) for stage in self.stages)


def read_dockerfile(text: str) -> Dockerfile:
    """A Dockerfile.

    Raises:
        ImageError: it is none, or has what is not known here.
    """
    found = [read_instruction(line) for line in _lines(text)]
    starts = [number for number, each in enumerate(found) if each.name == "FROM"]
    if not starts or any(each.name != "ARG" for each in found[: starts[0]]):
        raise ImageError("no build stage in current context")
    ends = [*starts[1:], len(found)]
    stages = [
        _stage(found[start], tuple(found[start + 1 : end]))
        for start, end in zip(starts, ends, strict=True)
    ]
    names = [stage.name for stage in stages if stage.name]
    for name in names:
        if names.count(name) > 1:
            raise ImageError(f"duplicate name {name}")
    return Dockerfile(tuple(found[: starts[0]]), tuple(stages))


def _stage(start: Instruction, steps: tuple[Instruction, ...]) -> Stage:
    base, *more = start.rest.split()
    if not more:
        return Stage(start, base, "", steps)
    if len(more) != 2 or more[0].lower() != "as":
        raise ImageError("FROM requires either one or three arguments")
    name = more[1].lower()
    if _STAGE.fullmatch(name) is None:
        raise ImageError(
            f'invalid name for build stage: "{more[1][:80]}", '
            "name can't start with a number or contain symbols"
        )
    return Stage(start, base, name, steps)


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
    while name in _FLAGS and (match := _FLAG.match(rest)):
        _check_flag(name, match[1])
        flags[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    if not rest:
        raise ImageError(f"{name} requires at least one argument")
    if name in ("ADD", "COPY", "RUN") and re.search(r"<<-?['\"]?\w", rest):
        raise ImageError(f"{name}: heredocs are not known here")
    return Instruction(name, flags, rest, _listed(rest), line)


def _check_flag(name: str, flag: str) -> None:
    if flag in _BUILDKIT:
        raise ImageError(f"the --{flag} option requires BuildKit, which is not here")
    if flag not in _FLAGS[name]:
        raise ImageError(f"{name}: unknown flag: {flag}")


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
    words = [] if step.name in _WHOLE else arguments(step, values)
    return act(config, step, words)


def _env(config: ImageConfig, step: Instruction, words: list[str]) -> ImageConfig:
    known = dict(each.partition("=")[::2] for each in config.env)
    known |= pairs(step, words)
    return replace(config, env=tuple(f"{name}={value}" for name, value in known.items()))


def _label(config: ImageConfig, step: Instruction, words: list[str]) -> ImageConfig:
    return replace(config, labels={**config.labels, **pairs(step, words)})


def _expose(config: ImageConfig, _step: Instruction, words: list[str]) -> ImageConfig:
    ports = set(config.exposed_ports)
    for word in words:
        match = _PORT.fullmatch(word)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if match is None or not first <= last < 1 << 16:
            raise ImageError(f"Invalid containerPort: {word[:40]}")
        ports |= {f"{port}/{match[3] or 'tcp'}" for port in range(first, last + 1)}
    return replace(config, exposed_ports=tuple(sorted(ports)))


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


def _healthcheck(config: ImageConfig, step: Instruction, _words: list[str]) -> ImageConfig:
    kind, _, line = step.rest.partition(" ")
    if kind.upper() == "NONE":
        if line.strip():
            raise ImageError("HEALTHCHECK NONE takes no arguments")
        return replace(config, healthcheck=Healthcheck(("NONE",)))
    if kind.upper() != "CMD":
        raise ImageError(f'Unknown type "{kind[:40]}" in HEALTHCHECK (try CMD)')
    words = _listed(line.strip()) or ()
    if not line.strip():
        raise ImageError("Missing command after HEALTHCHECK CMD")
    return replace(config, healthcheck=Healthcheck(
        ("CMD", *words) if words else ("CMD-SHELL", line.strip()),
        duration(step.flags.get("interval", "")),
        duration(step.flags.get("timeout", "")),
        duration(step.flags.get("start-period", "")),
        _retries(step.flags.get("retries", "")),
    ))  # fmt: skip


def duration(text: str) -> int:
    """Nanoseconds as Go writes them (``1m30s``); 0 for the empty text.

    Raises:
        ImageError: it is no duration, or one below a millisecond.
    """
    found, end = 0.0, 0
    for match in _DURATION.finditer(text):
        if match.start() != end:
            break
        found, end = found + float(match[1]) * _NANOSECONDS[match[2]], match.end()
    if end != len(text):
        raise ImageError(f'invalid duration "{text[:40]}"')
    if text and found < 10**6:
        raise ImageError(f'Interval "{text[:40]}" cannot be less than 1ms')
    return int(found)


def _retries(text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal() or int(text) < 1:
        raise ImageError(f"--retries must be at least 1 (not {text[:40]})")
    return int(text)


def _onbuild(config: ImageConfig, step: Instruction, _words: list[str]) -> ImageConfig:
    later = read_instruction(step.rest)
    if later.name == "ONBUILD":
        raise ImageError("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
    if later.name in ("FROM", "MAINTAINER"):
        raise ImageError(f"{later.name} isn't allowed as an ONBUILD trigger")
    return replace(config, on_build=(*config.on_build, step.rest))


def _same(config: ImageConfig, _step: Instruction, _words: list[str]) -> ImageConfig:
    return config


_WHOLE = frozenset({"CMD", "ENTRYPOINT", "HEALTHCHECK", "MAINTAINER", "ONBUILD", "SHELL"})
"""Those whose text is for somebody else, and may have quotation marks that do not end."""

_SETTERS: dict[str, Callable[[ImageConfig, Instruction, list[str]], ImageConfig]] = {
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _healthcheck,
    "LABEL": _label,
    "MAINTAINER": _same,
    "ONBUILD": _onbuild,
    "SHELL": _shell,
    "STOPSIGNAL": lambda config, _step, words: replace(config, stop_signal=words[0]),
    "USER": lambda config, _step, words: replace(config, user=words[0]),
    "VOLUME": _volume,
    "WORKDIR": _workdir,
}
