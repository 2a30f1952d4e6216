"""Run a backend on a port of loopback, its log outside the tree, and end it with all its children."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

_STOP_SECONDS = 15.0
_LINES = 30


@contextmanager
def running(
    command: Sequence[str | Path], url: str, folder: Path, *, seconds: float, **environment: str
) -> Iterator[None]:
    """The process, from the moment `url` answers with a success; it sees no proxy and no hub."""
    log = folder / "log"
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    offline = {"HOME": str(folder), "HF_HUB_OFFLINE": "1", "PYTHONUNBUFFERED": "1", **environment}
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**kept, **offline},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(process, url, log, seconds)
            yield
        finally:
            _end(process)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the backend ended with {process.returncode}:\n{_end_of(log)}"
        try:
            if httpx.get(url, timeout=5).is_success:
                return
        except httpx.TransportError:
            pass  # it does not listen yet
        time.sleep(0.1)
    raise AssertionError(f"the backend was not ready in {seconds:g} s:\n{_end_of(log)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the whole group to go, and then tell it: multiprocessing servers leave children behind."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    except ProcessLookupError:
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def _end_of(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-_LINES:])
