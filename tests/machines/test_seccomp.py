"""The list of system calls, as a value."""

from __future__ import annotations

import errno
from typing import Any

from gureum.machines import seccomp

CLONE_NEW = {
    "NEWNS": 0x00020000,
    "NEWCGROUP": 0x02000000,
    "NEWUTS": 0x04000000,
    "NEWIPC": 0x08000000,
    "NEWUSER": 0x10000000,
    "NEWPID": 0x20000000,
    "NEWNET": 0x40000000,
}


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = seccomp.profile()["syscalls"]
    return found


def test_what_is_not_known_is_unknown() -> None:
    profile = seccomp.profile()
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert profile["defaultErrnoRet"] == errno.ENOSYS
    assert len(profile["architectures"]) == 1


def test_no_call_is_in_two_lists() -> None:
    conditional = [rule["names"][0] for rule in rules() if "args" in rule]
    names = [*seccomp.ALLOWED, *seccomp.REFUSED, *sorted(set(conditional))]
    assert sorted(names) == sorted(set(names))


def test_what_reaches_out_is_not_allowed() -> None:
    allowed = {name for rule in rules() if rule["action"] == "SCMP_ACT_ALLOW" and "args" not in rule
               for name in rule["names"]}  # fmt: skip
    assert not allowed & {
        "mount", "umount2", "pivot_root", "setns", "unshare", "clone", "clone3", "socket",
        "personality", "open_by_handle_at", "bpf", "perf_event_open", "userfaultfd",
        "io_uring_setup", "keyctl", "init_module", "finit_module", "kexec_load", "reboot", "syslog",
        "swapon", "acct", "iopl", "settimeofday", "open_tree", "move_mount", "fsopen",
    }  # fmt: skip


def test_clone_makes_processes_and_threads_but_no_namespaces() -> None:
    (rule,) = (rule for rule in rules() if rule["names"] == ["clone"])
    (condition,) = rule["args"]
    assert condition["op"] == "SCMP_CMP_MASKED_EQ"
    assert condition["valueTwo"] == 0
    mask = condition["value"]
    for name, flag in CLONE_NEW.items():
        assert mask & flag, name
    # pthread_create(3) and vfork(2)
    assert not mask & (0x3D0F00 | 0x4111)


def test_sockets_by_family() -> None:
    families = [rule["args"][0]["value"] for rule in rules() if rule["names"] == ["socket"]]
    assert families == [1, 2, 10, 16, 17]
