from __future__ import annotations

from typing import Any

import pytest

from shared.chat.request import (
    ImagePart,
    Message,
    Policy,
    ResponseFormat,
    Sampling,
    TextPart,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from shared.errors import InvalidRequest
from shared.providers.runpod.request import SHAPES, dropped, flat_prompt, job_input, shape_of, speaks_openai
from tests.providers.asking import WEATHER, a_completion, a_request, a_target, says


def made(shape: str | None, request: Any, *, stream: bool = True) -> Any:
    options = {"input_shape": shape} if shape else {}
    return job_input(request, a_target("abc", options=options), {}, stream=stream)


def test_the_openai_route_is_the_default_and_carries_the_clients_own_body() -> None:
    request = a_request(body={"new_field": 1}, policy=Policy(temperature=0))
    job = made(None, request)
    assert job["openai_route"] == "/v1/chat/completions"
    assert job["openai_input"] == {
        "model": "actual", "messages": [{"role": "user", "content": "hello"}], "new_field": 1, "temperature": 0,
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    assert made("openai", request) == job["openai_input"]


def test_completions_have_their_own_route() -> None:
    job = made(None, a_completion(["a", "b"], body={"max_tokens": 3}), stream=False)
    assert job == {
        "openai_route": "/v1/completions", "openai_input": {"model": "actual", "prompt": ["a", "b"], "max_tokens": 3}
    }  # fmt: skip


def test_worker_vllms_own_form() -> None:
    job = made("vllm", a_request(sampling=Sampling(temperature=0, max_tokens=5, stop=("x",))))
    assert job == {
        "messages": [{"role": "user", "content": "hello"}],
        "sampling_params": {"temperature": 0, "max_tokens": 5, "stop": ["x"]},
        "use_openai_format": 1,
        "stream": True,
    }
    assert made("vllm", a_completion("Once"), stream=False)["prompt"] == "Once"


def test_ollama_workers() -> None:
    request = a_request(sampling=Sampling(max_tokens=5))
    flat = {"prompt": "User: hello\n\nAssistant:", "stream": False, "options": {"num_predict": 5}}
    assert made("ollama", request, stream=False) == flat
    assert made("ollama_generate", request, stream=False) == {"method_name": "generate", "input": flat}
    chat = made("ollama_chat", request, stream=False)
    assert chat["method"] == "/api/chat"
    assert chat["data"]["messages"] == [{"role": "user", "content": "hello"}]
    assert chat["data"]["stream"] is False


def test_a_flat_prompt_tells_the_whole_history() -> None:
    messages = (
        says("system", "be brief"),
        says("user", "weather?"),
        Message("assistant", (TextPart("let me look"), ToolCallPart("1", "get_weather", '{"city":"Rome"}'))),
        Message("tool", (ToolResultPart("1", (TextPart("sunny"),)),)),
        Message("tool", (ToolResultPart("2", (TextPart("no"),), is_error=True, name="other"),)),
    )
    prompt = flat_prompt(a_request(messages=messages, tools=(WEATHER,)))
    assert "- get_weather(city): The weather in a city" in prompt
    assert prompt.endswith(
        "System: be brief\n\nUser: weather?\n\nAssistant: let me look\n```tool_call\n"
        '{"name": "get_weather", "arguments": {"city":"Rome"}}\n```\n\n'
        "Tool get_weather returned: sunny\n\nTool other failed: no\n\nAssistant:"
    )
    without = flat_prompt(a_request(messages=messages, tools=(WEATHER,), tool_choice=ToolChoice("none")))
    assert without.startswith("System: be brief")


def test_a_flat_prompt_shows_no_images() -> None:
    with pytest.raises(InvalidRequest) as refused:
        flat_prompt(a_request(messages=(Message("user", (ImagePart(data="QUJD"),)),)))
    assert refused.value.param == "messages[0].content"


@pytest.mark.parametrize("shape", ["vllm", "ollama", "ollama_generate"])
def test_token_prompts_need_an_openai_shape(shape: str) -> None:
    with pytest.raises(InvalidRequest, match="token prompts"):
        made(shape, a_completion([(1, 2)]))


def test_an_unknown_shape_names_the_known_ones() -> None:
    with pytest.raises(InvalidRequest, match="openai_route, openai, vllm, ollama"):
        shape_of(a_target("abc", options={"input_shape": "tgi"}))


def test_names_what_is_lost() -> None:
    request = a_request(
        tools=(WEATHER,), tool_choice=ToolChoice("required"), response_format=ResponseFormat("json_object"),
        user="me", extras=("service_tier",),
    )  # fmt: skip
    assert dropped(request, "vllm") == ("tool_choice", "response_format", "user", "service_tier")
    assert dropped(request, "ollama_chat") == ("tool_choice", "user", "service_tier")
    assert [shape for shape in SHAPES if speaks_openai(shape)] == ["openai_route", "openai"]
