"""The settings as administrators read and write them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import tzdata  # noqa: F401 - named here, it is bundled; systems without zones need it
from pydantic import AfterValidator, BaseModel, Field

from shared.gateway.limits import ASSUMED_OUTPUT_TOKENS
from shared.settings import Settings
from shared.web.admin_fields import Flag, Form, Version
from shared.web.endpoint_rules import HeaderWord, check_address

Source: TypeAlias = Literal["dashboard", "deployment"]
Priority: TypeAlias = Literal["HIGH", "NORMAL", "LOW"]


def _queue_url(value: str | None) -> str | None:
    if not value or not value.strip():
        return None
    url, wrong = check_address("queue", value)
    if wrong:
        raise ValueError(wrong[0].message)
    return url


def _zone(value: str | None) -> str | None:
    if not value:
        return None
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("must be the name of a time zone, as in Europe/Berlin") from None
    return value


class Row(NamedTuple):
    """A setting: what it is for, and what it is where nobody has set it here."""

    meaning: str
    default: Callable[[Settings], Any]


ROWS = {
    "use_ai_queue": Row(
        "send every request through the queue server, whatever endpoint its model has", lambda it: it.use_ai_queue
    ),
    "ai_queue_url": Row(
        "the queue server; the deployment's key for it goes to the deployment's address only",
        lambda it: it.ai_queue_url,
    ),
    "ai_queue_priority": Row(
        "of what a client gives no x-priority: HIGH, NORMAL or LOW", lambda it: it.ai_queue_priority
    ),
    "ai_queue_source": Row("what the queue server is told as the source of requests", lambda it: it.ai_queue_source),
    "budget_output_tokens": Row(
        "how long an answer may be, in tokens, for a key with a budget, where neither the client nor the virtual model "
        "says so",
        lambda it: ASSUMED_OUTPUT_TOKENS,
    ),
    "display_timezone": Row("the dashboard's days and times; empty: the browser's", lambda it: None),
}


class SettingRow(BaseModel):
    """A setting with its meaning; `value` is what holds, `source` where it comes from."""

    name: str
    value: bool | int | str | None
    source: Source
    default: bool | int | str | None = Field(description="what holds when it is set to null")
    meaning: str


class DeploymentRow(BaseModel):
    """What only a deployment changes; the variable is described in `.env.example`."""

    variable: str
    value: bool | int | float | str | None


class SettingsPage(BaseModel):
    """`common_timezones` are all that `display_timezone` may be."""

    settings: list[SettingRow]
    deployment: list[DeploymentRow]
    version: int = Field(description="counts the changes; 0: nothing was ever set here")
    common_timezones: list[str]


class SettingsChange(Form):
    """What is sent changes; null leaves it to the deployment again."""

    passed_over = ("deployment", "settings", "common_timezones")

    use_ai_queue: Flag | None = None
    ai_queue_url: Annotated[str | None, AfterValidator(_queue_url)] = None
    ai_queue_priority: Priority | None = None
    ai_queue_source: HeaderWord | None = None
    budget_output_tokens: Annotated[int, Field(strict=True, ge=1, le=1_000_000)] | None = None
    display_timezone: Annotated[str | None, Field(max_length=64), AfterValidator(_zone)] = None
    version: Version | None = None
