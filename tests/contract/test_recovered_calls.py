"""Tool calls that a backend wrote as text, through the served gateway: the corpus, read by the official SDK."""

from __future__ import annotations

import json
import random
import time
from typing import Any

import pytest
from openai import OpenAI

from tests.contract.asking import HELLO
from tests.contract.catalogue import actual
from tests.contract.served import Served
from tests.tool_calls.corpus import canonical, cases, expected, tools
from tests.upstreams.openai import DONE
from tests.upstreams.script import Reply, event, says, streams
from tests.upstreams.server import Upstream

SAMPLE = 80
_PLAIN = {"id", "why", "raw", "tools", "expect", "family", "tool_choice"}


def sample() -> list[dict[str, Any]]:
    """Cases that need no setting of the virtual model, every family among them, always the same."""
    fitting = [case for case in cases() if case.keys() <= _PLAIN and case["raw"]]
    dice = random.Random(4)
    dice.shuffle(fitting)
    families = {case["family"]: case for case in fitting}
    rest = [case for case in fitting if case not in families.values()]
    return [*families.values(), *rest][:SAMPLE]


def ask(case: dict[str, Any], served: Served) -> dict[str, Any]:
    declared = [
        {"type": "function", "function": {"name": tool.name, "parameters": tool.parameters}} for tool in tools(case)
    ]
    choice = case.get("tool_choice", "auto")
    named = {"type": "function", "function": choice} if isinstance(choice, dict) else choice
    return {
        "model": served.model("chat"),
        "messages": HELLO,
        **({"tools": declared, "tool_choice": named} if declared else {}),
    }


def streamed(text: str) -> Reply:
    deltas = [{"role": "assistant", "content": ""}, *({"content": text[at : at + 7]} for at in range(0, len(text), 7))]
    chunks = [{"id": "up", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"id": "up", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return streams(*map(event, chunks), DONE)


def whole(text: str) -> Reply:
    message = {"role": "assistant", "content": text}
    return says({"id": "up", "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})


def check(message: Any, finish: str | None, case: dict[str, Any]) -> None:
    want = expected(case)
    calls = message.tool_calls or []
    assert [(call.function.name, canonical(call.function.arguments)) for call in calls] == want.calls
    assert (message.content or "") == want.text
    assert (getattr(message, "reasoning_content", None) or "") == want.reasoning
    assert finish == want.finish
    assert len({call.id for call in calls}) == len(calls)


@pytest.mark.parametrize("case", sample(), ids=lambda case: case["id"])
def test_the_sdk_sees_what_the_corpus_says(
    case: dict[str, Any], client: OpenAI, served: Served, upstream: Upstream
) -> None:
    upstream.on(actual("chat"), streamed(case["raw"]), whole(case["raw"]))
    asked = ask(case, served)
    with client.chat.completions.stream(**asked) as stream:
        choice = stream.get_final_completion().choices[0]
    check(choice.message, choice.finish_reason, case)
    answer = client.chat.completions.create(**asked).choices[0]
    check(answer.message, answer.finish_reason, case)


def test_calls_arrive_while_the_text_is_still_coming(client: OpenAI, served: Served, upstream: Upstream) -> None:
    """The name of the first call is out before the backend has written the second."""
    from tests.upstreams.script import Gate

    gate = Gate()
    first = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Paris"}}\n</tool_call>\n'
    second = first.replace("Paris", "Rome")

    def chunk(text: str, finish: str | None = None) -> bytes:
        return event({"id": "up", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})

    upstream.on(actual("chat"), streams(chunk(first), gate, chunk(second), chunk("", "stop"), DONE))
    parameters = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    declared: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}]
    found: list[Any] = []
    for part in client.chat.completions.create(model=served.model("chat"), messages=HELLO, tools=declared, stream=True):
        calls = part.choices[0].delta.tool_calls or []
        found += calls
        if calls and not gate.is_open:
            assert calls[0].function is not None
            assert calls[0].function.name == "get_weather"
            gate.open()
    arguments = ["", ""]
    for call in found:
        arguments[call.index] += call.function.arguments or ""
    assert [json.loads(each) for each in arguments] == [{"city": "Paris"}, {"city": "Rome"}]


def test_an_administrators_pattern_works_as_soon_as_it_is_known(
    client: OpenAI, served: Served, upstream: Upstream
) -> None:
    pattern = {
        "pattern_name": f"execute-{served.token}",
        "pattern_type": "bracket",
        "regex_pattern": r"\[EXECUTE:(\w+):([^\]]+)\]",
        "tool_name_group": 1,
        "parameter_mapping": {"2": "command"},
        "models": [served.model("chat")],
    }
    tool: Any = {
        "type": "function",
        "function": {
            "name": "bash",
            "parameters": {"type": "object", "properties": {"command": {"type": "string"}}, "required": ["command"]},
        },
    }
    raw = "Listing. [EXECUTE:bash:ls -la]"
    upstream.on(actual("chat"), *[whole(raw)] * 2_000)
    asked: Any = {"model": served.model("chat"), "messages": HELLO, "tools": [tool]}
    before = client.chat.completions.create(**asked).choices[0]
    assert before.message.content == raw
    with served.administrator() as admin:
        made = admin.post("/api/admin/tool-patterns", json=pattern)
        assert made.status_code == 201, made.text
        after = client.chat.completions.create(**asked).choices[0]
        until = time.monotonic() + served.settling_seconds
        while after.message.content == raw and time.monotonic() < until:
            after = client.chat.completions.create(**asked).choices[0]
        assert after.message.content == "Listing. "
        assert [(call.function.name, call.function.arguments) for call in after.message.tool_calls or ()] == [
            ("bash", '{"command":"ls -la"}')
        ]
        assert after.finish_reason == "tool_calls"
        assert admin.delete(f"/api/admin/tool-patterns/{made.json()['id']}").status_code == 200
    assert client.chat.completions.create(**asked).choices[0].message.content == raw
