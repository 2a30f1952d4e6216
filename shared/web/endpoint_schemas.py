"""Endpoints as administrators read and write them, with the original's field names; keys only ever come in."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, Field

from shared.store.config_records import EndpointRecord
from shared.store.seal import MAX_KEY_BYTES, Sealer
from shared.web.admin_errors import FieldError, InvalidFields
from shared.web.admin_fields import Flag, Form, Name, Version
from shared.web.endpoint_rules import check_address, check_options, known_type

DEFAULT_TYPE = "openai"
_HINT_CHARS = 4
_SHORTEST_HINTED = 16  # of a shorter key, four characters would give too much away
_KEY = re.compile(r"[\x21-\x7e]+")


def _key(value: str | None) -> str | None:
    value = (value or "").strip()
    if value and (len(value) > MAX_KEY_BYTES or not _KEY.fullmatch(value)):
        raise ValueError(f"must be at most {MAX_KEY_BYTES} visible ASCII characters without spaces")
    return value or None


class EndpointRow(BaseModel):
    """An endpoint. Times are seconds since 1970; `api_key_hint` is the end of a long key."""

    id: int
    name: str
    url: str
    endpoint_type: str
    has_api_key: bool
    api_key_hint: str | None
    priority: int
    enabled: bool
    options: dict[str, Any]
    version: int
    created_at: int
    updated_at: int


class SavedEndpoint(EndpointRow):
    status: Literal["ok"] = "ok"


class EndpointChange(Form):
    """Only what is sent changes. A blank `api_key` keeps the stored one, `clear_api_key` removes it."""

    passed_over: ClassVar[tuple[str, ...]] = (
        "id", "status", "has_api_key", "api_key_hint", "created_at", "updated_at",
        "oauth_*", "health_check_url", "cache_enabled", "failover", "custom_headers",
    )  # fmt: skip

    name: Name = ""
    url: str | None = Field(default=None, description="where it is left out, the type's usual address")
    endpoint_type: Annotated[str, AfterValidator(known_type)] = Field(default=DEFAULT_TYPE)
    api_key: Annotated[str | None, AfterValidator(_key)] = Field(default=None, repr=False)
    clear_api_key: Flag = False
    priority: Annotated[int, Field(strict=True, ge=0, le=1_000_000)] = Field(default=0, description="higher goes first")
    enabled: Flag = True
    options: dict[str, Any] | None = Field(default=None, description="per type, replaced as a whole")
    version: Version | None = None

    def changes(self, current: EndpointRecord | None) -> dict[str, Any]:
        """The record's new fields but for the key's; raises InvalidFields. `current` None is a new endpoint."""
        changes = self.given("name", "endpoint_type", "priority", "enabled")
        endpoint_type = changes.get("endpoint_type", current.endpoint_type if current else DEFAULT_TYPE)
        url, wrong = check_address(endpoint_type, self.url if current is None or self._sets("url") else current.url)
        options: dict[str, Any] = self.options or {}
        if current is not None and not self._sets("options"):
            options = current.options
        options, wrong_options = check_options(endpoint_type, options)
        if self.clear_api_key and self.api_key:
            wrong.append(FieldError("clear_api_key", "cannot be true when a new api_key is sent"))
        if wrong or wrong_options:
            raise InvalidFields((*wrong, *wrong_options))
        settled = {"url": url, "options": options, "endpoint_type": endpoint_type}
        if current is None:
            return {**changes, **settled}
        return changes | {name: value for name, value in settled.items() if getattr(current, name) != value}

    def key_changes(self, sealer: Sealer, endpoint_id: int) -> dict[str, Any]:
        """The new sealed key and its hint, or nothing. Blocking."""
        if self.clear_api_key:
            return {"sealed_key": None, "key_hint": None}
        if not self.api_key:
            return {}
        hint = self.api_key[-_HINT_CHARS:] if len(self.api_key) >= _SHORTEST_HINTED else None
        return {"sealed_key": sealer.seal(self.api_key, endpoint_id), "key_hint": hint}

    def over(self, current: EndpointRecord) -> EndpointRecord:
        """The record with the changes, as it would be stored."""
        return replace(current, **self.changes(current))

    def _sets(self, field: str) -> bool:
        return field in self.model_fields_set


class NewEndpoint(EndpointChange):
    name: Name = Field()


def endpoint_row(record: EndpointRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "name": record.name,
        "url": record.url,
        "endpoint_type": record.endpoint_type,
        "has_api_key": record.sealed_key is not None,
        "api_key_hint": record.key_hint if record.sealed_key is not None else None,
        "priority": record.priority,
        "enabled": record.enabled,
        "options": record.options,
        "version": record.version,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
    }
