"""Administrators' patterns: regular expressions that find calls no built-in format knows, checked and bounded.

RE2 is linear for each search but not for all of a text, so a pattern is only tried where its first fixed characters
stand, on a window that grows, and within a budget of steps for each answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, TypeAlias, get_args

PatternType: TypeAlias = Literal["fence", "inline", "xml", "bracket", "action"]
TYPES: tuple[str, ...] = get_args(PatternType)

MAX_REGEX = 4_096
MAX_PROGRAM = 2_000
MAX_MEMORY = 2 << 20  # of one expression: its program and the states it has seen
MAX_WINDOW = 1 << 20
DEFAULT_WINDOW = 65_536
SHORT_WINDOW = 1_024  # behind a trigger of one character, which text has everywhere
FIRST_WINDOW = 64

_GAPS: tuple[tuple[str, str], ...] = (
    (r"\(\?<?[=!]", "lookahead and lookbehind: match the text and use a group for the part you want"),
    (r"\\[1-9]|\(\?P=", "references back to a group"),
    (r"\\Z", r"\Z: write \z"),
    (r"[*+?}]\+", "possessive quantifiers: leave the + out"),
    (r"\(\?>", "atomic groups: use (?:…)"),
    (r"\(\?\(", "conditions"),
    (r"\(\?R\)|\(\?&", "recursion"),
    (r"\(\?#", "comments"),
    (r"\(\?[a-zA-Z]*x", "the verbose flag"),
    (r"\{\d{4,}", "more than 1000 repetitions"),
)
_LITERAL = re.compile(r"\\([^\w\s])|\\(n|t|r)|([^\\.\[\](){}*+?|^$])", re.DOTALL)
_JSON_BEGINS = re.compile(r"""[\[\s]*\{\s*["']?""")
_CONTROL = {"n": "\n", "t": "\t", "r": "\r"}


class PatternError(ValueError):
    """A pattern that cannot be saved: which field, and what would help."""

    def __init__(self, field_name: str, message: str) -> None:
        super().__init__(message)
        self.field = field_name


@dataclass(frozen=True, slots=True)
class Pattern:
    """One pattern as the administrator wrote it, checked."""

    pattern_name: str
    pattern_type: PatternType
    regex_pattern: str
    tool_name: str | None = None
    tool_name_group: int | None = None
    tool_name_json_path: str | None = None
    tool_name_mapping: Mapping[str, str] = field(default_factory=dict)
    parameter_mapping: Mapping[str, str] = field(default_factory=dict)
    enabled: bool = True
    priority: int = 50
    arguments_group: int | None = None
    max_window: int | None = None
    models: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    notes: str | None = None

    @property
    def is_fence(self) -> bool:
        """Whether it says what the built-in format `fence` says: JSON in a fence that has the tool's name as `name`."""
        return self.pattern_type == "fence" and self.tool_name_json_path == "name" and not self.parameter_mapping

    def applies(self, model: str | None, endpoint: str | None) -> bool:
        """Whether the pattern is for this virtual model and this endpoint, None being any; no globs mean all."""
        return _fits(model, self.models) and _fits(endpoint, self.endpoints)


def _fits(name: str | None, globs: tuple[str, ...]) -> bool:
    return name is None or not globs or any(fnmatchcase(name, glob) for glob in globs)


def pattern_of(record: Mapping[str, Any]) -> Pattern:
    """A record as it is stored or sent; raises PatternError. The expression itself is checked by `compiled`."""
    name = record.get("pattern_name")
    if not isinstance(name, str) or not name.strip():
        raise PatternError("pattern_name", "a pattern needs a name")
    kind = record.get("pattern_type")
    if kind not in TYPES:
        raise PatternError("pattern_type", f"the type must be one of {', '.join(TYPES)}")
    regex = record.get("regex_pattern")
    if not isinstance(regex, str) or not regex:
        raise PatternError("regex_pattern", "a pattern needs a regular expression")
    if len(regex.encode(errors="surrogatepass")) > MAX_REGEX:
        raise PatternError("regex_pattern", f"the expression is longer than {MAX_REGEX} bytes")
    return Pattern(
        pattern_name=name,
        pattern_type=kind,
        regex_pattern=regex,
        tool_name=_text(record, "tool_name"),
        tool_name_group=_number(record, "tool_name_group", 1, 99),
        tool_name_json_path=_text(record, "tool_name_json_path"),
        tool_name_mapping=_mapping(record, "tool_name_mapping"),
        parameter_mapping=_mapping(record, "parameter_mapping"),
        enabled=record.get("enabled", True) not in (False, 0, None),
        priority=_number(record, "priority", 0, 1_000_000) or 50,
        arguments_group=_number(record, "arguments_group", 1, 99),
        max_window=_number(record, "max_window", FIRST_WINDOW, MAX_WINDOW),
        models=_globs(record, "models"),
        endpoints=_globs(record, "endpoints"),
        notes=_text(record, "notes"),
    )


def _text(record: Mapping[str, Any], name: str) -> str | None:
    value = record.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise PatternError(name, f"{name} must be a text")
    return value


def _number(record: Mapping[str, Any], name: str, least: int, most: int) -> int | None:
    value = record.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise PatternError(name, f"{name} must be a whole number from {least} to {most}")
    return value


def _mapping(record: Mapping[str, Any], name: str) -> dict[str, str]:
    """An object of texts, or the JSON of one."""
    value = record.get(name)
    if isinstance(value, str) and value.strip():
        try:
            value = json.loads(value)
        except ValueError:
            raise PatternError(name, f"{name} is not JSON") from None
    if value is None or value == "":
        return {}
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise PatternError(name, f"{name} must be an object of texts")
    return {str(key): item for key, item in value.items()}


def _globs(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = record.get(name) or ()
    if isinstance(value, str):
        value = [value]
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise PatternError(name, f"{name} must be a list of names")
    return tuple(value)


@dataclass(frozen=True, slots=True)
class Compiled:
    """A pattern ready to be tried; `trigger` is the fixed text it begins with, empty when it begins with none."""

    pattern: Pattern
    regex: Any  # re2's compiled expression; the package has no types
    trigger: str
    window: int
    warnings: tuple[str, ...] = ()

    @property
    def begins_a_line(self) -> bool:
        """Whether it only counts there: plain JSON in the middle of a line is an example or a quotation."""
        return self.pattern.pattern_type == "inline" and _JSON_BEGINS.fullmatch(self.trigger) is not None

    def steps(self, characters: int) -> int:
        """The most that one search of so many characters can cost."""
        return characters * int(self.regex.programsize)


def compiled(pattern: Pattern) -> Compiled:
    """Check the expression and make it ready; raises PatternError with what the engine lacks."""
    import re2  # only installations with patterns pay for it

    options = re2.Options()
    options.dot_nl = True
    options.log_errors = False
    options.max_mem = MAX_MEMORY
    try:
        regex = re2.compile(pattern.regex_pattern, options)
    except re2.error as error:
        raise PatternError("regex_pattern", _explained(pattern.regex_pattern, _said(error))) from None
    if regex.programsize > MAX_PROGRAM:
        raise PatternError("regex_pattern", "the expression is too large: repeat less, or split the pattern")
    if regex.match("") is not None:
        raise PatternError("regex_pattern", "the expression matches an empty text")
    for name in ("tool_name_group", "arguments_group"):
        group = getattr(pattern, name)
        if group is not None and group > regex.groups:
            raise PatternError(name, f"the expression has {regex.groups} groups")
    for key in pattern.parameter_mapping:
        if key.isdigit() and int(key) > regex.groups:
            raise PatternError("parameter_mapping", f"the expression has {regex.groups} groups, no group {key}")
    trigger = trigger_of(pattern.regex_pattern)
    return Compiled(
        pattern, regex, trigger, pattern.max_window or (DEFAULT_WINDOW if len(trigger) > 1 else SHORT_WINDOW),
        tuple(_warnings(pattern, trigger)),
    )  # fmt: skip


def _said(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)


def _explained(expression: str, error: str) -> str:
    found = [hint for gap, hint in _GAPS if re.search(gap, expression)]
    words = f"the linear-time engine (RE2) does not take this expression: {error}"
    return f"{words}. It has no {'; no '.join(found)}" if found else words


def _warnings(pattern: Pattern, trigger: str) -> Iterable[str]:
    if not trigger:
        yield "begins with no fixed text: only tried when the answer has ended, and what it matches stays in the text"
    elif len(trigger) == 1:
        yield f"begins with no more than {trigger!r}: it is tried often, and holds text back"
    if not (pattern.tool_name or pattern.tool_name_group or pattern.tool_name_json_path):
        yield "says no tool name: the match must be JSON with a name, or hold a word of tool_name_mapping"


def trigger_of(expression: str) -> str:
    """The fixed text that every match begins with."""
    if _top_level_bar(expression):
        return ""
    literal: list[str] = []
    position = 0
    while (found := _LITERAL.match(expression, position)) is not None:
        position = found.end()
        following = expression[position : position + 1]
        if following in ("*", "?", "{"):
            break
        literal.append(found[1] or _CONTROL.get(found[2] or "", "") or found[3] or "")
        if following == "+":
            break
    return "".join(literal)


def _top_level_bar(expression: str) -> bool:
    depth, index, in_class = 0, 0, False
    while index < len(expression):
        character = expression[index]
        if character == "\\":
            index += 1
        elif in_class:
            in_class = character != "]"
        elif character == "[":
            in_class = True
            index += 1 if expression[index + 1 : index + 2] in ("]", "^") else 0
        elif character == "(":
            depth += 1
        elif character == ")":
            depth -= 1
        elif character == "|" and depth == 0:
            return True
        index += 1
    return False


class PatternSet:
    """The patterns of one request: immutable, the most important first; broken ones are left out and named."""

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        ready: list[Compiled] = []
        broken: dict[str, str] = {}
        for pattern in sorted((each for each in patterns if each.enabled), key=lambda each: -each.priority):
            try:
                ready.append(compiled(pattern))
            except PatternError as error:
                broken[pattern.pattern_name] = str(error)
        self.broken: Mapping[str, str] = broken
        self._beside: dict[tuple[bool, bool], PatternSet] = {}
        self._arrange(ready)

    def beside(self, *, fence: bool, json_mode: bool) -> PatternSet:
        """Those that count: in JSON mode none that reads JSON without markup, which is the answer then; beside the
        built-in format `fence` none that only says the same, without that format's care for code samples."""
        key = (fence, json_mode)
        if key not in self._beside:
            left_out = ("fence", "inline") if json_mode else ()  # types without markup of their own
            kept = [
                each
                for each in self._ready
                if each.pattern.pattern_type not in left_out and not (fence and each.pattern.is_fence)
            ]
            found = self
            if len(kept) < len(self._ready):
                found = PatternSet(())
                found.broken = self.broken
                found._arrange(kept)
            self._beside[key] = found
        return self._beside[key]

    def _arrange(self, ready: list[Compiled]) -> None:
        self._ready = ready
        self.by_trigger: dict[str, tuple[Compiled, ...]] = {}
        self.at_end: tuple[Compiled, ...] = ()
        for each in ready:
            if not each.trigger or (each.trigger.startswith("`") and not each.trigger.startswith("```")):
                self.at_end = (*self.at_end, each)
                continue
            key = "```" if each.trigger.startswith("```") else each.trigger.partition("\n")[0]
            if key:
                self.by_trigger[key] = (*self.by_trigger.get(key, ()), each)
            else:
                self.at_end = (*self.at_end, each)
