"""Servers under measurement: each in a process of its own on a core of its own, read through /proc."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.local.leash import follow_parent

_START_SECONDS = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
ROOT = Path(__file__).resolve().parents[2]

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = str(CORES[0])
LOAD_CORE = str(CORES[-1])  # the upstream and the load, so that the measured server has the other one to itself


def pin(core: str) -> None:
    os.sched_setaffinity(0, {int(core)})


def announce(port: int) -> None:
    """Tell the process that started this one where it listens, and end when that ends."""
    follow_parent()
    print(port, flush=True)


class Server:
    """`python -m tests.benchmarks.<module> <core> <arguments…>`; it prints its port when it listens."""

    def __init__(self, module: str, core: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - a line per request, as long as the process lives
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"tests.benchmarks.{module}", core, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], _START_SECONDS)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self.stop()
            self._log.seek(0)
            raise RuntimeError(f"tests.benchmarks.{module} did not start: {self._log.read()[-2_000:].decode()}")
        self.url = f"http://127.0.0.1:{int(line)}"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def cpu_seconds(self) -> float:
        """User and system time of all its threads (proc(5): fields 14 and 15 of stat)."""
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def rss_mb(self) -> float:
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * _PAGE / 2**20

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(8)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
