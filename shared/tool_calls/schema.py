"""The tools a request declares: which of them a model means by a name, and values made to fit their schemas."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from shared.chat.request import Tool
from shared.tool_calls.aliases import DEFAULTS, LOOSE_PARAMETERS, PARAMETERS, TOOL_NAMES
from shared.tool_calls.literals import parse_value
from shared.wire import JsonObject

MAX_NAME = 256
MAX_DEPTH = 32
OMIT: Any = object()
"""A value that is better left out: null for an optional parameter that does not take it."""

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
_ALL = frozenset(_PYTHON_TYPES)
_PREFIXES = ("functions.", "function.", "tools.", "tool.", "default_api.", "functions:", "functions/")


def fold(name: str) -> str:
    return name.replace("-", "").replace("_", "").replace(".", "").replace(" ", "").lower()


class Declared:
    """One declared tool, its schema ready for questions; parts of it are looked at when first asked for."""

    def __init__(self, tool: Tool) -> None:
        self.name = tool.name
        self.schema: JsonObject = tool.parameters if isinstance(tool.parameters, dict) else {}
        root = self.resolve(self.schema)
        properties = root.get("properties")
        self.properties: JsonObject = properties if isinstance(properties, dict) else {}
        required = root.get("required")
        self.required: tuple[str, ...] = (
            tuple(key for key in required if isinstance(key, str)) if isinstance(required, list) else ()
        )
        self.closed = root.get("additionalProperties") is False
        self._keys = Keys(self.properties)
        self._habits = fold(tool.name)

    def resolve(self, schema: Any) -> JsonObject:
        """`schema` with its local `$ref` followed; {} for what cannot be."""
        for _ in range(16):
            if not isinstance(schema, dict):
                return {}
            reference = schema.get("$ref")
            if not isinstance(reference, str):
                return schema
            if not reference.startswith("#"):
                return {}
            found: Any = self.schema
            for step in reference[1:].split("/")[1:]:
                found = found.get(step.replace("~1", "/").replace("~0", "~")) if isinstance(found, dict) else None
            schema = found
        return {}

    def key(self, written: str) -> str | None:
        """The declared parameter that the model means by `written`."""
        return self._keys.find(written)

    def is_text(self, key: str) -> bool:
        """Whether parameter `key` takes any string and nothing else, so that text can be passed on as it comes."""
        schema = self.resolve(self.properties.get(key, {}))
        return schema.get("type") == "string" and not ({"enum", "const"} & schema.keys())

    def is_open(self, key: str) -> bool:
        """Whether nothing is said about parameter `key`, so that no value of it needs fitting."""
        return not self.resolve(self.properties.get(key, {}))

    def fit(self, key: str, value: Any) -> Any:
        """`value` as parameter `key` takes it, or OMIT."""
        schema = self.properties.get(key, {})
        if value is None and key not in self.required and "null" not in self._types(schema):
            return OMIT
        return self._fit(schema, value, 0)

    def read(self, key: str, text: str) -> Any:
        """The value of parameter `key` that was written without quotes."""
        types = self._types(self.properties.get(key, {}))
        if types == {"string"}:
            return self.fit(key, text)
        bare = text.strip()
        try:
            value = parse_value(bare)
        except ValueError:
            return self.fit(key, text)
        if isinstance(value, str):
            value = value if bare.startswith(('"', "'")) else text
        elif "string" in types and not self._accepts(self.properties.get(key, {}), value):
            value = text
        return self.fit(key, value)

    def takes(self, given: Any) -> bool:
        """Whether exactly these arguments could be meant for this tool."""
        return isinstance(given, dict) and given.keys() <= self.properties.keys() and set(self.required) <= given.keys()

    def only_text(self) -> str | None:
        """The one parameter that a bare text can mean."""
        if len(self.required) == 1 and "string" in self._types(self.properties.get(self.required[0], {})):
            return self.required[0]
        if not self.required and len(self.properties) == 1:
            (key,) = self.properties
            return key if "string" in self._types(self.properties[key]) else None
        return None

    def places(self, given: Mapping[str, Any], stray: Mapping[str, Any]) -> dict[str, str]:
        """Undeclared keys of `stray` → the missing required key each must mean."""
        missing = [key for key in self.required if key not in given]
        found: dict[str, str] = {}
        for key, habits in LOOSE_PARAMETERS.get(self._habits, {}).items():
            if key in missing and (written := next((name for name in habits if name in stray), None)):
                found[written] = key
        texts = [key for key in stray if isinstance(stray[key], str) and key not in found]
        default = DEFAULTS.get(self._habits, {})
        holes = [
            key
            for key in missing
            if key not in found.values() and key not in default and "string" in self._types(self.properties.get(key))
        ]
        if len(texts) == len(holes) == 1:
            found[texts[0]] = holes[0]
        return found

    def default(self, key: str) -> Any:
        """What a required key gets when it is missing, or OMIT."""
        return DEFAULTS.get(self._habits, {}).get(key, OMIT)

    def _types(self, schema: Any, depth: int = 0) -> frozenset[str]:
        schema = self.resolve(schema)
        kind = schema.get("type")
        if isinstance(kind, str):
            return frozenset((kind,)) & _ALL or _ALL
        if isinstance(kind, list):
            return frozenset(name for name in kind if isinstance(name, str)) & _ALL or _ALL
        branches = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(branches, list) and depth < MAX_DEPTH:
            return frozenset().union(*(self._types(branch, depth + 1) for branch in branches))
        if isinstance(schema.get("enum"), list):
            return frozenset(
                name for option in schema["enum"] for name, types in _PYTHON_TYPES.items() if type(option) in types
            )
        if "properties" in schema:
            return frozenset(("object",))
        return _ALL

    def _accepts(self, schema: Any, value: Any, depth: int = 0) -> bool:
        schema = self.resolve(schema)
        if depth > MAX_DEPTH:
            return True
        branches = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(branches, list) and "type" not in schema:
            return any(self._accepts(branch, value, depth + 1) for branch in branches)
        if not any(_is(value, name) for name in self._types(schema)):
            return False
        if isinstance(schema.get("enum"), list) and value not in schema["enum"]:
            return False
        if isinstance(value, dict):
            inner = schema.get("properties") if isinstance(schema.get("properties"), dict) else {}
            required = schema.get("required") if isinstance(schema.get("required"), list) else []
            return all(key in value for key in required) and all(
                self._accepts(inner[key], item, depth + 1) for key, item in value.items() if key in inner
            )
        if isinstance(value, list) and "items" in schema:
            return all(self._accepts(schema["items"], item, depth + 1) for item in value)
        return True

    def _fit(self, schema: Any, value: Any, depth: int) -> Any:
        schema = self.resolve(schema)
        if depth > MAX_DEPTH or not schema:
            return value
        branches = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(branches, list) and "type" not in schema:
            return self._fit_branch(branches, value, depth)
        for part in schema.get("allOf") if isinstance(schema.get("allOf"), list) else ():
            value = self._fit(part, value, depth + 1)
        value = self._convert(self._types(schema), value)
        if isinstance(value, str) and isinstance(schema.get("enum"), list) and value not in schema["enum"]:
            alike = [option for option in schema["enum"] if isinstance(option, str) and fold(option) == fold(value)]
            return alike[0] if len(alike) == 1 else value
        if isinstance(value, list) and isinstance(schema.get("items"), dict):
            return [self._fit(schema["items"], item, depth + 1) for item in value]
        if isinstance(value, dict) and isinstance(schema.get("properties"), dict):
            return self._fit_object(schema, value, depth)
        return self._wrap(schema, value, depth)

    def _fit_branch(self, branches: list[Any], value: Any, depth: int) -> Any:
        if any(self._accepts(branch, value) for branch in branches):
            return value
        alike = [branch for branch in branches if any(_is(value, name) for name in self._types(branch))]
        for branch in (*alike, *branches):
            fitted = self._fit(branch, value, depth + 1)
            if self._accepts(branch, fitted):
                return fitted
        return value

    def _fit_object(self, schema: JsonObject, value: JsonObject, depth: int) -> JsonObject:
        properties = schema["properties"]
        keys = Keys(properties)
        fitted: JsonObject = {}
        for written, item in value.items():
            key = keys.find(written) or written
            if key not in fitted:
                fitted[key] = self._fit(properties.get(key, {}), item, depth + 1)
        required = schema.get("required")
        for key in required if isinstance(required, list) else ():
            if key not in fitted and (default := self.default(key)) is not OMIT:
                fitted[key] = default
        return fitted

    def _wrap(self, schema: JsonObject, value: Any, depth: int) -> Any:
        """A single item where a list is wanted; a text where an object with one text that has no default is wanted."""
        types = self._types(schema)
        if types == {"array"} and not isinstance(value, list) and value is not None:
            return [self._fit(schema.get("items", {}), value, depth + 1)]
        if types == {"object"} and isinstance(value, str) and isinstance(schema.get("required"), list):
            bare = [key for key in schema["required"] if self.default(key) is OMIT]
            if len(bare) == 1 and bare[0] in schema.get("properties", {}) and len(schema["required"]) > 1:
                return self._fit_object(schema, {bare[0]: value}, depth)
        return value

    def _convert(self, types: frozenset[str], value: Any) -> Any:
        """`value` as one of `types`, unchanged where it is one already or cannot become one without guessing."""
        if any(_is(value, name) for name in types):
            return value
        if isinstance(value, float) and "integer" in types and value.is_integer():
            return int(value)
        if types == {"string"} or (types == {"string", "null"} and value is not None):
            if isinstance(value, bool | int | float | dict | list):
                return json.dumps(value, ensure_ascii=False)
            return value
        if isinstance(value, str):
            try:
                parsed = parse_value(value.strip())
            except ValueError:
                return value
            if isinstance(parsed, float) and "number" not in types and parsed.is_integer():
                parsed = int(parsed)
            if any(_is(parsed, name) for name in types):
                return parsed
        return value


class Keys:
    """Finds the declared key that a written one means."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        self._declared = declared
        self._folded: dict[str, list[str]] | None = None

    def find(self, written: str) -> str | None:
        if written in self._declared:
            return written
        if self._folded is None:
            self._folded = {}
            for key in self._declared:
                self._folded.setdefault(fold(key), []).append(key)
        alike = self._folded.get(fold(written.strip()), [])
        if len(alike) == 1:
            return alike[0]
        if alike:
            return None
        for row in PARAMETERS:
            if written in row:
                meant = [key for key in row if key in self._declared]
                return meant[0] if len(meant) == 1 else None
        return None


