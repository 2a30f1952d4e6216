"""What each Claude family accepts, so that a request made for another wire is never refused for a parameter.

From the provider's model pages, migration guides and the notes on effort, thinking and structured outputs (November
2026). A row is the first whose name stands in the model id, so `us.anthropic.claude-opus-4-1-v1:0` finds its own.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

Effort: TypeAlias = Literal["low", "medium", "high", "xhigh", "max"]
EFFORTS: tuple[Effort, ...] = ("low", "medium", "high", "xhigh", "max")


class Family(NamedTuple):
    """`max_tokens` is the most the family may write, and what is asked for when the client set no bound.

    `samplers` says how many of temperature and top_p may be sent. `thinking` lists the forms of the `thinking` field
    that are understood; `off` is the one that stops it (None: it cannot be stopped, or never runs). `always` families
    think unasked. `forced_tools` families take tool_choice any and tool (while they do not think), `prefill` ones go
    on from a last assistant message, `structured` ones know output_config.format and strict tools. Where the bound is
    not `exact`, a client may ask for more than it.
    """

    max_tokens: int
    samplers: int = 0
    thinking: tuple[Literal["adaptive", "budget"], ...] = ("adaptive",)
    off: str | None = "disabled"
    always: bool = False
    efforts: tuple[Effort, ...] = EFFORTS
    forced_tools: bool = True
    prefill: bool = False
    structured: bool = True
    exact: bool = True


_ALWAYS_THINKING = Family(128_000, off=None, always=True, forced_tools=False)
_FIVE = Family(128_000, always=True)
_FOUR_SEVEN = Family(128_000)
_FOUR_SIX = Family(128_000, 1, ("adaptive", "budget"), efforts=("low", "medium", "high", "max"))
_FOUR_FIVE = Family(64_000, 1, ("budget",), efforts=(), prefill=True)
_FOUR = Family(64_000, 2, ("budget",), efforts=(), prefill=True, structured=False)
_THREE_FIVE = Family(8_192, 2, (), off=None, efforts=(), prefill=True, structured=False)
_THREE = _THREE_FIVE._replace(max_tokens=4_096)

FAMILIES: tuple[tuple[str, Family], ...] = (
    ("claude-fable", _ALWAYS_THINKING),
    ("claude-mythos", _ALWAYS_THINKING),
    ("claude-opus-5-5", _ALWAYS_THINKING),
    ("claude-sonnet-5-5", _FIVE._replace(off="between_tools", forced_tools=False)),
    ("claude-opus-5", _FIVE),
    ("claude-sonnet-5", _FIVE),
    ("claude-haiku-5", _FIVE),
    ("claude-opus-4-8", _FOUR_SEVEN),
    ("claude-opus-4-7", _FOUR_SEVEN),
    ("claude-opus-4-6", _FOUR_SIX),
    ("claude-sonnet-4-6", _FOUR_SIX),
    ("claude-opus-4-5", _FOUR_FIVE._replace(efforts=("low", "medium", "high"))),
    ("claude-sonnet-4-5", _FOUR_FIVE),
    ("claude-haiku-4-5", _FOUR_FIVE),
    ("claude-opus-4-1", _FOUR._replace(max_tokens=32_000, samplers=1)),
    ("claude-opus-4", _FOUR._replace(max_tokens=32_000)),
    ("claude-4-opus", _FOUR._replace(max_tokens=32_000)),
    ("claude-sonnet-4", _FOUR),
    ("claude-4-sonnet", _FOUR),
    ("claude-3-7-sonnet", _FOUR),
    ("claude-3-5", _THREE_FIVE),
    ("claude-3", _THREE),
    ("claude-2", _THREE),
    ("claude-instant", _THREE),
    (
        "claude",
        _FIVE._replace(max_tokens=64_000, exact=False),
    ),  # a newer one than this table: as the newest, within every bound
)
# Other makers' models behind the same wire (Kimi, GLM, DeepSeek, MiniMax, vLLM): small enough for all of them.
OTHERS = Family(8_192, 2, ("budget",), efforts=(), prefill=True, structured=False, exact=False)


def family_of(model: str) -> Family:
    name = model.lower().replace(".", "-").replace("@", "-")
    return next((family for part, family in FAMILIES if part in name), OTHERS)


def nearest_effort(effort: str, known: tuple[Effort, ...]) -> Effort | None:
    """The strongest known effort that asks for no more than `effort` (OpenAI's words), else the weakest known."""
    if not known:
        return None
    words: tuple[str, ...] = EFFORTS
    if effort not in words:  # minimal, none, or a word of tomorrow
        return known[0]
    asked = words.index(effort)
    return next((word for word in reversed(known) if words.index(word) <= asked), known[0])
