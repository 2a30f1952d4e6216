"""What the audit log says of one change: the fields that differ, before and after, and never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared import wire
from shared.store.audit import Action, Entry, Subject
from shared.store.client_key import ClientKey
from shared.store.config_items import StoredRecord, kind_of
from shared.store.config_records import (
    EndpointRecord,
    FormatSwitches,
    ToolPatternRecord,
    VirtualModelRecord,
    endpoint_document,
    tool_pattern_document,
    virtual_model_document,
)
from shared.wire import JsonObject

MASK = "********"
_MOST_CHARS = 2_000  # of one value, as JSON
_FIRST_CHARS = 500  # what is shown of a longer one


def record_entry(before: StoredRecord | None, after: StoredRecord | None) -> Entry:
    there = after or before
    assert there is not None  # noqa: S101 - one of them is there
    entry = _entry(kind_of(there), str(there.id), there.name, _seen(before), _seen(after))
    if isinstance(before, EndpointRecord) and isinstance(after, EndpointRecord):
        replaced = before.sealed_key != after.sealed_key and _key_seen(before) == _key_seen(after)
        if replaced:
            shown = _key_seen(after)
            return entry._replace(changes=[*entry.changes, _change("api_key", shown, f"{shown} (another one)")])
    if isinstance(before, VirtualModelRecord) and isinstance(after, VirtualModelRecord):
        old, new = before.value.sealed_headers, after.value.sealed_headers
        replaced_ones = [name for name in new if name in old and old[name] != new[name]]
        more = [_change(f"sealed_headers.{name}", MASK, f"{MASK} (another one)") for name in replaced_ones]
        return entry._replace(changes=[*entry.changes, *more])
    return entry


def formats_entry(before: FormatSwitches, after: FormatSwitches) -> Entry:
    seen = [{"on": sorted(each.on), "off": sorted(each.off)} for each in (before, after)]
    return _entry("formats", "formats", "built-in formats", *seen)


def key_entry(before: ClientKey | None, after: ClientKey) -> Entry:
    entry = _entry("api_key", after.key_id, after.label, _key(before) if before else None, _key(after))
    if before is not None and before.secret_hash != after.secret_hash:
        return entry._replace(action="rotate")
    if before is not None and before.revoked_at is None and after.revoked_at is not None:
        return entry._replace(action="revoke")
    return entry


def settings_entry(before: Mapping[str, Any], after: Mapping[str, Any]) -> Entry:
    return _entry("settings", "settings", "settings", dict(before), dict(after))


def _entry(kind: Subject, subject_id: str, name: str, before: JsonObject | None, after: JsonObject | None) -> Entry:
    action: Action = "create" if before is None else "delete" if after is None else "update"
    old, new = before or {}, after or {}
    fields = [*old, *(name for name in new if name not in old)]
    changes = [_change(each, old.get(each), new.get(each)) for each in fields if old.get(each) != new.get(each)]
    return Entry(action, kind, subject_id, name, changes)


def _change(field: str, before: Any, after: Any) -> JsonObject:
    return {"field": field, "before": _short(before), "after": _short(after)}


def _short(value: Any) -> Any:
    """A long text or object by its beginning: an item of the log must fit beside others in one transaction."""
    text = value if isinstance(value, str) else wire.dumps(value).decode()
    return value if len(text) <= _MOST_CHARS else f"{text[:_FIRST_CHARS]}… ({len(text)} characters)"


def _seen(record: StoredRecord | None) -> JsonObject | None:
    match record:
        case None:
            return None
        case EndpointRecord():
            found = wire.loads(endpoint_document(record))
            found.pop("key_hint", None)
            found["api_key"] = _key_seen(record)
        case VirtualModelRecord():
            found = wire.loads(virtual_model_document(record.value))
            found["sealed_headers"] = dict.fromkeys(record.value.sealed_headers, MASK)
        case ToolPatternRecord():
            found = wire.loads(tool_pattern_document(record))
    return {name: value for name, value in found.items() if name != "id" and value not in (None, {}, [])}


def _key_seen(record: EndpointRecord) -> str | None:
    return None if record.sealed_key is None else f"{MASK}{record.key_hint or ''}"


def _key(key: ClientKey) -> JsonObject:
    limits = {name: value for name, value in key.limits._asdict().items() if value not in (None, ())}
    shown = {
        "label": key.label,
        "notes": key.notes,
        "enabled": key.enabled,
        "key_prefix": key.prefix,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "previous_key_until": key.previous_until,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in limits.items()},
    }
    return {name: value for name, value in shown.items() if value not in (None, "")}
