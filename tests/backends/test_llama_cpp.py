"""The server of llama-cpp-python with a tiny random model."""

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

pytestmark = [pytest.mark.backends, pytest.mark.xdist_group("llama_cpp")]
KEY = "sk-llama-4c1d09"
HABITS = {"developer_role": "system", "null_content": False, "max_tokens_field": "max_tokens"}
OVERLONG: list[Any] = [{"role": "user", "content": "far too long " * 60}]
CITY = {
    "type": "function",
    "function": {
        "name": "choose_city",
        "description": "Choose one",
        "parameters": {
            "type": "object",
            "properties": {"city": {"enum": ["Oslo", "Rome"]}},
            "required": ["city"],
        },
    },
}
CHOOSE: Any = {"type": "function", "function": {"name": "choose_city"}}


@pytest.fixture(scope="module")
def model(python_of: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("llama_cpp_model") / "tiny.gguf"
    writer = Path(__file__).parent / "servers" / "llama_cpp_model.py"
    subprocess.run([python_of("llama_cpp"), writer, path], check=True)
    return path


@pytest.fixture(scope="module")
def start(
    python_of: Callable[[str], Path], model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """Start a server with settings of its own; its address."""

    def run(**settings: Any) -> Any:
        folder = tmp_path_factory.mktemp("llama_cpp")
        url = f"http://127.0.0.1:{closed_port()}"
        common = {"model": str(model), "n_threads": 1, "seed": 7}
        models = [
            {**common, "model_alias": "tiny", "n_ctx": 256},
            {**common, "model_alias": "caller", "n_ctx": 1024, "chat_format": "chatml-function-calling"},
            {**common, "model_alias": "vectors", "n_ctx": 128, "embedding": True},
        ]
        port = int(url.rpartition(":")[2])
        config = {"host": "127.0.0.1", "port": port, "api_key": KEY, "models": models, **settings}
        (folder / "config.json").write_text(json.dumps(config))
        command = [python_of("llama_cpp"), "-m", "llama_cpp.server", "--config_file", "config.json"]
        return url, running(command, f"{url}/openapi.json", folder, seconds=120)

    return run


@pytest.fixture(scope="module")
def backend(gateway: Served, start: Callable[..., Any]) -> Iterator[Offer]:
    url, server = start(interrupt_requests=False)
    with server:
        models = {"chat": "tiny", "caller": "caller", "vectors": "vectors"}
        yield offer(gateway, "llama_cpp", url, models, api_key=KEY, options=HABITS)


class TestLlamaCppPython(Conversation):
    def test_lists_its_models(self, backend: Offer) -> None:
        """Its rows lack `created`."""
        assert backend.discovered() == ["caller", "tiny", "vectors"]

    def test_calls_a_tool(self, client: OpenAI, backend: Offer) -> None:
        answer = client.chat.completions.create(
            model=backend.model("caller"), messages=HELLO, tools=[CITY], tool_choice=CHOOSE, max_tokens=64
        )
        [call] = answer.choices[0].message.tool_calls or []
        assert call.function.name == "choose_city"
        assert json.loads(call.function.arguments)["city"] in ("Oslo", "Rome")
        assert answer.choices[0].message.function_call is None
        assert answer.choices[0].finish_reason == "tool_calls"

    def test_calls_a_tool_in_a_stream(self, client: OpenAI, http: httpx.Client, backend: Offer) -> None:
        """It repeats the id and the name in every delta and says all of it again as `function_call`."""
        body = a_chat(backend.model("caller"), stream=True, tools=[CITY], tool_choice=CHOOSE, max_tokens=64)
        chunks = chunks_of(http.post(CHAT, json=body).content)
        check_chunks(chunks, backend.model("caller"))
        deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
        assert not any(delta.get("function_call") for delta in deltas)
        said = "".join(call["function"]["arguments"] for delta in deltas for call in delta.get("tool_calls") or ())
        assert json.loads(said)["city"] in ("Oslo", "Rome")
        assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"

    def test_embeds(self, client: OpenAI, backend: Offer) -> None:
        answer = client.embeddings.create(model=backend.model("vectors"), input=["one", "two"])
        first, second = (row.embedding for row in answer.data)
        assert len(first) == len(second) > 0
        assert first != second

    def test_an_overflow_is_a_bad_request(self, client: OpenAI, backend: Offer) -> None:
        with pytest.raises(openai.BadRequestError, match="context"):
            client.chat.completions.create(model=backend.model("chat"), messages=OVERLONG)

    def test_an_overflow_of_a_stream_is_an_error(self, http: httpx.Client, backend: Offer) -> None:
        """It answers 200 and then nothing at all."""
        answer = http.post(CHAT, json=a_chat(backend.model("chat"), messages=OVERLONG, stream=True))
        assert answer.status_code >= 400
        assert error_in(answer)["message"]

    def test_a_wrong_key_is_not_the_clients_fault(self, http: httpx.Client, gateway: Served, backend: Offer) -> None:
        with httpx.Client(base_url=gateway.admin) as admin:
            url = admin.get(f"/api/admin/endpoints/{backend.endpoint}").json()["url"]
        locked = offer(gateway, "llama_cpp-locked", url, {"chat": "tiny"}, api_key="sk-not-the-key")
        answer = http.post(CHAT, json=a_chat(locked.model("chat")))
        assert answer.status_code == 502
        assert error_in(answer)["code"]


def test_a_stream_that_another_request_cuts_is_told_to_be_cut(
    http: httpx.Client, gateway: Served, start: Callable[..., Any]
) -> None:
    """By default llama-cpp-python drops what it is saying for whoever comes next, and says [DONE]."""
    url, server = start()
    with server:
        cut = offer(gateway, "llama_cpp-cut", url, {"chat": "tiny"}, api_key=KEY, options=HABITS)
        body = a_chat(cut.model("chat"), stream=True, max_tokens=230)
        with http.stream("POST", CHAT, json=body) as first:
            lines = first.iter_lines()
            assert next(line for line in lines if line.startswith("data: "))
            second = http.post(CHAT, json=a_chat(cut.model("chat"), max_tokens=4))
            assert second.status_code == 200, second.text
            rest = "\n".join(lines)
    was_cut = '"code":"upstream_cut"' in rest
    assert was_cut or '"finish_reason":"' in rest  # a quick machine was done before
    assert was_cut != ("[DONE]" in rest)
