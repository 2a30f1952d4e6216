"""What answers say of themselves, and a price from the administrator's form to the record in the ledger."""

from __future__ import annotations

import secrets
import time
from typing import Any

import httpx
import pytest

from tests.contract.asking import CHAT, HELLO
from tests.contract.served import Served
from tests.upstreams.server import Upstream

_PATIENCE_SECONDS = 15.0
# the backend's answer has 7 fresh tokens, 2 from its cache and 4 of output
OLD = {"cost_per_1m_tokens_in": 2.5, "cost_per_1m_tokens_in_cached": 0.25, "cost_per_1m_tokens_out": 10}
OLD_COST = "0.000058"  # 7 × 2.5 + 2 × 0.25 + 4 × 10 microdollars
NEW = {"cost_per_1m_tokens_in": 0.000001, "cost_per_1m_tokens_in_cached": None, "cost_per_1m_tokens_out": 0}
NEW_COST = "0.000000000009"  # 9 tokens at a picodollar


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", CHAT, {"model": "chat", "messages": HELLO}, 200),
        ("POST", CHAT, {"model": "chat", "messages": HELLO, "stream": True}, 200),
        ("POST", CHAT, {"model": "all-dead", "messages": HELLO}, 502),
        ("POST", CHAT, {"model": "nobody", "messages": HELLO}, 404),
        ("POST", CHAT, {"model": "chat", "messages": 3}, 400),
        ("POST", "/v1/completions", {"model": "words", "prompt": "x"}, 200),
        ("POST", "/v1/embeddings", {"model": "embedder", "input": "x"}, 200),
        ("POST", "/v1/embeddings", {"model": "embedder", "input": 3}, 400),
        ("GET", "/v1/models", None, 200),
        ("GET", "/v1/models/nobody", None, 404),
        ("GET", "/health", None, 200),
    ],
)
def test_every_answer_tells_its_id_and_what_the_gateway_took(
    http: httpx.Client, served: Served, upstream: Upstream, method: str, path: str, body: Any, status: int
) -> None:
    if body and body["model"] != "nobody":
        body = {**body, "model": served.model(body["model"])}
    request_id = f"figures-{secrets.token_hex(6)}"
    answer = http.request(method, path, json=body, headers={"x-request-id": request_id})
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"] == request_id
    assert 0 <= float(answer.headers["x-gateway-overhead-ms"]) < 20_000
    if body and status in (200, 502):
        assert answer.headers["x-gateway-endpoint"]
        assert answer.headers["x-gateway-model"]


def test_a_price_holds_from_its_time_on_and_history_keeps_the_old_one(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    name = f"priced-{secrets.token_hex(6)}"
    with served.administrator() as admin:
        endpoint = {"endpoint_id": served.ids["main"], "actual_model": "actual"}
        made = admin.post("/api/admin/virtual-models", json={"name": name, **endpoint, **OLD})
        assert made.status_code == 201, made.text
        one = f"/api/admin/virtual-models/{made.json()['id']}"
        first = priced(http, name, OLD_COST)
        changed = admin.put(one, json=NEW)
        assert changed.status_code == 200, changed.text
        second = priced(http, name, NEW_COST)
        versions = [made.json()["effective_prices"]["version"], changed.json()["effective_prices"]["version"]]
        rows = rows_of(admin, name, {first, second})
        assert [(rows[each]["cost"], rows[each]["price_version"]) for each in (first, second)] == [
            (OLD_COST, versions[0]),
            (NEW_COST, versions[1]),
        ]
        assert [rows[first][each] for each in ("input_cost", "cache_read_cost", "cache_write_cost", "output_cost")] == [
            "0.0000175",
            "0.0000005",
            "0",
            "0.00004",
        ]
        assert rows[first]["path"].endswith(CHAT)
        assert rows[first]["client_address"]
        history = admin.get(f"{one}/prices").json()["items"]
        assert [each["version"] for each in history] == versions[::-1]
        assert admin.delete(one).status_code == 200


def priced(http: httpx.Client, model: str, cost: str) -> str:
    """The id of the first request that costs this much: the configuration is taken over within a minute."""
    deadline = time.monotonic() + 65
    while True:
        answer = http.post(CHAT, json={"model": model, "messages": HELLO})
        if answer.status_code == 200 and answer.headers.get("x-gateway-cost-usd") == cost:
            return answer.headers["x-request-id"]
        assert time.monotonic() < deadline, (answer.status_code, dict(answer.headers))
        time.sleep(0.2)


def rows_of(admin: httpx.Client, model: str, wanted: set[str]) -> dict[str, dict[str, Any]]:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        page = admin.get("/api/admin/activity", params={"model": model, "limit": 500})
        rows = {row["request_id"]: row for row in page.json()["items"]}
        if wanted <= rows.keys() or time.monotonic() > deadline:
            return rows
        time.sleep(0.1)


def test_the_log_has_a_line_for_every_request_and_no_word_of_it(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    if not served.folder:
        pytest.skip("its log is not here")
    request_id = f"line-{secrets.token_hex(6)}"
    secret = f"words-{secrets.token_hex(6)}"
    body = {"model": served.model("chat"), "messages": [{"role": "user", "content": secret}], "stream": True}
    http.post(CHAT, json=body, headers={"x-request-id": request_id})
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (lines := [line for line in served.log().splitlines() if f"[{request_id}]" in line and " 200 " in line]):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(lines) == 1
    assert f"POST {CHAT} 200 success: {served.model('chat')} at " in lines[0]
    assert secret not in served.log()
