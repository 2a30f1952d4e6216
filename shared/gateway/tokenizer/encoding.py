"""Counts the tokens of a text with one of OpenAI's encodings: all of them, unless that is too much work."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

from shared.gateway.tokenizer.merge import count_merged
from shared.gateway.tokenizer.split import split
from shared.gateway.tokenizer.vocabulary import NO_RANK, Ranks

EncodingName = Literal["o200k_base", "cl100k_base"]

# By what a model's name begins with, the first that fits; every other model is counted with o200k_base.
_ENCODINGS: tuple[tuple[str, EncodingName], ...] = (
    ("gpt-4o", "o200k_base"),
    ("gpt-4.", "o200k_base"),
    ("gpt-4", "cl100k_base"),
    ("gpt-3.5", "cl100k_base"),
    ("gpt-35", "cl100k_base"),  # as Azure spells it
    ("text-embedding-", "cl100k_base"),
    ("davinci-002", "cl100k_base"),
    ("babbage-002", "cl100k_base"),
)

_LONGEST_TOKEN = 128  # bytes, in both vocabularies
_LONGEST_MERGED = 4_096  # bytes of a piece; the rest of a longer one is taken to be like its beginning
_LONGEST_KEPT = 32  # characters
_MOST_KEPT = 8_192


class Counted(NamedTuple):
    """So many tokens in the first so many characters, and how many bytes had to be merged for it."""

    tokens: int
    chars: int
    merged_bytes: int


def encoding_of(model: str) -> EncodingName:
    """The encoding of an actual model, by its name alone: `openai/gpt-4`, `ft:gpt-3.5-turbo:mine`, `llama3`."""
    name = model.lower().rpartition("/")[2].removeprefix("ft:")
    return next((encoding for beginning, encoding in _ENCODINGS if name.startswith(beginning)), "o200k_base")


def count(text: str, encoding: EncodingName, most_merged_bytes: int) -> Counted:
    """The tokens of the text, or of its beginning, where more than so many bytes would have to be merged.

    What looks like a special token is text.
    """
    counts = _counts(encoding)
    before = counts.merged_bytes
    tokens = chars = 0
    for piece in split(text, encoding):
        if counts.merged_bytes - before > most_merged_bytes:
            break
        tokens += counts[piece]
        chars += len(piece)
    return Counted(tokens, chars, counts.merged_bytes - before)


class _Counts(dict[str, int]):
    """The number of tokens of each piece; keeps those of the short ones that it met last."""

    def __init__(self, encoding: EncodingName) -> None:
        self._ranks = Ranks(Path(__file__).with_name(f"{encoding}.ranks"))
        self.merged_bytes = 0  # in all

    def __missing__(self, piece: str) -> int:
        tokens = self._count(_utf8(piece))
        if len(piece) <= _LONGEST_KEPT:
            if len(self) >= _MOST_KEPT:
                self.clear()
            self[piece] = tokens
        return tokens

    def _count(self, piece: bytes) -> int:
        if len(piece) <= _LONGEST_TOKEN and self._ranks[piece] != NO_RANK:
            return 1
        beginning = piece[:_LONGEST_MERGED]
        self.merged_bytes += len(beginning)
        return round(count_merged(beginning, self._ranks) * len(piece) / len(beginning))


@cache
def _counts(encoding: EncodingName) -> _Counts:
    return _Counts(encoding)


def _utf8(piece: str) -> bytes:
    """As tiktoken does it: two surrogates that belong together are one character, a lone one is U+FFFD."""
    try:
        return piece.encode()
    except UnicodeEncodeError:
        return piece.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
