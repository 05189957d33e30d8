"""The processes of an instance, as the abstract network asks for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Machine:
    """The processes of an instance, on the host of the same id.

    ``image`` is an image id, ``cpus`` cores and ``memory`` MiB that it may use, ``boot`` counts its
    starts (a change restarts it), ``keys`` are public keys in OpenSSH form that may log in,
    ``user_data`` is the first-boot script, base64, or empty.  ``hostname`` and ``ip`` stand in its
    hosts file, ``resolvers`` are the addresses of its name servers and ``search`` the domains that
    complete its short names.  ``volumes`` are the names under which it has volumes, and their ids,
    ``disk`` the snapshot that its disk begins with, ``root`` the volume that its disk is: with
    another one it starts with another disk.
    """

    id: str
    image: str
    hostname: str
    ip: str
    resolvers: tuple[str, ...]
    search: tuple[str, ...]
    cpus: int
    memory: int
    boot: int
    keys: tuple[str, ...]
    user_data: str
    volumes: tuple[tuple[str, str], ...] = ()
    disk: str = ""
    root: str = ""
