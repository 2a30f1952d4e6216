"""What nobody counted is counted by a real tokenizer, to the token: in whole streams, in broken and in left ones.

The expected numbers are rs-bpe's, of texts that arrive in pieces which end in the middle of words.
"""

from __future__ import annotations

import secrets
from typing import Any

import httpx
import pytest
from openai import OpenAI

from tests.contract.asking import CHAT, HELLO, a_chat
from tests.contract.catalogue import actual
from tests.contract.served import Served
from tests.contract.test_activity import Row, rows_of
from tests.upstreams.openai import DONE
from tests.upstreams.script import CUT, HANG, Step, event, says, streams
from tests.upstreams.server import Upstream

PROMPT_TOKENS = 1  # hello
THOUGHT, THOUGHT_TOKENS = "The user asks about Zürich; I should look the weather up.", 13
SAID, SAID_TOKENS = "In Zürich sind es heute 21 °C — schönes Wetter! 天气很好。 It's 🎉", 20
ARGUMENTS, CALL_TOKENS = '{"city": "Zürich", "units": "metric", "days": [1, 2, 3]}', 28  # and get_weather
FIRST, FIRST_TOKENS = "Первый ответ был коротким.", 7
SECOND, SECOND_TOKENS = "The second one, however, was longer.", 9
CHUNK = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def chunk(choice: int = 0, finish: str | None = None, **delta: Any) -> bytes:
    return event({**CHUNK, "choices": [{"index": choice, "delta": delta, "finish_reason": finish}]})


def pieces(text: str, size: int = 3) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def saying(text: str, choice: int = 0) -> list[Step]:
    return [chunk(choice, content=piece) for piece in pieces(text)]


def calling(call: int = 0) -> list[Step]:
    function = {"name": "get_weather", "arguments": ""}
    first = chunk(tool_calls=[{"index": call, "id": f"call_{call}", "type": "function", "function": function}])
    return [
        first,
        *(chunk(tool_calls=[{"index": call, "function": {"arguments": piece}}]) for piece in pieces(ARGUMENTS, 5)),
    ]


def recorded(served: Served, request_id: str) -> Row:
    (row,) = rows_of(served, request_id, 1)
    return row


def ask(http: httpx.Client, served: Served, **fields: Any) -> tuple[str, httpx.Response]:
    request_id = f"estimate-{secrets.token_hex(6)}"
    return request_id, http.post(
        CHAT, json=a_chat(served.model("chat"), **fields), headers={"x-request-id": request_id}
    )


def test_a_stream_without_usage_is_counted_in_all_its_parts(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    thinking = [chunk(reasoning_content=piece) for piece in pieces(THOUGHT)]
    steps = [*thinking, *saying(SAID), *calling(), *calling(1), chunk(finish="tool_calls"), DONE]
    upstream.on(actual("chat"), streams(*steps))
    request_id, _ = ask(http, served, stream=True)
    row = recorded(served, request_id)
    assert (row["outcome"], row["usage_source"]) == ("success", "estimated")
    assert row["input_tokens"] == PROMPT_TOKENS
    assert row["reasoning_tokens"] == THOUGHT_TOKENS
    assert row["output_tokens"] == THOUGHT_TOKENS + SAID_TOKENS + 2 * CALL_TOKENS


def test_choices_that_arrive_in_turns_are_counted_each_for_itself(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    first, second = saying(FIRST), saying(SECOND, 1)
    turns = [step for pair in zip(first, second, strict=False) for step in pair]
    rest = [*first[len(second) :], *second[len(first) :]]
    ends = [chunk(0, "stop"), chunk(1, "stop"), DONE]
    upstream.on(actual("chat"), streams(*turns, *rest, *ends))
    request_id, _ = ask(http, served, stream=True, n=2)
    assert recorded(served, request_id)["output_tokens"] == FIRST_TOKENS + SECOND_TOKENS


def test_a_whole_answer_without_usage_is_counted(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    message = {"role": "assistant", "content": SAID}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    upstream.on(actual("chat"), says({**CHUNK, "object": "chat.completion", "choices": [choice]}))
    request_id, response = ask(http, served)
    assert response.json()["usage"]["completion_tokens"] == SAID_TOKENS
    row = recorded(served, request_id)
    assert (row["input_tokens"], row["output_tokens"], row["usage_source"]) == (1, SAID_TOKENS, "estimated")


def test_a_stream_that_is_cut_before_its_count_is_charged_what_arrived(
    http: httpx.Client, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("chat"), streams(*saying(SAID), *calling(), CUT))
    request_id, _ = ask(http, served, stream=True)
    row = recorded(served, request_id)
    assert (row["outcome"], row["usage_source"]) == ("truncated", "partial")
    assert (row["input_tokens"], row["output_tokens"]) == (PROMPT_TOKENS, SAID_TOKENS + CALL_TOKENS)


@pytest.mark.parametrize("way", ["the official SDK", "bare HTTP"])
def test_a_client_that_leaves_is_charged_what_was_produced(
    way: str, client: OpenAI, served: Served, upstream: Upstream
) -> None:
    if not served.hears_of_leaving:
        pytest.skip("the platform does not tell a function that its client has left")
    upstream.on(actual("chat"), streams(*saying(SAID), HANG))
    request_id = f"estimate-{secrets.token_hex(6)}"
    headers = {"x-request-id": request_id}
    if way == "bare HTTP":
        body = a_chat(served.model("chat"), stream=True)
        with served.client(timeout=20) as own, own.stream("POST", CHAT, json=body, headers=headers) as response:
            arrived = b""
            for part in response.iter_bytes():
                arrived += part
                if arrived.count(b'"content"') >= len(pieces(SAID)):
                    break
    else:
        with client.chat.completions.create(
            model=served.model("chat"), messages=HELLO, stream=True, extra_headers=headers
        ) as stream:
            text = ""
            for part in stream:
                text += part.choices[0].delta.content or ""
                if text == SAID:
                    break
    row = recorded(served, request_id)
    assert (row["status_code"], row["outcome"], row["usage_source"]) == (499, "aborted", "partial")
    assert (row["input_tokens"], row["output_tokens"]) == (PROMPT_TOKENS, SAID_TOKENS)


def test_a_picture_is_no_text(http: httpx.Client, served: Served, upstream: Upstream) -> None:
    upstream.on(actual("chat"), streams(*saying(SAID), chunk(finish="stop"), DONE))
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{'iVBORw0KGgo' * 20_000}"}}
    content = [{"type": "text", "text": "What is in this picture?"}, picture]
    request_id, _ = ask(http, served, stream=True, messages=[{"role": "user", "content": content}])
    assert recorded(served, request_id)["input_tokens"] == 6 + 800
