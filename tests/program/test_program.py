"""Programs as text and as difference: every statement type has a line that says all of it."""

from __future__ import annotations

from typing import get_args

import pytest

from gureum.program import (
    Address,
    Attachment,
    AttachmentTable,
    Beyond,
    Blackhole,
    Choice,
    Filter,
    Foot,
    Gateway,
    GlobalAddress,
    GlobalPrefix,
    Guard,
    Host,
    InnerHost,
    InnerPort,
    InnerSegment,
    InternetHost,
    Local,
    Machine,
    Member,
    Mirror,
    Mirrored,
    Nat64,
    Peering,
    Port,
    Program,
    PublicAddress,
    Published,
    Range,
    Recorded,
    RecordedLink,
    Route,
    Router,
    Rule,
    Segment,
    SegmentFilter,
    SegmentMode,
    SegmentTable,
    Served,
    Service,
    Statement,
    Table,
    Target,
    Transit,
    TransitPeering,
    Translator,
    Uplink,
    ViaAttachment,
    ViaPeering,
    ViaPort,
    ViaTransit,
    ViaUplink,
    diff,
    render,
)
from gureum.program.program import line

SEGMENT = Segment("subnet-1", "vpc-1", "10.0.1.0/24", "10.0.1.1", "02:00:00:00:00:01")
PORT = Port("eni-1", SEGMENT, "i-1", 0, "02:00:00:00:00:02")
TABLE = Table("rtb-1", "vpc-1", 1)

