"""Whole chat completions, as the official SDK reads them."""

from __future__ import annotations

import json

import httpx
import pytest
from openai import AsyncOpenAI, OpenAI
from pydantic import BaseModel

from tests.contract.asking import CHAT, HELLO, a_chat
from tests.contract.catalogue import actual
from tests.contract.served import Served
from tests.upstreams.openai import recorded
from tests.upstreams.script import says, text_of
from tests.upstreams.server import Upstream

TEXT = "Grüße aus 東京 🗼"


@pytest.mark.parametrize("name", ["text", "parallel_tools", "logprobs", "two_choices", "reasoning"])
def test_a_whole_answer_is_the_backends_own_under_our_name(
    name: str, http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("chat"), recorded(f"{name}.json"))
    response = http.post(CHAT, json=a_chat(served.model("chat")))
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {**json.loads(text_of(f"openai/{name}.json")), "model": served.model("chat")}


def test_the_sdk_reads_a_whole_answer(client: OpenAI, served: Served, upstream: Upstream) -> None:
    answer = client.chat.completions.create(model=served.model("chat"), messages=HELLO)
    assert answer.choices[0].message.content == TEXT
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (9, 4, 13)
    assert answer.model == served.model("chat")


async def test_the_async_client_reads_a_whole_answer(
    async_client: AsyncOpenAI, served: Served, upstream: Upstream
) -> None:
    answer = await async_client.chat.completions.create(model=served.model("chat"), messages=HELLO)
    assert answer.choices[0].message.content == TEXT


def test_the_raw_response_names_who_served_it(client: OpenAI, served: Served, upstream: Upstream) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=served.model("chat"), messages=HELLO, extra_headers={"x-request-id": "mine-42"}
    )
    assert raw.headers["x-request-id"] == "mine-42"
    assert raw.headers["x-gateway-endpoint"] == served.model("main")
    assert raw.headers["x-gateway-model"] == actual("chat")
    assert "x-gateway-dropped" not in raw.headers
    assert raw.parse().choices[0].message.content == TEXT


def test_every_answer_has_a_request_id_of_its_own(client: OpenAI, served: Served, upstream: Upstream) -> None:
    answers = [client.chat.completions.create(model=served.model("chat"), messages=HELLO) for _ in range(2)]
    assert len({answer._request_id for answer in answers if answer._request_id}) == 2


class City(BaseModel):
    city: str
    population: int


def test_a_structured_answer_is_parsed(client: OpenAI, served: Served, upstream: Upstream) -> None:
    upstream.on(actual("chat"), recorded("structured.json"))
    answer = client.chat.completions.parse(model=served.model("chat"), messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(city="Wien", population=2_000_000)
    sent = upstream.last.body["response_format"]
    assert sent["type"] == "json_schema"
    assert sent["json_schema"]["strict"] is True
    assert set(sent["json_schema"]["schema"]["required"]) == {"city", "population"}


@pytest.mark.parametrize("name", ["text", "parallel_tools", "logprobs", "two_choices", "reasoning", "refusal"])
def test_a_backend_that_only_streams_is_collected(
    name: str, client: OpenAI, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("chat"), recorded(f"{name}.sse"))
    answer = client.chat.completions.create(model=served.model("chat"), messages=HELLO)
    first = answer.choices[0]
    assert first.finish_reason == ("tool_calls" if name == "parallel_tools" else "stop")
    match name:
        case "text":
            assert first.message.content == TEXT
        case "parallel_tools":
            assert [call.id for call in first.message.tool_calls or ()] == ["call_a1", "call_b2", "call_c3"]
            assert first.message.content is None
        case "logprobs":
            assert first.logprobs is not None
            assert [each.token for each in first.logprobs.content or ()] == ["Hi", "!"]
        case "two_choices":
            assert [each.message.content for each in answer.choices] == ["first", "second"]
        case "reasoning":
            assert first.message.to_dict()["reasoning_content"] == "Let me think."
        case "refusal":
            assert first.message.refusal == "I cannot help."
    assert answer.usage is not None
    assert answer.usage.total_tokens == 13


def test_reasoning_is_hidden_where_the_virtual_model_says_so(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("no-reasoning"), recorded("reasoning.json"))
    response = http.post(CHAT, json=a_chat(served.model("no-reasoning")))
    assert "think" not in response.text
    assert response.json()["choices"][0]["message"]["content"] == "42"


def test_usage_is_estimated_where_the_backend_reports_none(client: OpenAI, served: Served, upstream: Upstream) -> None:
    body = json.loads(text_of("openai/text.json"))
    del body["usage"]
    upstream.on(actual("chat"), says(body))
    answer = client.chat.completions.create(model=served.model("chat"), messages=HELLO)
    assert answer.usage is not None
    assert answer.usage.prompt_tokens > 0
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_the_demo_calls_the_tool_that_is_offered(client: OpenAI, served: Served) -> None:
    from tests.contract.asking import WEATHER

    answer = client.chat.completions.create(
        model=served.model("demo"),
        messages=[{"role": "user", "content": "What is the weather in Wien?"}],
        tools=[WEATHER],  # type: ignore[list-item]
    )
    (call,) = answer.choices[0].message.tool_calls or ()
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert "city" in json.loads(call.function.arguments)


def test_choices_are_asked_for_one_by_one_where_the_backend_has_only_one(client: OpenAI, served: Served) -> None:
    answer = client.chat.completions.create(model=served.model("demo"), messages=HELLO, n=3)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert all(choice.message.content and choice.finish_reason == "stop" for choice in answer.choices)
    one = client.chat.completions.create(model=served.model("demo"), messages=HELLO)
    assert answer.usage is not None
    assert one.usage is not None
    assert answer.usage.completion_tokens == 3 * one.usage.completion_tokens
