"""Administrators' patterns: checked when saved, explained when refused, bounded when used."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.chat.events import TextDelta
from shared.chat.request import Tool
from shared.tool_calls.grammar import grammar_of
from shared.tool_calls.harmless import HARMLESS
from shared.tool_calls.machine import Machine
from shared.tool_calls.pattern_defaults import DEFAULT_PATTERNS
from shared.tool_calls.patterns import PatternError, PatternSet, compiled, pattern_of, trigger_of
from shared.tool_calls.readers.pattern import MAX_STEPS
from shared.tool_calls.schema import Toolbox
from shared.tool_calls.trial import NO_FORMATS, try_on
from tests.tool_calls.corpus import tools

CODING = tools({"tools": ["coding"]})


def a_pattern(**fields: Any) -> dict[str, Any]:
    return {
        "pattern_name": "execute",
        "pattern_type": "bracket",
        "regex_pattern": r"\[EXECUTE:(\w+):([^\]]+)\]",
        "tool_name_group": 1,
        **fields,
    }


def test_all_ten_defaults_of_the_original_compile_and_only_action_is_off() -> None:
    patterns = [pattern_of(record) for record in DEFAULT_PATTERNS]
    assert len(patterns) == 10
    assert not PatternSet(patterns).broken
    assert [pattern.pattern_name for pattern in patterns if not pattern.enabled] == ["action"]
    assert compiled(patterns[-1]).warnings


@pytest.mark.parametrize(
    ("regex", "hint"),
    [
        (r"<a>(?=b)", "lookahead"),
        (r"(?<!x)<a>", "lookbehind"),
        (r"<(\w+)>.*?</\1>", "references back"),
        (r"<a>\Z", r"\z"),
        (r"<a>x++", "possessive"),
        (r"(?>a+)b", "atomic"),
        (r"(?x) a b", "verbose"),
        (r"a{2000}", "1000"),
        (r"(unclosed", "missing"),
    ],
)
def test_an_expression_the_engine_lacks_is_refused_with_the_way_out(regex: str, hint: str) -> None:
    with pytest.raises(PatternError, match="RE2") as refused:
        compiled(pattern_of(a_pattern(regex_pattern=regex)))
    assert hint in str(refused.value)
    assert refused.value.field == "regex_pattern"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"pattern_name": " "}, "pattern_name"),
        ({"pattern_type": "yaml"}, "pattern_type"),
        ({"regex_pattern": ""}, "regex_pattern"),
        ({"regex_pattern": "x*"}, "regex_pattern"),
        ({"regex_pattern": "x" * 5000}, "regex_pattern"),
        ({"regex_pattern": "(?:a{900}){900}"}, "regex_pattern"),
        ({"tool_name_group": 3}, "tool_name_group"),
        ({"tool_name_group": "one"}, "tool_name_group"),
        ({"parameter_mapping": "{not json"}, "parameter_mapping"),
        ({"parameter_mapping": {"7": "command"}}, "parameter_mapping"),
        ({"tool_name_mapping": [1]}, "tool_name_mapping"),
    ],
)
def test_a_record_that_cannot_work_is_refused_at_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(PatternError) as refused:
        compiled(pattern_of(a_pattern(**fields)))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("regex", "trigger"),
    [
        (r"\[EXECUTE:(\w+)\]", "[EXECUTE:"),
        (r"<tool_call>\s*(.*?)</tool_call>", "<tool_call>"),
        (r"=> (\w+)", "=> "),
        (r"ab?c", "a"),
        (r"ab+c", "ab"),
        (r"(a|b)c", ""),
        (r"abc|def", ""),
        (r"a\|b", "a|b"),
        (r"[ab]c", ""),
        (r"(?i)abc", ""),
        (r".*x", ""),
    ],
)
def test_the_fixed_text_that_every_match_begins_with(regex: str, trigger: str) -> None:
    assert trigger_of(regex) == trigger


def test_a_broken_pattern_is_left_out_and_named() -> None:
    patterns = PatternSet([pattern_of(a_pattern()), pattern_of(a_pattern(pattern_name="bad", regex_pattern="("))])
    assert len(patterns.by_trigger) == 1
    assert list(patterns.broken) == ["bad"]


def test_plain_json_is_left_to_the_formats_that_tell_calls_from_examples() -> None:
    """In JSON mode it is the answer; in the middle of a line an example; a fence is the built-in format's while on."""
    seeded = PatternSet(map(pattern_of, DEFAULT_PATTERNS))
    names = {each.pattern.pattern_name for each in seeded._ready}
    beside = seeded.beside(fence=True, json_mode=False)
    assert {each.pattern.pattern_name for each in beside._ready} == names - {"fence_json"}
    assert beside is seeded.beside(fence=True, json_mode=False)
    in_json_mode = seeded.beside(fence=False, json_mode=True)
    assert {each.pattern.pattern_name for each in in_json_mode._ready} == names - {"fence_json", "inline_json"}
    assert seeded.beside(fence=False, json_mode=False) is seeded
    call = '{"name": "glob", "arguments": {"pattern": "*"}}'
    for before, calls in (("", 1), ("So:\n  ", 1), ("Send ", 0)):
        machine = Machine(Toolbox(CODING), NO_FORMATS, patterns=seeded)
        machine.feed(before + call)
        machine.finish()
        assert machine.calls == calls
    renamed = pattern_of({**DEFAULT_PATTERNS[0], "parameter_mapping": {"path": "filePath"}})
    assert not renamed.is_fence


