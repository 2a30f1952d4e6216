"""Everything of a request but its messages and tools: the fields of the Messages body, and what they cannot say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from shared.chat.request import ChatRequest, ImagePart, ReasoningPart, Sampling, Tool, ToolResultPart
from shared.providers.anthropic.models import Family, family_of, nearest_effort
from shared.providers.anthropic.names import legal_name
from shared.providers.anthropic.schemas import strict_schema
from shared.wire import JsonObject, dumps

ANSWER_TOOL = "json_answer"
MIN_BUDGET = 1_024  # the provider's
_MIN_TOP_P_WITH_THINKING = 0.95
_LONGEST_USER_ID = 256
# effort in OpenAI's words -> budget_tokens, for families that know budgets only
BUDGETS = {"minimal": 1_024, "low": 2_048, "medium": 8_192, "high": 16_384, "xhigh": 32_000, "max": 48_000}
_CHOICES = {"auto": "auto", "none": "none", "required": "any", "named": "tool"}
_FORCED = ("required", "named")

# the client's word -> whether it said something that this wire has no word for
_UNSAYABLE: tuple[tuple[str, Callable[[Sampling], object]], ...] = (
    ("logprobs", lambda sampling: sampling.logprobs),
    ("top_logprobs", lambda sampling: sampling.top_logprobs),
    ("logit_bias", lambda sampling: sampling.logit_bias),
    ("seed", lambda sampling: sampling.seed is not None),
    ("presence_penalty", lambda sampling: sampling.presence_penalty),
    ("frequency_penalty", lambda sampling: sampling.frequency_penalty),
    ("repetition_penalty", lambda sampling: sampling.repetition_penalty not in (None, 1)),
    ("min_p", lambda sampling: sampling.min_p),
)


class Settings(NamedTuple):
    """`instruction` joins the system prompt, `answer_tool` must be called in place of an answer."""

    fields: JsonObject
    instruction: str | None
    answer_tool: Tool | None
    dropped: tuple[str, ...]


class Thinking(NamedTuple):
    """`field` is what `thinking` says, `on` whether the model will think; `lost` when the client's wish cannot be."""

    field: JsonObject | None = None
    effort: str | None = None
    budget: int | None = None
    on: bool = False
    lost: bool = False


def settle(request: ChatRequest, model: str) -> Settings:
    """The settings of `request` for `model`; never raises."""
    family = family_of(model)
    thinking = _thinking(request, family)
    dropped = [word for word, said in _UNSAYABLE if said(request.sampling)]
    if thinking.lost:
        dropped.append(_client_word(request, "reasoning_effort", "reasoning", "thinking"))
    fields = _bounds(request, family, thinking)
    _add_sampling(fields, dropped, request, family, thinking.on)
    _add_tool_choice(fields, dropped, request, forced=family.forced_tools and not thinking.on)
    instruction, answer_tool = _add_format(fields, request, family, thinking.on)
    if thinking.effort:
        fields.setdefault("output_config", {})["effort"] = thinking.effort
    if request.user:
        fields["metadata"] = {"user_id": _user_id(request.user)}
    dropped += _lost_in_messages(request, family)
    return Settings(fields, instruction, answer_tool, tuple(dict.fromkeys((*dropped, *request.extras))))


def _thinking(request: ChatRequest, family: Family) -> Thinking:
    asked = request.reasoning
    if asked is None or not (asked.effort or asked.budget_tokens or asked.adaptive):
        if _forced(request) and family.always and family.forced_tools and family.off:
            return Thinking({"type": family.off})  # it would think unasked, and then refuse the forced call
        return Thinking(on=family.always)
    if asked.effort == "none":
        if family.off:
            return Thinking({"type": family.off})
        return Thinking(effort="low", on=True, lost=True) if family.always else Thinking()
    if not family.thinking:
        return Thinking(lost=True)
    effort = nearest_effort(asked.effort or _effort_of(asked.budget_tokens), family.efforts)
    if "adaptive" in family.thinking and not ("budget" in family.thinking and asked.budget_tokens):
        # families that only know this form keep their thoughts to themselves unless asked to show them
        shown = {} if "budget" in family.thinking else {"display": "summarized"}
        return Thinking({"type": "adaptive", **shown}, effort, on=True)
    if _continues_unsigned_tool_loop(request):
        return Thinking(effort=effort, lost=True)
    budget = max(asked.budget_tokens or BUDGETS.get(asked.effort or "medium", BUDGETS["medium"]), MIN_BUDGET)
    return Thinking({"type": "enabled"}, effort if asked.effort else None, budget, on=True)


def _effort_of(budget: int | None) -> str:
    if budget is None:
        return "high"  # the provider's own default
    return next((effort for effort, tokens in BUDGETS.items() if effort != "minimal" and budget <= tokens), "max")


