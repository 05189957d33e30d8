"""A cloud as a list of API calls that is data: it can be drawn, stored, shortened and made again.

A call is ``{"do": action, "with": parameters, "as": {name: path}}``: the value at ``path`` of the
answer (JMESPath, in which known names in braces stand for their values) is known as ``$name`` in
the calls and questions after it.  A call that names what is not there, or that is refused, is left
out, so that any part of a list is a list too.  ``{"forward": name}`` is no call: it lets that
instance pass packets on; nor is ``{"settle": true}``: what is pending becomes available.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import jmespath

from gureum.errors import ApiError
from gureum.labs import Unknown, meant
from gureum.program import InternetHost, Statement
from tests.conftest import Cloud
from tests.resources.building import settle

ApiCall: TypeAlias = dict[str, Any]

HOSTS = {
    "mirror": InternetHost("mirror", "198.19.0.20", "3fff:800::20"),
    "stranger": InternetHost("stranger", "198.19.0.30", "3fff:800::30"),
}


class Replay:
    """A cloud made from calls; ``known`` are the names with their values here, ``refused`` the
    calls that were left out."""

    def __init__(self, calls: list[ApiCall]) -> None:
        self.cloud = Cloud()
        self.known: dict[str, str] = {host.name: host.ip for host in HOSTS.values()}
        self.known |= {f"{host.name}6": host.ip6 for host in HOSTS.values()}
        self.refused: list[tuple[ApiCall, str]] = []
        self.forwarders = [call["forward"] for call in calls if "forward" in call]
        for call in calls:
            if "settle" in call:
                settle(self.cloud)
            elif "forward" not in call:
                self._do(call)

    def _do(self, call: ApiCall) -> None:
        try:
            answer = self.cloud.call(call["do"], **self.meant(call["with"]))
            found = {
                name: jmespath.search(path.format(**self.known), answer)
                for name, path in call["as"].items()
            }
            self.known |= {name: value for name, value in found.items() if value}
        except (KeyError, Unknown, ApiError) as error:
            self.refused.append((call, str(error)))

    def meant(self, value: Any) -> Any:
        """A value with the names in it replaced.

        Raises:
            Unknown: a name that is not known.
        """
        return meant(value, self.known)

    def statements(self) -> set[Statement]:
        """The network that the calls make, with hosts on the internet."""
        return {*self.cloud.program().statements, *HOSTS.values()}