INNER = InnerSegment("n-1", "i-1", "docker0", "172.17.0.0/16", "172.17.0.1")
CHOICE = Choice("tmfr-1", True, 17, "10.0.0.0/8", "0.0.0.0/0", target_ports=(53, 53))
MIRROR = Mirror("tms-1", 5, "10.0.1.9", 7, None, (), (CHOICE,), names=True)
LINES: list[tuple[Statement, str]] = [
    (Router("vpc-1"), "Router id=vpc-1 ipv6=False"),
    (
        SEGMENT,
        (
            "Segment id=subnet-1 router=vpc-1 cidr=10.0.1.0/24 gateway=10.0.1.1 "
            "mac=02:00:00:00:00:01 cidr6="
        ),
    ),
    (SegmentMode(SEGMENT, "hub"), "SegmentMode segment=subnet-1 mode=hub"),
    (
        Host("i-1", "instance", "vpc-1", "web"),
        "Host id=i-1 kind=instance router=vpc-1 name=web",
    ),
    (PORT, "Port id=eni-1 segment=subnet-1 host=i-1 index=0 mac=02:00:00:00:00:02"),
    (
        Address(PORT, "10.0.1.4", True),
        "Address port=eni-1 ip=10.0.1.4 primary=True delegated=False",
    ),
    (Gateway("igw-1"), "Gateway id=igw-1 egress_only=False"),
    (
        Peering("pcx-1", ("vpc-1", "vpc-2"), (("10.0.0.0/16",), ("10.1.0.0/16", "10.2.0.0/16"))),
        "Peering id=pcx-1 routers=[vpc-1 vpc-2] cidrs=[[10.0.0.0/16] [10.1.0.0/16 10.2.0.0/16]]",
    ),
    (Transit("tgw-1"), "Transit id=tgw-1"),
    (
        Attachment("att", "tgw", "vpc-1", (("a", "M"),)),
        "Attachment id=att transit=tgw router=vpc-1 feet=[[a M]] ipv6=False appliance=False",
    ),
    (
        TransitPeering("tgw-attach-2", ("tgw-1", "tgw-2")),
        "TransitPeering id=tgw-attach-2 transits=[tgw-1 tgw-2]",
    ),
    (
        Served("tgw-attach-1", SEGMENT, "a"),
        "Served attachment=tgw-attach-1 segment=subnet-1 zone=a",
    ),
    (
        Foot("a", "b", SEGMENT, "M", TABLE, "in", None),
        "Foot attachment=a zone=b segment=subnet-1 mac=M table=rtb-1 filter_in=in filter_out=None",
    ),
    (
        AttachmentTable("tgw-attach-1", Table("tgw-rtb-1", "tgw-1", 1)),
        "AttachmentTable attachment=tgw-attach-1 table=tgw-rtb-1",
    ),
    (Uplink("vpc-1", "igw-1"), "Uplink router=vpc-1 gateway=igw-1"),
    (
        Service("vpc-1", "dns", "10.0.0.2", 17, 53),
        "Service router=vpc-1 name=dns ip=10.0.0.2 protocol=17 port=53",
    ),
    (InternetHost("me", "198.19.0.1"), "InternetHost name=me ip=198.19.0.1 ip6="),
    (Range("vpc-1", "10.0.0.0/16"), "Range router=vpc-1 cidr=10.0.0.0/16"),
    (TABLE, "Table id=rtb-1 router=vpc-1 number=1"),
    (SegmentTable(SEGMENT, TABLE), "SegmentTable segment=subnet-1 table=rtb-1"),
    (
        Route(TABLE, "10.0.0.0/16", Local()),
        "Route table=rtb-1 destination=10.0.0.0/16 target=Local()",
    ),
    (
        Filter(
            "sg-1/in",
            "vpc-1",
            "in",
            True,
            (
                Rule("sgr-1", True, 6, (80, 81), None, "0.0.0.0/0", True),
                Rule("sgr-2", False, 1, None, (8, -1), "sg-2"),
            ),
            "sg:sg-1",
        ),
        (
            "Filter id=sg-1/in router=vpc-1 direction=in stateful=True "
            "rules=[Rule(sgr-1,True,6,[80 81],None,0.0.0.0/0,True) "
            "Rule(sgr-2,False,1,None,[8 -1],sg-2,False)] default=sg:sg-1 ipv6=False"
        ),
    ),
    (Member("vpc-1", "sg-1", "10.0.1.4"), "Member router=vpc-1 group=sg-1 ip=10.0.1.4"),
    (
        Guard(PORT, ("10.0.1.4", "10.0.1.5"), False, "sg-1/in", None),
        (
            "Guard port=eni-1 addresses=[10.0.1.4 10.0.1.5] forwarding=False filter_in=sg-1/in "
            "filter_out=None"
        ),
    ),
    (
        Recorded(PORT, ("10.0.1.4", "10.0.1.5")),
        "Recorded port=eni-1 addresses=[10.0.1.4 10.0.1.5]",
    ),
    (RecordedLink("tgw-attach-1", "tgw-1"), "RecordedLink attachment=tgw-attach-1 transit=tgw-1"),
    (
        Mirrored(PORT, ("10.0.1.4",), "10.0.1.4", (MIRROR,)),
        (
            "Mirrored port=eni-1 addresses=[10.0.1.4] ip=10.0.1.4 mirrors=[Mirror(tms-1,5,"
            "10.0.1.9,7,None,[],[Choice(tmfr-1,True,17,10.0.0.0/8,0.0.0.0/0,None,[53 53])],True)]"
        ),
    ),
    (
        SegmentFilter(SEGMENT, "acl-1/in", "acl-1/out"),
        "SegmentFilter segment=subnet-1 filter_in=acl-1/in filter_out=acl-1/out",
    ),
    (
        PublicAddress("igw-1", "vpc-1", "10.0.1.4", "198.18.0.9"),
        "PublicAddress gateway=igw-1 router=vpc-1 private=10.0.1.4 public=198.18.0.9",
    ),
    (
        GlobalAddress("igw-1", "vpc-1", "3fff::4"),
        "GlobalAddress gateway=igw-1 router=vpc-1 ip=3fff::4",
    ),
    (GlobalPrefix("eigw-1", SEGMENT), "GlobalPrefix gateway=eigw-1 segment=subnet-1"),
    (Translator(PORT, "10.0.1.4"), "Translator port=eni-1 ip=10.0.1.4 others=[]"),
    (Nat64(PORT, "10.0.1.4"), "Nat64 port=eni-1 ip=10.0.1.4"),
    (
        Machine(
            "i-1",
            "ami-1",
            "web",
            "10.0.1.4",
            ("10.0.0.2",),
            ("a", "b"),
            2,
            512,
            3,
            ("ssh-rsa A",),
            "",
        ),
        (
            "Machine id=i-1 image=ami-1 hostname=web ip=10.0.1.4 resolvers=[10.0.0.2] "
            "search=[a b] cpus=2 memory=512 boot=3 keys=[ssh-rsa A] user_data= volumes=[] disk= "
            "root="
        ),
    ),
    (
        INNER,
        (
            "InnerSegment id=n-1 host=i-1 name=docker0 cidr=172.17.0.0/16 gateway=172.17.0.1 "
            "closed=False"
        ),
    ),
    (InnerHost("c-1", "i-1", "web"), "InnerHost id=c-1 host=i-1 name=web"),
    (
        InnerPort(INNER, "c-1", 0, "172.17.0.2", "02:42:ac:11:00:02", True),
        "InnerPort segment=n-1 owner=c-1 index=0 ip=172.17.0.2 mac=02:42:ac:11:00:02 gateway=True",
    ),
    (
        Published(INNER, "c-1", "", 6, 80, "172.17.0.2", 8080),
        "Published segment=n-1 owner=c-1 address= protocol=6 port=80 ip=172.17.0.2 to_port=8080",
    ),
]


