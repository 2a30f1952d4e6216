"""What was answered with 2xx is still there after kill -9, while writing and while streaming."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from tests.local.process import Gateway

ROUNDS = 2


class Traffic:
    """Writers and askers that keep what was acknowledged, until the connection breaks."""

    def __init__(self, api: str, admin: str, name: str) -> None:
        self.created: dict[int, str] = {}
        self.answered: set[str] = set()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._write, args=(admin, f"{name}-{number}")) for number in range(2)
        ] + [threading.Thread(target=self._ask, args=(api, stream)) for stream in (False, True)]
        for thread in self._threads:
            thread.start()

    def wait_until_acknowledged(self) -> None:
        deadline = time.monotonic() + 20
        while not (self.created and self.answered):
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _write(self, admin: str, name: str) -> None:
        with httpx.Client(base_url=admin, timeout=5) as client:
            for number in range(10_000):
                if self._stop.is_set():
                    return
                body = {"name": f"{name}-{number}", "endpoint_type": "openai", "url": "http://127.0.0.1:9"}
                try:
                    response = client.post(
                        "/api/admin/endpoints", json={**body, "api_key": f"key-{name}-{number}-abcdef"}
                    )
                except httpx.TransportError:
                    return
                if response.status_code == 201:
                    self.created[response.json()["id"]] = body["name"]

    def _ask(self, api: str, stream: bool) -> None:
        body = {"model": "demo", "stream": stream, "messages": [{"role": "user", "content": "hello"}]}
        with httpx.Client(base_url=api, timeout=5) as client:
            while not self._stop.is_set():
                try:
                    response = client.post("/v1/chat/completions", json=body)
                except httpx.TransportError:
                    return
                if response.status_code == 200 and (not stream or response.text.endswith("data: [DONE]\n\n")):
                    self.answered.add(response.headers["x-request-id"])


def recorded(admin: str) -> set[str]:
    """The request ids of all of the activity, page by page."""
    found: set[str] = set()
    cursor: str | None = None
    with httpx.Client(base_url=admin, timeout=10) as client:
        while True:
            query = {"limit": "500", **({"cursor": cursor} if cursor else {})}
            page = client.get("/api/admin/activity", params=query).json()
            found |= {item["request_id"] for item in page["items"]}
            cursor = page["next_cursor"]
            if cursor is None:
                return found


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    created: dict[int, str] = {}
    answered: set[str] = set()
    chance = random.Random(7)
    for number in range(ROUNDS):
        gateway = Gateway(tmp_path)
        api, admin = gateway.wait_until_ready()
        traffic = Traffic(api, admin, f"round-{number}")
        traffic.wait_until_acknowledged()
        time.sleep(chance.random() / 2)
        gateway.kill()
        traffic.stop()
        created |= traffic.created
        answered |= traffic.answered
    gateway = Gateway(tmp_path)
    _, admin = gateway.wait_until_ready()
    try:
        rows = {row["id"]: row for row in httpx.get(f"{admin}/api/admin/endpoints", timeout=10).json()}
        assert {number: rows[number]["name"] for number in created} == created
        assert all(rows[number]["has_api_key"] for number in created)
        deadline = time.monotonic() + 10
        while not answered <= recorded(admin) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert answered <= recorded(admin)
    finally:
        gateway.stop()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_children_follow_a_killed_parent_and_ports_are_free_again(tmp_path: Path) -> None:
    first = Gateway(tmp_path)
    api, admin = first.wait_until_ready()
    first.kill()
    second = Gateway(tmp_path, API_PORT=api.rpartition(":")[2], ADMIN_PORT=admin.rpartition(":")[2])
    try:
        assert second.wait_until_ready() == (api, admin)
    finally:
        second.stop()


@pytest.mark.slow
@pytest.mark.timeout(60)
def test_a_key_stored_before_a_restart_opens_the_same_door_after_it(tmp_path: Path) -> None:
    first = Gateway(tmp_path)
    _, admin = first.wait_until_ready()
    body = {"name": "keyed", "endpoint_type": "openai", "url": "http://127.0.0.1:9", "api_key": "sk-very-secret-4321"}
    assert httpx.post(f"{admin}/api/admin/endpoints", json=body).status_code == 201
    first.stop()
    data = b"".join(path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file())
    assert b"sk-very-secret-4321" not in data
    second = Gateway(tmp_path)
    _, admin = second.wait_until_ready()
    try:
        failed = httpx.post(f"{admin}/endpoints/2/test", timeout=20).json()
        assert failed["stage"] == "connect"  # the key was opened on the way there
    finally:
        second.stop()
    assert "sk-very-secret" not in first.output() + second.output()


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    ("variables", "line"),
    [
        ({"TIMEOUT": "soon"}, "TIMEOUT must be a number of seconds above 0 and at most 86400, not 'soon'\n"),
        ({"API_PORT": "99999"}, "API_PORT must be a whole number from 0 to 65535, not '99999'\n"),
        ({"AI_QUEUE_URL": "nowhere"}, "AI_QUEUE_URL must be an http or https URL, not 'nowhere'\n"),
    ],
)  # fmt: skip
def test_a_bad_value_stops_the_start_with_one_line(tmp_path: Path, variables: dict[str, str], line: str) -> None:
    gateway = Gateway(tmp_path, **variables)
    assert gateway.process.wait(30) == 2
    assert gateway.output() == line


@pytest.mark.slow
@pytest.mark.timeout(90)
def test_a_second_gateway_on_the_same_folder_or_port_says_so_in_one_line(tmp_path: Path) -> None:
    first = Gateway(tmp_path)
    api, _ = first.wait_until_ready()
    try:
        other = tmp_path / "other"
        other.mkdir()
        port = Gateway(other, API_PORT=api.rpartition(":")[2])
        assert port.process.wait(30) == 2
        assert port.output().count("\n") == 1
        assert port.output().startswith("API_PORT: cannot listen on 127.0.0.1:")
        folder = Gateway(other, DATA_DIR=str(tmp_path / "data"))
        assert folder.process.wait(30) == 2
        assert folder.output().count("\n") == 1
        assert "data" in folder.output()
    finally:
        first.stop()


@pytest.mark.timeout(60)
def test_ctrl_c_ends_everything_without_a_word(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path)
    gateway.wait_until_ready()
    said = gateway.output()
    os.killpg(gateway.process.pid, signal.SIGINT)
    assert gateway.process.wait(20) == 0
    assert gateway.output() == said
