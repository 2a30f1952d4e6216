"""What holds for any text: nothing raised, nothing lost, nothing invalid, and the same however it is cut."""

from __future__ import annotations

import json
import random
import re
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.chat.events import Event, TextDelta, ToolCallDelta, ToolCallStarted
from shared.reasoning.split import Splitter, splitting
from shared.tool_calls.formats import FORMATS
from shared.tool_calls.grammar import PARAMETER_CLOSERS, PARAMETER_TAGS, grammar_of
from shared.tool_calls.machine import MAX_SCANNED, Machine
from shared.tool_calls.schema import Toolbox
from tests.benchmarks.tool_calls import TEXTS
from tests.tool_calls.corpus import cases, tools
from tests.tool_calls.test_corpus import even, uneven

BOX = Toolbox(tools({"tools": ["everyday", "coding", "typed"]}))
CALLS = '<tool_call>{"name": "get_time", "arguments": {}}</tool_call>' * 2
EVERYTHING = grammar_of(on=frozenset(row.id for row in FORMATS))
MARKUP = sorted(
    {
        *(opener for row in FORMATS for opener in row.openers),
        *(closer for row in FORMATS for closer in row.closers),
        *PARAMETER_TAGS,
        *PARAMETER_CLOSERS,
        *"{ } [ ] ( ) \" ' ` ``` : , ; \\ < > = \n".split(" "),
        *(
            '"name"',
            '"arguments"',
            '{"name": "get_time", "arguments": ',
            '"city": ',
            "{}",
            "true",
            "null",
            "1e400",
            "\\u12",
        ),
        *(
            "get_time",
            "get_weather",
            "search",
            "bash",
            "launch",
            'get_weather">',
            "get_weather>",
            "city>",
            'city">',
            "to=",
        ),
        *("```json\n", "Action Input:", " to=functions.search", "<|message|>", "[ARGS]", "<query>", "</query>", "json"),
        *("Ünï", " ", "\n\n", "prose", "\t", "\ud83d", "\x00", "// ", "/*", "#", "'''", '"""', '<|"|>', "<escape>"),
    }
)
soup = st.lists(st.sampled_from(MARKUP) | st.text(max_size=8), max_size=24).map("".join)


def read(text: str, pieces: list[str], *, parked: bool = False, reason: str = "stop") -> tuple[Machine, list[Event]]:
    machine = Machine(BOX, EVERYTHING, parked=parked)
    events = [event for piece in pieces for event in machine.feed(piece)]
    return machine, [*events, *machine.finish(reason)]


def told(events: list[Event]) -> tuple[str, list[tuple[str, str]]]:
    text = ""
    calls: list[tuple[str, str]] = []
    for event in events:
        match event:
            case TextDelta():
                text += event.text
            case ToolCallStarted():
                calls.append((event.name, ""))
            case ToolCallDelta():
                calls[event.call] = (calls[event.call][0], calls[event.call][1] + event.arguments)
    return text, calls


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(soup, st.sampled_from(["stop", "length"]), st.booleans(), st.randoms(use_true_random=False))
def test_soup_is_read_the_same_however_it_is_cut(text: str, reason: str, parked: bool, dice: random.Random) -> None:
    machine, events = read(text, [text], parked=parked, reason=reason)
    assert machine.faults == 0
    said, calls = told(events)
    assert remains(said, text)
    if not calls:
        assert said == text or machine.found
    for number, (name, arguments) in enumerate(calls):
        assert name in BOX.names
        try:
            assert isinstance(json.loads(arguments), dict)
        except ValueError:
            assert number == len(calls) - 1 or machine.broken
            assert not complete(arguments)
    for pieces in (even(text, 1), even(text, 3), uneven(text, dice) if text else []):
        again, others = read(text, pieces, parked=parked, reason=reason)
        assert again.faults == 0
        assert told(others) == (said, calls)


def remains(said: str, text: str) -> bool:
    """Whether `said` is `text` with pieces taken out: nothing added, nothing changed, nothing moved."""
    rest = iter(text)
    return all(character in rest for character in said)


def complete(arguments: str) -> bool:
    return arguments.endswith("}") and arguments.count("{") <= arguments.count("}")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(alphabet=st.characters(exclude_characters="<[{`◁✿&_", exclude_categories=["Cs"]), max_size=300))
def test_prose_is_passed_on_to_the_byte(text: str) -> None:
    for pieces in ([text], even(text, 1), even(text, 4)):
        _, events = read(text, pieces)
        if not machine_words(text):
            assert told(events) == (text, [])


