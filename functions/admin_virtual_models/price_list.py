"""What providers publish as their prices, dated, as proposals: nothing is ever charged by this list.

Facts of the pages that each source names, in dollars per million tokens at standard service, without batch or priority
tiers. Prices change: compare with the page before you rely on one.
"""

from __future__ import annotations

from typing import NamedTuple


class Source(NamedTuple):
    """A provider's page, and the last day on which its prices are known to have been these."""

    provider: str
    page: str
    as_of: str


class Listed(NamedTuple):
    """One line of a page: the models that have these prices, by the ids that the API takes. None: no such price."""

    source: Source
    models: tuple[str, ...]
    input: str
    output: str | None
    input_cached: str | None = None
    cache_write_5m: str | None = None
    cache_write_1h: str | None = None
    note: str | None = None


ANTHROPIC = Source("anthropic", "https://platform.claude.com/docs/en/about-claude/pricing", "2026-10-10")
OPENAI = Source("openai", "https://developers.openai.com/api/docs/pricing", "2026-06-21")
DEEPSEEK = Source("deepseek", "https://api-docs.deepseek.com/quick_start/pricing", "2026-10-27")
TOGETHER = Source("together", "https://docs.together.ai/docs/serverless/models", "2026-10-04")

_LONG = "for prompts of at most 272,000 tokens; longer ones cost more"
_PEAK = "the price of peak hours; outside of them the provider charges half"

PRICE_LIST: tuple[Listed, ...] = (
    Listed(ANTHROPIC, ("claude-fable-5-1",), "10", "50", "0.25", "12.50", "20"),
    Listed(ANTHROPIC, ("claude-fable-5",), "10", "50", "1", "12.50", "20"),
    Listed(
        ANTHROPIC,
        ("claude-opus-5", "claude-opus-4-8", "claude-opus-4-7", "claude-opus-4-6", "claude-opus-4-5"),
        "5", "25", "0.50", "6.25", "10",
    ),
    Listed(ANTHROPIC, ("claude-opus-4-1", "claude-opus-4", "claude-opus-4-0"), "15", "75", "1.50", "18.75", "30"),
    Listed(ANTHROPIC, ("claude-sonnet-5",), "2", "10", "0.20", "2.50", "4"),
    Listed(
        ANTHROPIC,
        ("claude-sonnet-4-6", "claude-sonnet-4-5", "claude-sonnet-4", "claude-sonnet-4-0", "claude-3-7-sonnet"),
        "3", "15", "0.30", "3.75", "6",
    ),
    Listed(ANTHROPIC, ("claude-haiku-4-5",), "1", "5", "0.10", "1.25", "2"),
    Listed(ANTHROPIC, ("claude-3-5-haiku",), "0.80", "4", "0.08", "1", "1.60"),
    Listed(OPENAI, ("gpt-5.5",), "5", "30", "0.50", note=_LONG),
    Listed(OPENAI, ("gpt-5.4",), "2.50", "15", "0.25", note=_LONG),
    Listed(OPENAI, ("gpt-5.4-mini",), "0.75", "4.50", "0.075"),
    Listed(OPENAI, ("gpt-5.4-nano",), "0.20", "1.25", "0.02"),
    Listed(OPENAI, ("gpt-5.2",), "1.75", "14", "0.175"),
    Listed(OPENAI, ("gpt-5.1", "gpt-5"), "1.25", "10", "0.125"),
    Listed(OPENAI, ("gpt-5-mini",), "0.25", "2", "0.025"),
    Listed(OPENAI, ("gpt-5-nano",), "0.05", "0.40", "0.005"),
    Listed(OPENAI, ("gpt-4.1",), "2", "8", "0.50"),
    Listed(OPENAI, ("gpt-4.1-mini",), "0.40", "1.60", "0.10"),
    Listed(OPENAI, ("gpt-4.1-nano",), "0.10", "0.40", "0.025"),
    Listed(OPENAI, ("gpt-4o",), "2.50", "10", "1.25"),
    Listed(OPENAI, ("gpt-4o-mini",), "0.15", "0.60", "0.075"),
    Listed(OPENAI, ("o3",), "2", "8", "0.50"),
    Listed(OPENAI, ("o4-mini",), "1.10", "4.40", "0.275"),
    Listed(OPENAI, ("text-embedding-3-small",), "0.02", None),
    Listed(OPENAI, ("text-embedding-3-large",), "0.13", None),
    Listed(DEEPSEEK, ("deepseek-flash",), "0.30", "1.20", "0.006", note=_PEAK),
    Listed(DEEPSEEK, ("deepseek-v4-pro",), "1.32", "3.96", "0.044", note=_PEAK),
    Listed(TOGETHER, ("moonshotai/Kimi-K3",), "3", "15"),
    Listed(TOGETHER, ("MiniMaxAI/MiniMax-M3",), "0.30", "1.20"),
    Listed(TOGETHER, ("Qwen/Qwen3.5-9B",), "0.17", "0.25"),
)  # fmt: skip
