"""Ties a child process to its parent: when the parent is gone, however it went, the child goes too."""

from __future__ import annotations

import os
import signal
import sys
import threading


def follow_parent() -> None:
    """The parent holds the other end of standard input and never writes to it; its end is the parent's end."""

    def watch() -> None:
        while os.read(sys.stdin.fileno(), 1_024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="leash", daemon=True).start()
