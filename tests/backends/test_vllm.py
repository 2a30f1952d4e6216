"""vLLM on the CPU, with a tiny model whose weights it makes up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tests.backends.conversation import Conversation
from tests.backends.offers import Offer, offer
from tests.backends.running import running
from tests.contract.asking import CHAT, HELLO, a_chat, check_chunks, chunks_of, error_in
from tests.contract.served import Served, closed_port

pytestmark = [pytest.mark.backends, pytest.mark.xdist_group("vllm")]
KEY = "sk-vllm-77b0e1"
ENVIRONMENT = {
    "VLLM_TARGET_DEVICE": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "OMP_NUM_THREADS": "1",
}
FLAGS = """--load-format dummy --dtype float32 --max-model-len 512 --max-num-seqs 4 --enforce-eager --host 127.0.0.1
--enable-auto-tool-choice --tool-call-parser hermes --served-model-name tiny""".split()
CITY = {
    "type": "function",
    "function": {
        "name": "choose_city",
        "strict": True,  # else any JSON will do, and a random model says any
        "parameters": {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}}, "required": ["city"]},
    },
}
CHOOSE: Any = {"type": "function", "function": {"name": "choose_city"}}
OVERLONG: list[Any] = [{"role": "user", "content": "far too long " * 60}]


@pytest.fixture(scope="module")
def backend(
    gateway: Served, python_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Offer]:
    folder = tmp_path_factory.mktemp("vllm")
    python = python_of("vllm")
    subprocess.run([python, Path(__file__).parent / "servers" / "vllm_model.py", folder / "model"], check=True)
    url = f"http://127.0.0.1:{closed_port()}"
    command = [python, "-m", "vllm.entrypoints.openai.api_server", "--model", "model", *FLAGS]
    access = ["--port", url.rpartition(":")[2], "--api-key", KEY]
    with running([*command, *access], f"{url}/health", folder, seconds=600, **ENVIRONMENT):
        yield offer(gateway, "vllm", url, {"chat": "tiny", "missing": "other"}, endpoint_type="vllm", api_key=KEY)


class TestVllm(Conversation):
    def test_lists_its_models(self, backend: Offer) -> None:
        assert backend.discovered() == ["tiny"]

    def test_an_unknown_model_is_told(self, http: httpx.Client, backend: Offer) -> None:
        """Its error codes are numbers."""
        answer = http.post(CHAT, json=a_chat(backend.model("missing")))
        assert answer.status_code >= 400
        assert "other" in error_in(answer)["message"]

    def test_calls_a_forced_tool(self, client: OpenAI, backend: Offer) -> None:
        """vLLM finishes a forced call with `stop`."""
        answer = client.chat.completions.create(
            model=backend.model("chat"), messages=HELLO, tools=[CITY], tool_choice=CHOOSE, max_tokens=100
        )
        [call] = answer.choices[0].message.tool_calls or []
        assert call.function.name == "choose_city"
        assert json.loads(call.function.arguments)["city"] in ("Oslo", "Rome")
        assert answer.choices[0].finish_reason in ("tool_calls", "length")  # a random model may babble on

    def test_calls_a_forced_tool_in_a_stream(self, http: httpx.Client, backend: Offer) -> None:
        body = a_chat(backend.model("chat"), stream=True, tools=[CITY], tool_choice=CHOOSE, max_tokens=100)
        chunks = chunks_of(http.post(CHAT, json=body).content)
        check_chunks(chunks, backend.model("chat"))
        deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        said = "".join(call["function"]["arguments"] for delta in deltas for call in delta.get("tool_calls") or ())
        assert json.loads(said)["city"] in ("Oslo", "Rome")
        assert chunks[-1]["choices"][0]["finish_reason"] in ("tool_calls", "length")

    @pytest.mark.parametrize("stream", [False, True])
    def test_an_overflow_is_a_bad_request(self, http: httpx.Client, backend: Offer, stream: bool) -> None:
        answer = http.post(CHAT, json=a_chat(backend.model("chat"), messages=OVERLONG, stream=stream))
        assert answer.status_code == 400
        assert "context" in error_in(answer)["message"]

    def test_serves_two_choices(self, http: httpx.Client, backend: Offer) -> None:
        answer = http.post(CHAT, json=a_chat(backend.model("chat"), n=2, max_tokens=4, stream=True))
        check_chunks(chunks_of(answer.content), backend.model("chat"), choices=(0, 1))

    def test_embeddings_it_does_not_have_are_an_error(self, client: OpenAI, backend: Offer) -> None:
        with pytest.raises(openai.APIStatusError):
            client.embeddings.create(model=backend.model("chat"), input="one")
