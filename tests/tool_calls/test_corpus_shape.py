"""The corpus itself: every case is well-formed, every family is there, and enough cases must not match."""

from __future__ import annotations

import json
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[1] / "fixtures" / "tool_calls"

CASES_OF_FAMILY = {
    "apertus": 6, "bare_json": 30, "coding_assistants": 20, "cohere": 8, "deepseek": 12, "dsml": 10, "fenced": 20,
    "functionary": 6, "functools": 6, "gemma": 12, "gigachat": 6, "glm": 15, "granite": 6, "harmless": 90,
    "harmony": 20, "hermes": 45, "inkling": 5, "internlm": 6, "invoke": 18, "kimi": 15, "lfm2": 10, "llama": 15,
    "llama_function": 8, "longcat": 6, "malformed": 35, "minicpm": 6, "minimax": 9, "mistral": 18, "name_line": 10,
    "nemotron": 7, "olmo": 5, "original": 25, "patterns": 30, "python_calls": 12, "pythonic": 14, "qwen_agent": 5,
    "qwen_coder": 25, "react": 18, "reasoning_calls": 14, "reasoning_modes": 20, "reasoning_phrases": 8,
    "reasoning_tags": 35, "schema": 30, "seed_oss": 6, "tag_per_tool": 14, "tool_calls_tag": 8, "xlam": 9, "xtml": 7,
}  # fmt: skip
"""Every family of the catalogue and the fewest cases that it may have."""

CATALOGUED = frozenset(CASES_OF_FAMILY) - {"harmless", "reasoning_modes", "reasoning_phrases", "reasoning_tags"}
"""Families of calls: each must show a plain call, two in a row, and a name that is not declared or a near miss."""

VALUES: dict[str, tuple[Any, ...]] = {
    "tool_choice": ("auto", "none", "required"),
    "response_format": ("json_object", "json_schema"),
    "finish": ("stop", "length", "content_filter"),
    "reasoning": ("field", "inline", "hidden", "off"),
    "starts_in_reasoning": (True, False),
}
FIELDS = {"id", "why", "raw", "raw_reasoning", "tools", "on", "off", "patterns", "expect", *VALUES}
PATTERN_FIELDS = {
    "pattern_name", "pattern_type", "regex_pattern", "tool_name", "tool_name_group", "tool_name_json_path",
    "tool_name_mapping", "parameter_mapping", "enabled", "priority",
}  # fmt: skip


