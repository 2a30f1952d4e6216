"""Client keys as administrators read and write them."""

from __future__ import annotations

import time
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, WithJsonSchema

from shared.gateway.limits import MOST_HELD, Limits, Standing
from shared.gateway.pricing import PICODOLLARS
from shared.store.client_key import ClientKey
from shared.store.client_keys import KeyChanges, KeyLimits
from shared.store.limit_state import State, spent
from shared.web.admin_errors import invalid_field
from shared.web.admin_fields import Flag, Form, Name

Status: TypeAlias = Literal["active", "disabled", "expired", "revoked"]

_MOST_MODELS = 200
_MOST_A_MINUTE = 1_000_000_000
_HIGHEST_BUDGET = 1_000_000
_BUDGET_PLACES = 6
_LAST_SECOND = 4_102_444_800  # 2100
LONGEST_OVERLAP_SECONDS = 30 * 86_400


def _budget(value: Any) -> Decimal:
    if type(value) not in (int, float, str):
        raise ValueError("must be a number of dollars")
    try:
        budget = Decimal(repr(value) if type(value) is float else str(value).strip()[:40])
    except InvalidOperation:
        raise ValueError("must be a number of dollars") from None
    if not budget.is_finite() or not 0 <= budget <= _HIGHEST_BUDGET:
        raise ValueError(f"must be from 0 to {_HIGHEST_BUDGET} dollars")
    if budget != round(budget, _BUDGET_PLACES):
        raise ValueError(f"may have {_BUDGET_PLACES} digits behind the point")
    return budget


def _each_once(names: list[str]) -> list[str]:
    return list(dict.fromkeys(names))


Notes = Annotated[str, Field(max_length=2_000)]
Budget = Annotated[
    Decimal,
    BeforeValidator(_budget),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": _HIGHEST_BUDGET, "description": "dollars"}),
]
Count = Annotated[int, Field(strict=True, ge=1, le=_MOST_A_MINUTE)]
Parallel = Annotated[int, Field(strict=True, ge=1, le=MOST_HELD)]
Seconds = Annotated[int, Field(strict=True, ge=1, le=_LAST_SECOND)]
Models = Annotated[list[Name], Field(max_length=_MOST_MODELS), AfterValidator(_each_once)]

_LIMITS = ("requests_per_minute", "tokens_per_minute", "parallel_requests")
_BUDGETS = ("daily_budget", "monthly_budget")


class ApiKey(BaseModel):
    """Times are seconds since 1970. `last_used_at` is up to ten minutes old. A limit that is null is none."""

    id: str
    label: str
    key_prefix: str
    notes: str
    enabled: bool
    status: Status = Field(description="whether it opens, and why not")
    created_at: int
    updated_at: int
    last_used_at: int | None
    revoked_at: int | None
    expires_at: int | None = Field(description="from then on it opens nothing")
    previous_key_until: int | None = Field(description="until then the secret before the last rotation opens, too")
    allowed_models: list[str] = Field(description="virtual models by name, not by alias; none: all of them")
    requests_per_minute: int | None
    tokens_per_minute: int | None
    parallel_requests: int | None
    daily_budget: float | None = Field(description="dollars, for a day of UTC")
    monthly_budget: float | None = Field(description="dollars, for a month of UTC")


class ApiKeys(BaseModel):
    items: list[ApiKey]


class MadeApiKey(ApiKey):
    api_key: str = Field(description="the key itself, shown this once")


class ApiKeyUse(BaseModel):
    """What a key has used of its limits. Only keys with limits are counted here; `/api/admin/usage` has everything.

    Costs are dollars; they include `reserved`, what requests in flight may come to at most.
    """

    requests_left: int | None = Field(description="of this minute; null without a limit")
    tokens_left: int | None
    in_flight: int
    reserved: float
    day_cost: float
    month_cost: float


