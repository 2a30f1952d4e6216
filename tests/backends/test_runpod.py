"""The local API of RunPod's own SDK, in front of a worker with worker-vllm's manners."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI

from tests.backends.conversation import Conversation
from tests.backends.offers import Offer, offer
from tests.backends.running import running
from tests.contract.asking import CHAT, HELLO, WEATHER, a_chat, check_chunks, chunks_of, error_in, text_in
from tests.contract.served import Served, closed_port

pytestmark = [pytest.mark.backends, pytest.mark.xdist_group("runpod")]


@pytest.fixture(scope="module")
def address(python_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    url = f"http://127.0.0.1:{closed_port()}"
    worker = Path(__file__).parent / "servers" / "runpod_worker.py"
    arguments = ["--rp_serve_api", "--rp_api_host", "127.0.0.1", "--rp_api_port", url.rpartition(":")[2]]
    with running([python_of("runpod"), worker, *arguments], url, tmp_path_factory.mktemp("runpod"), seconds=120):
        yield url


@pytest.fixture(scope="module")
def backend(gateway: Served, address: str) -> Offer:
    return offer(gateway, "runpod", address, {"chat": "some/model"}, endpoint_type="runpod", api_key="rpa_local")


class TestRunPod(Conversation):
    """The local API has no OpenAI route: the gateway notices and goes by jobs."""

    def test_says_what_the_worker_said(self, http: httpx.Client, backend: Offer) -> None:
        body = a_chat(backend.model("chat"), stream=True, stream_options={"include_usage": True})
        chunks = chunks_of(http.post(CHAT, json=body).content)
        assert text_in(chunks) == "You said hello"
        assert chunks[-1]["usage"]["prompt_tokens"] == 7

    def test_its_test_asks_a_model_where_no_list_is(self, backend: Offer) -> None:
        result = backend.tested()
        assert result["status"] == "ok", result
        assert result["models"] is None

    def test_calls_a_tool(self, client: OpenAI, backend: Offer) -> None:
        answer = client.chat.completions.create(model=backend.model("chat"), messages=HELLO, tools=[WEATHER])
        [call] = answer.choices[0].message.tool_calls or []
        assert call.function.arguments == '{"city": "Oslo"}'
        assert answer.choices[0].finish_reason == "tool_calls"

    def test_calls_a_tool_in_a_stream(self, http: httpx.Client, backend: Offer) -> None:
        chunks = chunks_of(http.post(CHAT, json=a_chat(backend.model("chat"), stream=True, tools=[WEATHER])).content)
        check_chunks(chunks, backend.model("chat"))
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"

    def test_a_refusal_of_the_worker_is_passed_on(self, http: httpx.Client, backend: Offer) -> None:
        """The local API calls such a job COMPLETED."""
        body = a_chat(backend.model("chat"), messages=[{"role": "user", "content": "too much"}])
        answer = http.post(CHAT, json=body)
        assert answer.status_code == 400
        assert "maximum context length" in error_in(answer)["message"]

    def test_a_refusal_in_a_stream_is_told(self, client: OpenAI, backend: Offer) -> None:
        stream = client.chat.completions.create(
            model=backend.model("chat"), stream=True, messages=[{"role": "user", "content": "too much"}]
        )
        with pytest.raises(openai.APIError, match="maximum context length"):
            list(stream)

    def test_a_worker_that_raises_is_a_failure(self, http: httpx.Client, backend: Offer) -> None:
        body = a_chat(backend.model("chat"), messages=[{"role": "user", "content": "raise"}])
        answer = http.post(CHAT, json=body)
        assert answer.status_code >= 500
        assert error_in(answer)["message"]

    def test_reads_the_native_tokens_of_older_workers(self, http: httpx.Client, gateway: Served, address: str) -> None:
        options = {"mode": "job", "input_shape": "vllm"}
        old = offer(gateway, "runpod-old", address, {"chat": "some/model"}, endpoint_type="runpod", options=options)
        body = a_chat(old.model("chat"), stream=True, stream_options={"include_usage": True})
        chunks = chunks_of(http.post(CHAT, json=body).content)
        check_chunks(chunks, old.model("chat"), usage=True)
        assert text_in(chunks) == "You said hello"
        assert chunks[-1]["usage"]["completion_tokens"] == 3
