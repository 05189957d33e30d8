"""Programs that are run inside an instance from outside."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gureum.machines import MachineError
from tests.machines.rooms import PATIENCE, Room, machine, until

pytestmark = pytest.mark.kernel


def test_passes_streams_environment_and_status(room: Room) -> None:
    room.start(machine())
    script = 'echo "$A $HOME"; cat; echo trouble >&2; exit 3'
    argv = room.machines.exec_argv("i-1", ["sh", "-c", script], tty=False, env={"A": "b c"})
    done = subprocess.run(
        argv, input="from outside", capture_output=True, text=True, check=False, timeout=20
    )
    assert (done.returncode, done.stdout, done.stderr) == (
        3,
        "b c /root\nfrom outside",
        "trouble\n",
    )


def test_on_a_terminal(room: Room) -> None:
    room.start(machine())
    # crun tells a terminal its size while the program starts already, and stty succeeds without.
    size = 'until size=$(stty size 2>/dev/null); [ "$size" ]; do :; done; echo $size'
    status, output = on_terminal(on_tty(room, f"tty; {size}; exit 4"))
    assert status == 4
    assert output.split() == [b"/dev/pts/0", b"33", b"101"]


def test_all_that_is_written_last_arrives(room: Room) -> None:
    room.start(machine())
    # Who goes when the program does finds much of it still on its way.
    status, output = on_terminal(on_tty(room, "seq -w 25000; kill -9 $$"), slowly=True)
    assert status == 128 + signal.SIGKILL
    assert output == b"".join(b"%05d\r\n" % each for each in range(1, 25001))


def test_without_a_terminal_of_ours_input_ends_and_so_does_output(one_room: Room) -> None:
    one_room.start(machine())
    done = subprocess.run(
        on_tty(one_room, "cat"), input=b"given\n", capture_output=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout) == (0, b"given\r\ngiven\r\n")
    with subprocess.Popen(
        on_tty(one_room, "yes"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
    ) as yes:
        assert yes.stdout
        yes.stdout.read(100)
        yes.stdout.close()
        assert yes.wait(PATIENCE) == 128 + signal.SIGPIPE


def test_a_terminal_that_others_keep_holds_nobody_up(room: Room) -> None:
    room.start(machine())
    script = "trap '' HUP; (while :; do echo more; sleep 0.01; done) & echo ended; exit 5"
    began = time.monotonic()
    status, output = on_terminal(on_tty(room, script))
    assert time.monotonic() - began < PATIENCE
    assert status == 5
    assert b"ended" in output


def test_the_size_follows_and_keys_are_passed_on(one_room: Room) -> None:
    one_room.start(machine())
    script = "trap 'stty size' WINCH; echo on; while ! read -r x; do :; done; echo $x; exec cat"
    with session(on_tty(one_room, script)) as shell:
        shell.wait(b"on\r\n")
        resize(shell.terminal, 40, 120)
        shell.wait(b"40 120\r\n")
        shell.type(b"typed\n")
        shell.wait(b"typed\r\ntyped\r\n")  # the echo is the inner terminal's alone
        shell.type(b"\x03")
        assert shell.status() == 128 + signal.SIGINT


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_who_is_told_to_end_ends_the_program_and_restores_the_terminal(
    one_room: Room, number: signal.Signals
) -> None:
    one_room.start(machine())
    script = "trap 'echo hung up >/run/told; exit' HUP; echo on; while :; do sleep 0.05; done"
    with session(on_tty(one_room, script)) as shell:
        before = termios.tcgetattr(shell.terminal)
        shell.wait(b"on\r\n")
        assert termios.tcgetattr(shell.terminal) != before
        os.kill(shell.pid, number)
        assert shell.status(closed=False) == 128 + number
        assert termios.tcgetattr(shell.terminal) == before
    until(lambda: "hung up" in one_room.exec("cat /run/told 2>/dev/null || true"), "the hang-up")


@pytest.mark.parametrize("name", ["nosuch", "/etc/passwd"])
def test_why_a_program_does_not_start_is_told(room: Room, name: str) -> None:
    room.start(machine())
    status, output = on_terminal(room.machines.exec_argv("i-1", [name], tty=True))
    assert status != 0
    assert re.search(rb"not found in \$PATH|permission denied", output, re.IGNORECASE)
    assert output.count(b"\n") == 1


def on_tty(room: Room, script: str) -> list[str]:
    return room.machines.exec_argv("i-1", ["sh", "-c", script], tty=True)


class Session:
    """A program on a terminal of 33 rows and 101 columns."""

    def __init__(self, argv: list[str]) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.read(0, 1)  # until the terminal has its size
            os.execvp(argv[0], argv)
        resize(self.terminal, 33, 101)
        settings = termios.tcgetattr(self.terminal)
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(self.terminal, termios.TCSANOW, settings)
        self.type(b"\n")
        self.output = b""

    def type(self, keys: bytes) -> None:
        os.write(self.terminal, keys)

    def wait(self, text: bytes) -> None:
        """Read until it has shown a text; what came until then is forgotten."""
        while text not in self.output:
            assert self.more(PATIENCE), self.output
        self.output = self.output.partition(text)[2]

    def more(self, patience: float) -> bool:
        """Read what comes within so many seconds; whether anything did."""
        if not select.select([self.terminal], [], [], patience)[0]:
            return False
        try:
            data = os.read(self.terminal, 512)
        except OSError:  # EIO: nobody has the other end any more
            return False
        self.output += data
        return bool(data)

    def status(self, *, closed: bool = True) -> int:
        """How it ended, once it has; all that it showed is in ``output`` if it is ``closed``."""
        while closed and self.more(PATIENCE):
            pass
        found = 0, 0

        def ended() -> bool:
            nonlocal found
            found = os.waitpid(self.pid, os.WNOHANG)
            return found[0] != 0

        until(ended, "the end of the program")
        self.pid = 0
        return os.waitstatus_to_exitcode(found[1])


@contextmanager
def session(argv: list[str]) -> Iterator[Session]:
    made = Session(argv)
    try:
        yield made
    finally:
        if made.pid:
            os.kill(made.pid, signal.SIGKILL)
            os.waitpid(made.pid, 0)
        os.close(made.terminal)


def resize(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def on_terminal(argv: list[str], *, slowly: bool = False) -> tuple[int, bytes]:
    """Run a program on a terminal to its end; how it ended, and what it showed."""
    with session(argv) as made:
        pause = threading.Event()
        while made.more(PATIENCE):
            if slowly:
                pause.wait(0.0005)
        return made.status(), made.output


def test_needs_a_running_instance(one_room: Room) -> None:
    with pytest.raises(MachineError, match="i-1 does not run"):
        one_room.machines.exec_argv("i-1", ["true"], tty=False)
    one_room.start(machine())
    one_room.machines.stop("i-1", 0)
    with pytest.raises(MachineError, match="i-1 does not run"):
        one_room.machines.exec_argv("i-1", ["true"], tty=False)
