"""Names, keys and values made to fit what the request declares."""

from __future__ import annotations

from typing import Any

import pytest

from shared.chat.request import Tool
from shared.tool_calls.literals import parse_loosely, parse_value
from shared.tool_calls.schema import OMIT, Declared, Toolbox


def declared(properties: dict[str, Any], **fields: Any) -> Declared:
    return Declared(Tool("t", None, {"type": "object", "properties": properties, **fields}))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("get_weather", "get_weather"),
        ("functions.get_weather", "get_weather"),
        ("functions.get_weather:0", "get_weather"),
        ("get_weather:12", "get_weather"),
        ("Get-Weather", "get_weather"),
        ("getWeather", "get_weather"),
        ("default_api.get_weather", "get_weather"),
        ("read_file", "read"),
        ("weather", None),
        ("listfiles", None),  # list_files and list-files are both declared
        ("list_files", "list_files"),
        ("", None),
        ("x" * 1000, None),
    ],
)
def test_a_name_means_one_declared_tool_or_none(written: str, meant: str | None) -> None:
    box = Toolbox([Tool(name) for name in ("get_weather", "read", "list_files", "list-files")])
    tool = box.resolve(written)
    assert (tool.name if tool else None) == meant


@pytest.mark.parametrize(
    ("schema", "value", "fitted"),
    [
        ({"type": "string"}, 12, "12"),
        ({"type": "string"}, True, "true"),
        ({"type": "string"}, {"a": 1}, '{"a": 1}'),
        ({"type": "integer"}, "12", 12),
        ({"type": "integer"}, 3.0, 3),
        ({"type": "integer"}, 3.5, 3.5),
        ({"type": "integer"}, "12345678901234567890123", 12345678901234567890123),
        ({"type": "integer"}, "many", "many"),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "number"}, 2, 2),
        ({"type": "boolean"}, "True", True),
        ({"type": "boolean"}, "yes", "yes"),
        ({"type": "array", "items": {"type": "integer"}}, '["1", 2]', [1, 2]),
        ({"type": "array", "items": {"type": "string"}}, "one", ["one"]),
        ({"type": "object", "properties": {"a": {"type": "integer"}}}, '{"a": "1"}', {"a": 1}),
        ({"enum": ["celsius", "fahrenheit"]}, "Celsius", "celsius"),
        ({"type": ["integer", "null"]}, "null", None),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "12", "12"),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, "12", 12),
        ({"$ref": "#/$defs/n"}, "7", 7),
        ({"$ref": "#/$defs/loop"}, "7", "7"),
        ({}, "7", "7"),
    ],
)
def test_values_are_made_to_fit(schema: dict[str, Any], value: Any, fitted: Any) -> None:
    tool = declared({"k": schema}, **{"$defs": {"n": {"type": "integer"}, "loop": {"$ref": "#/$defs/loop"}}})
    got = tool.fit("k", value)
    assert got == fitted
    assert type(got) is type(fitted)


def test_null_is_left_out_of_what_is_optional_and_does_not_take_it() -> None:
    tool = declared(
        {"a": {"type": "string"}, "b": {"type": ["string", "null"]}, "c": {"type": "string"}}, required=["c"]
    )
    assert tool.fit("a", None) is OMIT
    assert tool.fit("b", None) is None
    assert tool.fit("c", None) is None


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, "12", "12"),
        ({"type": "string"}, "null", "null"),
        ({"type": "integer"}, " 12 ", 12),
        ({"type": "boolean"}, "True", True),
        ({}, "12", 12),
        ({}, "some words", "some words"),
        ({}, '"quoted"', "quoted"),
        ({"type": "array"}, "['a', 1]", ["a", 1]),
        ({"type": ["string", "object"]}, "12", "12"),
    ],
)
def test_unquoted_values_get_their_type_from_the_schema(schema: dict[str, Any], text: str, value: Any) -> None:
    assert declared({"k": schema}).read("k", text) == value


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ('{"a": 1,}', {"a": 1}),
        ("{'a': True, 'b': None}", {"a": True, "b": None}),
        ("{a: 1, b: [1 ,2,]}", {"a": 1, "b": [1, 2]}),
        ('{"a": "x" "b": 1}', {"a": "x", "b": 1}),
        ('{"a": "line\nline"}', {"a": "line\nline"}),
        ('{"a": "say "hi" now", "b": 1}', {"a": 'say "hi" now', "b": 1}),
        ('{"a": "\\d+\\U"}', {"a": "\\d+\\U"}),
        ('{"a": "\\ud83d\\ude00"}', {"a": "😀"}),
        ("{'a': '\\ud83d\\ude00'}", {"a": "😀"}),
        ("{a: 007}", {"a": 7}),
        ('{"a": 1 // one\n}', {"a": 1}),
        ('{"a": """x"y"""}', {"a": 'x"y'}),
        ("(1, 2)", [1, 2]),
        ("{city: New York}", {"city": "New York"}),
        ('{"a": 123456789012345678901}', {"a": 123456789012345678901}),
    ],
)
def test_what_models_write_instead_of_json_is_read(raw: str, value: Any) -> None:
    assert parse_value(raw) == value
    assert parse_loosely(raw) == value


@pytest.mark.parametrize(
    "raw", ['{"a": "x', '{"a": 1', "[1, 2", '"abc', "", "{]", "f(1)", "{" * 100, "[" * 5000, "1 2", "NaN", '{"a"}']
)
def test_what_was_cut_or_is_no_value_is_refused(raw: str) -> None:
    if raw == "NaN":
        assert parse_value(raw) == "NaN"  # a word, and never a number that is not JSON
        return
    with pytest.raises(ValueError):
        parse_value(raw)


def test_numbers_out_of_range_never_become_infinity() -> None:
    assert parse_value('{"a": 1e400}') == {"a": "1e400"}
