"""Qwen-Agent's two prompt formats; both read a whole message (a stream is read again from its start each time)."""

from __future__ import annotations

from typing import Any

from answering import Read, answer
from qwen_agent.llm.fncall_prompts.nous_fncall_prompt import NousFnCallPrompt
from qwen_agent.llm.fncall_prompts.qwen_fncall_prompt import QwenFnCallPrompt
from qwen_agent.llm.schema import ContentItem, Message

PROMPTS = {"nous": NousFnCallPrompt, "qwen": QwenFnCallPrompt}


def make(name: str, case: dict[str, Any], tokens: list[str]) -> dict[str, Read]:
    prompt = PROMPTS[name]()
    message = Message(role="assistant", content=[ContentItem(text=case["text"])])

    def read() -> list[tuple[str, str]]:
        found = prompt.postprocess_fncall_messages([message], parallel_function_calls=True, function_choice="auto")
        calls = [each.function_call for each in found if each.function_call]
        return [(call.name, call.arguments) for call in calls]

    return {"whole": read}


answer(make)
