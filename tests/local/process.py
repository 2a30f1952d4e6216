"""`python -m infra.local` as a user starts it, to be stopped or killed by a test."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
_START_SECONDS = 60.0


class Gateway:
    """One run on `folder`; start it, kill it, start another on the same folder."""

    def __init__(self, folder: Path, **variables: str) -> None:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self._folder = folder
        self._log = folder / "log"
        environment = {**kept, "PYTHONPATH": str(ROOT), "DATA_DIR": str(folder / "data")}
        with self._log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "infra.local"],
                cwd=folder,
                env={**environment, "API_PORT": "0", "ADMIN_PORT": "0", **variables},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_ready(self) -> tuple[str, str]:
        """(API, admin) addresses."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            api = re.search(r"API\s+(http://\S+)/v1\b", self.output())
            admin = re.search(r"Admin API\s+(http://\S+)/api/admin", self.output())
            if api and admin:
                return api[1], admin[1]
            assert self.process.poll() is None, self.output()
            time.sleep(0.02)
        raise AssertionError(self.output())

    def output(self) -> str:
        return self._log.read_text()

    def kill(self) -> None:
        """kill -9 on the parent alone, as a crash would have it; its children must follow by themselves."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