@pytest.mark.parametrize(("statement", "text"), LINES, ids=lambda item: type(item).__name__)
def test_a_line(statement: Statement, text: str) -> None:
    assert line(statement) == text


def test_every_statement_type_has_a_line_here() -> None:
    assert {type(statement) for statement, _ in LINES} == set(get_args(Statement))


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (
            ViaPort("eni-1", SEGMENT, "10.0.1.4", "02:00:00:00:00:02"),
            "ViaPort(eni-1,subnet-1,10.0.1.4,02:00:00:00:00:02)",
        ),
        (ViaUplink("igw-1"), "ViaUplink(igw-1)"),
        (ViaPeering("pcx-1", "vpc-2"), "ViaPeering(pcx-1,vpc-2)"),
        (Beyond("vgw-1"), "Beyond(vgw-1)"),
        (ViaTransit("tgw-1", "tgw-attach-1"), "ViaTransit(tgw-1,tgw-attach-1)"),
        (ViaAttachment("tgw-attach-1", "vpc-2"), "ViaAttachment(tgw-attach-1,vpc-2)"),
        (Blackhole("nat-1"), "Blackhole(nat-1)"),
    ],
)
def test_targets(target: Target, text: str) -> None:
    assert line(Route(TABLE, "0.0.0.0/0", target)).endswith(f" target={text}")


def test_rendered_sorted_with_whys() -> None:
    program = Program(
        7,
        {
            Uplink("vpc-1", "igw-1"): frozenset({"igw-1", "eipalloc-1"}),
            Router("vpc-2"): frozenset(),
            Router("vpc-1"): frozenset({"vpc-1"}),
        },
    )
    assert render(program) == (
        "Router id=vpc-1 ipv6=False  # vpc-1\n"
        "Router id=vpc-2 ipv6=False  # \n"
        "Uplink router=vpc-1 gateway=igw-1  # eipalloc-1 igw-1\n"
    )
    assert render(Program()) == ""


def test_differences_are_about_statements_only() -> None:
    old = Program(1, {Router("vpc-1"): frozenset({"a"}), Gateway("igw-1"): frozenset()})
    new = Program(2, {Router("vpc-1"): frozenset({"b"}), Gateway("igw-2"): frozenset()})
    added, removed = diff(old, new)
    assert added == frozenset({Gateway("igw-2")})
    assert removed == frozenset({Gateway("igw-1")})
    assert diff(new, new) == (frozenset(), frozenset())


def test_statements_are_equal_by_all_that_they_embed() -> None:
    other = Segment("subnet-1", "vpc-1", "10.0.1.0/24", "10.0.1.1", "02:00:00:00:00:99")
    assert Address(PORT, "10.0.1.4", True) != Address(
        Port("eni-1", other, "i-1", 0, "02:00:00:00:00:02"), "10.0.1.4", True
    )