def _continues_unsigned_tool_loop(request: ChatRequest) -> bool:
    """With a thinking budget, the turn that made the open calls must begin with its signed thinking, or it is a 400."""
    for message in reversed(request.messages):
        if message.role == "user":
            return False
        if message.role == "assistant":
            return not any(isinstance(part, ReasoningPart) and _replayable(part) for part in message.parts)
    return False


def _replayable(part: ReasoningPart) -> bool:
    return bool(part.signature or part.redacted)


def _bounds(request: ChatRequest, family: Family, thinking: Thinking) -> JsonObject:
    asked = request.sampling.max_tokens
    limit = asked if asked is not None else family.max_tokens
    fields: JsonObject = {}
    field = thinking.field
    if thinking.budget is not None and field is not None:
        budget = thinking.budget
        if budget >= limit:
            limit += budget
        if family.exact:
            limit = min(limit, family.max_tokens)
        field = {**field, "budget_tokens": min(budget, limit - 1)}
    elif family.exact:
        limit = min(limit, family.max_tokens)
    fields["max_tokens"] = limit
    if field is not None:
        fields["thinking"] = field
    return fields


def _add_sampling(
    fields: JsonObject, dropped: list[str], request: ChatRequest, family: Family, thinks: bool
) -> None:  # fmt: skip
    sampling = request.sampling
    temperature, top_p, top_k = sampling.temperature, sampling.top_p, sampling.top_k
    if family.samplers == 0 or thinks:
        if temperature not in (None, 1):
            dropped.append("temperature")
        if top_k is not None and top_k > 0:
            dropped.append("top_k")
        temperature = top_k = None
        if top_p is not None and (family.samplers == 0 or top_p < _MIN_TOP_P_WITH_THINKING):
            if top_p != 1:
                dropped.append("top_p")
            top_p = None
    elif family.samplers == 1 and temperature is not None and top_p is not None:
        if request.policy.temperature is not None and request.policy.top_p is None:  # the client's own word wins
            temperature = None
        else:
            top_p = None
            dropped.append("top_p")
    if temperature is not None:
        fields["temperature"] = min(max(temperature, 0), 1)
    if top_p is not None:
        fields["top_p"] = min(max(top_p, 0), 1)
    if top_k is not None and top_k > 0:
        fields["top_k"] = top_k
    stops = [stop for stop in sampling.stop if stop.strip()]
    if stops:
        fields["stop_sequences"] = stops
    if len(stops) < len(sampling.stop):
        dropped.append(_client_word(request, "stop", "stop_sequences"))


def _forced(request: ChatRequest) -> bool:
    return bool(request.tools and request.tool_choice and request.tool_choice.mode in _FORCED)


def _add_tool_choice(fields: JsonObject, dropped: list[str], request: ChatRequest, *, forced: bool) -> None:
    if not request.tools:
        return
    mode = request.tool_choice.mode if request.tool_choice else "auto"
    if mode in _FORCED and not forced:
        mode = "auto"
        dropped.append("tool_choice")
    choice: JsonObject = {"type": _CHOICES[mode]}
    if mode == "named" and request.tool_choice and request.tool_choice.name:
        choice["name"] = legal_name(request.tool_choice.name)
    if request.parallel_tool_calls is False and mode != "none":
        choice["disable_parallel_tool_use"] = True
    if request.tool_choice or len(choice) > 1:
        fields["tool_choice"] = choice


def _add_format(
    fields: JsonObject, request: ChatRequest, family: Family, thinks: bool
) -> tuple[str | None, Tool | None]:  # fmt: skip
    wanted = request.response_format
    if wanted is None:
        return None, None
    if not wanted.schema:
        return "Answer with one JSON object and nothing else: no prose, no code fence.", None
    if family.structured:
        fields["output_config"] = {"format": {"type": "json_schema", "schema": strict_schema(wanted.schema)}}
        return None, None
    if request.tools or thinks or wanted.schema.get("type") != "object":
        schema = dumps(wanted.schema).decode()
        return f"Answer with one JSON value that fits this JSON schema, and nothing else: {schema}", None
    fields["tool_choice"] = {"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": True}
    return None, Tool(ANSWER_TOOL, "Give the answer.", wanted.schema)


def _user_id(user: str) -> str:
    return user if len(user) <= _LONGEST_USER_ID else hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()


def _client_word(request: ChatRequest, *words: str) -> str:
    return next((word for word in words if word in request.native.body), words[0])


def _lost_in_messages(request: ChatRequest, family: Family) -> list[str]:
    lost: list[str] = []
    if request.suffix:
        lost.append("suffix")
    if not family.structured and any(tool.strict for tool in request.tools):
        lost.append("tools.strict")
    for message in request.messages:
        if message.name and message.role != "tool":
            lost.append("messages.name")
        for part in message.parts:
            inner = part.content if isinstance(part, ToolResultPart) else (part,)
            if any(isinstance(piece, ImagePart) and piece.detail not in (None, "auto") for piece in inner):
                lost.append("image_url.detail")
            if isinstance(part, ReasoningPart) and not _replayable(part):
                lost.append("messages.reasoning_content")
    return lost
