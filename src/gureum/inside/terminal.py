"""Runs one more program in a container, on a terminal that we read: run as a program, in the PID
namespace that the container's runtime is to run in.

``terminal.py PROCESS ID CALL…``: the OCI process as JSON (``{…}``) or a file with it, the
container's id, and the runtime's command line up to and with ``exec``.

A runtime that stays with the program passes on what the program writes, and may be gone before it
has passed on all of it.  So it is told to start the program and go (``--detach``), and to give us
the program's terminal (``--console-socket``).  From then on we are the program's parent, and read
until the kernel says that nothing is left.

Few imports, for people wait for it: no ``json``, no ``pathlib``.

Sources: runc, ``docs/terminals.md``; prctl(2), ``PR_SET_CHILD_SUBREAPER``; Linux,
``drivers/tty/n_tty.c``: ``n_tty_poll`` and ``n_tty_read`` look for what is still under way.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
import struct
import sys
import termios
import tty
from collections.abc import Iterator, Sequence

if not __package__:  # run as a file
    sys.path.insert(0, __file__.rsplit("/", 3)[0])
from gureum.inside import syscalls

BLOCK = 4096
"""Bytes that are read at once."""
HELD = 1 << 16
"""More than a terminal holds (``drivers/tty/pty.c``: 8 KiB under way; ``n_tty.c``: 4 KiB to be
read): so much is read of one that others go on writing to when the program has ended."""
END_OF_INPUT = b"\x04"
"""What a terminal takes for the end of input, unless a program wants every key as it is."""
NO_TERMINAL = 255
"""The exit code where a runtime leaves well and gave no terminal; that of its own failures is 255,
too."""

_IN, _OUT, _ERRORS = 0, 1, 2
_LEAVE = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_SIZE = struct.Struct("HHHH")


class StartError(Exception):
    """The program did not start; with the exit code to end with.  The runtime has said why, on our
    error stream or in its log."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class SignalError(Exception):
    """A signal has told us to end; with its number."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def run(process: str, container: str, call: Sequence[str]) -> int:
    """Run the program; its exit code, or 128 and the number of the signal that ended it.

    Raises:
        StartError: it could not be started.
        SignalError: we are to end.  Its terminal is closed then, and it gets SIGHUP.
    """
    syscalls.adopt_orphans()
    folder = _folder()
    try:
        with open(f"{folder}/process", "x", encoding="utf-8") as file:  # noqa: PTH123
            file.write(_sized(process))
        pid, master = _start(folder, container, call)
    finally:
        _remove(folder)
    try:
        with _raw():
            _Passage(master).until(pid)
        return _code(os.waitpid(pid, 0)[1])
    finally:
        os.close(master)


def _folder() -> str:
    """A folder of ours alone; its path is short, for a socket's address has 107 bytes at most."""
    path = f"/tmp/gureum-{os.urandom(8).hex()}"  # noqa: S108 - nobody guesses it, and it is new
    os.mkdir(path, 0o700)  # noqa: PTH102
    return path


def _remove(folder: str) -> None:
    for name in ("process", "socket", "pid"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{folder}/{name}")  # noqa: PTH108
    os.rmdir(folder)  # noqa: PTH106


# --- the size -----------------------------------------------------------------------------------
def _size() -> bytes | None:
    """The size of our terminal, if we have one."""
    for fd in (_IN, _OUT, _ERRORS):
        with contextlib.suppress(OSError):
            return fcntl.ioctl(fd, termios.TIOCGWINSZ, bytes(_SIZE.size))
    return None


def _sized(process: str) -> str:
    """The process with the size that its terminal is to have when it starts."""
    size = _size()
    height, width, *_ = _SIZE.unpack(size) if size else (0, 0)
    if not height or not width:
        return process
    return f'{process.removesuffix("}")},"consoleSize":{{"height":{height},"width":{width}}}}}'


def _resize(master: int) -> None:
    size = _size()
    if size is not None:
        fcntl.ioctl(master, termios.TIOCSWINSZ, size)


# --- start --------------------------------------------------------------------------------------
def _start(folder: str, container: str, call: Sequence[str]) -> tuple[int, int]:
    """Have the runtime start the program: its PID, and its terminal's other end."""
    options = ("--detach", "--console-socket", f"{folder}/socket",
               "--pid-file", f"{folder}/pid", "--process", f"{folder}/process")  # fmt: skip
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/socket")
        listener.listen()
        runtime = _begin([*call, *options, container])
        pidfd = os.pidfd_open(runtime)
        first = select.select([listener.fileno(), pidfd], [], [])[0]
        master = _received(listener) if listener.fileno() in first else None
        _, status = os.waitpid(runtime, 0)
        os.close(pidfd)
        if status:
            if master is not None:  # crun may have said the reason there
                with _raw():
                    _Passage(master, _ERRORS).rest()
            raise StartError(_code(status))
        if master is None:
            raise StartError(NO_TERMINAL)
    with open(f"{folder}/pid", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read()), master


def _begin(call: list[str]) -> int:
    """Start a program that does not read our input; its PID."""
    pid = os.fork()
    if pid == 0:
        try:
            for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them
                signal.signal(number, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), _IN)
            os.execvp(call[0], call)  # noqa: S606 - a shell would be in the way
        except OSError as error:
            os.write(_ERRORS, f"{call[0]}: {error.strerror}\n".encode())
        finally:
            os._exit(NO_TERMINAL)
    return pid


