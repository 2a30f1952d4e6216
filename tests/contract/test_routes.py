"""Addresses and their aliases, the list of models, health, and what is answered to addresses that do not exist."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from openai import NotFoundError, OpenAI

from tests.contract.asking import a_chat, error_in
from tests.contract.catalogue import BACKUP_KEY, MODELS, UPSTREAM_KEY
from tests.contract.served import Served
from tests.upstreams.server import Upstream

POSTS = {
    "chat": ("/v1/chat/completions", "/chat/completions", "/api/chat/completions", "/v1/chat/completions/"),
    "words": ("/v1/completions", "/completions"),
    "embedder": ("/v1/embeddings", "/embeddings", "/api/v1/embeddings"),
}
BODIES: dict[str, dict[str, Any]] = {"chat": a_chat(""), "words": {"prompt": "Once"}, "embedder": {"input": "x"}}
ADDRESSES = [(model, path) for model, paths in POSTS.items() for path in paths]
LISTS = ("/v1/models", "/models", "/api/models", "/api/v1/models")


@pytest.mark.parametrize(("model", "path"), ADDRESSES, ids=[path for _, path in ADDRESSES])
def test_an_alias_answers_like_its_route(
    model: str, path: str, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    response = http.post(path, json={**BODIES[model], "model": served.model(model)})
    assert response.status_code == 200
    assert response.json()["model"] == served.model(model)


def test_the_sdk_lists_the_enabled_virtual_models(client: OpenAI, served: Served, upstream: Upstream) -> None:
    listed = {model.id: model for model in client.models.list()}
    enabled = {served.model(name) for name, fields in MODELS.items() if fields.get("enabled", True)}
    assert enabled <= set(listed)
    assert served.model("disabled") not in listed
    row = listed[served.model("chat")]
    assert (row.object, row.owned_by) == ("model", served.model("main"))
    assert row.created > 1_700_000_000
    assert upstream.seen == []


@pytest.mark.parametrize("path", LISTS)
def test_every_list_is_the_same(path: str, http: httpx.Client, served: Served) -> None:
    body = http.get(path).json()
    assert body["object"] == "list"
    assert served.model("chat") in {row["id"] for row in body["data"]}


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
def test_one_model_is_retrieved(path: str, http: httpx.Client, client: OpenAI, served: Served) -> None:
    name = served.model("chat")
    assert http.get(f"{path}/{name}").json() == client.models.retrieve(name).to_dict()


@pytest.mark.parametrize("name", ["nobody", "org/nobody", "disabled"])
def test_a_model_that_is_not_there_is_not_found(name: str, client: OpenAI, served: Served) -> None:
    with pytest.raises(NotFoundError) as missing:
        client.models.retrieve(served.model(name))
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")


def test_clients_of_anthropic_get_its_list(http: httpx.Client, served: Served) -> None:
    response = http.get("/v1/models?limit=1000", headers={"anthropic-version": "2023-06-01"})
    body = response.json()
    assert body["has_more"] is False
    assert (body["first_id"], body["last_id"]) == (body["data"][0]["id"], body["data"][-1]["id"])
    assert served.model("chat") in {row["id"] for row in body["data"]}


def test_health_is_told_without_asking_a_model(
    http: httpx.Client, served: Served, upstream: Upstream, backup: Upstream
) -> None:
    response = http.get("/health")
    assert response.status_code == 200
    body = response.json()
    assert body["status"] == "healthy"
    assert body["store"]["ok"] is True
    names = {row["name"]: row for row in body["endpoints"]}
    assert names[served.model("off")]["enabled"] is False
    assert upstream.seen == []
    assert backup.seen == []
    assert UPSTREAM_KEY not in response.text
    assert BACKUP_KEY not in response.text


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("PUT", "/v1/chat/completions", "POST"),
        ("DELETE", "/v1/embeddings", "POST"),
        ("GET", "/completions", "POST"),
        ("POST", "/v1/models", "GET"),
        ("POST", "/health", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_one(method: str, path: str, allowed: str, http: httpx.Client) -> None:
    response = http.request(method, path)
    assert response.status_code == 405
    assert allowed in response.headers["allow"].split(", ")
    assert error_in(response)["code"] == "method_not_allowed"
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v2/chat/completions", "/v1/chat/completions/x", "/v1/images", "/%00", "/a/../etc"]
)
def test_an_unknown_address_is_not_found(path: str, http: httpx.Client) -> None:
    response = http.post(path, json={})
    assert response.status_code == 404
    error = error_in(response)
    assert (error["type"], error["code"]) == ("invalid_request_error", "unknown_url")
    assert response.headers["x-should-retry"] == "false"


def test_administration_is_not_served_to_clients(http: httpx.Client) -> None:
    """Here it is on another port, in the cloud it wants an administrator's token."""
    assert http.get("/api/admin/endpoints").status_code in (401, 404)


@pytest.mark.parametrize(("path", "status"), [("/v1/models", 200), ("/health", 200), ("/", 404)])
def test_head_is_answered_without_a_body(path: str, status: int, http: httpx.Client) -> None:
    response = http.head(path)
    assert (response.status_code, response.content) == (status, b"")
