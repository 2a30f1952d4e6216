"""Write one call's arguments as JSON while they are read, made to fit the tool's schema."""

from __future__ import annotations

from typing import Any, Protocol

from shared.tool_calls.schema import OMIT, Declared
from shared.wire import JsonObject, dumps


class Calls(Protocol):
    """Where calls go: to the client at once, or into a draft until the whole candidate has proved itself."""

    def start(self, name: str) -> None: ...

    def write(self, arguments: str) -> None: ...

    def end(self) -> None: ...

    def certain(self) -> None:
        """What was read so far is swallowed for good, unless nothing is certain yet."""

    def say(self, text: str) -> None:
        """Text between calls; raises NoCall where calls go out together or not at all."""


def text(value: Any) -> str:
    return dumps(value).decode()


class Arguments:
    """The arguments of one call, key by key; what is written concatenates to one JSON object."""

    def __init__(self, tool: Declared, calls: Calls, rename: dict[str, str] | None = None) -> None:
        self.tool = tool
        self._calls = calls
        self._rename = rename or {}
        self._given: dict[str, None] = {}
        self._stray: JsonObject = {}
        calls.start(tool.name)
        calls.write("{")

    def meant(self, written: str) -> str | None:
        """The parameter that `written` means; None when its value must wait for the others."""
        written = self._rename.get(written, written)
        return self.tool.key(written) or (None if self.tool.properties else written)

    def open_text(self, key: str) -> bool:
        """Begin the text value of `key`; False when it has one already."""
        if key in self._given:
            return False
        self._begin(key)
        self._calls.write('"')
        return True

    def more_text(self, piece: str) -> None:
        """More of an open text value, as JSON."""
        self._calls.write(piece)

    def close_text(self) -> None:
        self._calls.write('"')

    def value(self, written: str, value: Any) -> None:
        """A whole value, read from JSON or Python."""
        key = self.meant(written)
        if key is None:
            self._stray[self._rename.get(written, written)] = value
        elif key not in self._given:
            self._write(key, self.tool.fit(key, value))

    def unquoted(self, written: str, text: str) -> None:
        """A whole value that was written without quotes."""
        key = self.meant(written)
        if key is None:
            self._stray[self._rename.get(written, written)] = text
        elif key not in self._given:
            self._write(key, self.tool.read(key, text))

    @property
    def empty(self) -> bool:
        """Whether nothing has been written yet."""
        return not self._given

    def forget(self) -> None:
        """What had no place was no argument."""
        self._stray.clear()

    def finish(self) -> None:
        """Everything was read: place what had no place, add what is demanded, close the object."""
        places = self.tool.places(self._given, self._stray)
        for written, value in self._stray.items():
            if written in places:
                self._write(places[written], self.tool.fit(places[written], value))
            elif not self.tool.closed and written not in self._given:
                self._write(written, value)
        for key in self.tool.required:
            if key not in self._given:
                self._write(key, self.tool.default(key))
        self._calls.write("}")
        self._calls.end()

    def _write(self, key: str, value: Any) -> None:
        if value is not OMIT:
            self._begin(key)
            self._calls.write(text(value))

    def _begin(self, key: str) -> None:
        self._calls.write(f"{',' if self._given else ''}{text(key)}:")
        self._given[key] = None
