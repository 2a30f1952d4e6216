"""The contract suite, told a base URL, a key and a token, and nothing else of where it runs."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.cloud.conftest import MAX_BODY_BYTES, ROOT, TIMEOUT_SECONDS, EmulatedCloud

pytestmark = pytest.mark.cloud


def test_the_contract_suite_passes_by_base_url(cloud: EmulatedCloud) -> None:
    told = {name: cloud.told[name] for name in ("GATEWAY_URL", "ADMIN_URL", "GATEWAY_KEY", "ADMIN_TOKEN")}
    platform = {
        "GATEWAY_PLATFORM": "functions",
        "GATEWAY_TIMEOUT": str(TIMEOUT_SECONDS),
        "GATEWAY_MAX_BODY_BYTES": str(MAX_BODY_BYTES),
    }
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "tests/contract"]
    ran = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **told, **platform}, capture_output=True, text=True, timeout=900
    )
    assert ran.returncode == 0, ran.stdout[-6000:]
    assert " passed" in ran.stdout
    assert cloud.denials() == []
