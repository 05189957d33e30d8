"""Puts the program of a copier or a translator at its link, and reads back which one is there
(tc-bpf(8))."""

from __future__ import annotations

import ctypes
import fcntl
import hashlib
import os
import socket
import struct
from dataclasses import replace

from gureum.engines.linux import ebpf, mirror_program, siit_program
from gureum.engines.linux.items import Copier, Siit
from gureum.engines.linux.netlink import (
    CREATE,
    REPLACE,
    Netlink,
    nested,
    parse,
    string,
    text,
    u32,
)

# linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h
_NEWQDISC, _NEWFILTER, _GETFILTER = 36, 44, 46
_KIND, _OPTIONS = 1, 2
_CLSACT, _CLSACT_HANDLE, _INGRESS = 0xFFFFFFF1, 0xFFFF0000, 0xFFFFFFF2
_FD, _NAME, _FLAGS, _DIRECT = 6, 7, 8, 1
_HANDLE, _PRIORITY, _ALL = 1, 1 << 16, socket.htons(3)
_MESSAGE = struct.Struct("=BxxxiIII")

# linux/sockios.h, linux/ethtool.h
_ETHTOOL, _GET_CHECKSUMS, _SET_CHECKSUMS = 0x8946, 0x16, 0x17
_VALUE, _REQUEST = struct.Struct("=II"), struct.Struct("@16sP16x")

UNKNOWN = -1
"""The VXLAN identifier, or the IP version, of what is not as any should be."""


def put(netlink: Netlink, item: Copier | Siit) -> None:
    """Have copies made, or packets translated, in the namespace of the calling thread.

    Raises:
        OSError: the kernel refused.
    """
    index = socket.if_nametoindex(item.link)
    _checksums(item.source, _SET_CHECKSUMS, 0)
    qdisc = _MESSAGE.pack(0, index, _CLSACT_HANDLE, _CLSACT, 0) + text(_KIND, "clsact")
    netlink.request(_NEWQDISC, qdisc, CREATE | REPLACE)
    fd = ebpf.load(_program(item))
    try:
        head = _MESSAGE.pack(0, index, _HANDLE, _INGRESS, _PRIORITY | _ALL)
        options = (u32(_FD, fd), text(_NAME, _name(item)), u32(_FLAGS, _DIRECT))
        body = head + text(_KIND, "bpf") + nested(_OPTIONS, *options)
        netlink.request(_NEWFILTER, body, CREATE | REPLACE)
    finally:
        os.close(fd)


def observe(netlink: Netlink, wanted: Copier | Siit, index: int) -> Copier | Siit | None:
    """What is at a link: the wanted one, an unknown one, or none; in the namespace of the calling
    thread."""
    body = _MESSAGE.pack(0, index, 0, _INGRESS, 0)
    names = {
        string(parse(options).get(_NAME))
        for message in netlink.dump(_GETFILTER, body)
        if (options := parse(message.body[_MESSAGE.size :]).get(_OPTIONS))
    }
    if not names - {""}:
        return None
    try:
        right = names - {""} == {_name(wanted)} and not _checksums(wanted.source, _GET_CHECKSUMS)
    except OSError:  # there is no source
        right = False
    if right:
        return wanted
    if isinstance(wanted, Copier):
        return replace(wanted, vni=UNKNOWN)
    return replace(wanted, to=UNKNOWN)


def _program(item: Copier | Siit) -> bytes:
    return mirror_program.program(item) if isinstance(item, Copier) else siit_program.program(item)


def _name(item: Copier | Siit) -> str:
    """Programs of one name are the same."""
    return f"gureum-{hashlib.sha256(_program(item)).hexdigest()[:24]}"


def _checksums(link: str, command: int, value: int = 0) -> int:
    """Whether a link takes packets whose checksums are to be filled in yet, and segments of TCP
    that are carried as one.  A copy is what would be on a wire: of a link that takes none of these
    the kernel does both before it sends (Documentation/networking/segmentation-offloads.rst)."""
    question = ctypes.create_string_buffer(_VALUE.pack(command, value), _VALUE.size)
    request = _REQUEST.pack(link.encode(), ctypes.addressof(question))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _ETHTOOL, request)
    return int(_VALUE.unpack(question.raw)[1])
