"""What is right, wrong and false in the answers of a parser."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

from tests.tool_calls import corpus


@dataclass
class Score:
    """What one parser made of its cases in one mode."""

    right: int = 0
    right_but_types: int = 0
    wrong: int = 0
    false: int = 0
    false_declared: int = 0
    raised: int = 0
    cases: int = 0
    seconds: float = 0.0


def loose(value: Any) -> Any:
    """The same with every leaf as text: "5", 5 and 5.0 are alike."""
    if isinstance(value, dict):
        return {key: loose(each) for key, each in value.items()}
    if isinstance(value, list):
        return [loose(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower()


def parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except ValueError:
        return None


def score(answers: Iterable[dict[str, Any]]) -> Score:
    cases = {case["id"]: case for case in corpus.cases()}
    total = Score()
    for answer in {each["id"]: each for each in answers}.values():  # the last answer to a case is the warm one
        case = cases[answer["id"]]
        want = corpus.expected(case).calls
        got = [(name, corpus.canonical(arguments)) for name, arguments in answer["calls"]]
        total.cases += 1
        total.seconds += answer["seconds"]
        total.raised += answer["raised"] is not None
        if not want:
            declared = {tool.name for tool in corpus.tools(case)}
            total.false += bool(got)
            total.false_declared += any(name in declared for name, _ in got)
        elif got == want:
            total.right += 1
        elif [(name, loose(parsed(text))) for name, text in got] == [
            (name, loose(parsed(text))) for name, text in want
        ]:
            total.right_but_types += 1
        else:
            total.wrong += 1
    return total


def total(scores: Iterable[Score]) -> Score:
    each = list(scores)
    return Score(**{field.name: sum(getattr(one, field.name) for one in each) for field in fields(Score)})
