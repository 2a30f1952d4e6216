"""Tokens in disjoint buckets, whoever counted them."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Source: TypeAlias = Literal["provider", "estimated", "partial"]
# provider   the backend counted, all of it
# estimated  it did not, or not everything: the rest is our estimate
# partial    the answer ended early: what had arrived by then, counted as far as the backend had

_NUMBERS = frozenset((int, float))
MOST_TOKENS = 10**8  # of one bucket: a hundred times the longest context; what claims more is no count


def count(value: object) -> int | None:
    """A backend's count of tokens, None where it is none: absent, of another type, negative or beyond belief."""
    if type(value) in _NUMBERS and 0 <= value <= MOST_TOKENS:  # type: ignore[operator]
        return int(value)  # type: ignore[call-overload, no-any-return]
    return None


class Usage(NamedTuple):
    """Token counts of one upstream attempt.

    The input buckets are disjoint: `input_tokens` excludes cache reads and writes (Anthropic's meaning; OpenAI's
    `prompt_tokens` is the sum of all four). `reasoning_tokens` is a part of `output_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    source: Source = "provider"

    @property
    def cache_write_tokens(self) -> int:
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def prompt_tokens(self) -> int:
        """All input, as OpenAI counts it."""
        return self.input_tokens + self.cache_read_tokens + self.cache_write_tokens

    @property
    def total_tokens(self) -> int:
        return self.prompt_tokens + self.output_tokens
