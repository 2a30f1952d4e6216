"""Where in its Markdown the text stands: at the start of a line, in a block quote, in a code span or a fence."""

from __future__ import annotations

from shared.tool_calls.source import SPACE, Reading, Source

MAX_RUN = 64  # backticks


class Place:
    __slots__ = ("_fence", "_span", "line_blank", "quoted")

    def __init__(self) -> None:
        self.line_blank = True  # nothing but white space stands in the line so far
        self.quoted = False
        self._span = 0  # the length of the run of backticks that an inline code span began with
        self._fence = ""

    @property
    def in_code(self) -> bool:
        return bool(self._fence or self._span)

    @property
    def in_span(self) -> bool:
        return bool(self._span)

    def say(self, text: str) -> None:
        """More of the line; a newline may be its last character."""
        if self.line_blank and (words := text.lstrip(SPACE)):
            self.line_blank = False
            self.quoted = words[0] == ">"

    def end_line(self) -> None:
        if self.line_blank:
            self._span = 0  # a code span ends with its paragraph at the latest
        self.begin_line()

    def begin_line(self) -> None:
        self.line_blank, self.quoted = True, False

    def ticks(self, source: Source) -> Reading[None]:
        """Read a run of backticks or tildes: the edge of a code span or of a fence."""
        sign = source.text[source.position]
        alone = self.line_blank
        length = 0
        while (yield from source.peek()) == sign and length < MAX_RUN:
            source.position += 1
            length += 1
        if self._fence:
            after = yield from source.peek()
            if alone and sign == self._fence[0] and length >= len(self._fence) and after in ("", *SPACE):
                self._fence = ""
        elif alone and length >= 3 and not self.quoted:
            self._fence = sign * length
        elif sign == "`":
            self._span = 0 if self._span == length else self._span or length
