"""Read a call with an administrator's pattern: what its match means by the original's rules."""

from __future__ import annotations

import re
from typing import Any

from shared.tool_calls.candidate import Candidate, Cut, Draft, NoCall
from shared.tool_calls.literals import parse_value
from shared.tool_calls.patterns import FIRST_WINDOW, Compiled, Pattern
from shared.tool_calls.readers.json_calls import ARGUMENT_KEYS
from shared.tool_calls.readers.tags import members
from shared.tool_calls.schema import Declared
from shared.tool_calls.source import Reading, Source

_PAIR = re.compile(r"""([A-Za-z_][\w-]{0,63})\s{0,8}[=:]\s{0,8}(?:"([^"]*)"|'([^']*)')\s*,?""")
MAX_STEPS = 1 << 27  # a quarter of a second of CPU or so
MAX_ATTEMPTS = 200
_NO_NAMES = frozenset(("", "tool_call"))


class Budget:
    """What one answer may spend on patterns, all together; the same on every machine.

    A search costs RE2 up to one step for each character and each instruction of the program, where the states of the
    text become too many for its automaton; a step takes 1 to 4 ns.
    """

    def __init__(self) -> None:
        self.spent = 0  # steps
        self._attempts = MAX_ATTEMPTS

    def spend(self, compiled: Compiled, characters: int) -> bool:
        """Whether the pattern may be tried once more on so many characters."""
        steps = compiled.steps(characters)
        if self.spent + steps > MAX_STEPS or not self._attempts:
            return False
        self.spent += steps
        self._attempts -= 1
        return True


def pattern(candidate: Candidate, compiled: Compiled, budget: Budget) -> Reading[None]:
    """Try the pattern on the text from here, on a window that grows until it matches well inside it."""
    source = candidate.source
    size = FIRST_WINDOW
    while True:
        size = min(size, compiled.window)
        window = yield from source.ahead(size)
        if not budget.spend(compiled, len(window)):
            raise NoCall
        match = compiled.regex.match(window)
        whole = len(window) < size or size == compiled.window
        if match is not None and (match.end() < len(window) or whole):
            break
        if whole:
            raise NoCall
        size *= 4
    interpret(candidate, compiled.pattern, match)
    source.position += match.end()


def interpret(candidate: Candidate, pattern: Pattern, match: Any) -> None:
    """Hand on the call that the match means; raises NoCall when it means none."""
    groups: tuple[str, ...] = tuple(group or "" for group in match.groups())
    name, body = _name(pattern, match.group(), groups)
    if name in _NO_NAMES:
        raise NoCall
    tool = candidate.tools.resolve(name, pattern.tool_name_mapping)
    if tool is None:
        raise NoCall
    raw = _raw(pattern, groups)
    named = {key: value for key, value in match.groupdict().items() if value is not None}
    mapping = pattern.parameter_mapping
    numbered = {key: groups[int(each) - 1] for each, key in mapping.items() if each.isdigit() and groups[int(each) - 1]}
    rename = {each: key for each, key in mapping.items() if not each.isdigit() and each != "*"}
    candidate.rename = rename
    given = _object(raw, body)
    if given is not None:
        _write(candidate, tool, given, quoted=True)
    elif named or numbered:
        _write(candidate, tool, {**named, **numbered})
    elif "<" not in raw or not _tags(candidate, tool, raw, rename):
        _write(candidate, tool, _text(pattern, tool, raw, rename))


def _name(pattern: Pattern, text: str, groups: tuple[str, ...]) -> tuple[str, Any]:
    """The tool's name, and the object that said it."""
    if pattern.tool_name:
        return pattern.tool_name, None
    if pattern.tool_name_group:
        return groups[pattern.tool_name_group - 1].strip(), None
    if pattern.pattern_type == "action" and not pattern.tool_name_json_path:
        lower = text.lower()
        return next((name for word, name in pattern.tool_name_mapping.items() if word.lower() in lower), ""), None
    for group in (*groups[:2], *reversed(groups)):
        if group.lstrip().startswith("{"):
            try:
                found = body = parse_value(group.strip())
            except ValueError:
                continue
            for step in (pattern.tool_name_json_path or "name").split("."):
                found = found.get(step) if isinstance(found, dict) else None
            if isinstance(found, str):
                return found.strip(), body
    return "", None


def _raw(pattern: Pattern, groups: tuple[str, ...]) -> str:
    """The text of the arguments."""
    if pattern.arguments_group:
        return groups[pattern.arguments_group - 1]
    if not groups:
        return ""
    if pattern.pattern_type == "xml":
        return groups[-1]
    index = 0 if pattern.pattern_type == "action" else 1
    if index < len(groups):
        return groups[index]
    return "" if pattern.tool_name_group == 1 else groups[0]


def _object(raw: str, body: Any) -> dict[str, Any] | None:
    """The arguments, if they are an object; the object that said the name says them under one of their keys."""
    value = body
    if value is None:
        if not raw.lstrip().startswith("{"):
            return None
        try:
            value = parse_value(raw.strip())
        except ValueError:
            raise NoCall from None
    if not isinstance(value, dict):
        return None
    key = next((key for key in value if key in ARGUMENT_KEYS), None)
    if key is None:
        return {} if body is not None else value
    inner = value[key]
    if isinstance(inner, str):
        try:
            inner = parse_value(inner)
        except ValueError:
            raise NoCall from None
    return inner if isinstance(inner, dict) else {}


def _tags(candidate: Candidate, tool: Declared, raw: str, rename: dict[str, str]) -> bool:
    """Arguments in parameter tags; False when there are none."""
    source = Source()
    source.append(raw)
    source.ended = True
    draft = Draft()
    inner = Candidate(source, candidate.tools, candidate.grammar, draft, candidate.format, "", rename=rename)
    try:
        for _ in members(inner, tool):
            raise NoCall  # a text that has ended never asks for more
    except (NoCall, Cut):
        return False
    draft.hand_on(candidate.calls)
    return True


def _text(pattern: Pattern, tool: Declared, raw: str, rename: dict[str, str]) -> dict[str, str]:
    """Arguments that are neither JSON nor in tags: pairs, or the one text the tool takes."""
    raw = raw.strip()
    pairs = {found[0]: found[1] or found[2] for found in _PAIR.findall(raw)}
    if pairs and not _PAIR.sub("", raw).strip() and all(tool.key(rename.get(key, key)) for key in pairs):
        return pairs
    if not raw or (not tool.properties and not tool.required):
        return {}
    if "*" in pattern.parameter_mapping:
        return {pattern.parameter_mapping["*"]: raw}
    named = [key for key in rename.values() if tool.key(key)]
    if len(named) == 1:
        return {named[0]: raw}
    if only := tool.only_text():
        return {only: raw}
    if tool.places({}, {"value": raw}):
        return {"value": raw}
    raise NoCall


def _write(candidate: Candidate, tool: Declared, given: dict[str, Any], *, quoted: bool = False) -> None:
    arguments = candidate.begin(tool)
    for key, value in given.items():
        if quoted:
            arguments.value(key, value)
        else:
            arguments.unquoted(key, value)
    arguments.finish()
