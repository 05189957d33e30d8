"""A small network of both IP versions."""

from __future__ import annotations

from gureum.program import Guard, Member, Port, ViaUplink
from gureum.program.statements import Mode
from tests.kernel.networks import ANY6, Net, allow

VPC = "3fff:1:2:300::/56"
A6, B6, C6 = "3fff:1:2:301::a", "3fff:1:2:301::b", "3fff:1:2:302::c"
NOBODY = "3fff:1:2:301::99"
ROUTER = "fe80::1"


class Dual:
    """Two instances in one subnet, a third in another, all with addresses of both versions."""

    def __init__(self, mode: Mode = "fabric") -> None:
        self.net = Net(cidr6=VPC)
        self.one = self.net.segment("one", "10.0.1.0/24", mode, cidr6="3fff:1:2:301::/64")
        self.two = self.net.segment("two", "10.0.2.0/24", mode, cidr6="3fff:1:2:302::/64")
        self.net.group("open", [allow(), allow(ANY6)])
        self.a = self.net.instance("a", self.one, "10.0.1.10", "open", ip6=A6)
        self.b = self.net.instance("b", self.one, "10.0.1.11", "open", ip6=B6)
        self.c = self.net.instance("c", self.two, "10.0.2.12", "open", ip6=C6)

    def regroup(self, port: Port, group: str, ip: str, ip6: str) -> None:
        """Give an instance another group."""
        old = next(
            each for each in self.net.statements if isinstance(each, Guard) and each.port == port
        )
        self.net.statements -= {old, *(Member("vpc-1", "open", each) for each in (ip, ip6))}
        self.net.add(Guard(port, old.addresses, old.forwarding, f"{group}/in", f"{group}/out"))
        self.net.add(*(Member("vpc-1", group, each) for each in (ip, ip6)))

    def goes_out_by(self, gateway: str) -> None:
        """The first subnet's default route of IPv6 leads to a gateway, which knows `A6`."""
        self.net.route("one", ANY6, ViaUplink(gateway))
        self.net.global_(gateway, self.one, A6)
