"""vLLM's tool parsers, driven as its OpenAI server drives them, over a byte-level tokenizer that knows the markup."""

from __future__ import annotations

import logging
from functools import cache
from typing import Any

from answering import Merged, Read, answer
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from vllm.entrypoints.openai.chat_completion.protocol import ChatCompletionRequest
from vllm.parser import ParserManager


@cache
def tokenizer(tokens: tuple[str, ...], kind: str) -> PreTrainedTokenizerFast:
    """Every byte is a token, and so is every piece of markup, as in the tokenizers of the models that write it."""
    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    bytewise = Tokenizer(models.BPE(vocab=letters, merges=[]))
    bytewise.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    bytewise.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token="<|end_of_answer|>")
    lacking = {"mistral before v11": "[ARGS]"}.get(kind)  # how its parser tells the formats apart
    fast.add_tokens([token for token in tokens if token != lacking], special_tokens=True)
    return fast


@cache
def harmony() -> Any:
    from openai_harmony import HarmonyEncodingName, load_harmony_encoding

    return load_harmony_encoding(HarmonyEncodingName.HARMONY_GPT_OSS)


def ids(text: str, known: PreTrainedTokenizerFast, is_harmony: bool) -> list[int]:
    if is_harmony:
        return list(harmony().encode(text, allowed_special="all"))
    return list(known.encode(text, add_special_tokens=False))


def make(name: str, case: dict[str, Any], tokens: list[str]) -> dict[str, Read]:
    known, is_harmony = tokenizer(tuple(tokens), name), name == "openai"
    name = name.partition(" ")[0]
    kind = ParserManager.get_parser(tool_parser_name=name, enable_auto_tools=True, is_harmony=is_harmony)
    messages = [{"role": "user", "content": "?"}]
    request = ChatCompletionRequest(model="m", messages=messages, tools=case["tools"], tool_choice="auto")
    parser = kind(known, request.tools)
    whole = ids(case["text"], known, is_harmony)
    deltas = [(piece, ids(piece, known, is_harmony)) for piece in case["pieces"]]

    def read() -> list[tuple[str, str]]:
        _, _, calls = parser.parse(case["text"], request, enable_auto_tools=True, model_output_token_ids=whole)
        return [(call.name, call.arguments) for call in calls or ()]

    def streamed() -> list[tuple[str, str]]:
        merged = Merged()
        for number, (piece, its_ids) in enumerate(deltas):
            last = number == len(deltas) - 1
            delta = parser.parse_delta(piece, its_ids, request, prompt_token_ids=[1], finished=last)
            for call in (delta and delta.tool_calls) or ():
                merged.add(call.index, call.function and call.function.name, call.function and call.function.arguments)
        return merged.calls()

    return {"whole": read, "streamed": streamed}


logging.disable(logging.CRITICAL)
answer(make)
