"""What of a client's request arrives at a backend that speaks the same wire: everything, and nothing else."""

from __future__ import annotations

import inspect
from typing import Any

import httpx
import pytest
from openai import OpenAI

from tests.contract.asking import CHAT, HELLO, WEATHER, a_chat
from tests.contract.catalogue import UPSTREAM_KEY, actual
from tests.contract.conftest import CLIENT_KEY
from tests.contract.served import Served
from tests.upstreams.server import Upstream

# every documented field with a value that is not its default
DOCUMENTED: dict[str, Any] = {
    "audio": {"voice": "ash", "format": "wav"},
    "frequency_penalty": -0.5,
    "function_call": "none",
    "functions": [{"name": "old", "parameters": {}}],
    "logit_bias": {"50256": -100, "1734": 5},
    "logprobs": True,
    "max_completion_tokens": 4096,
    "max_tokens": 77,
    "metadata": {"team": "blue"},
    "modalities": ["text", "audio"],
    "moderation": {"model": "omni-moderation-latest"},
    "n": 2,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": "the same again"},
    "presence_penalty": 0.25,
    "prompt_cache_key": "session-7",
    "prompt_cache_options": {"mode": "explicit"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "high",
    "response_format": {
        "type": "json_schema",
        "json_schema": {"name": "city", "strict": True, "schema": {"type": "object", "x-kept": 1}},
    },
    "safety_identifier": "user-hash",
    "seed": 9_007_199_254_740_993,
    "service_tier": "flex",
    "stop": ["\n\n", "END"],
    "store": True,
    "temperature": 0,
    "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
    "tools": [WEATHER, {"type": "function", "function": {"name": "bare"}}, {"type": "custom", "custom": {"name": "c"}}],
    "top_logprobs": 3,
    "top_p": 0.125,
    "user": "user-1",
    "verbosity": "low",
    "web_search_options": {"search_context_size": "low"},
}
UNDOCUMENTED: dict[str, Any] = {
    "chat_template_kwargs": {"enable_thinking": False},
    "guided_json": {"type": "object"},
    "min_p": 0.05,
    "repetition_penalty": 1.1,
    "top_k": 40,
    "x_new_in_2027": [1, "two", {"three": None}],
}
MESSAGES: list[Any] = [
    {"role": "developer", "content": "Be exact.", "name": "ops"},
    {"role": "system", "content": [{"type": "text", "text": "Rules", "prompt_cache_breakpoint": {"mode": "explicit"}}]},
    {
        "role": "user",
        "name": "ann",
        "content": [
            {"type": "text", "text": "Compare \u2028 these 🗼"},
            {"type": "image_url", "image_url": {"url": "https://example.test/a.png", "detail": "low"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
            {"type": "file", "file": {"file_id": "file-abc"}},
            {"type": "video_url", "video_url": {"url": "https://example.test/v.mp4"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "refusal": None,
        "audio": {"id": "audio_1"},
        "reasoning_content": "hm",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Wien"}'}},
            {"id": "call_2", "type": "custom", "custom": {"name": "c", "input": "x"}},
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "sunny"}]},
    {"role": "tool", "tool_call_id": "call_2", "content": "y"},
    {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "unknown_field": {"kept": True}},
    {"role": "user", "content": "go on"},
]


def test_the_list_of_documented_fields_is_the_sdks() -> None:
    parameters = inspect.signature(OpenAI(api_key="x").chat.completions.create).parameters
    documented = set(parameters) - {"extra_headers", "extra_query", "extra_body", "timeout"}
    assert documented == set(DOCUMENTED) | {"messages", "model", "stream", "stream_options"}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", ["chat", "chat-v1"])
def test_every_field_arrives_unchanged(
    model: str, stream: bool, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    body = {"model": served.model(model), "messages": MESSAGES, **DOCUMENTED, **UNDOCUMENTED, "stream": stream}
    if stream:
        body["stream_options"] = {"include_usage": False, "include_obfuscation": False}
    assert http.post(CHAT, json=body).status_code == 200
    expected = {**body, "model": actual(model)}
    if stream:
        expected["stream_options"] = {"include_usage": True, "include_obfuscation": False}
    assert upstream.last.body == expected
    assert upstream.last.path == "/v1/chat/completions"


@pytest.mark.parametrize("field", [*DOCUMENTED, *UNDOCUMENTED])
def test_a_field_arrives_alone(field: str, http: httpx.Client, served: Served, upstream: Upstream) -> None:
    value = {**DOCUMENTED, **UNDOCUMENTED}[field]
    with_tools = {"tools": [WEATHER]} if field in ("tool_choice", "parallel_tool_calls") else {}
    assert http.post(CHAT, json=a_chat(served.model("chat"), **{field: value}, **with_tools)).status_code == 200
    assert upstream.last.body == {"model": actual("chat"), "messages": HELLO, field: value, **with_tools}


def test_the_sdks_own_request_arrives(client: OpenAI, served: Served, upstream: Upstream) -> None:
    fields = {name: value for name, value in DOCUMENTED.items() if name not in ("functions", "function_call")}
    client.chat.completions.create(model=served.model("chat"), messages=MESSAGES, **fields, extra_body=UNDOCUMENTED)
    assert upstream.last.body == {"model": actual("chat"), "messages": MESSAGES, **fields, **UNDOCUMENTED}


@pytest.mark.parametrize("stream", [False, True])
def test_nothing_is_added_to_a_bare_request(
    stream: bool, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    http.post(CHAT, json=a_chat(served.model("chat"), **({"stream": True} if stream else {})))
    asked = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    assert upstream.last.body == {"model": actual("chat"), "messages": HELLO, **asked}


def test_nulls_say_nothing(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    nulls = dict.fromkeys([*DOCUMENTED, *UNDOCUMENTED, "stream", "stream_options"])
    response = http.post(CHAT, json=a_chat(served.model("chat"), **nulls))
    assert response.status_code == 200
    assert upstream.last.body == {"model": actual("chat"), "messages": HELLO}


def test_an_empty_list_of_tools_is_no_list(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    http.post(CHAT, json=a_chat(served.model("chat"), tools=[], tool_choice="auto", parallel_tool_calls=True))
    assert upstream.last.body == {"model": actual("chat"), "messages": HELLO}


def test_the_gateways_key_opens_the_backend_and_the_clients_does_not_travel(
    client: OpenAI, served: Served, upstream: Upstream
) -> None:
    client.chat.completions.create(model=served.model("chat"), messages=HELLO, extra_headers={"cookie": "a=b"})
    headers = upstream.last.headers
    assert headers["authorization"] == f"Bearer {UPSTREAM_KEY}"
    assert CLIENT_KEY not in str(headers)
    assert "cookie" not in headers
    assert not [name for name in headers if name.startswith("x-stainless")]


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_a_key_is_taken_in_either_header(header: str, http: httpx.Client, served: Served, upstream: Upstream) -> None:
    value = f"Bearer {CLIENT_KEY}" if header == "authorization" else CLIENT_KEY
    response = http.post(CHAT, json=a_chat(served.model("chat")), headers={header: value})
    assert response.status_code == 200


def test_a_backend_without_the_developer_role_gets_system(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    messages = [{"role": "developer", "content": "Be exact."}, *HELLO]
    http.post(CHAT, json={"model": served.model("together"), "messages": messages, "max_completion_tokens": 9})
    assert upstream.last.body["messages"] == [{"role": "system", "content": "Be exact."}, *HELLO]
    assert upstream.last.body["max_tokens"] == 9
    assert "max_completion_tokens" not in upstream.last.body


def test_open_webui_is_asked_at_its_own_address(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    assert http.post(CHAT, json=a_chat(served.model("webui"))).status_code == 200
    assert upstream.last.path == "/api/chat/completions"


def test_a_body_without_a_content_type_is_json(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    import json

    response = http.post(CHAT, content=json.dumps(a_chat(served.model("chat"))).encode())
    assert response.status_code == 200


def test_the_query_is_not_passed_on(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    assert http.post(CHAT + "?beta=true", json=a_chat(served.model("chat"))).status_code == 200
    assert upstream.last.path == "/v1/chat/completions"
