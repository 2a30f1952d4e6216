"""The text parsers of agent frameworks: LangChain, LlamaIndex and smolagents. None of them reads a stream."""

from __future__ import annotations

import json
from typing import Any

from answering import Read, answer
from langchain_classic.agents.output_parsers import JSONAgentOutputParser, ReActSingleInputOutputParser
from langchain_core.agents import AgentAction
from langchain_core.exceptions import OutputParserException
from llama_index.core.agent.react.output_parser import ReActOutputParser
from llama_index.core.agent.react.types import ActionReasoningStep
from smolagents.models import get_tool_call_from_text


def langchain(parser: Any, text: str) -> list[tuple[str, str]]:
    try:
        found = parser.parse(text)
    except OutputParserException:  # its way to say that there is no action in the text
        return []
    if not isinstance(found, AgentAction):
        return []
    return [(found.tool, found.tool_input if isinstance(found.tool_input, str) else json.dumps(found.tool_input))]


def llama_index(text: str) -> list[tuple[str, str]]:
    try:
        found = ReActOutputParser().parse(text)
    except ValueError:  # likewise
        return []
    return [(found.action, json.dumps(found.action_input))] if isinstance(found, ActionReasoningStep) else []


def smolagents(text: str, name: str, arguments: str) -> list[tuple[str, str]]:
    try:
        found = get_tool_call_from_text(text, name, arguments)
    except ValueError:  # likewise
        return []
    return [(found.function.name, json.dumps(found.function.arguments))]


PARSERS = {
    "langchain ReAct": lambda text: langchain(ReActSingleInputOutputParser(), text),
    "langchain JSON": lambda text: langchain(JSONAgentOutputParser(), text),
    "llama-index ReAct": llama_index,
    "smolagents": lambda text: smolagents(text, "name", "arguments"),
}


def make(name: str, case: dict[str, Any], tokens: list[str]) -> dict[str, Read]:
    return {"whole": lambda: PARSERS[name](case["text"])}


answer(make)
