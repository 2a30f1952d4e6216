"""SGLang's function-call detectors, with the flush of arguments that its server does at the end of a stream."""

from __future__ import annotations

import json
import logging
from typing import Any

from answering import Merged, Read, answer
from sglang.srt.entrypoints.openai.protocol import Tool
from sglang.srt.function_call.function_call_parser import FunctionCallParser


def unsent(detector: Any) -> tuple[int, str]:
    """The last call and what its stream still lacks, as the chat completions server finds it out."""
    known = getattr(detector, "prev_tool_call_arr", None)
    sent = getattr(detector, "streamed_args_for_tool", None)
    if not known or not sent or len(known) > len(sent):
        return 0, ""
    last = len(known) - 1
    expected = known[last].get("arguments", {})
    text = expected if isinstance(expected, str) else json.dumps(expected, ensure_ascii=False)
    return last, text[len(sent[last]) :] if text.startswith(sent[last]) else ""


def make(name: str, case: dict[str, Any], tokens: list[str]) -> dict[str, Read]:
    parser = FunctionCallParser([Tool(**tool) for tool in case["tools"]], name)

    def read() -> list[tuple[str, str]]:
        if not parser.has_tool_call(case["text"]):
            return []
        return [(call.name or "", call.parameters) for call in parser.parse_non_stream(case["text"])[1]]

    def streamed() -> list[tuple[str, str]]:
        merged = Merged()
        for piece in case["pieces"]:
            for call in parser.parse_stream_chunk(piece)[1]:
                merged.add(call.tool_index, call.name, call.parameters)
        for call in parser.parse_stream_end()[1]:
            merged.add(call.tool_index, call.name, call.parameters)
        index, rest = unsent(parser.detector)
        if rest:
            merged.add(index, None, rest)
        return merged.calls()

    return {"whole": read, "streamed": streamed}


logging.disable(logging.CRITICAL)
answer(make)