class Toolbox:
    """The tools of one request, by the names models give them."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._folded: dict[str, list[str]] | None = None
        self._declared: dict[str, Declared] = {}

    def __bool__(self) -> bool:
        return bool(self._tools)

    def all(self) -> list[Declared]:
        return [tool for name in self._tools if (tool := self.resolve(name))]

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._tools)

    def resolve(self, written: str, mapping: Mapping[str, str] | None = None) -> Declared | None:
        """The declared tool that the model means by `written`; None when there is none, or more than one."""
        if len(written) > MAX_NAME:
            return None
        name = self._name(written.strip(), mapping or {})
        if name is None:
            return None
        if name not in self._declared:
            self._declared[name] = Declared(self._tools[name])
        return self._declared[name]

    def _name(self, written: str, mapping: Mapping[str, str]) -> str | None:
        for name in (written, mapping.get(written, ""), *_stripped(written)):
            if name in self._tools:
                return name
        if self._folded is None:
            self._folded = {}
            for name in self._tools:
                self._folded.setdefault(fold(name), []).append(name)
        for name in (written, *_stripped(written)):
            alike = self._folded.get(fold(name), []) if name else []
            if alike:
                return alike[0] if len(alike) == 1 else None
        meant = [name for name in TOOL_NAMES.get(written, ()) if name in self._tools]
        return meant[0] if len(meant) == 1 else None


def _stripped(written: str) -> tuple[str, ...]:
    """`functions.get_weather:0` → `get_weather`, also with only one of the ends taken off."""
    bare = written
    for prefix in _PREFIXES:
        if bare.startswith(prefix):
            bare = bare[len(prefix) :]
            break
    head, colon, tail = bare.rpartition(":")
    return (bare, head) if colon and tail.isdigit() else (bare,)


def _is(value: Any, name: str) -> bool:
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(value, _PYTHON_TYPES[name])