def test_scoping_is_by_globs() -> None:
    pattern = pattern_of(a_pattern(models=["qwen*"], endpoints="local"))
    assert pattern.applies("qwen3", "local")
    assert not pattern.applies("gpt", "local")
    assert not pattern.applies("qwen3", "cloud")
    assert pattern.applies(None, "local")


def test_a_trial_says_what_was_found_what_is_left_and_where() -> None:
    call = '<tool_call>{"name": "read", "arguments": {"filePath": "a"}}</tool_call>'
    sample = f"First [EXECUTE:bash:ls] then {call}"
    trial = try_on(sample, CODING, grammar_of(), (), pattern_of(a_pattern(enabled=False)))
    assert [call.name for call in trial.calls] == ["bash", "read"]
    assert trial.text == "First then "
    assert [(match.by, sample[match.start : match.end]) for match in trial.matches] == [
        ("execute", "[EXECUTE:bash:ls]"),
        ("hermes", sample[29:-12]),
    ]
    assert trial.false_positives == ()
    assert trial.seconds > 0


def test_a_trial_shows_the_harmless_texts_that_a_pattern_would_spoil() -> None:
    action = next(record for record in DEFAULT_PATTERNS if record["pattern_name"] == "action")
    trial = try_on("[searching for TODO]", CODING, grammar_of(), (), pattern_of(action))
    assert any("README" in spoilt.text for spoilt in trial.false_positives)


def test_the_built_in_formats_spoil_no_harmless_text() -> None:
    box = Toolbox([*CODING, Tool("Ada", None, {}), Tool("run", None, {}), Tool("code", None, {})])
    for text in HARMLESS:
        machine = Machine(box, grammar_of())
        said = [*machine.feed(text), *machine.finish()]
        assert {type(event) for event in said} == {TextDelta}
        assert "".join(event.text for event in said) == text


def test_a_pattern_that_begins_with_no_fixed_text_waits_for_the_end() -> None:
    pattern = pattern_of(
        a_pattern(regex_pattern=r"(please|now) list (?P<path>/\w+)", tool_name="glob", tool_name_group=None)
    )
    patterns = PatternSet([pattern])
    machine = Machine(Toolbox(CODING), NO_FORMATS, patterns=patterns)
    said = machine.feed("ok, please list /etc")
    assert said == [TextDelta("ok, please list /etc")]
    assert [type(event).__name__ for event in machine.finish()] == ["ToolCallStarted", "ToolCallDelta"]


