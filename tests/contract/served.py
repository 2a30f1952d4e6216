"""The gateway under test: started here as `make run` starts it, or found at GATEWAY_URL and ADMIN_URL."""

from __future__ import annotations

import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.contract.catalogue import ENDPOINTS, MODELS, actual

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 3.0
MAX_BODY_BYTES = 2 << 20
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


@dataclass
class Served:
    """Where the gateway is and what it is set to; names carry a token, so that runs can share one gateway."""

    api: str
    admin: str
    timeout_seconds: float
    max_body_bytes: int
    folder: Path | None = None  # where its log and its data are, when it runs here
    functions: bool = False  # GATEWAY_PLATFORM=functions: no process is alone, and none hears of a client's leaving
    token: str = field(default_factory=lambda: secrets.token_hex(3))
    ids: dict[str, int] = field(default_factory=dict)

    def model(self, name: str) -> str:
        return f"{name}-{self.token}"

    @property
    def one_process(self) -> bool:
        """Whether what one request has taught is known to the next."""
        return not self.functions

    @property
    def hears_of_leaving(self) -> bool:
        return not self.functions

    @property
    def settling_seconds(self) -> float:
        """After which a change of the configuration is known everywhere."""
        return 15.0 if self.functions else 0.0

    def client(self, **options: Any) -> httpx.Client:
        """Bare HTTP to the client routes, with a key where the gateway wants one (GATEWAY_KEY)."""
        return _client(self.api, "GATEWAY_KEY", **options)

    def administrator(self) -> httpx.Client:
        """Bare HTTP to the admin routes, with a token where the gateway wants one (ADMIN_TOKEN)."""
        return _client(self.admin, "ADMIN_TOKEN")

    def log(self) -> str:
        return (self.folder / "log").read_text() if self.folder else ""

    def define(self, **addresses: Any) -> None:
        """Post the catalogue to the admin API and wait until the client API lists it."""
        with self.administrator() as admin:
            for name, fields in ENDPOINTS.items():
                body = {**fields, "name": self.model(name), "url": fields["url"].format(**addresses)}
                self.ids[name] = _created(admin.post("/api/admin/endpoints", json=body))
            for name, fields in MODELS.items():
                rest = {key: value for key, value in fields.items() if key != "endpoints"}
                targets = [
                    {"endpoint_id": self.ids[each], "actual_model": actual(name)} for each in fields["endpoints"]
                ]
                names = {"name": self.model(name), "aliases": [self.model(each) for each in rest.pop("aliases", [])]}
                body = {**rest, **names, "targets": targets}
                _created(admin.post("/api/admin/virtual-models", json=body))
        wanted = {self.model(name) for name, fields in MODELS.items() if fields.get("enabled", True)}
        deadline = time.monotonic() + _START_SECONDS
        with self.client() as client:
            while not wanted <= {row["id"] for row in client.get("/v1/models").json()["data"]}:
                assert time.monotonic() < deadline, "the client API does not list what was posted to the admin API"
                time.sleep(0.1)


def _client(url: str, variable: str, **options: Any) -> httpx.Client:
    token = os.environ.get(variable)
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, headers=headers, **{"timeout": 20, **options})


def _created(response: httpx.Response) -> int:
    assert response.status_code == 201, f"{response.status_code} {response.text}"
    return int(response.json()["id"])


@contextmanager
def serve(folder: Path, **settings: str) -> Iterator[Served]:
    """`settings` are environment variables of the gateway that runs here."""
    if "GATEWAY_URL" in os.environ:
        yield Served(
            os.environ["GATEWAY_URL"].rstrip("/"),
            os.environ["ADMIN_URL"].rstrip("/"),
            float(os.environ.get("GATEWAY_TIMEOUT", TIMEOUT_SECONDS)),
            int(os.environ.get("GATEWAY_MAX_BODY_BYTES", MAX_BODY_BYTES)),
            functions=os.environ.get("GATEWAY_PLATFORM") == "functions",
        )
        return
    log = folder / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [sys.executable, "-m", "infra.local"],
            cwd=folder,  # not the project's folder: its .env is not ours
            env=_environment(folder) | settings,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        try:
            api, admin = _wait_until_ready(process, log)
            yield Served(api, admin, TIMEOUT_SECONDS, MAX_BODY_BYTES, folder)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "DATA_DIR": str(folder / "data"),
        "API_PORT": "0",
        "ADMIN_PORT": "0",
        "TIMEOUT": f"{TIMEOUT_SECONDS:g}",
        "MAX_BODY_BYTES": str(MAX_BODY_BYTES),
        "LOG_LEVEL": "DEBUG",
    }


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> tuple[str, str]:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text()
        api = re.search(r"API\s+(http://\S+)/v1\b", text)
        admin = re.search(r"Admin API\s+(http://\S+)/api/admin", text)
        if api and admin:
            return api[1], admin[1]
        assert process.poll() is None, f"the gateway ended with {process.returncode}:\n{text}"
        time.sleep(0.05)
    raise AssertionError(f"the gateway was not ready in {_START_SECONDS:g} s:\n{log.read_text()}")


def closed_port() -> int:
    """A port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