@cache
def families() -> dict[str, dict[str, Any]]:
    return {path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.yaml"))}


@cache
def declared() -> dict[str, Any]:
    return json.loads((FOLDER / "tools.json").read_text(encoding="utf-8"))


def all_cases() -> list[dict[str, Any]]:
    return [case for family in families().values() for case in family["cases"]]


def must_not_match(case: dict[str, Any]) -> bool:
    expect = case["expect"]
    return "calls" not in expect and expect.get("text", "") == case["raw"]


def names(case: dict[str, Any]) -> set[str]:
    """The tools that a case declares."""
    found: set[str] = set()
    for wanted in case.get("tools", ["everyday"]):
        if isinstance(wanted, dict):
            assert wanted.keys() == {"name", "parameters"}, case["id"]
            found.add(wanted["name"])
        else:
            found.update(declared()["sets"].get(wanted, [wanted]))
    return found


def test_every_family_names_itself() -> None:
    for stem, family in families().items():
        assert family.keys() == {"family", "about", "cases"}, stem
        assert family["family"] == stem
        assert family["about"]


def test_ids_are_unique_and_begin_with_their_family() -> None:
    seen = Counter(case["id"] for case in all_cases())
    assert [each for each, times in seen.items() if times > 1] == []
    strays = [case["id"] for stem, family in families().items() for case in family["cases"]
              if not case["id"].startswith(f"{stem}-")]  # fmt: skip
    assert strays == []


def test_no_two_cases_are_the_same() -> None:
    asked = Counter(
        json.dumps({key: value for key, value in case.items() if key not in ("id", "why", "expect")}, sort_keys=True)
        for family in families().values() for case in family["cases"]
    )  # fmt: skip
    repeated = [each for each, times in asked.items() if times > 1]
    assert repeated == []


def test_cases_have_known_fields_with_known_values() -> None:
    for case in all_cases():
        assert case.keys() <= FIELDS, case["id"]
        assert isinstance(case["raw"], str), case["id"]
        assert isinstance(case.get("raw_reasoning", ""), str), case["id"]
        for field, known in VALUES.items():
            value = case.get(field, known[0])
            assert value in known or (field == "tool_choice" and value.keys() == {"name"}), case["id"]
        for pattern in case.get("patterns", ()):
            if isinstance(pattern, dict):
                assert {"pattern_name", "pattern_type", "regex_pattern"} <= pattern.keys() <= PATTERN_FIELDS, case["id"]


def test_declared_tools_are_known() -> None:
    known = declared()["tools"].keys()
    for case in all_cases():
        in_place = {tool["name"] for tool in case.get("tools", ()) if isinstance(tool, dict)}
        assert names(case) - in_place <= known, case["id"]


def test_expectations_are_well_formed() -> None:
    for case in all_cases():
        expect = case["expect"]
        assert expect.keys() <= {"calls", "text", "reasoning", "finish"}, case["id"]
        assert isinstance(expect.get("text", ""), str), case["id"]
        assert isinstance(expect.get("reasoning", ""), str), case["id"]
        assert expect.get("finish", "stop") in ("stop", "length", "content_filter", "tool_calls"), case["id"]
        for call in expect.get("calls", ()):
            assert call.keys() in ({"name", "arguments"}, {"name", "cut"}), case["id"]
            assert call["name"] in names(case), case["id"]
            assert isinstance(call.get("arguments", {}), dict), case["id"]


def test_a_call_that_was_cut_is_the_last_and_is_no_whole_json() -> None:
    for case in all_cases():
        calls = case["expect"].get("calls", [])
        assert all("cut" not in call for call in calls[:-1]), case["id"]
        if calls and "cut" in calls[-1]:
            assert case["expect"]["finish"] == "length", case["id"]
            assert calls[-1]["cut"].startswith("{"), case["id"]
            assert not calls[-1]["cut"].endswith("}"), case["id"]


def test_nothing_is_expected_that_was_not_said() -> None:
    """Content and reasoning only ever come from what the model wrote, piece by piece and in its order."""
    for case in all_cases():
        said = case.get("raw_reasoning", "") + case["raw"]
        for field in ("text", "reasoning"):
            rest = iter(said)
            shown = "".join(case["expect"].get(field, "").split())
            assert all(character in rest for character in shown), (case["id"], field)


def test_what_has_no_call_and_no_reasoning_stays_as_it_is() -> None:
    """Without calls every character is shown; only reasoning formats and their wrappers may swallow some."""
    for stem, family in families().items():
        if stem in CATALOGUED - {"reasoning_calls"}:
            for case in family["cases"]:
                expect = case["expect"]
                if not expect.get("calls") and not expect.get("reasoning"):
                    assert expect["text"] == case["raw"] or case["id"] == "xtml-response", case["id"]


def test_every_family_is_there_with_its_cases() -> None:
    found = {stem: len(family["cases"]) for stem, family in families().items()}
    assert found.keys() == CASES_OF_FAMILY.keys()
    assert {stem: count for stem, count in found.items() if count < CASES_OF_FAMILY[stem]} == {}


def test_every_family_of_calls_has_its_usual_forms() -> None:
    for stem in CATALOGUED:
        cases = families()[stem]["cases"]
        calls = [case["expect"].get("calls", ()) for case in cases]
        assert any(len(each) == 1 for each in calls), stem
        if stem not in ("malformed", "schema", "coding_assistants", "react", "name_line", "bare_json"):
            assert any(len(each) > 1 for each in calls), stem
        if stem not in ("schema", "reasoning_calls"):
            assert any(must_not_match(case) for case in cases), stem


def test_there_are_enough_cases() -> None:
    assert len(all_cases()) >= 320
    assert sum(must_not_match(case) for case in all_cases()) >= 90
