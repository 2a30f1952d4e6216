"""Swallow what trails a call and means nothing: closing markup, end tokens, stray brackets, invented results."""

from __future__ import annotations

from collections.abc import Callable

from shared.tool_calls.source import LOOKAHEAD, SPACE, Reading, Source

RESULTS = {
    "<tool_response>": "</tool_response>",
    "<tool_result>": "</tool_result>",
    "<function_results>": "</function_results>",
}
OPENINGS = ("<tool_call>", "<tool_calls>", "[TOOL_CALLS]", "[TOOL_CALL]")
INVENTED = ("Observation:", "✿RESULT✿")
"""The model goes on to play the tool: nothing it says from here on was meant for the client."""


def trailer(source: Source, markup: tuple[str, ...], certain: Callable[[], None]) -> Reading[None]:
    """Read up to the next thing that is said; `certain` is told whenever what was read is swallowed for good."""
    while True:
        character = yield from source.skip_space()
        certain()
        if not character:
            return
        if (yield from source.take_any(markup)):
            continue
        if character in "]}" and (yield from _stray(source, markup)):
            continue
        if character == "<" and (opener := (yield from source.take_any(RESULTS))):
            yield from _through(source, RESULTS[opener], certain)
            continue
        if (yield from source.take_any(INVENTED)):
            yield from _everything(source, certain)
            continue
        if character in "<[" and (yield from _opening_at_the_end(source)):
            continue
        if character in ";," and (yield from _before_another(source)):
            continue
        return


def _stray(source: Source, closers: tuple[str, ...]) -> Reading[bool]:
    """Read brackets that nothing opened, if closing markup or the end of the text is behind them."""
    length = 1
    while True:
        ahead = yield from source.ahead(length)
        if len(ahead) < length or ahead[-1] not in "]}" + SPACE or length > LOOKAHEAD:
            break
        length += 1
    brackets = len(ahead) if len(ahead) < length else length - 1
    source.position += brackets
    if not (yield from source.peek()):
        return True
    if (yield from source.starts_any(closers)):
        return True
    source.rewind()
    return False


def _opening_at_the_end(source: Source) -> Reading[bool]:
    """Read an opening tag that stands where the closing one should: nothing follows it."""
    if (yield from source.take_any(OPENINGS)) and not (yield from source.skip_space()):
        return True
    source.rewind()
    return False


def _before_another(source: Source) -> Reading[bool]:
    """Read a separator, if another call's opening bracket is behind it."""
    for length in range(2, 16):
        ahead = yield from source.ahead(length)
        if len(ahead) < length or ahead[-1] not in SPACE:
            if ahead[-1:] in ("{", "[") and len(ahead) == length:
                source.position += length - 1
                return True
            return False
    return False


def _through(source: Source, mark: str, certain: Callable[[], None]) -> Reading[None]:
    while True:
        found = source.text.find(mark, source.position)
        if found >= 0:
            source.position = found + len(mark)
            certain()
            return
        source.position = max(source.position, len(source.text) - len(mark) + 1)
        if source.ended:
            source.position = len(source.text)
            certain()
            return
        certain()
        yield


def _everything(source: Source, certain: Callable[[], None]) -> Reading[None]:
    while True:
        source.position = len(source.text)
        certain()
        if source.ended:
            return
        yield
