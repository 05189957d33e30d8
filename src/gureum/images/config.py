"""The configuration of an image: what a container made from it runs, as whom, with what around it.

Source: OCI Image Format Specification, ``config.md``; ``Healthcheck``, ``Shell`` and ``OnBuild``
are Docker's additions ("Docker Image Specification v1.2").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gureum.images.errors import ImageError


@dataclass(frozen=True, slots=True)
class Healthcheck:
    """How to find out whether a container does its work.  ``test`` begins with ``CMD``,
    ``CMD-SHELL`` or ``NONE``; times are in nanoseconds as they are stored, and 0, as ``retries``,
    if the image leaves them to the engine."""

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    retries: int = 0


@dataclass(frozen=True, slots=True)
class ImageConfig:
    """What an image says of its containers.

    ``env`` are ``NAME=value``, ``exposed_ports`` ``80/tcp``, ``volumes`` absolute folders,
    ``user`` is ``name``, ``uid`` or either with ``:group``; ``on_build`` are instructions for those
    builds that begin with the image.  Empty strings and tuples are what the image does not say.
    """

    env: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    shell: tuple[str, ...] = ()
    on_build: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """One step of an image's making; ``empty`` steps made no layer."""

    created: str = ""
    created_by: str = ""
    comment: str = ""
    empty: bool = False


def read_config(stored: Mapping[str, Any]) -> ImageConfig:
    """The member ``config`` of a stored image configuration.

    Raises:
        ImageError: a member has another type than the specification gives it.
    """
    check = stored.get("Healthcheck")
    return ImageConfig(
        env=_texts(stored, "Env"),
        entrypoint=_texts(stored, "Entrypoint"),
        cmd=_texts(stored, "Cmd"),
        user=_text(stored, "User"),
        working_dir=_text(stored, "WorkingDir"),
        exposed_ports=tuple(sorted(_mapping(stored, "ExposedPorts"))),
        volumes=tuple(sorted(_mapping(stored, "Volumes"))),
        labels={str(name): str(value) for name, value in _mapping(stored, "Labels").items()},
        stop_signal=_text(stored, "StopSignal"),
        healthcheck=_healthcheck(check) if isinstance(check, dict) else None,
        shell=_texts(stored, "Shell"),
        on_build=_texts(stored, "OnBuild"),
    )


def write_config(config: ImageConfig) -> dict[str, Any]:
    """The other way round; what is empty is left out."""
    check = config.healthcheck
    whole: dict[str, Any] = {
        "User": config.user,
        "ExposedPorts": {port: {} for port in config.exposed_ports},
        "Env": list(config.env),
        "Entrypoint": list(config.entrypoint),
        "Cmd": list(config.cmd),
        "Volumes": {volume: {} for volume in config.volumes},
        "WorkingDir": config.working_dir,
        "Labels": dict(config.labels),
        "StopSignal": config.stop_signal,
        "Healthcheck": check
        and {
            "Test": list(check.test),
            "Interval": check.interval,
            "Timeout": check.timeout,
            "StartPeriod": check.start_period,
            "Retries": check.retries,
        },
        "Shell": list(config.shell),
        "OnBuild": list(config.on_build),
    }
    return {name: value for name, value in whole.items() if value}


def read_history(stored: Sequence[Any]) -> tuple[History, ...]:
    """The member ``history`` of a stored image configuration; steps that are no objects are left
    out."""
    return tuple(
        History(
            created=_text(step, "created"),
            created_by=_text(step, "created_by"),
            comment=_text(step, "comment"),
            empty=step.get("empty_layer") is True,
        )
        for step in stored
        if isinstance(step, dict)
    )


def write_history(history: Sequence[History]) -> list[dict[str, Any]]:
    """The other way round."""
    return [
        {"created": step.created, "created_by": step.created_by, "comment": step.comment}
        | ({"empty_layer": True} if step.empty else {})
        for step in history
    ]


def _healthcheck(stored: Mapping[str, Any]) -> Healthcheck:
    return Healthcheck(
        test=_texts(stored, "Test"),
        interval=_number(stored, "Interval"),
        timeout=_number(stored, "Timeout"),
        start_period=_number(stored, "StartPeriod"),
        retries=_number(stored, "Retries"),
    )


def _text(stored: Mapping[str, Any], name: str) -> str:
    value = stored.get(name) or ""
    if not isinstance(value, str):
        raise ImageError(f"the image's configuration has {name} {value!r}, which is no text")
    return value


def _texts(stored: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = stored.get(name) or []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ImageError(
            f"the image's configuration has {name} {value!r}, which is no list of texts"
        )
    return tuple(value)


def _mapping(stored: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = stored.get(name) or {}
    if not isinstance(value, dict):
        raise ImageError(f"the image's configuration has {name} {value!r}, which is no object")
    return value


def _number(stored: Mapping[str, Any], name: str) -> int:
    value = stored.get(name) or 0
    if not isinstance(value, int):
        raise ImageError(f"the image's configuration has {name} {value!r}, which is no number")
    return value
