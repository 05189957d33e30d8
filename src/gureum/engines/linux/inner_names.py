"""Sockets for the name server of a container, which it has at 127.0.0.11.

They listen at ports that the kernel chooses, and the container's own kernel leads port 53 there: so
the container may have a name server of its own at port 53, as with Docker.

Source: moby, ``libnetwork/resolver_unix.go``.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack

from gureum.engines.linux.inner import Spaces
from gureum.engines.linux.lower_inner import container_namespace
from gureum.engines.linux.nft import NftError

ADDRESS = "127.0.0.11"
PORT = 53
_BACKLOG = 16
_TABLE = "docker_names"
_RULES = """
table ip {table}
delete table ip {table}
table ip {table} {{
    chain out {{
        type nat hook output priority -100;
        ip daddr {address} udp dport {port} dnat to {address}:{udp}
        ip daddr {address} tcp dport {port} dnat to {address}:{tcp}
    }}
}}
"""


class NameSockets:
    """Makes sockets in the namespaces of containers.  To be used from one thread."""

    def __init__(self, tag: str) -> None:
        self._spaces = Spaces(tag)

    def listen(self, container: str) -> tuple[socket.socket, socket.socket]:
        """Where a container asks for names, by UDP and by TCP.

        Raises:
            OSError: it has no namespace, or that no loopback.
        """
        ns = container_namespace(container)
        with ExitStack() as stack:
            nft = self._spaces.nft(ns)
            with self._spaces.inside(ns):
                udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                tcp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
                for each in (udp, tcp):
                    each.setblocking(False)
                    each.bind((ADDRESS, 0))
                tcp.listen(_BACKLOG)
                try:
                    nft.run(_RULES.format(
                        table=_TABLE, address=ADDRESS, port=PORT,
                        udp=udp.getsockname()[1], tcp=tcp.getsockname()[1],
                    ))  # fmt: skip
                except NftError as error:
                    raise OSError(f"{ns}: {error}") from None
            stack.pop_all()
        return udp, tcp

    def outgoing(self, container: str, kind: socket.SocketKind) -> socket.socket:
        """A socket that a container could have to ask somebody outside.

        Raises:
            OSError: it has no namespace.
        """
        with self._spaces.inside(container_namespace(container)):
            made = socket.socket(socket.AF_INET, kind)
        made.setblocking(False)
        return made

    def forget(self, container: str) -> None:
        """Close what is open of a container's namespace."""
        self._spaces.forget(container_namespace(container))

    def close(self) -> None:
        """Close all that is open but the sockets."""
        self._spaces.close()
