"""The system calls that an instance may make.

An instance's root is root of its own namespaces only, but it is the host's uid 0 (see
``docs/machines.md``), so the list is an allow list: what the kernel grows tomorrow is closed until
somebody reads it.  It admits what servers, shells, compilers, debuggers and network tools of a
Debian use, and leaves out what

- changes mounts or namespaces: ``mount`` and its new forms, ``umount2``, ``pivot_root``, ``setns``,
  ``unshare``, ``clone`` with a namespace flag (``clone3`` hides its flags in memory, so it is
  answered with ENOSYS and libc falls back to ``clone``);
- reaches past them: ``open_by_handle_at`` (opens files by inode, outside any root), ``kexec``,
  module loading, ``bpf``, ``perf_event_open``, ``userfaultfd``, ``io_uring`` (large, and its
  operations bypass this very list), the keyrings (not namespaced), ``quotactl``, ``swapon``,
  ``acct``, ``syslog``, I/O ports, the host's clock, ``reboot``;
- has no use here and a history of bugs: sockets of AF_VSOCK (talks to the hypervisor), AF_ALG and
  the families that nothing here speaks.

``ptrace`` and ``process_vm_*`` stay: PID namespaces already hide all other processes, and strace is
a tool people learn with.  Sockets are admitted by family: unix, IPv4, IPv6, netlink and packet, all
of which are bound to the network namespace.  Foreign ABIs (32-bit calls) are refused as a whole.

Known refusals answer EPERM; everything else that is not listed answers ENOSYS, which libc takes as
"older kernel" and works around.
"""

from __future__ import annotations

import errno
import platform
from typing import Any

ALLOWED = """
accept accept4 access alarm arch_prctl bind brk cachestat capget capset chdir chmod chown chroot
clock_getres clock_gettime clock_nanosleep close close_range connect copy_file_range creat dup dup2
dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2
execve execveat exit exit_group faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat
fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fork fremovexattr fsetxattr
fstat fstatfs fsync ftruncate futex futex_requeue futex_wait futex_waitv futex_wake futimesat
get_robust_list get_thread_area getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups
getitimer getpeername getpgid getpgrp getpid getppid getpriority getrandom getresgid getresuid
getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid getxattr
inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
io_pgetevents io_setup io_submit ioctl ioprio_get ioprio_set kill landlock_add_rule
landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen listxattr
llistxattr lremovexattr lseek lsetxattr lstat madvise membarrier memfd_create mincore mkdir mkdirat
mknod mknodat mlock mlock2 mlockall mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap
name_to_handle_at nanosleep newfstatat open openat openat2 pause pidfd_getfd pidfd_open
pidfd_send_signal pipe pipe2 pkey_alloc pkey_free pkey_mprotect poll ppoll prctl pread64 preadv
preadv2 prlimit64 process_mrelease process_vm_readv process_vm_writev pselect6 ptrace pwrite64
pwritev pwritev2 read readahead readlink readlinkat readv recvfrom recvmmsg recvmsg remap_file_pages
removexattr rename renameat renameat2 restart_syscall rmdir rseq rt_sigaction rt_sigpending
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg
sendmsg sendto set_robust_list set_thread_area set_tid_address setfsgid setfsuid setgid setgroups
setitimer setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setsockopt
setuid setxattr shmat shmctl shmdt shmget shutdown sigaltstack signalfd signalfd4 socketpair splice
stat statfs statx symlink symlinkat sync sync_file_range syncfs sysinfo tee tgkill time timer_create
timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime
timerfd_settime times tkill truncate umask uname unlink unlinkat utime utimensat utimes vfork
vmsplice wait4 waitid write writev
""".split()  # noqa: SIM905 - hundreds of lines otherwise

REFUSED = """
acct add_key adjtimex bpf clock_adjtime clock_settime create_module delete_module fanotify_init
finit_module fsconfig fsmount fsopen fspick get_kernel_syms init_module io_uring_enter
io_uring_register io_uring_setup ioperm iopl kcmp kexec_file_load kexec_load keyctl lookup_dcookie
mbind migrate_pages mount mount_setattr move_mount move_pages nfsservctl open_by_handle_at open_tree
perf_event_open pivot_root query_module quotactl quotactl_fd reboot request_key set_mempolicy
setdomainname sethostname setns settimeofday swapoff swapon sysfs _sysctl syslog umount2 unshare
uselib userfaultfd ustat vhangup
""".split()  # noqa: SIM905 - hundreds of lines otherwise

# linux/sched.h: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.  NEWTIME shares its bit
# with the exit signal of clone(2), which therefore ignores it.
NAMESPACE_FLAGS = 0x7E020000

# AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET
SOCKET_FAMILIES = (1, 2, 10, 16, 17)

# personality(2): Linux, ADDR_NO_RANDOMIZE (debuggers), UNAME26, and 0xffffffff, which only asks.
PERSONALITIES = (0x0, 0x0040000, 0x0020000, 0xFFFFFFFF)

_ARCHITECTURES = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}


def profile() -> dict[str, Any]:
    """The ``linux.seccomp`` object of the OCI runtime specification for this host's processor."""
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.ENOSYS,
        "architectures": [_ARCHITECTURES[platform.machine()]],
        "syscalls": [
            {"names": ALLOWED, "action": "SCMP_ACT_ALLOW"},
            {"names": REFUSED, "action": "SCMP_ACT_ERRNO", "errnoRet": errno.EPERM},
            _when("clone", 0, NAMESPACE_FLAGS, "SCMP_CMP_MASKED_EQ"),
            *(_when("socket", 0, family) for family in SOCKET_FAMILIES),
            *(_when("personality", 0, value) for value in PERSONALITIES),
        ],
    }


def _when(name: str, index: int, value: int, op: str = "SCMP_CMP_EQ") -> dict[str, Any]:
    """Allow a call when its argument compares so; with a mask: when none of its bits is set."""
    condition = {"index": index, "value": value, "op": op}
    if op == "SCMP_CMP_MASKED_EQ":
        condition["valueTwo"] = 0
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [condition]}