@pytest.mark.parametrize(
    ("regex", "text"),
    [
        (r"<tool_call>(.*?)</tool_call>", "<tool_call>"),
        (r"\[([a-zA-Z][^\]]+)\]", "[a"),
        (r"x(.*?y)?z", "x"),
        (r"(a+)+$", "a"),
        (r"`{3}\s*(\w*)\s*\n?(.*?)`{3}", "```a"),
    ],
)
def test_hostile_text_cannot_make_a_pattern_spend_more_than_its_budget(regex: str, text: str) -> None:
    pattern = pattern_of(a_pattern(regex_pattern=regex, tool_name="bash", tool_name_group=None, max_window=65_536))
    machine = Machine(Toolbox(CODING), NO_FORMATS, patterns=PatternSet([pattern]))
    hostile = text * (400_000 // len(text))
    said = [event for start in range(0, len(hostile), 64) for event in machine.feed(hostile[start : start + 64])]
    said += machine.finish()
    assert "".join(event.text for event in said if type(event) is TextDelta) == hostile
    assert 0 < machine.pattern_steps <= MAX_STEPS
    assert machine.faults == 0


REPEATS = ["*", "+", "?", "*?", "{2,9}", "{0,400}", "{1001}"]
EXPRESSION = st.recursive(
    st.sampled_from(["x", "a", "b", ".", r"\w", r"\s", "[^x]", r"\[", "<", "(?:)", "^", "$", r"\b"]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.tuples(inner, inner).map("({0[0]}|{0[1]})".format),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "*?", "{2,9}", "{0,400}", "{1001}"])).map(
            "({0[0]}){0[1]}".format
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(EXPRESSION, st.text(alphabet="xab<[ \n", max_size=40), st.integers(1, 64))
def test_any_expression_is_refused_or_bounded_and_alters_no_text(regex: str, piece: str, size: int) -> None:
    try:
        pattern = pattern_of(a_pattern(regex_pattern=regex, tool_name="nothing", tool_name_group=None))
        compiled(pattern)
    except PatternError:
        return
    machine = Machine(Toolbox(CODING), NO_FORMATS, patterns=PatternSet([pattern]))
    text = piece * 200
    said = [event for start in range(0, len(text), size) for event in machine.feed(text[start : start + size])]
    said += machine.finish()
    assert "".join(event.text for event in said if type(event) is TextDelta) == text
    assert machine.pattern_steps <= MAX_STEPS
    assert machine.faults == 0


@pytest.mark.parametrize("regex", ["x.{1000}", "x(?:[ab]{40}c?){60}", r"x\w{1000}\w{1000}", "x(?:a|b|cd|ef){900}"])
def test_an_expression_of_large_repetitions_is_refused_when_it_is_saved(regex: str) -> None:
    with pytest.raises(PatternError) as refused:
        compiled(pattern_of(a_pattern(regex_pattern=regex)))
    assert refused.value.field == "regex_pattern"
    assert "repe" in str(refused.value)


@pytest.mark.parametrize("regex", ["x.*a[ab]{900}z", "(x|y).*a[ab]{900}z"])  # with and without a fixed beginning
def test_an_expression_that_defeats_the_engines_automaton_is_stopped_by_its_steps(regex: str) -> None:
    pattern = pattern_of(a_pattern(regex_pattern=regex, tool_name="bash", tool_name_group=None, max_window=1 << 20))
    patterns = PatternSet([replace(pattern, pattern_name=f"{number}") for number in range(20)])
    assert not patterns.broken
    dice = random.Random(6)
    hostile = "".join(dice.choice("xab") for _ in range(300_000))
    machine = Machine(Toolbox(CODING), NO_FORMATS, patterns=patterns)
    said = [*machine.feed(hostile), *machine.finish()]
    assert "".join(event.text for event in said if type(event) is TextDelta) == hostile
    assert 0 < machine.pattern_steps <= MAX_STEPS
