"""The settings: what administrators may change while the gateway runs, and what the deployment has decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

import tzdata  # noqa: F401 - named here, it is bundled; systems without zones need it
from fastapi import FastAPI
from pydantic import AfterValidator, BaseModel, Field

from shared.gateway.limits import ASSUMED_OUTPUT_TOKENS
from shared.settings import Settings
from shared.store.config_settings import SettingsRecord
from shared.store.config_store import ConfigStore
from shared.store.refusals import Conflict
from shared.web.admin_access import Access
from shared.web.admin_app import admin_app, serve
from shared.web.admin_errors import AdminRefusal
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


_SHOWN = (
    "client_access", "admin_auth", "private_upstreams", "timeout_seconds", "max_body_bytes", "ledger_ttl_days",
    "audit_ttl_days", "log_level", "aimenu_url", "oidc_issuer",
)  # fmt: skip


def admin_settings_app(store: ConfigStore, chosen: Settings, access: Access) -> FastAPI:
    app = admin_app("Settings", access)
    settings = _Settings(store, chosen)
    serve(app, "GET", ("/api/admin/settings",), settings.all)
    serve(app, "PUT", ("/api/admin/settings",), settings.change)
    return app


class _Settings:
    """The handlers; blocking, FastAPI runs them in threads."""

    def __init__(self, store: ConfigStore, chosen: Settings) -> None:
        self._store = store
        self._chosen = chosen

    def all(self) -> SettingsPage:
        """What holds, where it comes from and what it is for."""
        return self._page(self._store.get_settings())

    def change(self, change: SettingsChange) -> SettingsPage:
        """What is sent changes, the rest stays; the gateway follows within seconds. With `version`, 409 when it is not
        the last one."""
        try:
            record = self._store.change_settings(change.given(*ROWS), change.version)
        except Conflict as conflict:
            current = self._page(conflict.current).model_dump()
            raise AdminRefusal(409, conflict.message, {"current": current}) from conflict
        return self._page(record)

    def _page(self, record: SettingsRecord) -> SettingsPage:
        stored = record.value._asdict()
        rows = []
        for name, row in ROWS.items():
            default, value = row.default(self._chosen), stored[name]
            source: Source = "deployment" if value is None else "dashboard"
            rows.append(
                SettingRow(
                    name=name,
                    value=default if value is None else value,
                    source=source,
                    default=default,
                    meaning=row.meaning,
                )
            )
        return SettingsPage(
            settings=rows,
            deployment=[DeploymentRow(variable=_variable(name), value=getattr(self._chosen, name)) for name in _SHOWN],
            version=record.version,
            common_timezones=sorted(available_timezones()),
        )


def _variable(name: str) -> str:
    return str(Settings.__dataclass_fields__[name].metadata["names"][0])
