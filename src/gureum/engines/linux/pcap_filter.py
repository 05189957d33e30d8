"""Filters of packet sockets, compiled by libpcap, which knows every protocol's headers
(pcap-filter(7)), and confined to some links of a namespace."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Collection

from gureum.engines.linux.library import Library

_ETHERNET = 1
"""DLT_EN10MB (pcap-linktype(7))."""
_ATTACH_FILTER = 26
"""asm-generic/socket.h."""
_INSTRUCTION = struct.Struct("@HBBI")
_MOST = 4096
"""BPF_MAXINSNS (linux/bpf_common.h)."""
_LOAD_WORD, _EQUALS, _GO, _RETURN = 0x20, 0x15, 0x05, 0x06
_LINK = 0xFFFFF000 + 8
"""Where the kernel tells the index of a frame's link (SKF_AD_OFF, SKF_AD_IFINDEX)."""
_ERRORS = 256


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jt", ctypes.c_ubyte),
        ("jf", ctypes.c_ubyte),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint), ("code", ctypes.POINTER(_Instruction)))


def _declare(handle: ctypes.CDLL) -> None:
    handle.pcap_open_dead.restype = ctypes.c_void_p
    handle.pcap_geterr.restype = ctypes.c_char_p
    handle.pcap_geterr.argtypes = [ctypes.c_void_p]
    handle.pcap_close.argtypes = [ctypes.c_void_p]
    handle.pcap_compile.argtypes = [
        *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p),
        *(ctypes.c_int, ctypes.c_uint32),
    ]


_library = Library("libpcap.so.0.8", _declare)


def compiled(expression: str, snap: int) -> bytes:
    """The program for an expression of pcap-filter(7) over Ethernet frames, of which it keeps
    ``snap`` bytes.  Names in it would be asked of the machine's resolver: give numbers.

    Raises:
        ValueError: with libpcap's words.
        OSError: libpcap is not installed.
    """
    with _library.lock:
        lib = _library.load()
        handle = lib.pcap_open_dead(_ETHERNET, snap)
        program = _Program()
        try:
            code = lib.pcap_compile(handle, ctypes.byref(program), expression.encode(), 1, 0)
            if code != 0:
                raise ValueError(lib.pcap_geterr(handle).decode(errors="replace"))
            found = ctypes.string_at(program.code, program.length * _INSTRUCTION.size)
            lib.pcap_freecode(ctypes.byref(program))
        finally:
            lib.pcap_close(handle)
    return found


def on_links(program: bytes, links: Collection[int]) -> bytes:
    """The same program, for frames on some links only, by their indexes.

    Raises:
        ValueError: it becomes longer than the kernel takes.
    """
    found = [_INSTRUCTION.pack(_LOAD_WORD, 0, 0, _LINK)]
    tests = sorted(links)
    for at, link in enumerate(tests):
        behind = 2 * (len(tests) - at - 1) + 1
        found.append(_INSTRUCTION.pack(_EQUALS, 0, 1, link))
        found.append(_INSTRUCTION.pack(_GO, 0, 0, behind))
    found.append(_INSTRUCTION.pack(_RETURN, 0, 0, 0))
    if len(found) + len(program) // _INSTRUCTION.size > _MOST:
        raise ValueError(f"{len(tests)} links are more than one filter can hold")
    return b"".join(found) + program


def attach(raw: socket.socket, program: bytes) -> None:
    """Let a packet socket receive what a program lets through, from now on; one that was there
    before is replaced.

    Raises:
        OSError: the kernel refused.
    """
    buffer = ctypes.create_string_buffer(program, len(program))
    fprog = struct.pack("@HP", len(program) // _INSTRUCTION.size, ctypes.addressof(buffer))
    raw.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, fprog)
