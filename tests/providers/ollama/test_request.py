from __future__ import annotations

import pytest

from shared.chat.request import (
    AudioPart,
    FilePart,
    ImagePart,
    Message,
    Native,
    Policy,
    ReasoningPart,
    ReasoningRequest,
    ResponseFormat,
    Sampling,
    TextPart,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from shared.errors import InvalidRequest
from shared.providers.ollama.messages import arguments_object, image_urls, ollama_messages
from shared.providers.ollama.request import (
    chat_body,
    dropped,
    embed_body,
    generate_body,
    root_url,
    without_think,
)
from tests.providers.asking import WEATHER, a_completion, a_request, a_target, an_embedding, says

TARGET = a_target("http://host")


@pytest.mark.parametrize(
    "url",
    ["http://h:11434", "http://h:11434/", "http://h:11434/v1", "http://h:11434/v1/", "http://h:11434/api",
     "http://h:11434/api/chat", "http://h:11434//v1/chat/completions?x=1", " http://h:11434/api/ "],
)  # fmt: skip
def test_finds_the_server_however_its_url_is_written(url: str) -> None:
    assert root_url(url) == "http://h:11434"


def test_keeps_a_path_in_front_of_the_server() -> None:
    assert root_url("https://h/ollama/api/") == "https://h/ollama"


def test_says_only_what_the_client_said() -> None:
    body = chat_body(a_request(), TARGET, {})
    assert body == {
        "model": "actual",
        "messages": [{"role": "user", "content": "hello"}],
        "stream": True,
        "truncate": False,
        "shift": False,
    }


def test_carries_every_option_zero_included() -> None:
    sampling = Sampling(
        max_tokens=9, temperature=0, top_p=0.5, top_k=4, min_p=0.1, repetition_penalty=1.1, presence_penalty=0,
        frequency_penalty=0.3, seed=0, stop=("a", "b"),
    )  # fmt: skip
    options = chat_body(a_request(sampling=sampling), TARGET, {})["options"]
    assert options == {
        "num_predict": 9, "temperature": 0, "top_p": 0.5, "top_k": 4, "min_p": 0.1, "repeat_penalty": 1.1,
        "presence_penalty": 0, "frequency_penalty": 0.3, "seed": 0, "stop": ["a", "b"],
    }  # fmt: skip


def test_joins_text_and_puts_images_beside_it() -> None:
    parts = (TextPart("what"), ImagePart(data="QUJD", media_type="image/png"), TextPart("is it"),
             ImagePart(url="https://x/y.png"))  # fmt: skip
    message = Message("user", parts)
    assert image_urls([message]) == ["https://x/y.png"]
    assert ollama_messages([message], {"https://x/y.png": "WFla"}) == [
        {"role": "user", "content": "what\nis it", "images": ["QUJD", "WFla"]}
    ]


def test_developer_becomes_system() -> None:
    assert ollama_messages([says("developer", "be brief")], {}) == [{"role": "system", "content": "be brief"}]


def test_a_tool_turn_keeps_thinking_calls_and_the_names_of_results() -> None:
    history = [
        Message("assistant", (ToolCallPart("1", "old", "{}"),)),
        Message("tool", (ToolResultPart("1", (TextPart("first"),)),)),
        Message("assistant", (ReasoningPart("hmm"), TextPart("let me"), ToolCallPart("1", "new", '{"a":1}'),
                              ToolCallPart("2", "see", ""))),
        Message("tool", (ToolResultPart("1", (TextPart("ok"),)),)),
        Message("tool", (ToolResultPart("2", (TextPart("bad"), ImagePart(data="QUJD")), is_error=True),)),
        says("user", "and now?"),
    ]  # fmt: skip
    found = ollama_messages(history, {})
    assert [message["role"] for message in found] == [
        "assistant", "tool", "assistant", "tool", "tool", "user", "user"
    ]  # fmt: skip
    assert found[1]["tool_name"] == "old"
    assert found[2] == {
        "role": "assistant",
        "content": "let me",
        "thinking": "hmm",
        "tool_calls": [
            {"id": "1", "function": {"index": 0, "name": "new", "arguments": {"a": 1}}},
            {"id": "2", "function": {"index": 1, "name": "see", "arguments": {}}},
        ],
    }
    assert found[3] == {"role": "tool", "content": "ok", "tool_name": "new", "tool_call_id": "1"}
    assert found[4]["content"] == "ERROR: bad"
    assert found[5]["images"] == ["QUJD"]
    assert found[6]["content"] == "and now?"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("null", {}),
        ('{"a": [1]}', {"a": [1]}),
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ('{"a": ', {"_raw": '{"a": '}),
        ("[1, 2]", {"_raw": [1, 2]}),
    ],
)
def test_arguments_are_always_an_object(text: str, expected: object) -> None:
    assert arguments_object(text) == expected


@pytest.mark.parametrize("part", [AudioPart("QUJD", "wav"), FilePart(data="QUJD", media_type="application/pdf")])
def test_refuses_what_it_cannot_show_to_the_model(part: AudioPart | FilePart) -> None:
    with pytest.raises(InvalidRequest) as refused:
        chat_body(a_request(messages=(says("user", "x"), Message("user", (part,)))), TARGET, {})
    assert refused.value.param == "messages[1].content"


