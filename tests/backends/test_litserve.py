"""LitServe: an OpenAI wire of its own, light enough for every `make test`."""

from __future__ import annotations

import struct
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI

from tests.backends.conversation import Conversation
from tests.backends.offers import Offer, offer
from tests.backends.running import running
from tests.contract.asking import CHAT, HELLO, WEATHER, a_chat, check_chunks, chunks_of, error_in
from tests.contract.served import Served, closed_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def backend(
    gateway: Served, python_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Offer]:
    url = f"http://127.0.0.1:{closed_port()}"
    command = [python_of("litserve"), Path(__file__).parent / "servers" / "litserve_app.py", url.rpartition(":")[2]]
    with running(command, f"{url}/health", tmp_path_factory.mktemp("litserve"), seconds=60):
        yield offer(gateway, "litserve", url, {"chat": "echo", "uncounted": "uncounted"})


class TestLitServe(Conversation):
    def test_relays_what_was_said(self, client: OpenAI, backend: Offer) -> None:
        answer = client.chat.completions.create(model=backend.model("chat"), messages=HELLO)
        assert answer.choices[0].message.content == "user said hello "
        assert answer.usage is not None
        assert answer.usage.prompt_tokens == 7

    def test_counts_where_the_backend_counts_nothing(self, client: OpenAI, backend: Offer) -> None:
        answer = client.chat.completions.create(model=backend.model("uncounted"), messages=HELLO)
        assert answer.usage is not None
        assert answer.usage.prompt_tokens > 0
        assert answer.usage.completion_tokens > 0

    def test_serves_two_choices(self, http: httpx.Client, backend: Offer) -> None:
        answer = http.post(CHAT, json=a_chat(backend.model("chat"), n=2, stream=True))
        check_chunks(chunks_of(answer.content), backend.model("chat"), choices=(0, 1))

    def test_calls_a_tool(self, client: OpenAI, backend: Offer) -> None:
        answer = client.chat.completions.create(model=backend.model("chat"), messages=HELLO, tools=[WEATHER])
        [call] = answer.choices[0].message.tool_calls or []
        assert call.function.name == "get_weather"
        assert call.function.arguments == '{"city": "Oslo"}'
        assert answer.choices[0].finish_reason == "tool_calls"

    def test_calls_a_tool_in_a_stream(self, http: httpx.Client, backend: Offer) -> None:
        answer = http.post(CHAT, json=a_chat(backend.model("chat"), stream=True, tools=[WEATHER]))
        chunks = chunks_of(answer.content)
        check_chunks(chunks, backend.model("chat"))
        [*_, last] = chunks
        assert last["choices"][0]["finish_reason"] == "tool_calls"

    def test_says_what_the_backend_found_wrong(self, client: OpenAI, backend: Offer) -> None:
        """LitServe answers 422 with FastAPI's list under `detail`; it knows no `required`."""
        with pytest.raises(openai.BadRequestError) as refused:
            client.chat.completions.create(
                model=backend.model("chat"), messages=HELLO, tools=[WEATHER], tool_choice="required"
            )
        assert refused.value.param == "tool_choice"
        assert "Input should be" in refused.value.message

    def test_a_failure_before_the_first_word_has_a_status(self, http: httpx.Client, backend: Offer) -> None:
        """LitServe promises 200 and an event stream, and then reports its failure in an event without an end."""
        body = a_chat(backend.model("chat"), stream=True, messages=[{"role": "user", "content": "fail"}])
        answer = http.post(CHAT, json=body)
        assert answer.status_code >= 500
        assert "the model is gone" in error_in(answer)["message"]

    def test_a_failure_in_the_middle_is_told(self, client: OpenAI, backend: Offer) -> None:
        stream = client.chat.completions.create(
            model=backend.model("chat"), stream=True, messages=[{"role": "user", "content": "fail late"}]
        )
        said = []
        with pytest.raises(openai.APIError, match="the model is gone"):
            said += [chunk.choices[0].delta.content for chunk in stream]

    def test_embeds(self, client: OpenAI, backend: Offer) -> None:
        answer = client.embeddings.create(model=backend.model("chat"), input=["a", "bcd"])
        assert [row.embedding for row in answer.data] == [[1.0, 0.5], [3.0, 0.5]]

    def test_embeds_in_base64(self, http: httpx.Client, backend: Offer) -> None:
        body = {"model": backend.model("chat"), "input": "bcd", "encoding_format": "base64"}
        [row] = http.post("/v1/embeddings", json=body).json()["data"]
        assert struct.unpack("<2f", b64decode(row["embedding"])) == (3.0, 0.5)

    def test_its_test_asks_a_model_where_no_list_is(self, backend: Offer) -> None:
        """LitServe serves no list of models at all."""
        result = backend.tested()
        assert result["status"] == "ok"
        assert result["models"] is None
        assert result["model"] in backend.actual.values()
