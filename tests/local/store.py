"""A store process under test: started on a free port, killed, started again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from shared.store.config_store import ConfigStore
from shared.store.tables import Tables

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


class StoreProcess:
    def __init__(self, data_dir: Path, **environment: str) -> None:
        self.data_dir = data_dir
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None
        self.url = ""

    def start(self) -> StoreProcess:
        self._process = self.spawn()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.startswith("store ready on "), (line, self._process.stderr and self._process.stderr.read())
        self.url = line.split()[-1]
        return self

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return subprocess.Popen(
            [sys.executable, "-m", "infra.local.store_process", "--data-dir", str(self.data_dir), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**clean, **self._environment},
        )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self.reap()

    def terminate(self) -> int:
        assert self._process is not None
        self._process.terminate()
        return self.reap()

    def reap(self) -> int:
        assert self._process is not None
        process, self._process = self._process, None
        process.communicate(timeout=20)
        return process.returncode

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def tables(self, prefix: str = "serverless-proxy") -> Tables:
        tables = Tables(prefix, region="eu-central-1", endpoint=self.url)
        tables.connection._aws_access_key_id = CREDENTIALS["AWS_ACCESS_KEY_ID"]
        tables.connection._aws_secret_access_key = CREDENTIALS["AWS_SECRET_ACCESS_KEY"]
        return tables

    def config_store(self) -> ConfigStore:
        return ConfigStore(self.tables())