def test_reads_the_text_of_a_text_file() -> None:
    message = Message("user", (TextPart("see"), FilePart(text="1,2,3")))
    assert ollama_messages([message], {})[0]["content"] == "see\n1,2,3"


def test_tool_choice_none_omits_the_tools() -> None:
    assert "tools" not in chat_body(a_request(tools=(WEATHER,), tool_choice=ToolChoice("none")), TARGET, {})
    tools = chat_body(a_request(tools=(WEATHER,), tool_choice=ToolChoice("auto")), TARGET, {})["tools"]
    assert tools == [
        {"type": "function", "function": {"name": "get_weather", "description": "The weather in a city",
                                          "parameters": WEATHER.parameters}}
    ]  # fmt: skip


def test_names_what_is_lost() -> None:
    request = a_request(
        tools=(WEATHER,), tool_choice=ToolChoice("named", "get_weather"), parallel_tool_calls=False, user="me",
        sampling=Sampling(logprobs=True, top_logprobs=2, logit_bias={"1": 2}), extras=("service_tier",),
        messages=(Message("user", (TextPart("x"),), name="ann"),),
    )  # fmt: skip
    assert dropped(request) == (
        "tool_choice", "parallel_tool_calls", "logprobs", "top_logprobs", "logit_bias", "user", "messages[].name",
        "service_tier",
    )  # fmt: skip
    assert dropped(a_request(tools=(WEATHER,), tool_choice=ToolChoice("none"))) == ()


@pytest.mark.parametrize(
    ("reasoning", "think"),
    [
        (None, None),
        (ReasoningRequest("none"), False),
        (ReasoningRequest("minimal"), "low"),
        (ReasoningRequest("medium"), "medium"),
        (ReasoningRequest("xhigh"), "max"),
        (ReasoningRequest(budget_tokens=2048), True),
        (ReasoningRequest(budget_tokens=0), False),
        (ReasoningRequest(adaptive=True), True),
        (ReasoningRequest(), None),
    ],
)
def test_effort_becomes_think(reasoning: ReasoningRequest | None, think: object) -> None:
    assert chat_body(a_request(reasoning=reasoning), TARGET, {}).get("think") == think


@pytest.mark.parametrize(
    ("wanted", "form"),
    [
        (ResponseFormat("json_object"), "json"),
        (ResponseFormat("json_schema", "x", {"type": "object"}), {"type": "object"}),
        (ResponseFormat("json_schema", "x"), "json"),
    ],
)
def test_response_format_becomes_format(wanted: ResponseFormat, form: object) -> None:
    assert chat_body(a_request(response_format=wanted), TARGET, {})["format"] == form


def test_keep_alive_is_the_endpoints() -> None:
    assert chat_body(a_request(), a_target("http://h", options={"keep_alive": "1h"}), {})["keep_alive"] == "1h"


def test_asks_for_one_piece_where_streaming_is_off() -> None:
    assert chat_body(a_request(), a_target("http://h", whole=True), {})["stream"] is False
    assert chat_body(a_request(stream=False), TARGET, {})["stream"] is True


def test_an_ollama_clients_own_body_is_kept() -> None:
    native = {"model": "fast", "messages": [{"role": "user", "content": "x", "images": ["QUJD"]}],
              "options": {"mirostat": 2, "temperature": 0}, "think": None, "new_field": 1}  # fmt: skip
    request = a_request(
        native=Native("ollama", native), policy=Policy(system_prompt="be brief", temperature=0.7, max_tokens=5)
    )
    assert chat_body(request, TARGET, {}) == {
        "model": "actual",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "x", "images": ["QUJD"]}],
        "options": {"mirostat": 2, "temperature": 0, "num_predict": 5},
        "new_field": 1,
        "stream": True,
        "truncate": False,
        "shift": False,
    }
    assert dropped(request) == ()


def test_a_completion_is_generated() -> None:
    body = generate_body(a_completion("def f(", suffix="return 1", sampling=Sampling(max_tokens=4)), TARGET)
    assert (body["prompt"], body["suffix"], body["options"]) == ("def f(", "return 1", {"num_predict": 4})
    assert "raw" not in body
    raw = a_target("http://h", options={"raw": True})
    assert generate_body(a_completion(), raw)["raw"] is True
    assert "raw" not in generate_body(a_completion(suffix="x"), raw)
    assert generate_body(a_completion(policy=Policy(system_prompt="s")), TARGET)["system"] == "s"


def test_token_prompts_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="token prompts"):
        generate_body(a_completion([(1, 2)]), TARGET)
    with pytest.raises(InvalidRequest, match="token lists") as refused:
        embed_body(an_embedding("a", (1, 2)), TARGET)
    assert refused.value.param == "input"


def test_embeds_without_truncation() -> None:
    assert embed_body(an_embedding("a", "b", dimensions=8), TARGET) == {
        "model": "actual", "input": ["a", "b"], "truncate": False, "dimensions": 8
    }  # fmt: skip


def test_asks_for_less_thinking_when_the_model_has_none() -> None:
    body = {"think": "low", "messages": []}
    assert without_think(body, 'think value "low" is not supported for this model') == {"think": True, "messages": []}
    assert without_think({**body, "think": True}, '"x" does not support thinking') == {"messages": []}
    assert without_think(body, "no such thing") is None
    assert without_think({"messages": []}, '"x" does not support thinking') is None
