"""LiteLLM's proxy with mocked answers, and as a relay of tool calls from a scripted upstream behind it."""

from __future__ import annotations

import json
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
from tests.upstreams.openai import answer, recorded
from tests.upstreams.server import Upstream

pytestmark = [pytest.mark.backends, pytest.mark.xdist_group("litellm")]
KEY = "sk-litellm-8f7ab6c2"
CALL = {"id": "call_a", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
MOCKED = {
    "echo": {"mock_response": "Hello from the mock"},
    "caller": {"mock_response": "Looking it up", "mock_tool_calls": [CALL]},
    "busy": {"mock_response": "litellm.RateLimitError"},
    "overlong": {"mock_response": "litellm.ContextWindowExceededError"},
    "broken": {"mock_response": "Exception: mock_streaming_error"},
}


@pytest.fixture(scope="module")
def behind() -> Iterator[Upstream]:
    with Upstream(answer) as upstream:
        upstream.on("relayed-calls", recorded("parallel_tools.sse"))
        yield upstream


@pytest.fixture(scope="module")
def backend(
    gateway: Served, python_of: Callable[[str], Path], behind: Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Offer]:
    folder = tmp_path_factory.mktemp("litellm")
    python = python_of("litellm")
    mocked = [
        {"model_name": name, "litellm_params": {"model": f"openai/{name}", "api_key": "none", **fields}}
        for name, fields in MOCKED.items()
    ]
    relayed = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{name}", "api_key": "none", "api_base": f"{behind.url}/v1"},
        }
        for name in ("relayed-calls", "relayed-vectors")
    ]
    settings = {"general_settings": {"master_key": KEY}, "litellm_settings": {"telemetry": False, "num_retries": 0}}
    (folder / "config.yaml").write_text(json.dumps({"model_list": mocked + relayed, **settings}))
    url = f"http://127.0.0.1:{closed_port()}"
    command = [python.with_name("litellm"), "--config", "config.yaml", "--host", "127.0.0.1", "--telemetry", "False"]
    port = ["--port", url.rpartition(":")[2]]
    ready = f"{url}/health/liveliness"
    with running([*command, *port], ready, folder, seconds=240, LITELLM_LOCAL_MODEL_COST_MAP="True"):
        models = {"chat": "echo"} | {name: name for name in (*MOCKED, "relayed-calls", "relayed-vectors")}
        yield offer(gateway, "litellm", url, models, api_key=KEY)


class TestLiteLLM(Conversation):
    def test_lists_its_models(self, backend: Offer) -> None:
        assert set(MOCKED) <= set(backend.discovered())

    def test_its_test_succeeds(self, backend: Offer) -> None:
        assert backend.tested()["status"] == "ok"

    def test_nothing_of_its_headers_reaches_the_client(self, http: httpx.Client, backend: Offer) -> None:
        """They tell the address of the backend behind, the costs and the key's spending."""
        answered = http.post(CHAT, json=a_chat(backend.model("chat")))
        assert not [name for name in answered.headers if "litellm" in name or name.startswith("llm_provider")]

    def test_calls_a_tool(self, client: OpenAI, backend: Offer) -> None:
        answered = client.chat.completions.create(model=backend.model("caller"), messages=HELLO, tools=[WEATHER])
        [call] = answered.choices[0].message.tool_calls or []
        assert call.function.name == "get_weather"
        assert json.loads(call.function.arguments) == {"city": "Oslo"}
        assert answered.choices[0].finish_reason == "tool_calls"

    def test_relays_tool_calls_in_a_stream(self, http: httpx.Client, backend: Offer) -> None:
        body = a_chat(backend.model("relayed-calls"), stream=True, tools=[WEATHER])
        answered = http.post(CHAT, json=body)
        chunks = chunks_of(answered.content)
        check_chunks(chunks, backend.model("relayed-calls"))
        assert any(choice["delta"].get("tool_calls") for chunk in chunks for choice in chunk["choices"])
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"

    def test_embeds(self, client: OpenAI, backend: Offer) -> None:
        answered = client.embeddings.create(model=backend.model("relayed-vectors"), input=["one", "two"])
        assert [len(row.embedding) for row in answered.data] == [4, 4]
        assert answered.data[0].embedding != answered.data[1].embedding

    def test_a_limit_is_a_limit(self, client: OpenAI, backend: Offer) -> None:
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(model=backend.model("busy"), messages=HELLO)

    @pytest.mark.parametrize("stream", [False, True])
    def test_an_overflow_is_a_bad_request(self, http: httpx.Client, backend: Offer, stream: bool) -> None:
        answered = http.post(CHAT, json=a_chat(backend.model("overlong"), stream=stream))
        assert answered.status_code == 400
        assert "ContextWindow" in error_in(answered)["message"]

    def test_a_failure_in_a_stream_is_told(self, http: httpx.Client, backend: Offer) -> None:
        answered = http.post(CHAT, json=a_chat(backend.model("broken"), stream=True))
        if answered.status_code == 200:
            assert '"error"' in answered.text
            assert "[DONE]" not in answered.text
        else:
            assert error_in(answered)["message"]
