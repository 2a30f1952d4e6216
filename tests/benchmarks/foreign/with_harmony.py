"""OpenAI's own harmony library, by messages and by its streaming parser; a call is a message to `functions.*`."""

from __future__ import annotations

from typing import Any

from answering import Read, answer
from openai_harmony import HarmonyEncodingName, Message, Role, StreamableParser, load_harmony_encoding

ENCODING = load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)
TO = "functions."


def calls(messages: list[Message]) -> list[tuple[str, str]]:
    return [
        (message.recipient.removeprefix(TO), "".join(part.text for part in message.content))
        for message in messages
        if message.recipient and message.recipient.startswith(TO)
    ]


def make(name: str, case: dict[str, Any], tokens: list[str]) -> dict[str, Read]:
    ids = ENCODING.encode(case["text"], allowed_special="all")

    def streamed() -> list[tuple[str, str]]:
        parser = StreamableParser(ENCODING, Role.ASSISTANT)
        for token in ids:
            parser.process(token)
        parser.process_eos()
        return calls(parser.messages)

    return {
        "whole": lambda: calls(ENCODING.parse_messages_from_completion_tokens(ids, Role.ASSISTANT)),
        "streamed": streamed,
    }


answer(make)
