"""Requests that the gateway itself refuses: the field that is wrong is named, and nothing is ever a 5xx."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.asking import CHAT, HELLO, WEATHER, a_chat, error_in
from tests.contract.served import Served
from tests.contract.test_chat_requests import DOCUMENTED, MESSAGES
from tests.contract.test_completions import DOCUMENTED as COMPLETION_FIELDS
from tests.upstreams.server import Upstream

ROUTES = (CHAT, "/v1/completions", "/v1/embeddings")
MODELS = {CHAT: "chat", "/v1/completions": "words", "/v1/embeddings": "embedder"}


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"   ", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"model": "m",}', "invalid_json"),
        (b'{"model": NaN}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b"model=m&prompt=x", "invalid_json"),
        (b"[]", "invalid_type"),
        (b'"text"', "invalid_type"),
        (b"null", "invalid_type"),
        (b"7", "invalid_type"),
    ],
)
def test_a_body_that_is_no_json_object(path: str, body: bytes, code: str, http: httpx.Client) -> None:
    response = http.post(path, content=body, headers={"content-type": "application/json"})
    error = error_in(response)
    assert (response.status_code, error["type"], error["code"]) == (400, "invalid_request_error", code)
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_that_is_no_text(path: str, http: httpx.Client, served: Served) -> None:
    """API Gateway puts U+FFFD where it cannot decode; then another thing is wrong with the request."""
    error = error_in(http.post(path, content=b'{"model": "\xff"}', headers={"content-type": "application/json"}))
    assert error["type"] == "invalid_request_error"
    assert served.functions or error["code"] == "invalid_json"


MISSING = [
    (CHAT, {"messages": HELLO}, "model"),
    (CHAT, {"model": "chat"}, "messages"),
    (CHAT, {"model": None, "messages": HELLO}, "model"),
    (CHAT, a_chat("chat", messages=[{"content": "x"}]), "messages[0].role"),
    (CHAT, a_chat("chat", messages=[*HELLO, {"role": "user"}]), "messages[1].content"),
    (CHAT, a_chat("chat", messages=[{"role": "user", "content": [{"text": "x"}]}]), "messages[0].content[0].type"),
    (CHAT, a_chat("chat", tools=[{"type": "function"}]), "tools[0].function"),
    (CHAT, a_chat("chat", tools=[{"type": "function", "function": {}}]), "tools[0].function.name"),
    (CHAT, a_chat("chat", messages=[{"role": "tool", "content": "x"}]), "messages[0].tool_call_id"),
    (CHAT, a_chat("chat", response_format={"type": "json_schema"}), "response_format.json_schema"),
    ("/v1/completions", {"prompt": "x"}, "model"),
    ("/v1/completions", {"model": "words"}, "prompt"),
    ("/v1/embeddings", {"input": "x"}, "model"),
    ("/v1/embeddings", {"model": "embedder"}, "input"),
]


@pytest.mark.parametrize(("path", "body", "param"), MISSING, ids=[f"{path} {param}" for path, _, param in MISSING])
def test_a_missing_field_is_named(path: str, body: Any, param: str, http: httpx.Client) -> None:
    response = http.post(path, json=body)
    error = error_in(response)
    assert (response.status_code, error["code"], error["param"]) == (400, "missing_required_parameter", param)
    assert param in error["message"]


WRONG: list[tuple[str, str, Any, str]] = [
    *((CHAT, field, "x", field) for field in ("temperature", "top_p", "presence_penalty", "frequency_penalty")),
    *((CHAT, field, 1.5, field) for field in ("max_tokens", "max_completion_tokens", "n", "seed", "top_logprobs")),
    *((CHAT, field, "true", field) for field in ("stream", "logprobs", "parallel_tool_calls")),
    *((CHAT, field, "x", field) for field in ("tools", "functions", "response_format", "stream_options", "logit_bias")),
    *((CHAT, field, 7, field) for field in ("model", "messages", "user", "reasoning_effort", "tool_choice", "stop")),
    (CHAT, "stop", ["a", 1], "stop[1]"),
    (CHAT, "messages", ["hello"], "messages[0]"),
    (CHAT, "messages", [{"role": "user", "content": 7}], "messages[0].content"),
    (CHAT, "messages", [{"role": "user", "content": [7]}], "messages[0].content[0]"),
    (CHAT, "messages", [{"role": 7, "content": "x"}], "messages[0].role"),
    (CHAT, "tools", [7], "tools[0]"),
    (CHAT, "stream_options", {"include_usage": 1}, "stream_options.include_usage"),
    ("/v1/completions", "prompt", {"text": "x"}, "prompt"),
    ("/v1/completions", "prompt", ["a", 1], "prompt[1]"),
    ("/v1/completions", "max_tokens", "9", "max_tokens"),
    ("/v1/completions", "echo", "yes", "echo"),
    ("/v1/completions", "suffix", 7, "suffix"),
    ("/v1/embeddings", "input", {"text": "x"}, "input"),
    ("/v1/embeddings", "input", [None], "input[0]"),
    ("/v1/embeddings", "dimensions", "7", "dimensions"),
]


def valid_body(path: str) -> dict[str, Any]:
    rest = {CHAT: {"messages": HELLO}, "/v1/completions": {"prompt": "x"}, "/v1/embeddings": {"input": "x"}}
    return {"model": MODELS[path], **rest[path]}


@pytest.mark.parametrize(
    ("path", "field", "value", "param"), WRONG, ids=[f"{path} {field} {value}"[:60] for path, field, value, _ in WRONG]
)
def test_a_mistyped_field_is_named(path: str, field: str, value: Any, param: str, http: httpx.Client) -> None:
    response = http.post(path, json={**valid_body(path), field: value})
    error = error_in(response)
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_type", param)
    assert param in error["message"]


OUT_OF_RANGE: list[tuple[str, str, Any, str]] = [
    (CHAT, "temperature", -0.1, "temperature"),
    (CHAT, "top_p", 1.1, "top_p"),
    (CHAT, "n", 0, "n"),
    (CHAT, "n", 129, "n"),
    (CHAT, "max_tokens", -1, "max_tokens"),
    (CHAT, "messages", [], "messages"),
    (CHAT, "messages", [{"role": "wizard", "content": "x"}], "messages[0].role"),
    (CHAT, "model", "", "model"),
    (CHAT, "tool_choice", "sometimes", "tool_choice"),
    ("/v1/completions", "prompt", [], "prompt"),
    ("/v1/completions", "n", 0, "n"),
    ("/v1/embeddings", "input", "", "input"),
    ("/v1/embeddings", "input", [], "input"),
    ("/v1/embeddings", "dimensions", 0, "dimensions"),
    ("/v1/embeddings", "encoding_format", "binary", "encoding_format"),
]


@pytest.mark.parametrize(
    ("path", "field", "value", "param"),
    OUT_OF_RANGE,
    ids=[f"{path} {field} {value}" for path, field, value, _ in OUT_OF_RANGE],
)
def test_a_value_out_of_range_is_named(path: str, field: str, value: Any, param: str, http: httpx.Client) -> None:
    response = http.post(path, json={**valid_body(path), field: value})
    error = error_in(response)
    assert (response.status_code, error["code"], error["param"]) == (400, "invalid_value", param)


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("stream", [False, True])
def test_an_unknown_model_is_not_found(path: str, stream: bool, http: httpx.Client) -> None:
    response = http.post(path, json={**valid_body(path), "model": "nobody 🗼\n", "stream": stream})
    error = error_in(response)
    assert (response.status_code, error["type"]) == (404, "invalid_request_error")
    assert (error["code"], error["param"]) == ("model_not_found", "model")
    assert "GET /v1/models" in error["message"]
    assert response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("path", ROUTES)
def test_a_body_over_the_limit_is_refused(path: str, http: httpx.Client, served: Served, upstream: Upstream) -> None:
    body = {**valid_body(path), "model": served.model(MODELS[path])}
    room = served.max_body_bytes - len(json.dumps({**body, "pad": ""}))
    assert http.post(path, content=json.dumps({**body, "pad": "x" * room})).status_code == 200
    response = http.post(path, content=json.dumps({**body, "pad": "x" * (room + 1)}))
    assert response.status_code == 413
    assert error_in(response)["code"] == "request_too_large"
    assert len(upstream.seen) == 1


def test_a_body_without_a_length_is_counted_as_it_comes(http: httpx.Client, served: Served) -> None:
    pieces = (b" " * 65_536 for _ in range(served.max_body_bytes // 65_536 + 1))
    response = http.post(CHAT, content=pieces)
    assert response.status_code == 413


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
# values that are right somewhere: wrong shapes are likeliest where they are nearly right
NEARLY = st.sampled_from([*DOCUMENTED.values(), *COMPLETION_FIELDS.values(), *MESSAGES, MESSAGES, WEATHER, HELLO])
VALUE = JSON | NEARLY
PARTS = st.dictionaries(
    st.sampled_from(["type", "text", "image_url", "input_audio", "file", "refusal", "url", "data", "cache_control"]),
    st.sampled_from(["text", "image_url", "input_audio", "file", "refusal", "data:,x", "http://x"]) | JSON,
)
MESSAGE = st.dictionaries(
    st.sampled_from(["role", "content", "name", "tool_calls", "tool_call_id", "function_call", "reasoning_details"]),
    st.sampled_from(["user", "assistant", "tool", "function", "system"])
    | st.lists(PARTS, max_size=2)
    | st.lists(
        st.fixed_dictionaries({"id": JSON, "function": JSON | st.fixed_dictionaries({"name": JSON})}), max_size=2
    )
    | VALUE,
)
FIELDS = [
    *DOCUMENTED,
    *COMPLETION_FIELDS,
    "prompt",
    "input",
    "dimensions",
    "encoding_format",
    "stream_options",
    "stream",
]
BODY = st.fixed_dictionaries(
    {"messages": st.lists(MESSAGE, max_size=3) | VALUE | st.just(HELLO), "prompt": VALUE, "input": VALUE},
    optional={field: VALUE for field in FIELDS if field not in ("prompt", "input")},
)


@pytest.mark.parametrize("path", ROUTES)
def test_no_body_whatever_is_a_server_error(
    path: str, http: httpx.Client, served: Served, upstream_session: Upstream
) -> None:
    upstream_session.reset()

    @settings(
        max_examples=50, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
    )
    @given(body=BODY, whole=JSON, choose=st.integers(0, 9))
    def check(body: dict[str, Any], whole: Any, choose: int) -> None:
        sent = whole if choose == 0 else {**body, "model": served.model(MODELS[path])}
        response = http.post(path, content=json.dumps(sent).encode())
        assert response.status_code in (200, 400, 404, 413), (response.status_code, response.text, sent)
        if response.status_code != 200:
            error = error_in(response)
            assert error["type"] == "invalid_request_error"

    check()