def _received(listener: socket.socket) -> int | None:
    """The descriptor that somebody connects to us to give us."""
    connection, _ = listener.accept()
    with connection:
        _, fds, _, _ = socket.recv_fds(connection, BLOCK, 1)
    if not fds:
        return None
    os.set_inheritable(fds[0], False)
    os.set_blocking(fds[0], False)
    return fds[0]


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


# --- meanwhile ----------------------------------------------------------------------------------
@contextlib.contextmanager
def _raw() -> Iterator[None]:
    """Have our terminal, if we have one, pass on every key as it is."""
    try:
        before = termios.tcgetattr(_IN)
    except termios.error:
        yield
        return
    tty.setraw(_IN, termios.TCSANOW)  # what was typed meanwhile is not lost
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(_IN, termios.TCSADRAIN, before)


class _Passage:
    """Passes bytes both ways between our streams and the other end of a program's terminal."""

    def __init__(self, master: int, out: int = _OUT) -> None:
        self._master, self._out = master, out
        self._open = True
        """Whether anybody still has the terminal."""
        self._hears = True
        self._typed = b""
        """Heard, and not yet taken by the terminal."""

    def until(self, pid: int) -> None:
        """Until a program has ended and all that it wrote is passed on."""
        signal.signal(signal.SIGWINCH, lambda *_: _resize(self._master))
        _resize(self._master)  # it may have changed since
        pidfd = os.pidfd_open(pid)
        while not self._step(pidfd):
            pass
        os.close(pidfd)
        self.rest()

    def rest(self) -> None:
        """Pass on what is written already."""
        left = HELD
        while left > 0 and (shown := self._show()):
            left -= shown

    def _step(self, pidfd: int) -> bool:
        """Wait for something to do, and do it; whether the program has ended."""
        reads = [pidfd]
        if self._open:
            reads.append(self._master)
        if self._hears and not self._typed:
            reads.append(_IN)
        writes = [self._master] if self._open and self._typed else []
        readable, writable, _ = select.select(reads, writes, [])
        if _IN in readable:
            self._hear()
        if writable:
            self._type()
        if self._master in readable:
            self._show()
        return pidfd in readable

    def _hear(self) -> None:
        try:
            self._typed = os.read(_IN, BLOCK)
        except OSError:
            raise SignalError(signal.SIGHUP) from None
        if not self._typed:
            if os.isatty(_IN):  # raw as it is, it has no other end of input
                raise SignalError(signal.SIGHUP)
            self._hears, self._typed = False, END_OF_INPUT

    def _type(self) -> None:
        with contextlib.suppress(OSError):  # it takes no more for now; or nobody has it open
            self._typed = self._typed[os.write(self._master, self._typed) :]

    def _show(self) -> int:
        """Show what there is; how many bytes that was."""
        try:
            data = os.read(self._master, BLOCK)
        except BlockingIOError:
            return 0
        except OSError:  # EIO: nobody has it open, and all is read
            self._open = False
            return 0
        _tell(self._out, data)
        return len(data)


def _tell(out: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(out, left) :]
        except BlockingIOError:  # somebody who has it, too, wants it so
            select.select([], [out], [])
        except BrokenPipeError:
            raise SignalError(signal.SIGPIPE) from None
        except OSError:
            raise SignalError(signal.SIGHUP) from None


def _listen_to_signals() -> None:
    """End in order when told to, unless whoever started us wanted it ignored (nohup)."""

    def told(number: int, _: object) -> None:
        for each in _LEAVE:
            signal.signal(each, signal.SIG_IGN)
        raise SignalError(number)

    for each in _LEAVE:
        if signal.getsignal(each) is not signal.SIG_IGN:
            signal.signal(each, told)


def main(words: Sequence[str]) -> int:
    """Do what the command line says; the exit code."""
    process, container, *call = words
    if not process.startswith("{"):
        with open(process, encoding="utf-8") as file:  # noqa: PTH123
            process = file.read()
    try:
        _listen_to_signals()
        return run(process, container, call)
    except StartError as failed:
        return failed.code
    except SignalError as told:
        return 128 + told.number


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # nothing is left to be done, and Python takes its time
