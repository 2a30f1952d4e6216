"""One row per rule of the conversion to the Messages wire."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from shared.chat.request import (
    AudioPart,
    CacheMark,
    ChatRequest,
    FilePart,
    ImagePart,
    Message,
    Native,
    Policy,
    ReasoningPart,
    ReasoningRequest,
    RefusalPart,
    ResponseFormat,
    Sampling,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from shared.errors import InvalidRequest
from shared.providers.anthropic.messages import GO_ON, MISSING, OPENING
from shared.providers.anthropic.models import FAMILIES, OTHERS, family_of
from shared.providers.anthropic.request import headers, outbound
from shared.providers.anthropic.schemas import strict_schema
from shared.providers.anthropic.settings import ANSWER_TOOL, settle
from shared.providers.base import Endpoint, Target

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(40)).decode()
WEBP = base64.b64encode(b"RIFF\x24\x00\x00\x00WEBPVP8 " + bytes(40)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(40)).decode()
BMP = base64.b64encode(b"BM" + bytes(40)).decode()
MARK = CacheMark()
EPHEMERAL = {"type": "ephemeral"}
OLD, NEW = "claude-sonnet-4-5", "claude-opus-4-8"


def a_target(model: str = OLD, **fields: Any) -> Target:
    return Target(Endpoint(1, "claude", "anthropic", "https://example.test"), model, api_key="secret-key", **fields)


def a_request(*messages: Message, **fields: Any) -> ChatRequest:
    fields.setdefault("native", Native("openai_chat", {}))
    return ChatRequest(model="fast", messages=messages or (said("Hi"),), **fields)


def said(*parts: Any, role: Any = "user") -> Message:
    return Message(role, tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def spoke(*parts: Any) -> Message:
    return said(*parts, role="assistant")


def called(*ids: str, name: str = "look", arguments: str = "{}") -> Message:
    return spoke(*(ToolCallPart(id_, name, arguments) for id_ in ids))


def returned(id_: str, *parts: Any, **fields: Any) -> Message:
    content = tuple(TextPart(part) if isinstance(part, str) else part for part in parts)
    return Message("tool", (ToolResultPart(id_, content, **fields),))


def body_of(request: ChatRequest, model: str = OLD) -> dict[str, Any]:
    return outbound(request, a_target(model), stream=True).body


def text(value: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": value, **more}


def use(id_: str, name: str = "look", **arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": id_, "name": name, "input": arguments}


def result(id_: str, content: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id_, **({"content": content} if content is not None else {}), **more}


def missing(id_: str) -> dict[str, Any]:
    return result(id_, MISSING, is_error=True)


def user(*blocks: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


ASK = said("Go")
TURNS: dict[str, tuple[list[Message], list[dict[str, Any]]]] = {
    "consecutive messages of one role become one turn": (
        [said("a"), said("b"), spoke("c"), spoke("d"), said("e")],
        [user(text("a"), text("b")), assistant(text("c"), text("d")), user(text("e"))],
    ),
    "empty text is dropped, and a turn without content with it": (
        [said("a", "", " \n"), spoke(""), said("b")],
        [user(text("a"), text("b"))],
    ),
    "nothing said at all still makes a first user turn": ([said("")], [user(text(GO_ON))]),
    "the first turn is the user's": (
        [spoke("Welcome"), said("Hi")],
        [user(text(OPENING)), assistant(text("Welcome")), user(text("Hi"))],
    ),
    "a refusal is what the assistant said": (
        [ASK, spoke(RefusalPart("No.")), ASK],
        [user(text("Go")), assistant(text("No.")), user(text("Go"))],
    ),
    "a system message in the middle is folded into the user turn, in place": (
        [ASK, spoke("ok"), said("x"), said("Be brief.", role="system"), said("y")],
        [
            user(text("Go")),
            assistant(text("ok")),
            user(text("x"), text("<system>\nBe brief.\n</system>"), text("y")),
        ],
    ),
    "text comes before the calls, arguments are an object": (
        [ASK, spoke("I look", ToolCallPart("c1", "look", '{"at": 1}')), returned("c1", "seen")],
        [user(text("Go")), assistant(text("I look"), use("c1", at=1)), user(result("c1", "seen"))],
    ),
    "empty arguments are an empty object": (
        [ASK, called("c1", arguments=""), returned("c1", "x")],
        [user(text("Go")), assistant(use("c1")), user(result("c1", "x"))],
    ),
    "broken arguments are wrapped": (
        [ASK, called("c1", arguments='{"at": '), returned("c1", "x")],
        [user(text("Go")), assistant(use("c1", _raw='{"at": ')), user(result("c1", "x"))],
    ),
    "arguments that are no object are wrapped": (
        [ASK, called("c1", arguments="[1]"), returned("c1", "x")],
        [user(text("Go")), assistant(use("c1", _raw=[1])), user(result("c1", "x"))],
    ),
    "arguments encoded twice are decoded twice": (
        [ASK, called("c1", arguments='"{\\"at\\": 2}"'), returned("c1", "x")],
        [user(text("Go")), assistant(use("c1", at=2)), user(result("c1", "x"))],
    ),
    "all results become one user message, results first, text behind": (
        [ASK, called("a", "b"), returned("b", "B"), said("and?"), returned("a", "A")],
        [user(text("Go")), assistant(use("a"), use("b")), user(result("b", "B"), result("a", "A"), text("and?"))],
    ),
    "calls split over two assistant messages are one turn": (
        [ASK, called("a"), called("b"), returned("a", "A"), returned("b", "B")],
        [user(text("Go")), assistant(use("a"), use("b")), user(result("a", "A"), result("b", "B"))],
    ),
    "a missing result is synthesised in the very next turn": (
        [ASK, called("a", "b"), returned("a", "A"), said("so?"), spoke("ok"), ASK],
        [
            user(text("Go")),
            assistant(use("a"), use("b")),
            user(result("a", "A"), missing("b"), text("so?")),
            assistant(text("ok")),
            user(text("Go")),
        ],
    ),
    "a conversation that ends with open calls is answered": (
        [ASK, called("a")],
        [user(text("Go")), assistant(use("a")), user(missing("a"))],
    ),
    "an orphan result becomes text": (
        [ASK, returned("zz", "lost", ImagePart(data=PNG, media_type="image/png"))],
        [
            user(
                text("Go"),
                text("[tool result for zz]"),
                text("lost"),
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            )
        ],
    ),
    "a result that comes a turn late is an orphan": (
        [ASK, called("a"), said("x"), spoke("y"), returned("a", "late")],
        [
            user(text("Go")),
            assistant(use("a")),
            user(missing("a"), text("x")),
            assistant(text("y")),
            user(text("[tool result for a]"), text("late")),
        ],
    ),
    "ids used again in a later turn are told apart": (
        [ASK, called("c"), returned("c", "1"), called("c"), returned("c", "2")],
        [
            user(text("Go")),
            assistant(use("c")),
            user(result("c", "1")),
            assistant(use("c_2")),
            user(result("c_2", "2")),
        ],
    ),
    "ids used twice in one turn are answered in order": (
        [ASK, called("c", "c"), returned("c", "1"), returned("c", "2")],
        [user(text("Go")), assistant(use("c"), use("c_2")), user(result("c", "1"), result("c_2", "2"))],
    ),
    "illegal ids are mapped, both sides alike": (
        [ASK, called("functions.look:0"), returned("functions.look:0", "x")],
        [
            user(text("Go")),
            assistant(use("functions_look_0_ec000204")),
            user(result("functions_look_0_ec000204", "x")),
        ],
    ),
    "errors, images and emptiness in results are kept": (
        [
            ASK,
            called("a", "b"),
            returned("a", "see", ImagePart(data=JPEG, media_type="image/png"), is_error=True),
            returned("b", ""),
        ],
        [
            user(text("Go")),
            assistant(use("a"), use("b")),
            user(
                result(
                    "a",
                    [
                        text("see"),
                        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": JPEG}},
                    ],
                    is_error=True,
                ),
                result("b"),
            ),
        ],
    ),
    "signed thinking goes back first in the turn, unsigned thinking does not": (
        [
            ASK,
            spoke(
                "t",
                ReasoningPart("unsigned"),
                ReasoningPart("", signature="s1"),
                ReasoningPart(redacted="r1"),
                ToolCallPart("a", "look", "{}"),
            ),
            returned("a", "x"),
        ],
        [
            user(text("Go")),
            assistant(
                {"type": "thinking", "thinking": "", "signature": "s1"},
                {"type": "redacted_thinking", "data": "r1"},
                text("t"),
                use("a"),
            ),
            user(result("a", "x")),
        ],
    ),
    "a prefill loses its trailing space": (
        [ASK, spoke("{ ")],
        [user(text("Go")), assistant(text("{"))],
    ),
    "images by URL and by data, with the true type": (
        [said(ImagePart(url="https://x.test/a.png"), ImagePart(data=f"data:image/png;base64,{WEBP}"))],
        [
            user(
                {"type": "image", "source": {"type": "url", "url": "https://x.test/a.png"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/webp", "data": WEBP}},
            )
        ],
    ),
    "PDFs, text files, URLs and the provider's own file ids are documents": (
        [
            said(
                FilePart(data=PDF, filename="a.pdf"),
                FilePart(data=base64.b64encode("ä,b".encode()).decode(), media_type="text/csv"),
                FilePart(text="plain"),
                FilePart(url="https://x.test/a.pdf"),
                FilePart(file_id="file_011"),
                FilePart(data=PNG, media_type="image/png"),
            )
        ],
        [
            user(
                {
                    "type": "document",
                    "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                    "title": "a.pdf",
                },
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "ä,b"}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
                {"type": "document", "source": {"type": "url", "url": "https://x.test/a.pdf"}},
                {"type": "document", "source": {"type": "file", "file_id": "file_011"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            )
        ],
    ),
}


@pytest.mark.parametrize("rule", TURNS)
def test_turns(rule: str) -> None:
    messages, turns = TURNS[rule]
    assert body_of(a_request(*messages))["messages"] == turns


@pytest.mark.parametrize(
    ("part", "role", "words"),
    [
        (AudioPart("AAAA", "wav"), "user", "audio"),
        (ImagePart(data=BMP, media_type="image/bmp"), "user", "image/png"),
        (ImagePart(data="not base64!"), "user", "base64"),
        (ImagePart(), "user", "URL or data"),
        (FilePart(data=base64.b64encode(b"\xff\xfe\x00").decode()), "user", "UTF-8"),
        (FilePart(file_id="file-abc"), "user", "file id"),
        (ImagePart(url="https://x.test/a.png"), "system", "text only"),
    ],
)
def test_names_the_message_that_cannot_be_carried(part: Any, role: Any, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words) as refused:
        body_of(a_request(said("a"), said("b"), said(part, role=role)))
    assert refused.value.param == "messages[2].content"
    assert refused.value.status == 400


def test_the_clients_messages_are_counted_without_the_virtual_models_prompt() -> None:
    request = a_request(
        said("Be kind.", role="system"), said(AudioPart("AAAA", "wav")), policy=Policy(system_prompt="Be kind.")
    )
    with pytest.raises(InvalidRequest) as refused:
        body_of(request)
    assert refused.value.param == "messages[0].content"


def test_a_model_without_prefill_is_asked_to_go_on() -> None:
    turns = body_of(a_request(ASK, spoke("Well")), NEW)["messages"]
    assert turns == [user(text("Go")), assistant(text("Well")), user(text(GO_ON))]


def test_leading_system_parts_keep_their_boundaries_and_marks() -> None:
    request = a_request(
        said(TextPart("a", CacheMark("1h")), "", role="system"), said("b", role="developer"), said("Hi")
    )
    body = body_of(request)
    assert body["system"] == [text("a", cache_control={"type": "ephemeral", "ttl": "1h"}), text("b")]
    assert body["messages"] == [user(text("Hi"))]


def test_only_the_last_four_cache_marks_are_sent() -> None:
    request = a_request(
        said(TextPart("s", MARK), role="system"),
        said(TextPart("one", MARK), ImagePart(data=PNG, cache=MARK)),
        spoke(ToolCallPart("c", "look", "{}", MARK)),
        Message("tool", (ToolResultPart("c", (TextPart("inner", MARK),), cache=MARK),)),
        tools=(Tool("look", cache=MARK),),
    )
    body = body_of(request)
    assert "cache_control" not in body["tools"][0]
    assert body["system"] == [text("s")]
    first, call, answer = (turn["content"] for turn in body["messages"])
    assert first[0] == text("one")
    assert [first[1]["cache_control"], call[0]["cache_control"], answer[0]["cache_control"]] == [EPHEMERAL] * 3
    assert answer[0]["content"] == [text("inner", cache_control=EPHEMERAL)]


LOOK = Tool("look", "Looks.", {"type": "object", "properties": {"at": {"type": "string"}}})
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
FIT = {
    "type": "object",
    "properties": {"n": {"type": "integer", "description": '{"minimum":1}'}},
    "required": ["n"],
    "additionalProperties": False,
}
UNSET: Any = object()
# rule -> (model, fields of the request, expected body fields (UNSET: absent), dropped)
FIELDS: dict[str, tuple[str, dict[str, Any], dict[str, Any], tuple[str, ...]]] = {
    "max_tokens defaults to the family's most": (OLD, {}, {"max_tokens": 64_000}, ()),
    "max_tokens defaults to the newest family's most": ("claude-opus-5-5", {}, {"max_tokens": 128_000}, ()),
    "max_tokens of another maker's model": ("kimi-k2", {}, {"max_tokens": 8_192}, ()),
    "max_tokens is the client's": (OLD, {"sampling": Sampling(max_tokens=17)}, {"max_tokens": 17}, ()),
    "max_tokens is bound by the family": (OLD, {"sampling": Sampling(max_tokens=10**6)}, {"max_tokens": 64_000}, ()),
    "max_tokens of unknown models is the client's": (
        "kimi-k2",
        {"sampling": Sampling(max_tokens=100_000)},
        {"max_tokens": 100_000},
        (),
    ),
    "temperature is clamped": (
        OLD,
        {"sampling": Sampling(temperature=1.7)},
        {"temperature": 1, "top_p": UNSET},
        (),
    ),
    "temperature 0 is sent": (OLD, {"sampling": Sampling(temperature=0.0)}, {"temperature": 0.0}, ()),
    "temperature and top_p together where refused": (
        OLD,
        {"sampling": Sampling(temperature=0.2, top_p=0.9)},
        {"temperature": 0.2, "top_p": UNSET},
        ("top_p",),
    ),
    "the client's top_p wins over the virtual model's temperature": (
        OLD,
        {"sampling": Sampling(temperature=0.2, top_p=0.9), "policy": Policy(temperature=0.2)},
        {"temperature": UNSET, "top_p": 0.9},
        (),
    ),
    "temperature and top_p together where taken": (
        "claude-sonnet-4-20250514",
        {"sampling": Sampling(temperature=0.2, top_p=0.9, top_k=5)},
        {"temperature": 0.2, "top_p": 0.9, "top_k": 5},
        (),
    ),
    "no samplers on the newest": (
        NEW,
        {"sampling": Sampling(temperature=0.2, top_p=0.9, top_k=5)},
        {"temperature": UNSET, "top_p": UNSET, "top_k": UNSET},
        ("temperature", "top_k", "top_p"),
    ),
    "default samplers on the newest are no loss": (
        NEW,
        {"sampling": Sampling(temperature=1.0, top_p=1.0)},
        {"temperature": UNSET, "top_p": UNSET},
        (),
    ),
    "thinking drops temperature and a low top_p": (
        OLD,
        {"sampling": Sampling(temperature=0.2, top_p=0.5), "reasoning": ReasoningRequest("low")},
        {"thinking": {"type": "enabled", "budget_tokens": 2_048}, "temperature": UNSET, "top_p": UNSET},
        ("temperature", "top_p"),
    ),
    "thinking keeps a high top_p": (
        OLD,
        {"sampling": Sampling(top_p=0.97), "reasoning": ReasoningRequest("high")},
        {"thinking": {"type": "enabled", "budget_tokens": 16_384}, "top_p": 0.97},
        (),
    ),
    "a budget raises max_tokens": (
        OLD,
        {"sampling": Sampling(max_tokens=500), "reasoning": ReasoningRequest(budget_tokens=4_000)},
        {"thinking": {"type": "enabled", "budget_tokens": 4_000}, "max_tokens": 4_500},
        (),
    ),
    "a budget below the least is raised": (
        OLD,
        {"reasoning": ReasoningRequest(budget_tokens=10)},
        {"thinking": {"type": "enabled", "budget_tokens": 1_024}, "max_tokens": 64_000},
        (),
    ),
    "a budget beyond the family fits into it": (
        OLD,
        {"reasoning": ReasoningRequest(budget_tokens=200_000)},
        {"thinking": {"type": "enabled", "budget_tokens": 63_999}, "max_tokens": 64_000},
        (),
    ),
    "effort on an adaptive family": (
        NEW,
        {"reasoning": ReasoningRequest("minimal")},
        {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "low"}},
        (),
    ),
    "a budget on an adaptive family becomes an effort": (
        NEW,
        {"reasoning": ReasoningRequest(budget_tokens=8_000)},
        {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "medium"}},
        (),
    ),
    "a family that knows both takes the budget": (
        "claude-opus-4-6",
        {"reasoning": ReasoningRequest(budget_tokens=8_000)},
        {"thinking": {"type": "enabled", "budget_tokens": 8_000}, "output_config": UNSET},
        (),
    ),
    "an effort the family lacks becomes the next lower": (
        "claude-opus-4-6",
        {"reasoning": ReasoningRequest("xhigh")},
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        (),
    ),
    "effort none turns thinking off": (
        "claude-opus-5",
        {"reasoning": ReasoningRequest("none")},
        {"thinking": {"type": "disabled"}, "output_config": UNSET},
        (),
    ),
    "effort none where thinking cannot be off is the least": (
        "claude-opus-5-5",
        {"reasoning": ReasoningRequest("none")},
        {"thinking": UNSET, "output_config": {"effort": "low"}},
        ("reasoning_effort",),
    ),
    "effort on a model that cannot think": (
        "claude-3-5-haiku-latest",
        {"reasoning": ReasoningRequest("high")},
        {"thinking": UNSET, "max_tokens": 8_192},
        ("reasoning_effort",),
    ),
    "stop sequences without the blank ones": (
        OLD,
        {"sampling": Sampling(stop=("END", "\n", ""))},
        {"stop_sequences": ["END"]},
        ("stop",),
    ),
    "tools": (
        OLD,
        {"tools": (LOOK, Tool("bare"), Tool("untyped", parameters={"properties": {}}))},
        {
            "tools": [
                {"name": "look", "description": "Looks.", "input_schema": LOOK.parameters},
                {"name": "bare", "input_schema": {"type": "object", "properties": {}}},
                {"name": "untyped", "input_schema": {"type": "object", "properties": {}}},
            ],
            "tool_choice": UNSET,
        },
        (),
    ),
    "strict tools": (
        OLD,
        {"tools": (Tool("look", parameters=SCHEMA, strict=True),)},
        {"tools": [{"name": "look", "input_schema": FIT, "strict": True}]},
        (),
    ),
    "strict tools where unknown": (
        "claude-sonnet-4-0",
        {"tools": (Tool("look", parameters=SCHEMA, strict=True),)},
        {"tools": [{"name": "look", "input_schema": SCHEMA}]},
        ("tools.strict",),
    ),
    "tool_choice required": (
        OLD,
        {"tools": (LOOK,), "tool_choice": ToolChoice("required")},
        {"tool_choice": {"type": "any"}},
        (),
    ),
    "tool_choice named": (
        OLD,
        {"tools": (LOOK,), "tool_choice": ToolChoice("named", "look")},
        {"tool_choice": {"type": "tool", "name": "look"}},
        (),
    ),
    "tool_choice none": (
        OLD,
        {"tools": (LOOK,), "tool_choice": ToolChoice("none"), "parallel_tool_calls": False},
        {"tool_choice": {"type": "none"}},
        (),
    ),
    "tool_choice without tools": (OLD, {"tool_choice": ToolChoice("auto")}, {"tool_choice": UNSET, "tools": UNSET}, ()),
    "one call at a time needs a tool_choice": (
        OLD,
        {"tools": (LOOK,), "parallel_tool_calls": False},
        {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        (),
    ),
    "a forced call while thinking is a wish": (
        OLD,
        {"tools": (LOOK,), "tool_choice": ToolChoice("required"), "reasoning": ReasoningRequest("high")},
        {"tool_choice": {"type": "auto"}},
        ("tool_choice",),
    ),
    "a forced call stops thinking nobody asked for": (
        "claude-sonnet-5",
        {"tools": (LOOK,), "tool_choice": ToolChoice("required")},
        {"tool_choice": {"type": "any"}, "thinking": {"type": "disabled"}},
        (),
    ),
    "a forced call where thinking cannot be stopped": (
        "claude-opus-5-5",
        {"tools": (LOOK,), "tool_choice": ToolChoice("named", "look")},
        {"tool_choice": {"type": "auto"}, "thinking": UNSET},
        ("tool_choice",),
    ),
    "json_schema": (
        OLD,
        {"response_format": ResponseFormat("json_schema", "x", SCHEMA, True), "reasoning": ReasoningRequest("low")},
        {"output_config": {"format": {"type": "json_schema", "schema": FIT}}},
        (),
    ),
    "json_schema with an effort": (
        NEW,
        {"response_format": ResponseFormat("json_schema", "x", SCHEMA, True), "reasoning": ReasoningRequest("low")},
        {"output_config": {"format": {"type": "json_schema", "schema": FIT}, "effort": "low"}},
        (),
    ),
    "json_schema where unknown is a forced call": (
        "claude-3-7-sonnet-latest",
        {"response_format": ResponseFormat("json_schema", "x", SCHEMA)},
        {
            "tools": [{"name": ANSWER_TOOL, "description": "Give the answer.", "input_schema": SCHEMA}],
            "tool_choice": {"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": True},
        },
        (),
    ),
    "json_schema where unknown, with tools, is an instruction": (
        "claude-3-7-sonnet-latest",
        {"response_format": ResponseFormat("json_schema", "x", {"type": "object"}), "tools": (LOOK,)},
        {
            "system": [
                text('Answer with one JSON value that fits this JSON schema, and nothing else: {"type":"object"}')
            ],
            "output_config": UNSET,
            "tool_choice": UNSET,
        },
        (),
    ),
    "json_object is an instruction": (
        OLD,
        {"response_format": ResponseFormat("json_object")},
        {"system": [text("Answer with one JSON object and nothing else: no prose, no code fence.")]},
        (),
    ),
    "user": (OLD, {"user": "u-1"}, {"metadata": {"user_id": "u-1"}}, ()),
    "what the wire cannot say is reported": (
        OLD,
        {
            "sampling": Sampling(
                seed=0, logprobs=True, top_logprobs=2, logit_bias={"5": 1}, presence_penalty=0.5, frequency_penalty=1.0
            ),
            "extras": ("store", "service_tier"),
            "suffix": "end",
        },
        {"seed": UNSET, "store": UNSET, "n": UNSET},
        (
            "logprobs",
            "top_logprobs",
            "logit_bias",
            "seed",
            "presence_penalty",
            "frequency_penalty",
            "suffix",
            "store",
            "service_tier",
        ),
    ),
    "penalties of nothing are no loss": (
        OLD,
        {"sampling": Sampling(presence_penalty=0.0, frequency_penalty=0.0, repetition_penalty=1.0)},
        {},
        (),
    ),
}


@pytest.mark.parametrize("rule", FIELDS)
def test_fields(rule: str) -> None:
    model, fields, expected, dropped = FIELDS[rule]
    request = a_request(**fields)
    body = body_of(request, model)
    assert {field: body.get(field, UNSET) for field in expected} == expected
    assert settle(request, model).dropped == dropped
    assert body["model"] == model
    assert body["stream"] is True


def test_a_long_user_becomes_an_opaque_one() -> None:
    assert len(body_of(a_request(user="x" * 300))["metadata"]["user_id"]) == 64


def test_the_dropped_field_is_named_in_the_clients_words() -> None:
    request = a_request(
        reasoning=ReasoningRequest("high"), native=Native("openai_responses", {"reasoning": {"effort": "high"}})
    )
    assert settle(request, "claude-3-haiku-20240307").dropped == ("reasoning",)


def test_losses_inside_messages_are_reported() -> None:
    request = a_request(
        Message("user", (ImagePart(url="https://x.test/a", detail="high"),), name="bob"),
        spoke(ReasoningPart("hm"), "x"),
    )
    assert settle(request, OLD).dropped == ("messages.name", "image_url.detail", "messages.reasoning_content")


def test_a_budget_is_given_up_in_a_tool_loop_whose_thinking_is_lost() -> None:
    loop = (ASK, called("a"), returned("a", "x"))
    request = a_request(*loop, tools=(LOOK,), reasoning=ReasoningRequest("high"))
    assert "thinking" not in body_of(request)
    assert settle(request, OLD).dropped == ("reasoning_effort",)
    signed = request._replace(
        messages=(ASK, spoke(ReasoningPart("t", signature="s"), ToolCallPart("a", "look", "{}")), loop[2])
    )
    assert body_of(signed)["thinking"] == {"type": "enabled", "budget_tokens": 16_384}


def test_long_and_odd_tool_names_are_mapped_and_known_again() -> None:
    odd = "mcp.server/" + "x" * 70
    request = a_request(
        ASK, called("a", name=odd), returned("a", "x"), tools=(Tool(odd), LOOK), tool_choice=ToolChoice("named", odd)
    )
    sent = outbound(request, a_target(), stream=True)
    name = sent.body["tools"][0]["name"]
    assert len(name) == 64
    assert name.startswith("mcp_server_xxx")
    assert sent.body["tool_choice"]["name"] == name
    assert sent.body["messages"][1]["content"][0]["name"] == name
    assert sent.names == {name: odd}


def test_the_tools_of_the_history_are_declared_when_the_client_gives_none() -> None:
    body = body_of(a_request(ASK, called("a"), returned("a", "x")))
    assert body["tools"] == [{"name": "look", "input_schema": {"type": "object", "properties": {}}}]
    assert body["tool_choice"] == {"type": "none"}


def test_token_prompts_are_refused_by_name() -> None:
    with pytest.raises(InvalidRequest) as refused:
        body_of(a_request(native=Native("openai_completions", {}), prompts=((1, 2, 3),)))
    assert refused.value.param == "prompt"


def test_the_same_wire_keeps_the_clients_own_body() -> None:
    own = {
        "model": "fast",
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 5,
        "context_management": {"edits": []},
        "system": "Own.",
        "temperature": 0,
    }
    request = a_request(native=Native("anthropic_messages", own), extras=("context_management",))
    body = body_of(request)
    assert body == {**own, "model": OLD, "stream": True}
    assert list(body) == [*own, "stream"]
    assert own["model"] == "fast"
    policy = Policy(system_prompt="Be kind.", max_tokens=9, temperature=0.5, top_p=0.9)
    body = body_of(request._replace(policy=policy))
    assert body["system"] == [text("Be kind."), text("Own.")]
    assert (body["max_tokens"], body["temperature"], body["top_p"]) == (5, 0, 0.9)


def test_headers_of_the_client_go_along_on_the_same_wire_only() -> None:
    betas = (("anthropic-beta", "x-2026"), ("anthropic-version", "2026-10-21"), ("x-source", "s"))
    same = a_request(native=Native("anthropic_messages", {}), headers=betas)
    target = a_target(headers={"X-Team": "blue", "Anthropic-Beta": "own"})
    assert headers(same, a_target(), stream=True) == {
        "content-type": "application/json",
        "accept": "text/event-stream",
        "user-agent": "serverless-proxy",
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "x-2026",
        "x-api-key": "secret-key",
    }
    assert headers(a_request(headers=betas), target, stream=False) == {
        "content-type": "application/json",
        "accept": "application/json",
        "user-agent": "serverless-proxy",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "own",
        "x-api-key": "secret-key",
        "x-team": "blue",
    }


@pytest.mark.parametrize(
    ("model", "row"),
    [
        ("anthropic/claude-opus-4.5", "claude-opus-4-5"),
        ("us.anthropic.claude-opus-4-1-20250805-v1:0", "claude-opus-4-1"),
        ("claude-opus-4-20250514", "claude-opus-4"),
        ("claude-opus-4@20250514", "claude-opus-4"),
        ("claude-haiku-5-5", "claude-haiku-5"),
        ("claude-3-5-sonnet-latest", "claude-3-5"),
        ("claude-saga-9", "claude"),
    ],
)
def test_finds_the_family_of_a_model_id(model: str, row: str) -> None:
    assert family_of(model) is dict(FAMILIES)[row]


def test_no_row_hides_a_later_one() -> None:
    for index, (part, _) in enumerate(FAMILIES):
        assert all(earlier not in part for earlier, _ in FAMILIES[:index])
    assert family_of("glm-5") is OTHERS


def test_structured_outputs_get_closed_schemas_without_unknown_bounds() -> None:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "a": {"oneOf": [{"type": "string", "format": "date", "pattern": "^x"}, {"type": "null"}]},
            "b": {"type": "array", "items": {"$ref": "#/$defs/B"}, "minItems": 1, "description": "B's"},
            "c": {"type": "string", "format": "phone", "description": "C"},
        },
        "$defs": {"B": {"type": "object", "properties": {"pattern": {"type": "string"}}, "additionalProperties": True}},
    }
    assert strict_schema(schema) == {
        "type": "object",
        "properties": {
            "a": {"anyOf": [{"type": "string", "format": "date", "description": '{"pattern":"^x"}'}, {"type": "null"}]},
            "b": {"type": "array", "items": {"$ref": "#/$defs/B"}, "minItems": 1, "description": "B's"},
            "c": {"type": "string", "description": 'C\n\n{"format":"phone"}'},
        },
        "$defs": {
            "B": {"type": "object", "properties": {"pattern": {"type": "string"}}, "additionalProperties": False}
        },
        "additionalProperties": False,
    }
