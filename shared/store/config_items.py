"""The items of the `config` table: where each stands, and the record that it holds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias

from shared import wire
from shared.errors import InvalidRequest
from shared.gateway.stored_settings import StoredSettings
from shared.store.change import CONFIG_SCOPE, VERSION_KEY
from shared.store.config_records import (
    EndpointRecord,
    FormatSwitches,
    ToolPatternRecord,
    VirtualModelRecord,
    endpoint_document,
    formats_document,
    read_endpoint,
    read_formats,
    read_tool_pattern,
    read_virtual_model,
    tool_pattern_document,
    virtual_model_document,
)
from shared.store.refusals import NotFound
from shared.store.tables import ConfigItem, Tables, reaching

log = logging.getLogger(__name__)

Kind: TypeAlias = Literal["endpoint", "virtual_model", "tool_pattern"]
StoredRecord: TypeAlias = EndpointRecord | VirtualModelRecord | ToolPatternRecord
NAME_SCOPE = "name"
COUNTER_SCOPE = "counter"
SEED_SCOPE = "seed"
PRICES_SCOPE = "prices"
FORMATS_KEY = "formats"
SETTINGS_KEY = "settings"
_MOST_DOCUMENT_BYTES = 380_000  # an item of DynamoDB holds 400 KB, names and a sealed key included
WORDS: Mapping[Kind, str] = {
    "endpoint": "endpoint",
    "virtual_model": "virtual model",
    "tool_pattern": "tool pattern",
}
_KINDS: Mapping[type[StoredRecord], Kind] = {
    EndpointRecord: "endpoint",
    VirtualModelRecord: "virtual_model",
    ToolPatternRecord: "tool_pattern",
}


class Configuration(NamedTuple):
    """All of it, as one Query found it."""

    version: int
    endpoints: list[EndpointRecord]
    virtual_models: list[VirtualModelRecord]
    tool_patterns: list[ToolPatternRecord]
    formats: FormatSwitches
    settings: StoredSettings = StoredSettings()


class ConfigItems:
    """Reading the table, and making its items."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def load(self) -> Configuration:
        """Without what cannot be read, as a record that somebody has written by hand: the others go on serving."""
        found = Configuration(0, [], [], [], FormatSwitches())
        with reaching("the configuration"):
            for item in self._tables.config.query(CONFIG_SCOPE, consistent_read=True):
                try:
                    found = _with(found, item)
                except (TypeError, ValueError, LookupError) as fault:
                    kind = type(fault).__name__  # its words could hold what the record holds
                    log.error("record %r of the configuration cannot be read and is left out (%s)", item.key, kind)
        return found

    def one(self, kind: Kind, record_id: int) -> ConfigItem:
        config = self._tables.config
        with reaching(f"the {WORDS[kind]}"):
            try:
                return config.get(CONFIG_SCOPE, record_key(kind, record_id), consistent_read=True)
            except config.DoesNotExist:
                raise NotFound(WORDS[kind], record_id) from None

    def of_record(self, record: StoredRecord) -> ConfigItem:
        sealed_key = None
        match record:
            case EndpointRecord():
                document, sealed_key = endpoint_document(record), record.sealed_key
            case VirtualModelRecord():
                document = virtual_model_document(record.value)
            case ToolPatternRecord():
                document = tool_pattern_document(record)
        _check_size(document)
        return self._tables.config(
            CONFIG_SCOPE,
            record_key(kind_of(record), record.id),
            document=document,
            sealed_key=sealed_key,
            version=record.version,
            created_at=record.created_at,
            updated_at=record.updated_at,
        )

    def of_formats(self, switches: FormatSwitches) -> ConfigItem:
        return self._tables.config(
            CONFIG_SCOPE,
            FORMATS_KEY,
            document=formats_document(switches),
            version=switches.version,
            created_at=switches.created_at,
            updated_at=switches.updated_at,
        )

    def of_name(self, kind: Kind, name: str, owner: int) -> ConfigItem:
        return self._tables.config(NAME_SCOPE, f"{kind}#{name}", owner=owner)


def _check_size(document: str) -> None:
    """Raises InvalidRequest, which names the largest field, for what no item of DynamoDB can hold."""
    size = len(document.encode())
    if size > _MOST_DOCUMENT_BYTES:
        sizes = {name: len(wire.dumps(value)) for name, value in wire.loads(document).items()}
        largest = max(sizes, key=lambda name: sizes[name])
        raise InvalidRequest(
            f"takes {sizes[largest]} of the {size} bytes of all fields, which may take {_MOST_DOCUMENT_BYTES} together",
            param={"sealed_headers": "custom_headers"}.get(largest, largest),
        )


def _with(found: Configuration, item: ConfigItem) -> Configuration:
    match item.key.partition("#")[0]:
        case "" if item.key == VERSION_KEY:
            return found._replace(version=int(item.version or 0))
        case "endpoint":
            found.endpoints.append(endpoint_of(item))
        case "virtual_model":
            found.virtual_models.append(virtual_model_of(item))
        case "tool_pattern":
            found.tool_patterns.append(tool_pattern_of(item))
        case "formats":
            return found._replace(formats=formats_of(item))
        case "settings":
            return found._replace(settings=settings_of(item))
    return found


def record_key(kind: Kind, record_id: int) -> str:
    return f"{kind}#{record_id:010d}"


def kind_of(record: StoredRecord) -> Kind:
    return _KINDS[type(record)]


def endpoint_of(item: ConfigItem) -> EndpointRecord:
    return read_endpoint(
        item.document or "{}",
        sealed_key=item.sealed_key,
        version=int(item.version or 0),
        created_at=int(item.created_at or 0),
        updated_at=int(item.updated_at or 0),
    )


def virtual_model_of(item: ConfigItem) -> VirtualModelRecord:
    return read_virtual_model(
        item.document or "{}",
        version=int(item.version or 0),
        created_at=int(item.created_at or 0),
        updated_at=int(item.updated_at or 0),
    )


def tool_pattern_of(item: ConfigItem) -> ToolPatternRecord:
    return read_tool_pattern(
        item.document or "{}",
        version=int(item.version or 0),
        created_at=int(item.created_at or 0),
        updated_at=int(item.updated_at or 0),
    )


def formats_of(item: ConfigItem) -> FormatSwitches:
    return read_formats(
        item.document or "{}",
        version=int(item.version or 0),
        created_at=int(item.created_at or 0),
        updated_at=int(item.updated_at or 0),
    )


def settings_of(item: ConfigItem) -> StoredSettings:
    """A newer version's other settings are passed over."""
    document = wire.loads(item.document or "{}")
    return StoredSettings(**{name: document[name] for name in StoredSettings._fields if name in document})
