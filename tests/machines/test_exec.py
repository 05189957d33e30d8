"""Programs that are run inside an instance from outside."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios

import pytest

from gureum.machines import MachineError
from tests.machines.rooms import Room, machine

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
    # runc starts a program and then tells its terminal the size.
    script = "tty; until stty size 2>/dev/null; do :; done; exit 4"
    argv = room.machines.exec_argv("i-1", ["sh", "-c", script], tty=True)
    status, output = on_terminal(argv)
    assert status == 4
    assert output.split() == [b"/dev/pts/0", b"33", b"101"]


def on_terminal(argv: list[str]) -> tuple[int, bytes]:
    """Run a program on a terminal of 33 rows and 101 columns."""
    pid, fd = pty.fork()
    if pid == 0:
        os.read(0, 1)  # until the terminal has its size
        os.execvp(argv[0], argv)
    settings = termios.tcgetattr(fd)
    settings[3] &= ~termios.ECHO
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    os.write(fd, b"\n")
    output = b""
    while True:
        try:
            data = os.read(fd, 1024)
        except OSError:  # EIO: nobody has the other end any more
            break
        output += data
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), output


def test_needs_a_running_instance(one_room: Room) -> None:
    with pytest.raises(MachineError, match="i-1 does not run"):
        one_room.machines.exec_argv("i-1", ["true"], tty=False)
    one_room.start(machine())
    one_room.machines.stop("i-1", 0)
    with pytest.raises(MachineError, match="i-1 does not run"):
        one_room.machines.exec_argv("i-1", ["true"], tty=False)
