"""Client keys on the laptop, as a user meets them: made by the command, checked by the API, kept through a restart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from moto import mock_aws

from infra.client_key import main
from shared.store.client_key import read_key
from shared.store.client_keys import ClientKeys
from shared.store.tables import Tables
from tests.local.process import ROOT, Gateway

ASK = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}


def made_by_command(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, "-m", "infra.client_key", "create", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def ask(url: str, key: str | None) -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return httpx.post(f"{url}/v1/chat/completions", json=ASK, headers=headers, trust_env=False, timeout=30)


@pytest.mark.slow
def test_a_key_opens_until_it_is_revoked_and_survives_a_kill(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, CLIENT_ACCESS="required")
    try:
        api, admin = gateway.wait_until_ready()
        refused = ask(api, None)
        assert (refused.status_code, refused.headers["x-should-retry"]) == (401, "false")
        made = made_by_command("--label", "ci", "--url", admin, folder=tmp_path)
        assert made.returncode == 0, made.stderr
        key = made.stdout.strip()
        assert ask(api, key).status_code == 200
        again = made_by_command("--label", "ci", "--url", admin, folder=tmp_path)
        assert (again.returncode, again.stdout) == (2, "")
        assert "another key has the label 'ci'" in again.stderr
        gateway.kill()
        stored = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
        assert key.encode() not in stored
        gateway = Gateway(tmp_path, CLIENT_ACCESS="required")
        api, admin = gateway.wait_until_ready()
        assert ask(api, key).status_code == 200
        (row,) = httpx.get(f"{admin}/api/admin/api-keys", trust_env=False).json()["items"]
        assert (row["label"], row["key_prefix"]) == ("ci", key[:12])
        assert httpx.delete(f"{admin}/api/admin/api-keys/{row['id']}", trust_env=False).status_code == 200
        assert ask(api, key).status_code == 401
    finally:
        gateway.stop()


def test_the_command_says_when_there_is_no_gateway(tmp_path: Path) -> None:
    made = made_by_command("--label", "ci", "--url", "http://127.0.0.1:9", folder=tmp_path)
    assert (made.returncode, made.stdout) == (2, "")
    assert "is the gateway running?" in made.stderr


def test_an_admin_api_that_others_reach_does_not_start_open(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path, HOST="0.0.0.0")
    assert gateway.process.wait(60) == 2
    assert "ADMIN_AUTH=none on HOST=0.0.0.0" in gateway.output()


def test_the_first_key_after_a_deploy_needs_no_gateway(capsys: pytest.CaptureFixture[str]) -> None:
    with mock_aws():
        tables = Tables("deployed", region="eu-central-1")
        tables.create_missing()
        arguments = ["create", "--label", "first", "--table-prefix", "deployed", "--region", "eu-central-1"]
        assert main(arguments) == 0
        shown = read_key(capsys.readouterr().out.strip())
        assert shown is not None
        assert ClientKeys(tables).get(shown.key_id).opens(shown, 0)
        assert main(arguments) == 2
        assert "named 'first'" in capsys.readouterr().err
