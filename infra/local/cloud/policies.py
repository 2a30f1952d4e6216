"""What IAM says to one request: the policies of a role, the actions asked for, and nothing granted by default.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html, and for the words of
conditions reference_policies_elements_condition_operators.html. An operator that is not known here raises: a policy
must never be allowed because it was not understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeAlias

Statement: TypeAlias = Mapping[str, Any]
Facts: TypeAlias = Mapping[str, tuple[str, ...]]


class Ask(NamedTuple):
    """One action on one resource. `facts` are the request's condition keys with their values; absent: not told."""

    action: str
    resource: str
    facts: Facts


def first_refused(asks: Iterable[Ask], statements: Sequence[Statement]) -> Ask | None:
    """The first action that the statements do not allow; None when all are allowed."""
    return next((ask for ask in asks if not _allowed(ask, statements)), None)


def _allowed(ask: Ask, statements: Sequence[Statement]) -> bool:
    effects = {statement["Effect"] for statement in statements if _speaks_of(statement, ask)}
    return effects == {"Allow"}


def _speaks_of(statement: Statement, ask: Ask) -> bool:
    if unknown := statement.keys() - {"Sid", "Effect", "Action", "Resource", "Condition"}:
        raise NotImplementedError(f"a policy statement with {', '.join(sorted(unknown))}")
    return (
        any(_like(pattern.lower(), ask.action.lower()) for pattern in _several(statement["Action"]))
        and any(_like(pattern, ask.resource) for pattern in _several(statement["Resource"]))
        and all(_holds(operator, wanted, ask.facts) for operator, wanted in statement.get("Condition", {}).items())
    )


def _holds(operator: str, wanted: Mapping[str, Any], facts: Facts) -> bool:
    return all(_OPERATORS[operator](facts.get(key), _several(values)) for key, values in wanted.items())


def _all_equal(told: tuple[str, ...] | None, wanted: list[str]) -> bool:
    """Of nothing it is true, too."""
    return set(told or ()) <= set(wanted)


def _equal(told: tuple[str, ...] | None, wanted: list[str]) -> bool:
    return told is not None and len(told) == 1 and told[0] in wanted


def _null(told: tuple[str, ...] | None, wanted: list[str]) -> bool:
    return [str(told is None).lower()] == [value.lower() for value in wanted]


class _Operators(dict[str, Any]):
    def __missing__(self, operator: str) -> Any:
        raise NotImplementedError(f"the condition operator {operator}")


_OPERATORS = _Operators({"ForAllValues:StringEquals": _all_equal, "StringEquals": _equal, "Null": _null})


def _several(value: Any) -> list[str]:
    return list(value) if isinstance(value, list | tuple) else [value]


@cache
def _pattern(text: str) -> re.Pattern[str]:
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in text)
    return re.compile("".join(parts), re.S)


def _like(pattern: str, text: str) -> bool:
    return _pattern(pattern).fullmatch(text) is not None
