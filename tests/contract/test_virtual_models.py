"""What a virtual model's settings do to a request and to its answer, and where it goes when a backend fails."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest
from openai import APIError, OpenAI

from tests.contract.asking import CHAT, HELLO, a_chat, check_chunks, chunks_of, error_in, text_in
from tests.contract.catalogue import BACKUP_KEY, actual
from tests.contract.served import Served
from tests.contract.test_activity import rows_of
from tests.upstreams.openai import DONE, recorded
from tests.upstreams.script import CUT, Gate, Reply, frames_of, says, streams
from tests.upstreams.server import Upstream

TEXT = "Grüße aus 東京 🗼"
DEFAULTS = {"max_tokens": 17, "temperature": 0, "top_p": 0.5}


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ({}, DEFAULTS),
        ({"temperature": 0.9}, {**DEFAULTS, "temperature": 0.9}),
        ({"temperature": None, "top_p": None}, DEFAULTS),
        ({"max_tokens": 0, "top_p": 0}, {**DEFAULTS, "max_tokens": 0, "top_p": 0}),
        ({"max_completion_tokens": 5}, {"temperature": 0, "top_p": 0.5, "max_completion_tokens": 5}),
    ],
)
def test_defaults_stand_in_for_what_the_client_did_not_say(
    said: dict[str, Any], sent: dict[str, Any], http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    http.post(CHAT, json=a_chat(served.model("defaults"), **said))
    assert upstream.last.body == {"model": actual("defaults"), "messages": HELLO, **sent}
    if "max_completion_tokens" not in said:
        http.post("/v1/completions", json={"model": served.model("defaults"), "prompt": "x", **said})
        assert upstream.last.body == {"model": actual("defaults"), "prompt": "x", **sent}


def test_the_system_prompt_goes_first(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    messages = [{"role": "system", "content": "The client's own."}, *HELLO]
    http.post(CHAT, json={"model": served.model("system-prompt"), "messages": messages})
    assert upstream.last.body["messages"] == [{"role": "system", "content": "You are terse."}, *messages]


def test_custom_headers_are_sent(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    routes = {CHAT: {"messages": HELLO}, "/v1/embeddings": {"input": "x"}, "/v1/completions": {"prompt": "x"}}
    for path, body in routes.items():
        assert http.post(path, json={"model": served.model("headers"), **body}).status_code == 200
        assert upstream.last.headers["x-team"] == "blue"
        assert upstream.last.headers["http-referer"] == "http://example.test"


def test_a_stream_can_be_made_of_an_answer_asked_for_whole(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    body = a_chat(served.model("whole-upstream"), stream=True, stream_options={"include_usage": True})
    chunks = chunks_of(http.post(CHAT, json=body).content)
    check_chunks(chunks, served.model("whole-upstream"), usage=True)
    assert text_in(chunks) == TEXT
    assert upstream.last.body == {"model": actual("whole-upstream"), "messages": HELLO, "stream": False}


def test_a_client_can_be_given_a_whole_answer_for_a_stream(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    response = http.post(CHAT, json=a_chat(served.model("whole-downstream"), stream=True))
    assert response.headers["content-type"] == "application/json"
    assert response.json()["choices"][0]["message"]["content"] == TEXT
    assert not upstream.last.body.get("stream")


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/v1/completions"])
@pytest.mark.parametrize(
    ("model", "status", "code"), [("disabled", 404, "model_not_found"), ("all-off", 503, "endpoint_disabled")]
)
def test_what_is_disabled_says_so(
    model: str, status: int, code: str, path: str, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    body = {"model": served.model(model), "messages": HELLO, "prompt": "x", "input": "x"}
    response = http.post(path, json=body)
    error = error_in(response)
    assert (response.status_code, error["code"], error["param"]) == (status, code, "model")
    assert "disabled" in error["message"]
    assert response.headers["x-should-retry"] == "false"
    assert upstream.seen == []


def test_the_endpoint_with_the_higher_priority_is_asked_first(
    http: httpx.Client, served: Served, upstream: Upstream, backup: Upstream
) -> None:
    response = http.post(CHAT, json=a_chat(served.model("two")))
    assert response.headers["x-gateway-endpoint"] == served.model("main")
    assert "x-gateway-attempts" not in response.headers
    assert (len(upstream.seen), len(backup.seen)) == (1, 0)


def test_a_disabled_endpoint_is_passed_over(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    response = http.post(CHAT, json=a_chat(served.model("first-off")))
    assert (response.status_code, response.headers["x-gateway-endpoint"]) == (200, served.model("main"))
    assert len(upstream.seen) == 1


@pytest.mark.parametrize("path", [CHAT, "/v1/embeddings", "/v1/completions"])
def test_an_endpoint_that_cannot_be_reached_is_passed_over(
    path: str, http: httpx.Client, served: Served, upstream: Upstream, backup: Upstream
) -> None:
    body = {"model": served.model("first-dead"), "messages": HELLO, "prompt": "x", "input": "x"}
    response = http.post(path, json=body)
    assert response.status_code == 200
    assert response.headers["x-gateway-endpoint"] == served.model("main")
    assert (len(upstream.seen), len(backup.seen)) == (1, 0)


def error(status: int) -> Reply:
    return says({"error": {"message": "from main"}}, status)


HELPED: dict[str, Reply] = {
    **{str(status): error(status) for status in (429, 500, 502, 503, 504, 529)},
    "a cut connection": Reply(before=(CUT,)),
    "an empty 200": Reply(),
    "a web page": Reply((b"<html>",), 200, "text/html"),
    "an empty stream": streams(),
    "an error as the first event": recorded("error_first.sse"),
}


@pytest.mark.parametrize("fault", HELPED)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_falls_back_before_the_first_event(
    fault: str, stream: bool, http: httpx.Client, served: Served, upstream: Upstream, backup: Upstream
) -> None:
    upstream.on(actual("two"), HELPED[fault])
    response = http.post(CHAT, json=a_chat(served.model("two"), stream=stream))
    assert response.status_code == 200
    assert response.headers["x-gateway-endpoint"] == served.model("backup")
    assert response.headers["x-gateway-attempts"] == "2"
    assert len(backup.seen) == 1
    # a pooled connection that is closed without a word may have been stale: it is tried once more on a new one
    assert len(upstream.seen) <= (2 if fault == "a cut connection" else 1)
    assert backup.last.headers["authorization"] == f"Bearer {BACKUP_KEY}"
    said = text_in(chunks_of(response.content)) if stream else response.json()["choices"][0]["message"]["content"]
    assert said == TEXT


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_refusal_that_another_would_repeat_is_told_at_once(
    status: int, stream: bool, http: httpx.Client, served: Served, upstream: Upstream, backup: Upstream
) -> None:
    upstream.on(actual("two"), error(status))
    response = http.post(CHAT, json=a_chat(served.model("two"), stream=stream))
    assert "from main" in error_in(response)["message"]
    assert backup.seen == []


def test_the_last_failure_is_told_when_every_target_fails(
    http: httpx.Client, served: Served, upstream: Upstream, backup: Upstream
) -> None:
    upstream.on(actual("two"), error(500))
    backup.on(actual("two"), says({"error": {"message": "from backup"}}, 429, retry_after="9"))
    response = http.post(CHAT, json=a_chat(served.model("two")))
    assert (response.status_code, response.headers["retry-after"]) == (429, "9")
    assert error_in(response)["message"] == "from backup"


@pytest.mark.parametrize("ending", [(CUT,), (), (DONE,), (frames_of("openai/error_midway.sse")[1],)])
def test_nothing_is_tried_again_after_the_first_event(
    ending: tuple[Any, ...], client: OpenAI, served: Served, upstream: Upstream, backup: Upstream
) -> None:
    seen = Gate()
    upstream.on(actual("two"), streams(frames_of("openai/text.sse")[1], seen, *ending))
    with pytest.raises(APIError):
        for chunk in client.chat.completions.create(model=served.model("two"), messages=HELLO, stream=True):
            assert chunk.choices[0].delta.content == "Grüße"
            seen.open()
    assert backup.seen == []


def test_embeddings_fall_back_too(http: httpx.Client, served: Served, upstream: Upstream, backup: Upstream) -> None:
    upstream.on(actual("two"), error(503))
    response = http.post("/v1/embeddings", json={"model": served.model("two"), "input": "x"})
    assert response.status_code == 200
    assert response.headers["x-gateway-endpoint"] == served.model("backup")


def test_headers_stay_ascii_whatever_the_names_are(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    with served.administrator() as admin:
        body = {
            "name": served.model("schönes modell/🗼"),
            "targets": [{"endpoint_id": served.ids["main"], "actual_model": "größe\u2028x"}],
        }
        assert admin.post("/api/admin/virtual-models", json=body).status_code == 201
    deadline = time.monotonic() + 15  # until the client API has seen it
    while (response := http.post(CHAT, json=a_chat(str(body["name"])))).status_code == 404:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert response.status_code == 200
    assert response.headers["x-gateway-model"].isascii()
    assert response.json()["model"] == body["name"]
    assert upstream.last.body["model"] == "größe\u2028x"
    # another function, which may have looked a few seconds earlier
    while (found := http.get(f"/v1/models/{body['name']}")).status_code == 404 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert found.json()["id"] == body["name"]


@pytest.mark.parametrize("stream", [False, True])
def test_an_alias_is_the_virtual_model_and_counts_as_it(
    stream: bool, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    """The answer bears the name that was asked for, as OpenAI's clients expect."""
    alias, request_id = served.model("other-name"), f"alias-{served.token}-{stream}"
    response = http.post(CHAT, json=a_chat(alias, stream=stream), headers={"x-request-id": request_id})
    assert response.status_code == 200
    if stream:
        assert {chunk["model"] for chunk in chunks_of(response.content)} == {alias}
    else:
        assert response.json()["model"] == alias
    assert response.headers["x-gateway-model"] == upstream.last.body["model"] == actual("named-twice")
    (row,) = rows_of(served, request_id, 1)
    assert row["virtual_model"] == served.model("named-twice")


