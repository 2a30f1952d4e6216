"""The configuration as one YAML document (docs/configuration.md): read strictly, and written without secrets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.gateway.stored_settings import StoredSettings
from shared.store.config_records import EndpointRecord, FormatSwitches, ToolPatternRecord, VirtualModelRecord
from shared.web.admin_errors import InvalidFields, field_errors, invalid_field
from shared.web.admin_fields import Form
from shared.web.endpoint_schemas import EndpointChange, endpoint_row
from shared.web.tool_pattern_schemas import ToolPatternChange, tool_pattern_row
from shared.web.virtual_model_schemas import MASK, VirtualModelChange, virtual_model_row
from shared.wire import JsonObject

VERSION = 1
KEEP = {"keep": True}
HEAD = f"""\
# Serverless Proxy's configuration, version {VERSION}. What it means: docs/configuration.md.
# Secrets are not in here: {{keep: true}} is the one that is stored, {{env: NAME}} one that the import brings along.
"""
_MOST = 2_000
_MOST_BRACKETS = 50

# What a record of the document is where it says nothing; a key or headers that it leaves out stay as they are.
_SECRETS = ("api_key", "clear_api_key", "custom_headers")
_NAMES = ("name", "pattern_name", "endpoint_id", "actual_model", "targets", "version", "url", "regex_pattern")


def defaults_of(form: type[Form]) -> dict[str, Any]:
    return {
        name: field.get_default(call_default_factory=True)
        for name, field in form.model_fields.items()
        if name not in (*_NAMES, *_SECRETS)
    }


class Formats(BaseModel):
    model_config = ConfigDict(extra="forbid")

    on: list[str] = Field(default_factory=list)
    off: list[str] = Field(default_factory=list)


class Document(BaseModel):
    """A part that is missing is left alone; its records' fields are those of the admin API."""

    model_config = ConfigDict(extra="forbid")

    version: int
    endpoints: list[dict[str, Any]] | None = Field(default=None, max_length=_MOST)
    virtual_models: list[dict[str, Any]] | None = Field(default=None, max_length=_MOST)
    tool_patterns: list[dict[str, Any]] | None = Field(default=None, max_length=_MOST)
    formats: Formats | None = None
    settings: dict[str, Any] | None = None


class _Loader(yaml.SafeLoader):
    """No aliases, which can make a gigabyte of a kilobyte, no name twice, and no dates: YAML has more than JSON. No
    more brackets in brackets than a configuration has: the scanner's time grows with their square."""

    def fetch_flow_collection_start(self, token: Any) -> None:
        if self.flow_level >= _MOST_BRACKETS:
            raise yaml.YAMLError("too deep")
        super().fetch_flow_collection_start(token)

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases (*name) are not taken")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        if twice := next((name for name, count in names.items() if count > 1), None):
            raise yaml.YAMLError(f"{str(twice)[:100]} is there twice in line {node.start_mark.line + 1}")
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


# YAML 1.1 takes `on` for true, which here is the name of a list
_OLD = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:bool")
_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in rows if tag not in _OLD]
    for letter, rows in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false"), list("tf"))


def read(text: str) -> Document:
    """Raises InvalidFields."""
    try:
        found = yaml.load(text, _Loader)  # noqa: S506 - a SafeLoader that takes less
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error) or "too deep"
        raise invalid_field("document", f"is not YAML{f' in line {mark.line + 1}' if mark else ''}: {reason}") from None
    if not isinstance(found, dict) or type(found.get("version")) is not int or found["version"] != VERSION:
        raise invalid_field("document", f"must begin with version: {VERSION}")
    try:
        return Document.model_validate(found)
    except ValidationError as error:
        raise InvalidFields(field_errors(dict(each) for each in error.errors(include_input=False))) from None


class Written(NamedTuple):
    """All that a document can hold, as it is stored."""

    endpoints: list[EndpointRecord]
    virtual_models: list[VirtualModelRecord]
    tool_patterns: list[ToolPatternRecord]
    formats: FormatSwitches
    settings: StoredSettings


def write(found: Written) -> str:
    names = {each.id: each.name for each in found.endpoints}
    document = {
        "version": VERSION,
        "endpoints": [_endpoint(each) for each in found.endpoints],
        "virtual_models": [_virtual_model(each, names) for each in found.virtual_models],
        "tool_patterns": [_told(tool_pattern_row(each), ToolPatternChange) for each in found.tool_patterns],
        "formats": {"on": sorted(found.formats.on), "off": sorted(found.formats.off)},
        "settings": {name: value for name, value in found.settings._asdict().items() if value is not None},
    }
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
    return HEAD + text


def _endpoint(record: EndpointRecord) -> JsonObject:
    found = _told(endpoint_row(record), EndpointChange)
    if record.sealed_key is not None:
        found["api_key"] = dict(KEEP)
    return found


def _virtual_model(record: VirtualModelRecord, names: Mapping[int, str]) -> JsonObject:
    found = _told(virtual_model_row(record, None), VirtualModelChange)
    for field in ("endpoint_id", "actual_model"):
        found.pop(field, None)
    found["targets"] = [
        {"endpoint": names[target.endpoint_id], "actual_model": target.actual_model}
        for target in record.value.targets
        if target.endpoint_id in names
    ]
    if headers := found.pop("custom_headers", None):
        found["custom_headers"] = {name: dict(KEEP) if text == MASK else text for name, text in headers.items()}
    return found


def _told(row: Mapping[str, Any], form: type[Form]) -> JsonObject:
    """The fields of a form that are not what they are by default anyway."""
    usual = defaults_of(form)
    usual.setdefault("options", {})
    return {
        name: row[name]
        for name in form.model_fields
        if name in row and name not in ("version", "id") and not _usual(row[name], usual.get(name))
    }


def _usual(value: Any, default: Any) -> bool:
    return (value == default and type(value) is type(default)) or value in (None, {}, [])