def machine_words(text: str) -> bool:
    return any(opener in text for row in FORMATS for opener in row.openers)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(
        st.sampled_from(
            [
                "<think>",
                "</think>",
                "[THINK]",
                "[/THINK]",
                "analysis",
                "assistantfinal",
                "<|channel|>",
                "final",
                "\n",
                "<|message|>",
                "<|end|>",
                "<|start|>assistant",
                " to=functions.x",
                "W",
                "`",
                "```",
                "<answer>",
                "analysisWe",
            ]
        )
        | st.text(max_size=5),
        max_size=16,
    ).map("".join),
    st.booleans(),
)
def test_reasoning_is_split_the_same_however_it_is_cut(text: str, starts: bool) -> None:
    def split(pieces: list[str]) -> list[tuple[type, str]]:
        splitter = Splitter(splitting(), starts_in_reasoning=starts)
        events = [event for piece in pieces for event in splitter.feed(piece)] + splitter.finish()
        joined: list[tuple[type, str]] = []
        for event in events:
            if joined and joined[-1][0] is type(event):
                joined[-1] = (type(event), joined[-1][1] + event.text)
            else:
                joined.append((type(event), event.text))
        return joined

    whole = split([text])
    for size in (1, 2, 5):
        assert split(even(text, size)) == whole


@pytest.mark.parametrize(
    "piece",
    [
        '<tool_call>{"name": "search", "arguments": {"query": "',
        '<tool_call>{"arguments": {"a": [',
        "<function=search><parameter=query>",
        "[get_weather(city='",
        '{"name": "get_weather", ',
        '\n{"arguments": {"a": "',
        "```json\n{",
        "\n```json\n",
        "`",
        "<think>",
        "call:search{",
        "\nAction: search\nAction Input: ",
        "<|channel|>commentary to=search",
        '"',
        "\\",
        "</parameter>  ",
        "<|open|>call tool=",
        "&lt;search&gt;",
        "\n>>>search\n",
        "[",
        "{",
        "analysisW",
    ],
)
def test_hostile_repetitions_take_linear_time(piece: str) -> None:
    def work(length: int) -> int:
        text = piece * (length // len(piece))
        machine, events = read(text, even(text, 64))
        assert machine.faults == 0
        return machine.wasted + sum(len(event.text) for event in events if type(event) is TextDelta)

    assert work(200_000) <= 11 * work(20_000) + 100_000


BRIEF = ["prose", "fenced code", "1 MB JSON argument"]  # the others, whose work is more by design, take seconds each


@pytest.mark.parametrize(
    "name", [*BRIEF, *(pytest.param(each, marks=pytest.mark.slow) for each in TEXTS if each not in BRIEF)]
)
def test_work_grows_with_the_text_and_no_faster(name: str) -> None:
    """Counted in calls of functions, which no other load on the machine changes."""

    def work(length: int) -> int:
        pieces = even(TEXTS[name](length), 4)
        machine = Machine(BOX, grammar_of())
        calls = 0

        def count(*_: object) -> None:
            nonlocal calls
            calls += 1

        sys.setprofile(count)
        try:
            for piece in pieces:
                machine.feed(piece)
            machine.finish()
        finally:
            sys.setprofile(None)
        assert machine.faults == 0
        return calls

    assert work(120_000) <= 11 * work(12_000)


def test_an_answer_longer_than_is_looked_at_comes_out_in_order() -> None:
    pieces = [
        "Long. " * (MAX_SCANNED // 6),
        " and <tool",
        "_call",
        '>{"name": "get_time", "arguments": {}}</tool_call>',
        "x",
    ]
    text = "".join(pieces)
    _, events = read(text, pieces)
    assert told(events) == (text, [])


def test_undeclared_calls_without_end_are_read_in_linear_time() -> None:
    def wasted(length: int) -> int:
        text = "<tool_call>[" + '{"name": "launch", "arguments": {}}, ' * length
        machine, events = read(text, even(text, 64))
        assert told(events) == (text, [])
        return machine.wasted

    assert wasted(3_000) <= 11 * wasted(300)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(soup)
def test_ids_are_unique_and_well_formed(text: str) -> None:
    _, events = read(CALLS + text + CALLS, [CALLS + text + CALLS])
    ids = [event.id for event in events if type(event) is ToolCallStarted]
    assert len(ids) >= 2
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("call_[0-9a-f]{24}", each) for each in ids)
    assert [event.call for event in events if type(event) is ToolCallStarted] == list(range(len(ids)))


def test_no_case_of_the_corpus_makes_a_reader_fail() -> None:
    for case in cases():
        box = Toolbox(tools(case))
        if box:
            machine = Machine(box, EVERYTHING)
            machine.feed(case["raw"])
            machine.finish()
            assert machine.faults == 0, case["id"]


@pytest.mark.parametrize(
    "piece", ["<tool_call>[", *(pytest.param(each, marks=pytest.mark.slow) for each in ("```json\n{", "\n["))]
)
def test_text_that_wastes_the_budget_still_comes_out_whole(piece: str) -> None:
    text = piece * (700_000 // len(piece))
    machine, events = read(text, even(text, 4096))
    assert machine.faults == 0
    assert told(events) == (text, [])