def test_every_route_takes_an_alias(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    for path, body in (("/v1/embeddings", {"input": "x"}), ("/v1/completions", {"prompt": "x"})):
        response = http.post(path, json={"model": served.model("other-name"), **body})
        assert (response.status_code, response.json()["model"]) == (200, served.model("other-name"))


def test_pickers_find_a_model_under_all_its_names(http: httpx.Client, client: OpenAI, served: Served) -> None:
    name, alias = served.model("named-twice"), served.model("other-name")
    listed = {row.id: row for row in client.models.list()}
    assert listed[alias].to_dict() == {**listed[name].to_dict(), "id": alias}
    assert client.models.retrieve(alias).id == alias
    page = http.get("/v1/models?limit=1000", headers={"anthropic-version": "2023-06-01"}).json()
    assert {name, alias} <= {row["id"] for row in page["data"]}


def test_a_key_for_a_model_may_use_its_aliases(served: Served, upstream: Upstream) -> None:
    name, alias = served.model("named-twice"), served.model("other-name")
    with served.administrator() as admin:
        body = {"label": f"alias-{served.token}", "allowed_models": [name], "requests_per_minute": 2}
        made = admin.post("/api/admin/api-keys", json=body).json()
        try:
            headers = {"authorization": f"Bearer {made['api_key']}"}
            with httpx.Client(base_url=served.api, headers=headers, timeout=20) as mine:
                assert {row["id"] for row in mine.get("/v1/models").json()["data"]} == {name, alias}
                assert mine.post(CHAT, json=a_chat(served.model("chat"))).status_code == 403
                assert mine.post(CHAT, json=a_chat("nobody")).status_code == 403
                statuses = [mine.post(CHAT, json=a_chat(each)).status_code for each in (name, alias, alias)]
                assert statuses == [200, 200, 429]
        finally:
            admin.delete(f"/api/admin/api-keys/{made['id']}").raise_for_status()
