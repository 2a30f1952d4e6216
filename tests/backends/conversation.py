"""What every backend that chats must do through the gateway, whatever its own habits are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
from openai import OpenAI

from tests.backends.offers import Offer
from tests.contract.asking import CHAT, HELLO, a_chat, check_chunks, chunks_of, text_in

CALLED: list[Any] = [
    {"role": "developer", "content": "Answer in one word."},
    {"role": "user", "content": "Weather in Oslo?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
]
_AT_ONCE = 4


class Conversation:
    """A test module lays out its backend in a fixture `backend`; the model that chats there is `chat`."""

    def test_answers_whole(self, client: OpenAI, backend: Offer) -> None:
        answer = client.chat.completions.create(model=backend.model("chat"), messages=HELLO, max_tokens=8)
        assert answer.object == "chat.completion"
        assert answer.id
        assert answer.model == backend.model("chat")
        [choice] = answer.choices
        assert choice.message.role == "assistant"
        assert choice.message.content
        assert choice.finish_reason in ("stop", "length")
        assert answer.usage is not None
        assert answer.usage.prompt_tokens > 0
        assert answer.usage.completion_tokens > 0
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens

    def test_streams_with_usage(self, http: httpx.Client, backend: Offer) -> None:
        body = a_chat(backend.model("chat"), max_tokens=8, stream=True, stream_options={"include_usage": True})
        answer = http.post(CHAT, json=body)
        assert answer.status_code == 200, answer.text
        chunks = chunks_of(answer.content)
        check_chunks(chunks, backend.model("chat"), usage=True)
        assert text_in(chunks)
        assert chunks[-1]["usage"]["prompt_tokens"] > 0
        assert chunks[-1]["usage"]["completion_tokens"] > 0

    def test_streams_without_usage_unless_asked(self, http: httpx.Client, backend: Offer) -> None:
        answer = http.post(CHAT, json=a_chat(backend.model("chat"), max_tokens=8, stream=True))
        assert answer.status_code == 200, answer.text
        check_chunks(chunks_of(answer.content), backend.model("chat"))

    def test_streams_to_the_sdk(self, client: OpenAI, backend: Offer) -> None:
        stream = client.chat.completions.create(model=backend.model("chat"), messages=HELLO, max_tokens=8, stream=True)
        choices = [chunk.choices[0] for chunk in stream]
        assert "".join(choice.delta.content or "" for choice in choices)
        assert choices[0].delta.role == "assistant"
        assert choices[-1].finish_reason in ("stop", "length")

    def test_takes_a_history_with_calls_and_a_developer(self, client: OpenAI, backend: Offer) -> None:
        answer = client.chat.completions.create(model=backend.model("chat"), messages=CALLED, max_completion_tokens=8)
        assert answer.choices[0].message.content is not None
        assert answer.choices[0].finish_reason in ("stop", "length")

    def test_serves_several_at_once(self, http: httpx.Client, backend: Offer) -> None:
        body = a_chat(backend.model("chat"), max_tokens=8, stream=True)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            answers = list(threads.map(lambda _: http.post(CHAT, json=body), range(_AT_ONCE)))
        for answer in answers:
            assert answer.status_code == 200, answer.text
            check_chunks(chunks_of(answer.content), backend.model("chat"))

    def test_completes_a_prompt(self, client: OpenAI, backend: Offer) -> None:
        answer = client.completions.create(model=backend.model("chat"), prompt="Once upon", max_tokens=8)
        assert answer.object == "text_completion"
        assert answer.choices[0].finish_reason in ("stop", "length")
        assert answer.choices[0].text

    def test_completes_a_prompt_in_a_stream(self, client: OpenAI, backend: Offer) -> None:
        chunks = list(
            client.completions.create(model=backend.model("chat"), prompt="Once upon", max_tokens=8, stream=True)
        )
        assert "".join(chunk.choices[0].text for chunk in chunks)
        assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] in (
            ["stop"],
            ["length"],
        )