class LimitFields(Form):
    """null takes a limit away."""

    expires_at: Seconds | None = None
    allowed_models: Models | None = Field(default=None, description="none: all of them")
    requests_per_minute: Count | None = None
    tokens_per_minute: Count | None = None
    parallel_requests: Parallel | None = None
    daily_budget: Budget | None = None
    monthly_budget: Budget | None = None

    def limits_over(self, current: ClientKey | None) -> KeyLimits:
        """What of a key is set; raises InvalidFields. `current` None is a new one."""
        found = KeyLimits()
        if "expires_at" in self.model_fields_set and (current is None or self.expires_at != current.expires_at):
            if self.expires_at is not None and self.expires_at <= time.time():
                raise invalid_field("expires_at", "must be in the future; to stop a key now, disable or revoke it")
            found["expires_at"] = self.expires_at
        before = current.limits if current else Limits()
        budgets = {name: _picodollars(value) for name, value in self.given(*_BUDGETS).items()}
        limits = before._replace(**{**self.given(*_LIMITS), **budgets})
        if "allowed_models" in self.model_fields_set:
            limits = limits._replace(models=tuple(self.allowed_models or ()))
        if limits != before:
            found["limits"] = limits
        return found


class NewApiKey(LimitFields):
    label: Name
    notes: Notes = ""


class ApiKeyChange(LimitFields):
    """What is sent changes, the rest stays; null takes a limit away."""

    passed_over = (
        "id", "key_prefix", "status", "created_at", "updated_at", "last_used_*", "revoked_at", "previous_key_until",
    )  # fmt: skip

    label: Name | None = None
    notes: Notes | None = None
    enabled: Flag | None = None

    def changes(self, current: ClientKey) -> KeyChanges:
        """What of a key is set; raises InvalidFields."""
        found = KeyChanges()
        limited = self.limits_over(current)
        if "expires_at" in limited:
            found["expires_at"] = limited["expires_at"]
        if "limits" in limited:
            found["limits"] = limited["limits"]
        if self.label is not None:
            found["label"] = self.label
        if self.notes is not None:
            found["notes"] = self.notes
        if self.enabled is not None:
            found["enabled"] = self.enabled
        return found


class Rotation(Form):
    overlap_seconds: int = Field(
        default=86_400,
        strict=True,
        ge=0,
        le=LONGEST_OVERLAP_SECONDS,
        description="how long the old secret opens beside the new one; 0 ends it at once",
    )


def key_row(record: ClientKey, now: float) -> dict[str, Any]:
    limits = record.limits
    overlap = record.previous_until if record.previous_until and record.previous_until > now else None
    return {
        "id": record.key_id,
        "label": record.label,
        "key_prefix": record.prefix,
        "notes": record.notes,
        "enabled": record.enabled,
        "status": _status(record, now),
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "last_used_at": record.last_used_at,
        "revoked_at": record.revoked_at,
        "expires_at": record.expires_at,
        "previous_key_until": overlap if record.revoked_at is None else None,
        "allowed_models": list(limits.models),
        **{name: getattr(limits, name) for name in _LIMITS},
        **{name: _dollars(getattr(limits, name)) for name in _BUDGETS},
    }


def use_row(state: State, told: Standing, now: float) -> ApiKeyUse:
    day_cost, month_cost, held = spent(state, now)
    return ApiKeyUse(
        requests_left=None if told.limit_requests is None else told.remaining_requests,
        tokens_left=None if told.limit_tokens is None else told.remaining_tokens,
        in_flight=len(held),
        reserved=_dollars(sum(each.cost for each in held)) or 0.0,
        day_cost=_dollars(day_cost) or 0.0,
        month_cost=_dollars(month_cost) or 0.0,
    )


def _status(record: ClientKey, now: float) -> Status:
    if record.revoked_at is not None:
        return "revoked"
    if record.expires_at is not None and record.expires_at <= now:
        return "expired"
    return "active" if record.enabled else "disabled"


def _picodollars(budget: Decimal | None) -> int | None:
    return None if budget is None else int(budget * PICODOLLARS)


def _dollars(picodollars: int | None) -> float | None:
    """To a millionth of a cent, which is more than any budget has."""
    return None if picodollars is None else float(round(Decimal(picodollars) / PICODOLLARS, 8))
