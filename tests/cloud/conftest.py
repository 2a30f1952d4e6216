"""`make cloud` once for all of these tests: the template deployed, the bundles running, IAM asked every time."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from infra.local.cloud.aws_process import OPERATOR, REGION
from tests.contract.conftest import upstream_session  # noqa: F401 - the scripted backend, as there
from tests.upstreams.server import Upstream

ROOT = Path(__file__).parents[2]
TIMEOUT_SECONDS = 3
MAX_BODY_BYTES = (6 << 20) - (64 << 10)
_START_SECONDS = 300.0  # the synth and every bundle, on a machine that does other things too
_WORDS = ("GATEWAY_URL", "ADMIN_URL", "GATEWAY_KEY", "ADMIN_TOKEN", "AWS_ENDPOINT_URL", "LOGS")


@dataclass(frozen=True)
class EmulatedCloud:
    """`told` are the variables that `make cloud` prints."""

    told: dict[str, str]
    log_file: Path

    @property
    def url(self) -> str:
        return self.told["GATEWAY_URL"]

    def client(self, **options: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.told['GATEWAY_KEY']}"}
        return httpx.Client(base_url=self.url, headers=headers, **{"timeout": 30, **options})

    def administrator(self) -> httpx.Client:
        headers = {"authorization": f"Bearer {self.told['ADMIN_TOKEN']}"}
        return httpx.Client(base_url=self.told["ADMIN_URL"], headers=headers, timeout=30)

    def aws(self, service: str, **credentials: str) -> Any:
        """A client of the emulated AWS: the operator's, or that of a role's session."""
        chosen = credentials or {"aws_access_key_id": OPERATOR, "aws_secret_access_key": "operator"}
        return boto3.Session(region_name=REGION, **chosen).client(service, endpoint_url=self.told["AWS_ENDPOINT_URL"])

    def log(self) -> str:
        return self.log_file.read_text()

    def function_log(self, name: str) -> str:
        return (Path(self.told["LOGS"]) / f"serverless-proxy-dev-{name.replace('_', '-')}.log").read_text()

    def denials(self) -> list[str]:
        return [line for line in self.log().splitlines() if "DENIED" in line]


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatedCloud]:
    log = tmp_path_factory.mktemp("cloud") / "log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "infra.local.cloud",
                "--port",
                "0",
                f"timeout={TIMEOUT_SECONDS}",
                "private_upstreams=allowed",
            ],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield EmulatedCloud(_wait_until_ready(process, log), log)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], log: Path) -> dict[str, str]:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        found = dict(re.findall(r"^([A-Z_]+)=(\S+)$", log.read_text(), re.M))
        if found.keys() >= set(_WORDS):
            return found
        assert process.poll() is None, f"the cloud ended with {process.returncode}:\n{log.read_text()[-4000:]}"
        time.sleep(0.2)
    raise AssertionError(f"the cloud was not ready in {_START_SECONDS:g} s:\n{log.read_text()[-4000:]}")


@pytest.fixture
def upstream(upstream_session: Upstream) -> Upstream:  # noqa: F811
    upstream_session.reset()
    return upstream_session


@pytest.fixture(scope="session")
def model(cloud: EmulatedCloud, upstream_session: Upstream) -> str:  # noqa: F811
    """A virtual model on the scripted backend, whose actual name is `actual-cloud`."""
    with cloud.administrator() as admin:
        endpoint = {"name": "cloud", "url": upstream_session.url, "api_key": "sk-upstream-of-the-cloud"}
        made = admin.post("/api/admin/endpoints", json=endpoint)
        assert made.status_code == 201, made.text
        target = {"endpoint_id": made.json()["id"], "actual_model": "actual-cloud"}
        body = {
            "name": "cloud", "targets": [target], "cost_per_1m_tokens_in": 3, "cost_per_1m_tokens_out": 15,
        }  # fmt: skip
        made = admin.post("/api/admin/virtual-models", json=body)
        assert made.status_code == 201, made.text
    return "cloud"
