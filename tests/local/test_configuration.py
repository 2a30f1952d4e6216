"""`make export` and `make import` against a gateway's admin API over HTTP."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from infra.configuration import main, references, shown
from tests.local.process import Gateway

DOCUMENT = """\
version: 1
endpoints:
  - {name: one, url: "https://one.example", api_key: {env: ONE_KEY}}
"""


def test_the_names_of_secrets_are_found_wherever_they_stand() -> None:
    text = DOCUMENT + "virtual_models:\n  - custom_headers:\n      x-key:\n        env: 'HEADER'\n    env: nested\n"
    assert references(text) == {"ONE_KEY", "HEADER"}
    assert references("a: [") == set()


def test_a_change_is_shown_a_field_a_line() -> None:
    changes = [{"field": "priority", "before": None, "after": 3}]
    row = {"action": "create", "kind": "endpoint", "name": "one", "changes": changes}
    assert shown([row]) == "create endpoint one\n    priority: none -> 3"
    assert shown([]) == "nothing changes"


def asked(api: str, key: str) -> httpx.Response:
    body = {"model": "demo", "messages": [{"role": "user", "content": "Hello"}]}
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{api}/v1/chat/completions", json=body, headers=headers, trust_env=False, timeout=30)


def told_by(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


@pytest.mark.slow
def test_a_document_goes_in_and_comes_out_and_limits_and_the_log_survive_a_kill(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONE_KEY", "sk-one-0123456789abcdef")
    file, out = tmp_path / "gateway.yaml", tmp_path / "out.yaml"
    file.write_text(DOCUMENT)
    gateway = Gateway(tmp_path)
    try:
        api, admin = gateway.wait_until_ready()
        assert main(["import", str(file), "--url", admin, "--dry-run"]) == 0
        assert "create endpoint one" in capsys.readouterr().out
        assert main(["import", str(file), "--url", admin]) == 0
        assert main(["export", str(out), "--url", admin]) == 0
        assert "sk-one" not in out.read_text()
        assert main(["import", str(out), "--url", admin, "--prune"]) == 0
        assert capsys.readouterr().out.splitlines()[-1] == "nothing changes"
        file.write_text("version: 1\nendpoints: [{name: one, url: nowhere}]")
        assert main(["import", str(file), "--url", admin]) == 2
        assert "endpoints[0].url: must begin with" in capsys.readouterr().err

        made = httpx.post(
            f"{admin}/api/admin/api-keys",
            json={"label": "limited", "requests_per_minute": 2, "daily_budget": 1, "allowed_models": ["demo"]},
            trust_env=False,
        ).json()
        assert asked(api, made["api_key"]).status_code == 200
        while not httpx.get(f"{admin}/api/admin/api-keys/{made['id']}", trust_env=False).json()["last_used_at"]:
            time.sleep(0.01)  # it is noted behind the first request, and then not for ten minutes
        tables = told_by(tmp_path / "data" / "tables")
        assert [asked(api, made["api_key"]).status_code for _ in range(2)] == [200, 429]
        # what is counted is no configuration: it must not make the next request read everything again
        assert told_by(tmp_path / "data" / "tables") == tables
        gateway.kill()
        gateway = Gateway(tmp_path)
        api, admin = gateway.wait_until_ready()
        assert asked(api, made["api_key"]).status_code == 429
        rotated = httpx.post(f"{admin}/api/admin/api-keys/{made['id']}/rotate", trust_env=False).json()
        assert rotated["id"] == made["id"]
        change = {"requests_per_minute": None}
        httpx.put(f"{admin}/api/admin/api-keys/{made['id']}", json=change, trust_env=False).raise_for_status()
        for key in (made["api_key"], rotated["api_key"]):
            assert asked(api, key).status_code == 200
        use = httpx.get(f"{admin}/api/admin/api-keys/{made['id']}/use", trust_env=False).json()
        assert (use["requests_left"], use["in_flight"], use["day_cost"]) == (None, 0, 0.0)
        told = httpx.get(f"{admin}/api/admin/audit", trust_env=False).json()["items"]
        assert [(each["action"], each["kind"]) for each in told[:4]] == [
            ("update", "api_key"),
            ("rotate", "api_key"),
            ("create", "api_key"),
            ("create", "endpoint"),
        ]
    finally:
        gateway.stop()
