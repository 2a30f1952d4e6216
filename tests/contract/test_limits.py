"""Limited client keys as OpenAI's SDK meets them: its exceptions, its headers, its retries."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from openai import OpenAI, PermissionDeniedError, RateLimitError

from tests.contract.served import Served

HELLO: list[Any] = [{"role": "user", "content": "hello"}]


@pytest.fixture
def limited(served: Served) -> Iterator[Callable[..., OpenAI]]:
    """A client with a key of its own that has these limits."""
    made: list[str] = []
    with served.administrator() as admin:

        def make(**limits: Any) -> OpenAI:
            row = admin.post("/api/admin/api-keys", json={"label": f"limits-{served.token}-{len(made)}", **limits})
            assert row.status_code == 201, row.text
            made.append(row.json()["id"])
            return OpenAI(base_url=f"{served.api}/v1", api_key=row.json()["api_key"], max_retries=0, timeout=20)

        yield make
        for key_id in made:
            admin.delete(f"/api/admin/api-keys/{key_id}").raise_for_status()


def test_a_key_for_one_model_sees_that_one(limited: Callable[..., OpenAI], served: Served) -> None:
    name = served.model("chat")
    with limited(allowed_models=[name]) as client:
        assert [each.id for each in client.models.list()] == [name]
        assert client.chat.completions.create(model=name, messages=HELLO).choices[0].message.content
        with pytest.raises(PermissionDeniedError) as refused:
            client.chat.completions.create(model="anything-else", messages=HELLO)
    assert refused.value.code == "model_not_allowed"


@pytest.mark.parametrize("stream", [False, True])
def test_too_many_requests_are_a_rate_limit_error_with_its_headers(
    limited: Callable[..., OpenAI], served: Served, stream: bool
) -> None:
    with limited(requests_per_minute=1) as client:
        ask = client.chat.completions.with_raw_response
        first = ask.create(model=served.model("chat"), messages=HELLO, stream=stream)
        assert first.headers["x-ratelimit-limit-requests"] == "1"
        assert first.headers["x-ratelimit-remaining-requests"] == "0"
        first.http_response.read()
        with pytest.raises(RateLimitError) as refused:
            client.chat.completions.create(model=served.model("chat"), messages=HELLO, stream=stream)
    assert refused.value.code == "rate_limit_exceeded"
    assert int(refused.value.response.headers["retry-after"]) >= 1


def test_a_spent_budget_is_not_retried(limited: Callable[..., OpenAI], served: Served) -> None:
    with served.administrator() as admin:
        name = f"dear-{served.token}"
        body = {
            "name": name,
            "endpoint_id": served.ids["main"],
            "actual_model": "m",
            "cost_per_1m_tokens_in": 1_000,
            "cost_per_1m_tokens_out": 1_000,
        }
        made = admin.post("/api/admin/virtual-models", json=body)
        assert made.status_code == 201, made.text
        try:
            asked: list[httpx.Request] = []
            with limited(daily_budget=0.001) as client:
                patient = client.with_options(max_retries=3)
                patient._client.event_hooks["request"] = [asked.append]
                with pytest.raises(RateLimitError) as refused:
                    patient.chat.completions.create(model=name, messages=HELLO)
            assert refused.value.code == "insufficient_quota"
            assert len(asked) == 1
        finally:
            admin.delete(f"/api/admin/virtual-models/{made.json()['id']}").raise_for_status()


def test_two_secrets_of_a_rotated_key_open_for_a_while(served: Served, limited: Callable[..., OpenAI]) -> None:
    with served.administrator() as admin:
        row = admin.post("/api/admin/api-keys", json={"label": f"rotated-{served.token}"}).json()
        old, path = row["api_key"], f"/api/admin/api-keys/{row['id']}"
        new = admin.post(f"{path}/rotate", json={"overlap_seconds": 600}).json()["api_key"]
        for key in (old, new):
            with OpenAI(base_url=f"{served.api}/v1", api_key=key, max_retries=0, timeout=20) as client:
                assert client.models.list().data
        newest = admin.post(f"{path}/rotate", json={"overlap_seconds": 0}).json()["api_key"]
        assert len({old, new, newest}) == 3
        listed = next(each for each in admin.get("/api/admin/api-keys").json()["items"] if each["id"] == row["id"])
        assert (listed["key_prefix"], listed["previous_key_until"]) == (newest[:12], None)
        admin.delete(path).raise_for_status()
