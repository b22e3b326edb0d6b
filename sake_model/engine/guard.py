"""Runs one command and takes it down, with all its children, when its own standard input ends.

    python guard.py GRACE_S COMMAND…

The supervisor holds the other end of that pipe. Closing it is how it stops the command; when
the supervisor dies, however it dies, the kernel closes it. So nothing is ever left behind.
Only the standard library is imported here: this process stays small.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Exit status of the command, as a shell gives it. See the module's text."""
    grace_s, *command = arguments
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # The pipe is the one way to end; a Ctrl-C in the terminal goes to the supervisor. A
        # handler, not SIG_IGN: the command would inherit that.
        signal.signal(ignored, lambda *_: None)
    # A session of its own: killing its group reaches every process that it started.
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    threading.Thread(target=_end_with_stdin, args=(child, float(grace_s)), daemon=True).start()
    status = child.wait()
    _signal_group(child, signal.SIGKILL)
    return status if status >= 0 else 128 - status


def _end_with_stdin(child: subprocess.Popen[bytes], grace_s: float) -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    _signal_group(child, signal.SIGTERM)
    try:
        child.wait(grace_s)
    except subprocess.TimeoutExpired:
        _signal_group(child, signal.SIGKILL)


def _signal_group(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
